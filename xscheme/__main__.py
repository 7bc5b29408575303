"""`python -m xscheme` is the command."""

import sys

from .command import main

sys.exit(main())
