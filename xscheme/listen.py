"""`xscheme listen`: write a page with a mixer into the folder of a song's sources."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, List

PAGE = "listen.html"
MIXTURE = "mixture"  # name, without suffix, of the file that holds the whole song


def add_arguments(commands: Any) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "listen",
        help="write a page to hear the sources of a song together",
        description=f"Write {PAGE}, a page with a mixer, into a folder that holds one audio file "
        f"per source of a song. A file called {MIXTURE} is taken as the whole song. The page works "
        "offline and needs no other file.",
    )
    parser.add_argument("folder", nargs="+", help="one folder per song, such as separated/*/*")
    parser.set_defaults(run=listen)


def listen(arguments: Namespace) -> int:
    """Run the command; return 0 if every page was written, otherwise 1."""
    from asteroid_xscheme.errors import XSchemeError
    from .messages import message_of, printable

    status = 0
    for folder in arguments.folder:
        try:
            print(printable(str(write_page_of(Path(folder)))))
        except (XSchemeError, OSError) as error:
            print(printable(f"{folder}: {message_of(error)}"), file=sys.stderr)
            status = 1
    return status


def write_page_of(folder: Path) -> Path:
    """Write the page of a folder and return its path.

    Raises:
        ListeningError: If the folder does not hold the sources of a song.
        AudioError: If a file cannot be read.
    """
    from asteroid_xscheme.listening import ListeningError, write_page
    from asteroid_xscheme.separation import song_of_file

    if not folder.is_dir():
        raise ListeningError("expected a folder with the sources of a song.")
    paths = _audio_files(folder)
    mixtures = [path for path in paths if path.stem == MIXTURE]
    names: Dict[str, Path] = {}
    for path in (path for path in paths if path not in mixtures):
        if path.stem in names:
            raise ListeningError(
                f"{names[path.stem].name} and {path.name} are both {path.stem}: remove one of them."
            )
        names[path.stem] = path
    if not names or len(mixtures) > 1:
        raise ListeningError(_problem(folder, mixtures))
    songs = {name: song_of_file(path) for name, path in names.items()}
    mixture = song_of_file(mixtures[0]) if mixtures else None
    return write_page(folder / PAGE, folder.resolve().name, songs, mixture)


def _audio_files(folder: Path) -> List[Path]:
    from .songs import SUFFIXES

    files = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in files if path.is_file() and not path.name.startswith("."))


def _problem(folder: Path, mixtures: List[Path]) -> str:
    if len(mixtures) > 1:
        return f"expected one mixture, got {' and '.join(path.name for path in mixtures)}."
    inside = sorted(path.name for path in folder.iterdir() if path.is_dir() and _audio_files(path))
    hint = f"; the folder {inside[0]!r} inside it does: name that one" if inside else ""
    return f"contains no audio files of sources{hint}."
