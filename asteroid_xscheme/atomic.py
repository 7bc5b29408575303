"""Files that appear whole or not at all, whenever the program is ended."""

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; its file gets the name `path` if the block succeeds."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, content: Any, indent: Optional[int] = 2, allow_nan: bool = True) -> None:
    """Write a JSON file; its options are those of `json.dumps`."""
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=indent, allow_nan=allow_nan), encoding="utf-8")
