"""Where a model's files are, on which device it is to run, and in which precision its weights are to be used."""

import json
from pathlib import Path

import torch

from nl_tasks.local_models import model_folder

_WEIGHTS = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]


def find_model(name: str) -> Path:
    """The folder of a local model, a folder or a Hub id. Raises ValueError, in one line, if it cannot be had."""
    place = Path(model_folder(name)).expanduser()
    if place.is_dir():
        if not (place / "config.json").is_file():
            raise ValueError(f"model {name!r}: {place} holds no config.json, it is not a model's folder")
        return place
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        missing = f"there is no folder {place}" if name.startswith((".", "/", "~")) else f"unknown model {name!r}"
        raise ValueError(f"{missing}: give smollm2, probe, a local folder or a Hub id (owner/name)")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_WEIGHTS))
    except Exception as error:  # of many families: HTTP, files, offline mode
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"model {name!r} is no local folder and could not be had from the Hub ({line})") from error


def device_name(asked: str) -> str:
    """The device that `asked` means, `auto` a GPU if there is one. Raises ValueError for what torch does not know."""
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.device(asked)
    except RuntimeError:
        raise ValueError(f"device {asked!r} is out of range: auto, cpu, cuda, cuda:1") from None
    return asked


def require_device(name: str) -> None:
    """Raise ValueError if this machine has not the GPU `name`; another, for which a sweep is planned, may have it."""
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ValueError(f"device {name!r}: this machine has {count} GPUs that torch can use; auto takes what is there")


def weights_dtype(folder: Path, asked: str, device: str) -> str:
    """The name of the dtype that `asked` means; `auto` is float32 on a CPU and the model's own elsewhere.

    Raises ValueError for a name that torch does not know.
    """
    if asked != "auto":
        if not isinstance(getattr(torch, asked, None), torch.dtype):
            raise ValueError(f"dtype {asked!r} is out of range: auto, float32, bfloat16 or float16")
        return asked
    if device == "cpu":
        return "float32"  # half precision is no faster there
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
