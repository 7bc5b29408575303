"""`xscheme env`: print versions, devices and cached weights, to paste into a bug report."""

import os
import platform
import runpy
from argparse import Namespace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, Dict, Iterator, List

_PACKAGES = (
    "asteroid asteroid-filterbanks torch pytorch-lightning numpy scipy av soundfile soxr "
    "huggingface-hub"
).split()
OPTIONAL = (
    "torchaudio h5py safetensors onnx onnxruntime musdb museval stempeg matplotlib pandas "
    "tensorboard"
).split()


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "env",
        help="show versions, devices and cached weights, for bug reports",
        description="Show the versions, devices, threads and cached weights of this installation.",
    )
    parser.set_defaults(run=env)


def env(arguments: Namespace) -> int:
    """Run the command and print the description."""
    print(describe_environment())
    return 0


def own_version() -> str:
    """The version of asteroid_xscheme, read without importing it."""
    spec = find_spec("asteroid_xscheme")
    assert spec is not None and spec.origin is not None  # it is installed with this command
    return runpy.run_path(str(Path(spec.origin).with_name("version.py")))["__version__"]


def describe_environment() -> str:
    """One line per fact; the home folder is shown as ~, so that the text names no user."""
    facts: Dict[str, Callable[[], str]] = {
        "xscheme": own_version,
        "Python": lambda: f"{platform.python_version()}, {platform.platform()}",
        **{name: partial(_version, name) for name in [*_PACKAGES, *OPTIONAL]},
        "ffmpeg libraries": _ffmpeg,
        "libsndfile": _libsndfile,
        "devices": _devices,
        "threads": _threads,
        "cache": _cache,
    }
    lines = [f"{name:21}{_without_home(_fact_or_reason(fact))}" for name, fact in facts.items()]
    return "\n".join(lines)


def _fact_or_reason(fact: Callable[[], str]) -> str:
    """A fact, or why it is unknown; the command must also run in a broken installation."""
    try:
        return fact()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        reason = (str(error).splitlines() or [""])[0]
        return f"unknown ({type(error).__name__}: {reason})"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _ffmpeg() -> str:
    import av

    versions = {name: ".".join(map(str, v)) for name, v in av.library_versions.items()}
    return ", ".join(f"{name} {versions[name]}" for name in ("libavcodec", "libavformat"))


def _libsndfile() -> str:
    import soundfile

    return soundfile.__libsndfile_version__


def _devices() -> str:
    import torch

    gpus = [
        f"cuda:{index} {torch.cuda.get_device_name(index)}"
        for index in range(torch.cuda.device_count())
    ]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ", ".join([f"cpu {platform.machine()}", *gpus, *mps])


def _threads() -> str:
    import torch

    limits = [f"{name}={os.environ[name]}" for name in _LIMITS if name in os.environ]
    return ", ".join([f"{torch.get_num_threads()} of {os.cpu_count()} cores", *limits])


_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


def _cache() -> str:
    from asteroid_xscheme.weights.fetching import cache_dir

    folder = cache_dir()
    return "\n".join([f"{folder}", *(f"  {line}" for line in _cached_files(folder))])


def _cached_files(folder: Path) -> List[str]:
    """Each published model in the cache, and how many other weights there are."""
    from asteroid_xscheme.weights import PUBLISHED

    sizes = {name: model.bytes_cached for name, model in PUBLISHED.items()}
    lines = [f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items() if size is not None]
    n_others = sum(1 for _ in _weights(folder)) - len(lines)
    return [*lines, f"{n_others} other files of weights"] if n_others > 0 else lines or ["empty"]


def _weights(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*/model.pth") if path.is_file())


def _without_home(text: str) -> str:
    home = str(Path.home())
    return text.replace(home, "~") if len(Path(home).parts) > 1 else text
