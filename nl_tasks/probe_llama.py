"""A Llama whose linear layers are given from outside, so that what is trained can be merged into them at each step.

    base = read_base(folder, device="cuda", dtype=torch.bfloat16)
    hidden = hidden_states(base, base.linears, tokens)          # [B, R] -> [B * R, hidden]

Everything but attention works on the rows of a batch laid end to end: shapes stay the same whatever the length of a
row, and a compiled block serves all layers and all lengths.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
LINEARS = (*ATTENTION, *MLP)


@dataclass(frozen=True)
class Shape:
    """What of a Llama's configuration its weights do not tell; `theta` is the base of its rotary positions."""

    heads: int
    kv_heads: int
    head_dim: int
    theta: float
    eps: float


@dataclass(frozen=True)
class Base:
    """The weights that are not trained. `linears[name]` is `[layers, out, in]`, norms are `[layers, hidden]`."""

    shape: Shape
    linears: dict[str, Tensor]
    attention_norm: Tensor
    mlp_norm: Tensor
    last_norm: Tensor
    embedding: Tensor
    head: Tensor


def read_base(folder: str | Path, *, device: str, dtype: torch.dtype) -> Base:
    """The weights in a model's folder. Raises ValueError if it is no plain Llama in one file."""
    from safetensors.torch import load_file

    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    rope = config.get("rope_parameters") or {"rope_theta": config.get("rope_theta", 1e4)}
    plain = rope.get("rope_type", "default") == "default" and not config.get("attention_bias")
    if config.get("model_type") != "llama" or not plain or not (folder / "model.safetensors").is_file():
        raise ValueError(f"base {str(folder)!r}: a probe is made from a Llama without biases, in one model.safetensors")
    shape = Shape(
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head_dim=config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"],
        theta=float(rope["rope_theta"]),
        eps=float(config["rms_norm_eps"]),
    )
    found = load_file(folder / "model.safetensors")

    def stacked(name: str) -> Tensor:
        parts = [found[f"model.layers.{layer}.{name}.weight"] for layer in range(config["num_hidden_layers"])]
        return torch.stack(parts).to(device, dtype)

    embedding = found["model.embed_tokens.weight"].to(device, dtype)
    return Base(
        shape=shape,
        linears={name: stacked(f"{'self_attn' if name in ATTENTION else 'mlp'}.{name}") for name in LINEARS},
        attention_norm=stacked("input_layernorm"),
        mlp_norm=stacked("post_attention_layernorm"),
        last_norm=found["model.norm.weight"].to(device, dtype),
        embedding=embedding,
        head=found["lm_head.weight"].to(device, dtype) if "lm_head.weight" in found else embedding,
    )


@dataclass(frozen=True)
class Blocks:
    """The two halves of a layer around its attention, plain or compiled."""

    before: Callable[..., Any]
    after: Callable[..., Any]

    @classmethod
    def compiled(cls) -> "Blocks":
        """Compiled once for each number of tokens."""
        return cls(torch.compile(_before, dynamic=False), torch.compile(_after, dynamic=False))


def hidden_states(base: Base, linears: Mapping[str, Tensor], tokens: Tensor, blocks: "Blocks | None" = None) -> Tensor:
    """Hidden states `[B * R, hidden]` of `tokens` `[B, R]`, each row a text from its first token, with `linears`."""
    blocks = blocks or PLAIN
    shape, (rows, width) = base.shape, tokens.shape
    cos, sin = _rotations(shape, width, tokens.device, base.embedding.dtype)
    cos, sin = cos.repeat(rows, 1)[:, None], sin.repeat(rows, 1)[:, None]  # [B * R, 1, D]
    qkv = torch.cat([linears["q_proj"], linears["k_proj"], linears["v_proj"]], 1).unbind(0)
    gate_up = torch.cat([linears["gate_proj"], linears["up_proj"]], 1).unbind(0)
    out, down = linears["o_proj"].unbind(0), linears["down_proj"].unbind(0)
    x = F.embedding(tokens.reshape(-1), base.embedding)
    for layer in range(len(out)):
        q, k, v = blocks.before(
            x, base.attention_norm[layer], qkv[layer], cos, sin, shape.heads, shape.kv_heads, shape.eps
        )
        q, k, v = (part.view(rows, width, -1, shape.head_dim).transpose(1, 2) for part in (q, k, v))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        attended = attended.transpose(1, 2).reshape(rows * width, -1)
        x = blocks.after(x, attended, out[layer], base.mlp_norm[layer], gate_up[layer], down[layer], shape.eps)
    return x


def logits(base: Base, hidden: Tensor) -> Tensor:
    """Scores of the next token, float32 `[n, vocabulary]`, for hidden states `[n, hidden]`."""
    return F.linear(_norm(hidden, base.last_norm, base.shape.eps), base.head).float()


def _before(
    x: Tensor, norm: Tensor, qkv: Tensor, cos: Tensor, sin: Tensor, heads: int, kv_heads: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, all with as many heads as there are query heads, `[N, heads, D]`."""
    found = F.linear(_norm(x, norm, eps), qkv).view(len(x), heads + 2 * kv_heads, -1)
    q, k, v = found.split([heads, kv_heads, kv_heads], 1)
    q, k = q * cos + _turned(q) * sin, k * cos + _turned(k) * sin
    shared = heads // kv_heads
    return q, k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)


def _after(x: Tensor, attended: Tensor, out: Tensor, norm: Tensor, gate_up: Tensor, down: Tensor, eps: float) -> Tensor:
    x = x + F.linear(attended, out)
    gate, up = F.linear(_norm(x, norm, eps), gate_up).chunk(2, -1)
    return x + F.linear(F.silu(gate) * up, down)


PLAIN = Blocks(_before, _after)


def _norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


def _turned(x: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat((-second, first), -1)


def _rotations(shape: Shape, width: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines of positions 0..width-1, `[width, D]`, rounded as transformers rounds them."""
    steps = torch.arange(0, shape.head_dim, 2, device=device, dtype=torch.float32) / shape.head_dim
    angles = torch.arange(width, device=device, dtype=torch.float32)[:, None] / shape.theta**steps
    angles = torch.cat((angles, angles), -1)
    return angles.cos().to(dtype), angles.sin().to(dtype)
