"""Register this package's models and losses with asteroid; runs on `import asteroid_xscheme`.

asteroid has no plug-in interface, so this module sets a few of its names and no others:

- `asteroid.models`: XUMX, XD3Net, XConvTasNet, XScheme, XSchemeOfMagnitudes. This XUMX replaces
  asteroid's: the one in release 0.7.0 raises an error with any current torch, and the one on the
  master branch cannot separate.
- `asteroid.losses`: this package's losses, and `register_loss` and `get` for these and asteroid's.
- `BaseModel.from_pretrained` loads a file that names one of this package's models with this
  package's loader. Any other file, name or URL goes to asteroid's own code, with its exceptions
  and its cache.
- `asteroid.separate.torch_separate` and `file_separate`, which `model.separate(...)` and
  `asteroid-infer` call, preserve level, channels and names for bridged models. Other models take
  asteroid's original path.

An asteroid that already has bridged models or these losses keeps its own. Registering twice
changes nothing.
"""

import inspect
import os
import warnings
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Union

import asteroid.losses
import asteroid.models
import asteroid.separate
import torch
from asteroid.dsp.overlap_add import LambdaOverlapAdd
from asteroid.utils.hub_utils import cached_download

from . import losses
from .audio import AudioWriter
from .models import ARCHITECTURES, BridgedModel
from .separation import Separator, Song, song_of_file
from .weights import CheckpointError, load_package, read_package
from .weights.published import find_published

_PACKAGE = __name__.partition(".")[0]
_LOSS_NAMES = ("MultiDomainLoss", "CombinationLoss", "combination_mse", "combination_wsdr")


def register() -> None:
    """Register models, losses, loading and separation with asteroid."""
    register_models(asteroid.models)
    register_losses(asteroid.losses)
    _patch_loading(asteroid.models.BaseModel)
    _patch_separation(asteroid.separate)


def register_models(target: ModuleType) -> None:
    """Register this package's models so that `asteroid.models.get` finds them.

    Args:
        target: `asteroid.models`. A class there that already takes `bridge` is left alone.
    """
    for name, model_class in ARCHITECTURES.items():
        existing = vars(target).get(name)
        if existing is None:
            target.register_model(model_class)
        elif _is_ours(existing) or not _knows_bridges(existing):
            setattr(target, name, model_class)


def _is_ours(thing: Any) -> bool:
    """Whether an object comes from this package, possibly from an earlier import of it."""
    return getattr(thing, "__module__", "").partition(".")[0] == _PACKAGE


def _knows_bridges(model_class: type) -> bool:
    return "bridge" in inspect.signature(model_class).parameters


def register_losses(target: ModuleType) -> None:
    """Add this package's losses, and `register_loss` and `get`, to a module of losses.

    Args:
        target: `asteroid.losses`. Existing entries of the same names are left alone.
    """
    for name in _LOSS_NAMES:
        _set_unless_theirs(target, name, getattr(losses, name))
    _set_unless_theirs(target, "register_loss", _make_register_loss(target))
    _set_unless_theirs(target, "get", _make_get_loss(target))


def _set_unless_theirs(target: ModuleType, name: str, value: Any) -> None:
    existing = vars(target).get(name)
    if existing is None or _is_ours(existing):
        setattr(target, name, value)


def _make_register_loss(target: ModuleType) -> Callable[[Callable], None]:
    def register_loss(custom_loss: Callable) -> None:
        """Register a custom loss so that `losses.get` finds it.

        Args:
            custom_loss: Loss class or function to register.

        Raises:
            ValueError: If a loss with this name exists.
        """
        if custom_loss.__name__ in vars(target):
            raise ValueError(f"Loss {custom_loss.__name__} already exists. Choose another name.")
        losses.register_loss(custom_loss)

    return register_loss


def _make_get_loss(target: ModuleType) -> Callable[[Union[None, str, Callable]], Any]:
    def get(identifier: Union[None, str, Callable]) -> Optional[Callable]:
        """Look up a loss by name among asteroid's losses and registered ones.

        Args:
            identifier: A name; a loss or None is returned unchanged.

        Returns:
            The loss class or function, or None.

        Raises:
            ValueError: If no loss has that name.
        """
        if isinstance(identifier, str) and identifier in target.__all__:
            return vars(target)[identifier]
        return losses.get(identifier)

    return get


def _patch_loading(base_model: Any) -> None:
    """Make `BaseModel.from_pretrained` load this package's files with this package's loader."""
    original = inspect.unwrap(vars(base_model)["from_pretrained"].__func__)

    @wraps(original)
    def from_pretrained(cls, pretrained_model_conf_or_path, *args, **kwargs):
        conf = pretrained_model_conf_or_path
        if cls is base_model and isinstance(conf, (str, os.PathLike)):
            conf = _package_of_ours(os.fspath(conf)) or conf
        return original(cls, conf, *args, **kwargs)

    base_model.from_pretrained = classmethod(from_pretrained)


def _package_of_ours(name: str) -> Optional[Dict[str, Any]]:
    """The package in a file that names one of our models; None for anything asteroid handles.

    asteroid locates the file and raises its own error if there is none. A file that our reader
    refuses goes to torch.load, which does not run code from a file either.
    """
    if find_published(name) is not None:
        return load_package(name)
    path = cached_download(name)
    try:
        package = read_package(path)
    except CheckpointError:
        return None
    return package if _is_ours(vars(asteroid.models).get(package["model_name"])) else None


def _patch_separation(target: Any) -> None:
    """Make asteroid's functions hand bridged models to this package."""
    original_torch = inspect.unwrap(target.torch_separate)
    original_file = inspect.unwrap(target.file_separate)

    @wraps(original_torch)
    def torch_separate(model, wav: torch.Tensor, **kwargs) -> torch.Tensor:
        if isinstance(model, BridgedModel):
            return model.torch_separate(wav, **kwargs)
        return original_torch(model, wav, **kwargs)

    @wraps(original_file)
    def file_separate(
        model, filename, output_dir=None, force_overwrite=False, resample=False, **kwargs
    ) -> None:
        if isinstance(model, BridgedModel):
            separate_file(model, filename, output_dir, force_overwrite, resample, **kwargs)
        elif isinstance(model, LambdaOverlapAdd) and isinstance(model.nnet, BridgedModel):
            raise RuntimeError(
                f"{type(model.nnet).__name__} separates files of any length without "
                "LambdaOverlapAdd: omit --ola-window, or use `xscheme separate`."
            )
        else:
            original_file(model, filename, output_dir, force_overwrite, resample, **kwargs)

    target.torch_separate = torch_separate
    target.file_separate = file_separate


def separate_file(
    model: BridgedModel,
    path: Union[str, Path],
    output_dir: Union[None, str, Path] = None,
    force_overwrite: bool = False,
    resample: bool = False,
) -> None:
    """Separate a file with a bridged model and write one .wav file per source.

    This replaces asteroid's `file_separate`. The files are named NAME_SOURCE.wav and have the rate,
    channels and length of the input. Their float samples keep the level of the mixture and never
    clip. `xscheme separate` has more options.

    Args:
        model: Any bridged model.
        path: Audio file.
        output_dir: Folder for the files, by default that of the input; created if missing.
        force_overwrite: Replace existing files. Otherwise, an existing file causes a warning and
            nothing is written.
        resample: Accept a file whose rate differs from the model's.

    Raises:
        RuntimeError: If the rates differ and `resample` is not set.
        AudioError: If the file cannot be read, or an output cannot be written.
        SeparationError: If the file or an estimate contains NaN or infinite samples.
    """
    targets = _name_stems(Path(path), output_dir, model.sources)
    existing = [target for target in targets if target.is_file()]
    if existing and not force_overwrite:
        warnings.warn(
            f"File {existing[0]} already exists, pass `force_overwrite=True` to overwrite it",
            UserWarning,
            stacklevel=3,
        )
        return
    song = song_of_file(path)
    if song.sample_rate != model.sample_rate and not resample:
        raise RuntimeError(
            f"Received a signal with a sampling rate of {song.sample_rate}Hz for a model of "
            f"{model.sample_rate}Hz. You can pass `resample=True` to resample automatically."
        )
    device = next(model.parameters()).device
    with ExitStack() as stack:
        writers: List[AudioWriter] = []
        for sources in Separator(model, device=str(device)).stream(song):
            if not writers:
                writers = _open_writers(stack, targets, song)
            for writer, source in zip(writers, sources):
                writer.write(source)


def _name_stems(path: Path, output_dir: Union[None, str, Path], sources: List[str]) -> List[Path]:
    folder = path.parent if output_dir is None else Path(output_dir)
    return [folder / f"{path.stem}_{source.replace(os.sep, '_')}.wav" for source in sources]


def _open_writers(stack: ExitStack, targets: List[Path], song: Song) -> List[AudioWriter]:
    targets[0].parent.mkdir(parents=True, exist_ok=True)
    shape = song.sample_rate, song.n_channels, "FLOAT", song.n_samples
    return [stack.enter_context(AudioWriter(target, *shape)) for target in targets]
