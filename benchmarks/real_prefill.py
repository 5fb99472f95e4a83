"""Sparse prefill on the queries and keys of a real model that reads a story, against the fastest dense kernel.

    python benchmarks/real_prefill.py FOLDER --len 128k >> benchmarks/h200_real_prefill.txt

FOLDER is a model of transformers (`python -m nl_tasks.local_models probe` prints one); beyond its context its rotary
embedding is stretched linearly. Each of some layers is timed as it is, then all of them side by side, as one layer of
as many heads: a model as small as those that fit here has few. Selection is part of the total. Needs a GPU.
"""

import argparse
import sys
from functools import partial

import torch
from end_to_end import load
from torch import Tensor
from transformers import AutoTokenizer

from nl_tasks.bench_timing import median_ms
from nl_tasks.generators.lengths import parse_length
from nl_tasks.generators.task import get_task
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.kernels.attention import attention
from nl_tasks.kernels.dense import dense_kernels
from nl_tasks.kernels.provider import usable_providers
from nl_tasks.sparse_backends import Backend, Dense, parse_backend

METHODS = ["vertical_slash:sparsity=0.9", "flexprefill:sparsity=0.9", "block_sparse:block=128,sparsity=0.9"]


def read_layers(folder: str, length: int, layers: list[int], device: str) -> dict[int, tuple[Tensor, Tensor]]:
    """Queries `[1, Hq, T, D]` and keys `[1, Hkv, T, D]` (after RoPE) of some layers, for a story of `length` tokens."""
    model = load(folder, length, device, torch.bfloat16)
    task = get_task("story_retrieval")
    sample = task.sample(seed=43, index=0, length=length, tokenizer=load_tokenizer(folder))
    ids = AutoTokenizer.from_pretrained(folder)(sample.prompt, return_tensors="pt").input_ids.to(device)
    found = {}

    def see(*, layer: int, q: Tensor, k: Tensor, **_: object) -> None:
        if layer in layers:
            found[layer] = q.clone(), k.clone()

    with torch.no_grad(), Dense().attach(model, observe=see):
        model(ids, logits_to_keep=1)
    return found


def timed(q: Tensor, k: Tensor, backend: Backend) -> tuple[float, float, dict[str, float]]:
    """Measured sparsity, milliseconds of the selection, and of selection and attention by each fast provider."""
    scale, v = q.shape[3] ** -0.5, torch.randn_like(k)
    plan = backend.plan(q, k, scale=scale)
    select = median_ms(partial(backend.plan, q, k, scale=scale))

    def both(provider: str) -> None:
        attention(q, k, v, backend.plan(q, k, scale=scale), scale=scale, provider=provider)

    providers = [name for name in usable_providers(q, plan) if name in ("fa4", "triton")]
    return 1 - float(plan.density().mean()), select, {name: median_ms(partial(both, name)) for name in providers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--len", dest="length", type=parse_length, default=131072)
    parser.add_argument("--layers", default="4,12,20,28", help="comma-separated")
    parser.add_argument("--method", action="append")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("real_prefill needs a CUDA device; this machine has none")
    layers = read_layers(given.model, given.length, [int(layer) for layer in given.layers.split(",")], "cuda")
    if not layers:
        sys.exit(f"--layers {given.layers} is out of range: the model has none of them")
    together = tuple(torch.cat(parts, 1) for parts in zip(*layers.values()))
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {next(iter(layers.values()))[0].shape[2]} tokens"
    )
    columns = f"{'method':<38}{'provider':<11}{'sparsity':>8}{'select':>9}{'total':>9}{'speed-up':>9}"
    print(f"{'layers':<12}{'heads':>7}  {columns}   (ms)")
    for name, (q, k) in {**layers, given.layers: together}.items():
        dense = {
            kernel: median_ms(partial(run, q, k, torch.randn_like(k), scale=q.shape[3] ** -0.5))
            for kernel, run in dense_kernels(q, k).items()
        }
        rows = [("dense", kernel, 0.0, 0.0, ms) for kernel, ms in dense.items()]
        for spec in given.method or METHODS:
            sparsity, select, totals = timed(q, k, parse_backend(spec))
            rows += [(spec, provider, sparsity, select, ms) for provider, ms in totals.items()]
        for spec, provider, sparsity, select, ms in rows:
            of = f"{name!s:<12}{f'{q.shape[1]}/{k.shape[1]}':>7}  {spec:<38}{provider:<11}"
            print(f"{of}{sparsity:>8.3f}{select:>9.2f}{ms:>9.2f}{min(dense.values()) / ms:>9.2f}", flush=True)


if __name__ == "__main__":
    main()
