"""The numbers of a model that its cost depends on: of the models of the paper, or of any transformers config."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """Dimensions of a decoder with grouped-query attention and a gated MLP.

    `window` is the sliding window of all layers but `full_layers` (None: every layer sees everything). `tied` says
    that embedding and output share their weights.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    vocab: int
    window: int | None = None
    full_layers: int | None = None
    tied: bool = False

    def __post_init__(self) -> None:
        for field in ("layers", "hidden", "heads", "kv_heads", "head_dim", "mlp", "vocab"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field}={getattr(self, field)!r} is out of range: at least 1")
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads={self.kv_heads} is out of range: a divisor of heads={self.heads}")
        if self.window is None and self.full_layers is None:
            object.__setattr__(self, "full_layers", self.layers)
        if self.full_layers is None or not 0 <= self.full_layers <= self.layers:
            raise ValueError(f"full_layers={self.full_layers} is out of range: 0 to layers={self.layers}")
        if self.window is None and self.full_layers != self.layers:
            raise ValueError(f"window=None is out of range: {self.layers - self.full_layers} layers need a window")

    @property
    def parameters(self) -> int:
        """Weights of embedding, projections, MLP and output; norms and biases, below 0.1%, are left out."""
        q_and_o = 2 * self.hidden * self.heads * self.head_dim
        k_and_v = 2 * self.hidden * self.kv_heads * self.head_dim
        layer = q_and_o + k_and_v + 3 * self.hidden * self.mlp
        return self.layers * layer + self.vocab * self.hidden * (1 if self.tied else 2)

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Read a transformers config: the object, its dict, a `config.json`, or the folder that holds one.

        Raises ValueError naming what the config lacks.
        """
        if isinstance(config, (str, Path)):
            path = Path(config)
            config = json.loads((path / "config.json" if path.is_dir() else path).read_text())
        read: Mapping[str, Any] = config if isinstance(config, Mapping) else config.to_dict()
        read = read.get("text_config") or read  # models that see pictures keep the language model's numbers there
        try:
            heads, hidden = read["num_attention_heads"], read["hidden_size"]
            return cls(
                layers=read["num_hidden_layers"],
                hidden=hidden,
                heads=heads,
                kv_heads=read.get("num_key_value_heads") or heads,
                head_dim=read.get("head_dim") or hidden // heads,
                mlp=read["intermediate_size"],
                vocab=read["vocab_size"],
                tied=bool(read.get("tie_word_embeddings", False)),
                **_windows(read),
            )
        except KeyError as missing:
            raise ValueError(f"config has no {missing.args[0]}: not a decoder that the cost model knows") from None


def _windows(config: Mapping[str, Any]) -> dict[str, int]:
    """Window and number of full layers; nothing for a model without sliding windows."""
    layers, window = config["num_hidden_layers"], config.get("sliding_window")
    if not window or config.get("use_sliding_window") is False:
        return {}
    if kinds := config.get("layer_types"):
        full = sum(kind == "full_attention" for kind in kinds)
    elif pattern := config.get("sliding_window_pattern"):
        full = layers // pattern
    else:
        full = 0
    return {} if full == layers else {"window": window, "full_layers": full}


@cache
def model_shapes() -> Mapping[str, ModelShape]:
    """The models of the paper (arXiv 2504.17768, appendix): Qwen2.5, Llama-3.1 and Gemma-3, by name."""
    told = json.loads((files("nl_tasks.analysis") / "model_shapes.json").read_text())
    return {name: ModelShape(**numbers) for name, numbers in told.items()}


def find_shape(model: str) -> ModelShape:
    """The shape of a shipped model (`Qwen2.5-7B`, also as `Qwen/Qwen2.5-7B-Instruct`) or of a folder with a config.

    Raises ValueError naming the shipped models.
    """
    if (Path(model) / "config.json").is_file():
        return ModelShape.from_config(model)
    name = model.rsplit("/", 1)[-1].lower()
    for known, shape in model_shapes().items():
        if name in (known.lower(), f"{known.lower()}-instruct", f"{known.lower()}-it"):
            return shape
    raise ValueError(f"model={model!r} is out of range: a folder with a config.json, or {', '.join(model_shapes())}")


def shape_of(folder: Path) -> ModelShape | None:
    """The shape of the model in a folder; None for a decoder of another kind."""
    try:
        return ModelShape.from_config(folder)
    except (ValueError, TypeError):
        return None
