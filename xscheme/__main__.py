"""`python -m xscheme` runs the command."""

import sys

from .command import main

sys.exit(main())
