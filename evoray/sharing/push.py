"""A folder to the Hub: at the user's word alone, private unless they say otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evoray.errors import ConfigError, RunError, UsageError
from evoray.runtime.reading import reason_of, shown


def hub(name: str) -> Any:
    """The Hub's client, for a repository of that name; nothing is sent.

    Raises:
        ConfigError: huggingface_hub is not installed. UsageError: no repository may be called so.
    """
    try:
        import huggingface_hub
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]
    except ImportError:
        raise ConfigError('--push: huggingface_hub is not installed. Run: pip install "evoray[timm]"') from None
    try:
        validate_repo_id(name)
    except ValueError as error:
        raise UsageError(f"--push {shown(name)}: no name of a repository ({reason_of(error)}).") from None
    return huggingface_hub.HfApi()


def push(api: Any, folder: Path, name: str, public: bool) -> str:
    """Sends a folder to a repository, which is made where there is none; returns where it lies.

    One that is public already gets nothing unless ``public``.

    Raises:
        UsageError: it is public, and that was not asked for. RunError: it could not be sent; the folder stays.
    """
    try:
        made = api.create_repo(name, private=not public, repo_type="model", exist_ok=True)
        if not public and not api.repo_info(made.repo_id, repo_type="model").private:
            raise UsageError(
                f"--push {shown(name)}: that repository is public. Add --public, or name another one. The folder is "
                f"written: {shown(folder)}."
            )
        api.upload_folder(repo_id=made.repo_id, folder_path=folder, repo_type="model", commit_message="evoray export")
    except UsageError:
        raise
    except Exception as error:  # of many libraries: sockets, HTTP, the hub's own
        raise RunError(
            f"--push {shown(name)}: could not be sent ({reason_of(error)}). The folder is written: {shown(folder)}. "
            f"Log in with hf auth login where that is what lacks, and send it again: hf upload {shown(name)} "
            f"{shown(folder)}{'' if public else ' --private'}"
        ) from None
    return str(made)
