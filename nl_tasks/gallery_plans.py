"""Pictures of what each backend computes: its plan over an attention map of SmolLM2, one head reading a story.

python -m nl_tasks.gallery_plans docs/plans        # part of `make gallery`
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nl_tasks.backends import describe_backends
from nl_tasks.generators.task import get_task
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.kernels.plan import causal_mask
from nl_tasks.local_models import SMOLLM2, model_folder
from nl_tasks.png import png_bytes
from nl_tasks.sparse_backends import Backend, Dense, get_backend, parse_backend

TOKENS, PROMPT = 1024, 512
SPARSE = "{}:sparsity=0.7"
SPECS = {
    "dense": "dense",
    "xattention": "xattention:sparsity=0.7,block=32",
    "flexprefill": "flexprefill:alpha=0.6,min_budget=64",
}
"""How the backends are asked for here, where `SPARSE` would not do for so short a text or show nothing of its own."""

LAYER, HEAD = 11, 4
STEP = 4  # tokens a pixel, each way
SHADES = 12
KEPT, LOST = ((222, 231, 245), (12, 44, 104)), ((250, 244, 238), (214, 96, 20))
"""Colours of weak and strong attention, where it is computed and where it is left out."""


def draw_plans(folder: Path) -> None:
    """Write NAME.png for every backend of this package. Raises ValueError if SmolLM2 is not installed."""
    q, k, scale = _layer_inputs()
    folder.mkdir(parents=True, exist_ok=True)
    weights = _weights(q, k, scale)
    for name in picture_names():
        kept = plan_mask(parse_backend(picture_spec(name)), q, k, scale)[HEAD]
        (folder / f"{name}.png").write_bytes(png_bytes(shaded(weights, kept), palette()))


def picture_names() -> list[str]:
    """The backends of this package, in the order of `nl-tasks backends`."""
    return [backend.name for backend in describe_backends() if _is_ours(backend.name)]


def picture_spec(name: str) -> str:
    """The backend `name` with the parameters that its picture is of."""
    return SPECS.get(name, SPARSE.format(name))


def plan_mask(backend: Backend, q: Tensor, k: Tensor, scale: float) -> Tensor:
    """Which entries a backend computes, `[Hq, T, T]` bool, for `q` `[1, Hq, T, D]` and `k` `[1, Hkv, T, D]`.

    Decode and eviction methods read the first `PROMPT` tokens in full; each later row is a token generated after them.
    """
    heads, tokens = q.shape[1], q.shape[2]
    if backend.phase == "prefill":
        return _of_query_heads(backend.plan(q, k, scale=scale, layer=LAYER).mask(0, tokens)[0], heads)
    mask = causal_mask(0, tokens, 0, tokens, q.device).repeat(heads, 1, 1)
    held = torch.empty(0)
    if backend.phase == "evict":
        plan = backend.plan(q[:, :, :PROMPT], k[:, :, :PROMPT], scale=scale, layer=LAYER, prompt=PROMPT)
        held = plan.mask(0, 1)[0, :, 0]
    for row in range(PROMPT, tokens):
        one, seen = q[:, :, row : row + 1], k[:, :, : row + 1]
        if backend.phase == "evict":
            held = torch.nn.functional.pad(held, (0, 1), value=True)
            read = held
            after = backend.evict_step(one[0], seen[0], held, scale=scale, prompt=PROMPT)
            held = read if after is None else after
        else:
            read = backend.plan(one, seen, scale=scale, layer=LAYER, prompt=PROMPT).mask(0, 1)[0, :, 0]
        mask[:, row, : row + 1] = _of_query_heads(read, heads)
    return mask


def shaded(weights: Tensor, kept: Tensor) -> np.ndarray:
    """Pixels for `palette()`: the strongest attention of each square of tokens, and whether it is computed."""
    tiles = weights.unflatten(0, (-1, STEP)).unflatten(2, (-1, STEP)).permute(0, 2, 1, 3).flatten(2)
    strongest, where = tiles.max(-1)
    computed = kept.unflatten(0, (-1, STEP)).unflatten(2, (-1, STEP)).permute(0, 2, 1, 3).flatten(2)
    computed = computed.gather(-1, where[..., None])[..., 0]
    shade = ((strongest.clamp(min=1e-5).log10() + 5) / 5 * (SHADES - 1)).round().long()
    pixels = torch.where(computed, shade, shade + SHADES) + 1
    above = torch.arange(len(pixels)) > torch.arange(len(pixels))[:, None]
    return pixels.masked_fill(above, 0).numpy()


def palette() -> list[tuple[int, int, int]]:
    """White, then the shades of computed and of left-out attention."""
    colours = [(255, 255, 255)]
    for weak, strong in (KEPT, LOST):
        for shade in range(SHADES):
            part = shade / (SHADES - 1)
            red, green, blue = (round(a + (b - a) * part) for a, b in zip(weak, strong))
            colours.append((red, green, blue))
    return colours


def _is_ours(name: str) -> bool:
    return type(get_backend(name)).__module__.startswith("nl_tasks.")


def _of_query_heads(mask: Tensor, heads: int) -> Tensor:
    return mask.repeat_interleave(heads // len(mask), 0)


def _weights(q: Tensor, k: Tensor, scale: float) -> Tensor:
    """Attention probabilities of the pictured head, `[T, T]`."""
    keys = k[0, HEAD // (q.shape[1] // k.shape[1])]
    allowed = causal_mask(0, q.shape[2], 0, q.shape[2], q.device)
    return (q[0, HEAD] @ keys.T * scale).masked_fill(~allowed, -torch.inf).softmax(-1)


def _layer_inputs() -> tuple[Tensor, Tensor, float]:
    """Queries, keys and scale of the pictured layer while SmolLM2 reads a story."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = model_folder(SMOLLM2)
    sample = get_task("story_retrieval", num_queries=1, style="plain").sample(
        seed=43, index=0, length=TOKENS, tokenizer=load_tokenizer(folder)
    )
    ids = AutoTokenizer.from_pretrained(folder)(sample.prompt, return_tensors="pt").input_ids
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    seen: dict[int, Any] = {}
    with torch.no_grad(), Dense().attach(model, observe=lambda **call: seen.update({call["layer"]: call})):
        model(ids, logits_to_keep=1)
    return seen[LAYER]["q"], seen[LAYER]["k"], seen[LAYER]["scale"]


if __name__ == "__main__":
    draw_plans(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/plans"))
