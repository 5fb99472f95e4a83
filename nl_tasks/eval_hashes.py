"""What a result depends on, as hashes and versions: the model's files, this package's source, the libraries."""

import hashlib
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nl_tasks

_LIBRARIES = ("torch", "transformers", "lm_eval", "tokenizers", "triton", "numpy")
_SAMPLES, _SAMPLE = 256, 4096  # of each file of weights


def model_hash(folder: Path) -> str:
    """Hash a model's folder, 16 hex digits: its configuration whole, its weights by 256 samples of 4 kB a file.

    Any training moves nearly all weights, so samples tell models apart without reading hundreds of gigabytes.
    """
    digest = hashlib.sha256()
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".safetensors", ".bin", ".gguf")]
    for path in [folder / "config.json", *files]:
        size = path.stat().st_size
        digest.update(f"{path.name}\n{size}\n".encode())
        with path.open("rb") as file:
            for number in range(_SAMPLES):
                file.seek(size * number // _SAMPLES)
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:16]


def code_hash() -> str:
    """SHA-256 (hex) over this package's Python and template files and their names."""
    root = Path(nl_tasks.__file__).parent
    # Folders are walked by hand: the links of a checkout are to be followed, as on every Python version
    paths = (Path(place) / name for place, _, names in os.walk(root, followlinks=True) for name in names)
    digest = hashlib.sha256()
    for path in sorted(path for path in paths if path.suffix in (".py", ".jinja", ".yaml")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def environment(device: str) -> dict[str, Any]:
    """Versions of what computes, the machine, and the time: what a result file says about where it comes from."""
    return {
        "nl_tasks": nl_tasks.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in _LIBRARIES},
        "device": device,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "time": round(time.time()),
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
