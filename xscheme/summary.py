"""Report the result of each song: as lines for people, and as JSON for programs."""

import json
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from tqdm import tqdm

from asteroid_xscheme.atomic import write_json
from asteroid_xscheme.separation import SeparationError
from .messages import message_of, printable
from .songs import identities

_KINDS = ("error", "warning", "note")


class Summary:
    """Results of a run; a context manager that rewrites its JSON file after every song.

    Args:
        target: JSON file; "-" prints to standard output at the end; None writes no JSON. If the run
            fails, the error is saved there under "error".
        model: Name of the model.
        kept: Files that must not be overwritten.

    Attributes:
        path: The JSON file, or None.

    Raises:
        SeparationError: If the JSON file cannot be written or must not be overwritten.
    """

    def __init__(self, target: Optional[str], model: str, kept: Sequence[Path]):
        self.path = None if target in (None, "-") else Path(target).expanduser()
        self._prints = target == "-"
        self._content: Dict[str, Any] = {"model": model, "songs": []}
        if self.path is not None and self.path.exists() and not self.path.is_file():
            raise SeparationError(f"--json {target}: not a file; use - for standard output.")
        if self.path is not None and identities([self.path]) & identities(kept):
            raise SeparationError(
                f"--json {target}: this run reads that file; choose another name."
            )

    @property
    def has_errors(self) -> bool:
        """Whether any song failed."""
        return any("error" in result for result in self._results)

    @property
    def _results(self) -> List[dict]:
        return self._content["songs"]

    def add(self, result: dict) -> None:
        """Print the messages about a song and record its result."""
        for kind in _KINDS:
            if kind in result:
                line = printable(f"{result['input']}: {result[kind]}")
                tqdm.write(line, file=sys.stderr)  # above the bars of other songs
        self._results.append(result)
        self._write()

    def _write(self) -> None:
        if self.path is None:
            return
        try:
            write_json(self.path, self._content)
        except OSError as error:
            raise SeparationError(f"--json {self.path}: {error.strerror}.") from error

    def __enter__(self) -> "Summary":
        self._write()
        return self

    def __exit__(self, kind, error, traceback) -> None:
        if error is not None:
            self._content["error"] = message_of(error) or "stopped"
            self._write()
        if self._prints:
            print(json.dumps(self._content, indent=2))
