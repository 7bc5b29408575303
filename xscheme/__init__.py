"""The command `xscheme`: each module holds the arguments and the work of one subcommand."""

from .command import main

__all__ = ["main"]
