"""A probe's adapter as a file: the low-rank updates as 8-bit numbers, and models made with it.

    write_adapter(file, updates, {"step": 2000})
    assemble(base_folder, file, folder)                  # a folder that transformers loads

Each of the `rank` vectors of a layer's matrix has a scale of its own, so that a small one is as exact as a large one.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nl_tasks.generators.cache import whole_folder
from nl_tasks.probe_llama import ATTENTION, LINEARS
from nl_tasks.probe_lowrank import LowRank

CONTEXT = 9216
"""Tokens that an assembled probe is said to hold: trained are 8448, a prompt of 8192 and its answer."""

_FORMAT = "nl-tasks-probe-1"
_LEVELS = 127


def write_adapter(file: str | Path, updates: LowRank, facts: Mapping[str, Any]) -> None:
    """Write `updates` as int8, with `facts` about them as the file's metadata."""
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    for name in LINEARS:
        for part, along, matrix in (("down", 2, updates.down[name]), ("up", 1, updates.up[name])):
            numbers, scales = _to_int8(matrix.detach().cpu().float(), along)
            tensors[f"{name}.{part}"], tensors[f"{name}.{part}.scale"] = numbers, scales
    # One entry: of several, safetensors writes them in an order that changes from run to run
    known = json.dumps({**facts, "rank": updates.rank, "scale": updates.scale}, sort_keys=True)
    scratch = Path(f"{file}.new")
    save_file(tensors, scratch, metadata={_FORMAT: known})
    scratch.replace(file)


def read_adapter(file: str | Path) -> tuple[LowRank, dict[str, Any]]:
    """The updates in a file that `write_adapter` wrote, and the facts about them. Raises ValueError for other files."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            known = (opened.metadata() or {}).get(_FORMAT)
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (it is no dict)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"adapter {str(file)!r} cannot be read: {error}") from None
    if known is None:
        raise ValueError(f"adapter {str(file)!r} is not one of `nl-tasks probe train`")
    facts = json.loads(known)
    wide = {name: tensors[f"{name}.down"].shape[2] for name in LINEARS}
    shapes = {name: torch.Size((*tensors[f"{name}.up"].shape[:2], wide[name])) for name in LINEARS}
    updates = LowRank(shapes, rank=facts["rank"], scale=facts["scale"])
    with torch.no_grad():
        for name in LINEARS:
            for part, matrices in (("down", updates.down), ("up", updates.up)):
                matrices[name].copy_(tensors[f"{name}.{part}"].float() * tensors[f"{name}.{part}.scale"])
    return updates, facts


def assemble(base: str | Path, adapter: str | Path, folder: str | Path, *, context: int = 0) -> None:
    """Write the model in `base` with the updates in `adapter` as `folder`, whole or not at all.

    `context`, if not 0, is the number of tokens that the model is said to hold. Raises ValueError if base and adapter
    do not belong together.
    """
    from safetensors.torch import load_file, save_file

    base, folder = Path(base), Path(folder)
    updates, _ = read_adapter(adapter)
    weights = load_file(base / "model.safetensors")
    layers = len(updates.up["q_proj"])
    try:
        for name in LINEARS:
            within = "self_attn" if name in ATTENTION else "mlp"
            keys = [f"model.layers.{layer}.{within}.{name}.weight" for layer in range(layers)]
            stacked = torch.stack([weights[key] for key in keys])
            with torch.no_grad():  # in float64, so that every machine rounds to the same weights
                change = updates.up[name].double() @ updates.down[name].double()
                merged = stacked.double().add_(change, alpha=updates.scale)
            weights.update(zip(keys, merged.to(stacked.dtype).unbind(0)))
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"adapter {str(adapter)!r} is for another base than {str(base)!r}: {error}") from None
    with whole_folder(folder) as scratch:
        for file in base.iterdir():
            if file.suffix in (".json", ".jinja", ".txt", ".model"):
                shutil.copyfile(file, scratch / file.name)
        if context:
            config = json.loads((scratch / "config.json").read_text(encoding="utf-8"))
            config["max_position_embeddings"] = context
            (scratch / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        save_file(
            {key: value.contiguous() for key, value in weights.items()}, scratch / "model.safetensors", {"format": "pt"}
        )


def _to_int8(matrix: Tensor, along: int) -> tuple[Tensor, Tensor]:
    """Numbers -127..127 and their scales, one for each vector that runs along dimension `along`."""
    scales = matrix.abs().amax(along, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / _LEVELS
    return (matrix / scales).round().to(torch.int8), scales
