"""Load weights from a Hugging Face repository, and upload a published folder to one.

huggingface_hub provides the cache, the token (`hf auth login`, or the environment variable
HF_TOKEN) and the address (HF_ENDPOINT). No message of this module contains the token.
"""

from pathlib import Path
from typing import Any, Dict, List, Optional

import huggingface_hub
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from .diagnosis import CheckpointError
from .fetching import cache_dir
from .files import CONFIG_FILE, FOLDER_FILES, only_weights, read_package

_PUSHED = ("README.md", CONFIG_FILE, "model.safetensors", "pytorch_model.bin")
_TOKENS_PAGE = "https://huggingface.co/settings/tokens"
_FAILURES = (HTTPError, OSError, HFValidationError)
_PUSH_FAILURES = (*_FAILURES, RuntimeError, ValueError)  # an interrupted upload raises these too


def load_hub(name: str, *, offline: bool = False) -> Dict[str, Any]:
    """Load one of `FOLDER_FILES`, or the only weights file, from a Hugging Face repository.

    Args:
        name: "owner/name" or "owner/name@revision" (a branch, tag or commit).
        offline: Use the cache only.

    Returns:
        The package, as from `read_package`.

    Raises:
        CheckpointError: If the repository cannot be reached, or contains no weights or several.
    """
    repository, _, revision = name.partition("@")
    there = _Repository(repository, revision or None, offline)
    try:
        path = there.find_weights(name)
    except _FAILURES as error:
        raise CheckpointError(_explain(name, error)) from error
    return read_package(path)


def push_folder(folder: Path, repository: str) -> str:
    """Upload a folder that `publish` wrote, in one commit.

    Files that only asteroid-upload uses are left out.

    Args:
        folder: The published folder.
        repository: "owner/name", created if missing; files of the same names are replaced.

    Returns:
        The URL of the repository.

    Raises:
        CheckpointError: If nobody is logged in, or Hugging Face refuses or cannot be reached.
    """
    if repository.count("/") != 1:
        raise CheckpointError(f"{repository!r} is not a repository: expected owner/name.")
    token = huggingface_hub.get_token()
    if token is None:
        raise CheckpointError(
            "Not logged in to Hugging Face. Run `hf auth login`, or set HF_TOKEN to a token with "
            f"write access ({_TOKENS_PAGE})."
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise CheckpointError(
            "The Hugging Face token contains characters that no token has: copy it again from "
            f"{_TOKENS_PAGE}."
        )
    api = huggingface_hub.HfApi()
    files = [huggingface_hub.CommitOperationAdd(name, folder / name) for name in _PUSHED]
    try:
        api.create_repo(repository, exist_ok=True)
        api.create_commit(repository, files, commit_message="Publish with asteroid_xscheme")
    except _PUSH_FAILURES as error:
        reason = _explain_refusal(repository, error).replace(token, "[token]")
        raise CheckpointError(f"{repository} was not pushed: {reason}") from error
    return f"{api.endpoint}/{repository}"


class _Repository:
    """A repository, read from the network or the cache."""

    def __init__(self, name: str, revision: Optional[str], offline: bool):
        self.name, self.revision, self.offline = name, revision, offline

    def find_weights(self, given: str) -> str:
        """Download the weights, and the config.json of safetensors; return the weights' path."""
        for file in FOLDER_FILES:
            path = self._fetch(file)
            if path is not None:
                break
        else:
            place = f"{self.name}/resolve/{self.revision or 'main'}/FILE"
            file = only_weights(given, self._names(), f"https://huggingface.co/{place}")
            path = self._fetch(file)
        if file.endswith(".safetensors"):
            self._fetch((Path(file).parent / CONFIG_FILE).as_posix())
        if path is None:
            raise LocalEntryNotFoundError(file)
        return path

    def _fetch(self, file: str) -> Optional[str]:
        """Download a file and return its path in the cache; None if it does not exist."""
        try:
            return huggingface_hub.hf_hub_download(
                self.name,
                file,
                revision=self.revision,
                cache_dir=cache_dir(),
                local_files_only=self.offline,
            )
        except EntryNotFoundError as error:
            if isinstance(error, LocalEntryNotFoundError) and not self.offline:
                raise  # the network failed
            return None

    def _names(self) -> List[str]:
        """Names of all files; offline, only those in the cache."""
        if not self.offline:
            return huggingface_hub.HfApi().list_repo_files(self.name, revision=self.revision)
        folder = cache_dir() / f"models--{self.name.replace('/', '--')}"
        ref = folder / "refs" / (self.revision or "main")
        commit = ref.read_text().strip() if ref.is_file() else self.revision or "main"
        snapshot = folder / "snapshots" / commit
        if not snapshot.is_dir():
            raise LocalEntryNotFoundError(self.name)
        return [p.relative_to(snapshot).as_posix() for p in snapshot.rglob("*") if p.is_file()]


def _explain(name: str, error: Exception) -> str:
    """Say why a Hugging Face id could not be loaded, and what to do."""
    if isinstance(error, (LocalEntryNotFoundError, OfflineModeIsEnabled)):
        return (
            f"{name} is not in the cache ({cache_dir()}) and Hugging Face cannot be reached: "
            "offline mode, or a network failure. Go online once, or copy the cache from a machine "
            "that has it."
        )
    if isinstance(error, GatedRepoError):
        return (
            f"{name}: you have to accept its terms first. Accept them at "
            f"https://huggingface.co/{name.partition('@')[0]} and log in with `hf auth login`."
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"{name} is neither a file, nor a known name, nor a Hugging Face repository "
            "(or it is private: log in with `hf auth login`). `xscheme models` lists the names."
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{name}: the repository has no such branch, tag or commit after the @."
    return f"{name} could not be downloaded from Hugging Face: {_first_line(error)}"


def _explain_refusal(repository: str, error: Exception) -> str:
    """Say in one line why a repository could not be written, and what to do."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # the upload of one file failed
    if isinstance(error, OfflineModeIsEnabled):
        return "downloads and uploads are off (HF_HUB_OFFLINE)."
    if isinstance(error, HFValidationError):
        return f"expected owner/name; {_first_line(error)}"
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status == 401:
        return "Hugging Face does not accept the token (401). Log in again with `hf auth login`."
    if status in (403, 404):
        owner = repository.partition("/")[0]
        return (
            f"the token has no write access to repositories of {owner} ({status}). Give it write "
            f"access ({_TOKENS_PAGE}), or name a repository of your own."
        )
    if status is None and isinstance(error, HTTPError):  # its text may contain the request
        return f"Hugging Face cannot be reached ({type(error).__name__}). Check the network."
    return f"{_first_line(error)} Try again."


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
