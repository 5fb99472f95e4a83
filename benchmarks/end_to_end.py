"""Time to first token and tokens a second of a whole model, dense and sparse, and the outputs against a CPU's.

    python benchmarks/end_to_end.py MODEL_FOLDER --len 8k,32k >> benchmarks/h200_end_to_end.txt

Needs torch and transformers alone. A folder with a config.json alone is a model with random weights, which is as fast.
Lengths beyond the model's context scale its rotary embedding linearly. Prompts are those in `--prompts FILE.npz` (token
ids by length: "8k", ...), else random tokens. `--check` also runs the prompt of that length and some tokens after it on
the CPU in float32 through the plain torch kernels, and compares logits.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from nl_tasks.generators.lengths import parse_length
from nl_tasks.sparse_backends import parse_backend

BACKENDS = [
    "sdpa",  # transformers' own
    "dense",
    "quest:tokens=1024",
    "quest:tokens=1024,share_pages=false",
    "snapkv:tokens=1024",
    "ada_snapkv:tokens=1024",
    "tova:tokens=1024",
    "block_sparse:sparsity=0.8,block=64",
    "vertical_slash:sparsity=0.8",
]
CHECKED = 8  # tokens after the prompt that are compared with the CPU's


def load(folder: str, length: int, device: str, dtype: torch.dtype) -> Any:
    """The model, with its rotary embedding stretched to `length` if its context is shorter."""
    config = AutoConfig.from_pretrained(folder)
    if length > config.max_position_embeddings:
        rope = {**config.rope_parameters, "rope_type": "linear", "factor": length / config.max_position_embeddings}
        config.rope_parameters, config.max_position_embeddings = rope, length
    if not list(Path(folder).glob("*.safetensors")):
        torch.manual_seed(0)
        with torch.device(device):
            model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa")
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=dtype, attn_implementation="sdpa")
    return model.to(device).eval()


def clock(device: str) -> float:
    """Seconds, once the device has done what it was asked."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def generate(model: Any, ids: torch.Tensor, tokens: int, device: str) -> tuple[float, float, list[int]]:
    """Seconds to the first token, tokens a second after it, and what was generated, greedily."""
    cache = DynamicCache(config=model.config)
    begin = clock(device)
    logits = model(ids, past_key_values=cache, logits_to_keep=1).logits
    token = logits[:, -1:].argmax(-1)
    first = clock(device) - begin
    said = [token]
    begin = clock(device)
    for _ in range(tokens - 1):
        token = model(token, past_key_values=cache, logits_to_keep=1).logits[:, -1:].argmax(-1)
        said.append(token)
    pace = (tokens - 1) / (clock(device) - begin)
    return first, pace, torch.cat(said, 1)[0].tolist()


def forced(model: Any, ids: torch.Tensor, after: list[int]) -> torch.Tensor:
    """Logits `[1 + n, vocabulary]` after the prompt and after each token of `after`."""
    cache = DynamicCache(config=model.config)
    rows = [model(ids, past_key_values=cache, logits_to_keep=1).logits[0]]
    for token in after:
        rows.append(model(ids.new_tensor([[token]]), past_key_values=cache, logits_to_keep=1).logits[0])
    return torch.cat(rows).float().cpu()


def continued(model: Any, ids: torch.Tensor) -> tuple[list[int], torch.Tensor]:
    """A few tokens after the prompt, greedily, and the logits `[1 + n, vocabulary]` after each and the prompt."""
    cache, after = DynamicCache(config=model.config), []
    rows = [model(ids, past_key_values=cache, logits_to_keep=1).logits[0]]
    for _ in range(CHECKED):
        after.append(int(rows[-1].argmax()))
        rows.append(model(ids.new_tensor([after[-1:]]), past_key_values=cache, logits_to_keep=1).logits[0])
    return after, torch.cat(rows).float().cpu()


def with_backend(model: Any, spec: str, provider: str, work: Any) -> tuple[Any, Any]:
    """What `work()` returns with a backend attached ("sdpa": none), and its report."""
    if spec == "sdpa":
        return work(), {}
    with parse_backend(spec).attach(model, provider=provider) as run:
        return work(), run.report()


def main() -> None:
    """Print a line for each length and backend, JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--len", default="8k,32k", help="lengths to time, comma-separated; '' for none")
    parser.add_argument("--backend", action="append")
    parser.add_argument("--tokens", type=int, default=64, help="tokens generated a run")
    parser.add_argument("--prompts")
    parser.add_argument("--check", help="length at which outputs are compared with the CPU's")
    parser.add_argument("--check-backend", action="append", help="backends compared there, if others")
    parser.add_argument("--json", help="file for the rows")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    machine = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    texts = np.load(given.prompts) if given.prompts else {}
    backends, rows = given.backend or BACKENDS, []

    def prompt(name: str, model: Any) -> torch.Tensor:
        if name in texts:
            return torch.tensor(texts[name].astype(np.int64))[None]
        generator = torch.Generator().manual_seed(0)
        return torch.randint(0, model.config.vocab_size, (1, parse_length(name)), generator=generator)

    print(f"{machine}, torch {torch.__version__}, {Path(given.model).name}, bfloat16, {given.tokens} tokens generated")
    print(f"{'length':>7}  {'backend':<38}{'first s':>9}{'tokens/s':>10}{'density':>9}{'as dense':>10}")
    with torch.no_grad():
        for name in filter(None, given.len.split(",")):
            model = load(given.model, parse_length(name), device, torch.bfloat16)
            ids = prompt(name, model).to(device)
            dense: list[int] = []
            for spec in backends:
                for _ in range(2):  # the first compiles, for every length that the cache takes
                    (first, pace, said), report = with_backend(
                        model, spec, "auto", partial(generate, model, ids, given.tokens, device)
                    )
                dense = dense or said
                same = sum(a == b for a, b in zip(said, dense)) / len(said)
                density = report.get("density")
                rows.append(
                    {"length": parse_length(name), "prompt": ids.shape[1], "backend": spec, "first_s": first}
                    | {"tokens_per_s": pace, "density": density, "as_dense": same, "machine": machine}
                )
                shown = f"{density:>9.4f}" if density is not None else f"{'':>9}"
                print(f"{name:>7}  {spec:<38}{first:>9.3f}{pace:>10.1f}{shown}{same:>10.2f}", flush=True)
            del model
        if given.check:
            rows += check(given.model, given.check, prompt, given.check_backend or backends, device)
    if given.json:
        Path(given.json).write_text("\n".join(json.dumps(row) for row in rows) + "\n")


def check(folder: str, name: str, prompt: Any, backends: list[str], device: str) -> list[dict[str, Any]]:
    """Compare logits with those of the CPU in float32 by the torch kernels, and print how far apart they are."""
    rows = []
    here, there = (
        load(folder, parse_length(name), d, t) for d, t in ((device, torch.bfloat16), ("cpu", torch.float32))
    )
    ids = prompt(name, here)
    print(f"against the CPU in float32, plain torch kernels, {ids.shape[1]} tokens and {CHECKED} after them:")
    print(f"         {'backend':<38}{'logits off':>11}{'same token':>11}")
    for spec in backends:
        (after, expected), _ = with_backend(there, spec, "torch", partial(continued, there, ids))
        found, _ = with_backend(here, spec, "sparse", partial(forced, here, ids.to(device), after))
        off = float((found - expected).norm() / expected.norm())
        same = float((found.argmax(-1) == expected.argmax(-1)).float().mean())
        rows.append({"check": name, "backend": spec, "logits_off": off, "same_token": same})
        print(f"         {spec:<38}{off:>11.4f}{same:>11.2f}", flush=True)
    return rows


if __name__ == "__main__":
    main()
