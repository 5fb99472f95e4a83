"""Tokenizers inside GGUF files, converted once by transformers and kept in a cache folder.

The cache is `$NL_TASKS_CACHE`, or `~/.cache/nl-tasks`.
"""

import hashlib
from pathlib import Path

from nl_tasks.generators.cache import cache_root, whole_folder
from nl_tasks.generators.tokenizer_hf import HuggingFaceTokenizer, first_line


def load_gguf(path: str) -> HuggingFaceTokenizer:
    """Load the tokenizer `gguf:path`. Raises ValueError if there is no such file or it holds no usable tokenizer."""
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise ValueError(f"tokenizer 'gguf:{path}': there is no such file")
    folder = cache_folder(file)
    if not folder.is_dir():
        _convert(path, file, folder)
    return HuggingFaceTokenizer(f"gguf:{path}", folder)


def cache_folder(file: Path) -> Path:
    """Where the tokenizer of `file`, as it is now, is kept."""
    state = file.stat()  # its content would take minutes to hash: such files reach hundreds of gigabytes
    key = hashlib.sha256(f"{file}\n{state.st_size}\n{state.st_mtime_ns}".encode()).hexdigest()[:16]
    return cache_root() / "gguf" / f"{file.stem}-{key}"


def _convert(path: str, file: Path, folder: Path) -> None:
    try:
        import gguf  # noqa: F401  (transformers asks for it late and at length)
        from transformers import AutoTokenizer
    except ImportError as error:
        raise ValueError(
            f"tokenizer 'gguf:{path}' needs {error.name}: pip install 'nl-tasks[demo]', or use tekken or a local folder"
        ) from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    except Exception as error:  # whatever a broken or foreign file leads to
        raise ValueError(f"tokenizer 'gguf:{path}' cannot be read: {first_line(error)}") from error
    with whole_folder(folder) as scratch:
        tokenizer.save_pretrained(scratch)
