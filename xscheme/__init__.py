"""The command `xscheme`: one module per subcommand, its arguments and what it does."""

from .command import main

__all__ = ["main"]
