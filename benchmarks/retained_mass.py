"""The attention that each method keeps, in a real model that reads a story.

    python benchmarks/retained_mass.py > benchmarks/retained_mass.txt

A model (default: SmolLM2) reads a story (4096 tokens) with full attention; in every STEP-th of its layers (1) each
method plans from the same queries and keys. Retained mass is the share of the attention probabilities that a plan's
entries hold, averaged over rows, heads and layers. Prefill: over rows 64 of every 512. Decode and eviction: over the
last 16 tokens, taken as generated after a prompt that ends before them. The oracle of a phase is to be above all
methods, random below them; exit status 1 if not.
"""

import argparse
import sys

import torch
from machine import print_machine
from torch import Tensor

from nl_tasks.generators.lengths import parse_length
from nl_tasks.generators.task import get_task
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.kernels.plan import causal_mask
from nl_tasks.local_models import model_folder
from nl_tasks.sparse_backends import Backend, Dense, parse_backend

NEW, TILE, EVERY = 16, 64, 512
PREFILL = ("oracle", "oracle:unit=block", "vertical_slash", "flexprefill", "xattention", "block_sparse", "streaming")
DECODE = ("oracle:phase=decode", "oracle:phase=decode,unit=block", "quest", "quest:share_pages=false")
EVICT = ("snapkv", "ada_snapkv", "tova")
GROUPS = {"prefill": (*PREFILL, "random"), "decode": (*DECODE, *EVICT, "random:phase=decode")}


def weights_of(q: Tensor, k: Tensor, scale: float, start: int, stop: int) -> Tensor:
    """Attention probabilities of some rows, `[Hq, n, S]`."""
    keys = k.repeat_interleave(q.shape[1] // k.shape[1], 1)[0]
    scores = q[0, :, start:stop] @ keys.mT * scale
    allowed = causal_mask(start, stop, k.shape[2] - q.shape[2], k.shape[2], q.device)
    return scores.masked_fill_(~allowed, -torch.inf).softmax(-1)


def held(weights: Tensor, mask: Tensor) -> Tensor:
    """The share of each row's weights in the mask, `[Hq, n]`."""
    return (weights * mask.repeat_interleave(len(weights) // len(mask), 0)).sum(-1)


def prefill_mass(backends: dict[str, Backend], q: Tensor, k: Tensor, scale: float) -> dict[str, Tensor]:
    tiles = range(TILE, q.shape[2], EVERY)
    weights = [weights_of(q, k, scale, start, start + TILE) for start in tiles]
    found = {}
    for name, backend in backends.items():
        plan = backend.plan(q, k, scale=scale, prompt=k.shape[2])
        shares = [held(w, plan.mask(start, start + TILE)[0]) for w, start in zip(weights, tiles)]
        found[name] = torch.stack([torch.cat(shares, 1).mean(), plan.density().mean()])
    return found


def decode_mass(backends: dict[str, Backend], q: Tensor, k: Tensor, scale: float) -> dict[str, Tensor]:
    length, found = k.shape[2], {}
    prompt = length - NEW
    for name, backend in backends.items():
        shares, read, kept = [], [], torch.empty(0)
        if backend.phase == "evict":
            plan = backend.plan(q[:, :, :prompt], k[:, :, :prompt], scale=scale, prompt=prompt)
            kept = plan.mask(0, 1)[0, :, 0]
        for position in range(prompt, length):
            row, keys = q[:, :, position : position + 1], k[:, :, : position + 1]
            if backend.phase == "evict":
                kept = mask = torch.nn.functional.pad(kept, (0, 1), value=True)
                after = backend.evict_step(row[0], keys[0], kept, scale=scale, prompt=prompt)
                kept = mask if after is None else after
            else:
                mask = backend.plan(row, keys, scale=scale, prompt=prompt).mask(0, 1)[0, :, 0]
            shares.append(held(weights_of(row, keys, scale, 0, 1), mask[:, None]).mean())
            read.append(mask.sum(-1).double().mean() / (position + 1))
        found[name] = torch.stack([torch.stack(shares).mean(), torch.stack(read).mean()])
    return found


def measure(
    sparsity: float, step: int, model: torch.nn.Module, ids: Tensor, phases: list[str]
) -> list[dict[str, Tensor]]:
    """Retained mass and density of each method, layer by layer."""
    made = {
        phase: {name: parse_backend(f"{name}{',' if ':' in name else ':'}sparsity={sparsity}") for name in names}
        for phase, names in GROUPS.items()
    }
    mass = {"prefill": prefill_mass, "decode": decode_mass}
    layers: list[dict[str, Tensor]] = []

    def see(*, layer: int, q: Tensor, k: Tensor, scale: float, **_: object) -> None:
        if layer % step:
            return
        found = [mass[phase](made[phase], q, k, scale) for phase in phases]
        layers.append({name: value for part in found for name, value in part.items()})
        print(f"layer {layer}", file=sys.stderr)

    with torch.no_grad(), Dense().attach(model, observe=see):
        model(ids, logits_to_keep=1)
    return layers


def main() -> int:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2", choices=["smollm2", "probe"])
    parser.add_argument("--len", dest="length", type=parse_length, default=4096)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--sparsity", type=float, nargs="+", default=[0.9, 0.5])
    parser.add_argument("--phase", nargs="+", choices=list(GROUPS), default=list(GROUPS))
    given = parser.parse_args()
    if given.step < 1 or not all(0 <= sparsity < 1 for sparsity in given.sparsity):
        parser.error(f"step={given.step}, sparsity={given.sparsity}: out of range: step >= 1, 0 <= sparsity < 1")
    folder = model_folder(given.model)
    sample = get_task("story_retrieval", num_queries=2).sample(
        seed=43, index=0, length=given.length, tokenizer=load_tokenizer(folder)
    )
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    chat = [{"role": "user", "content": sample.prompt}]
    read = AutoTokenizer.from_pretrained(folder).apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    ids = AutoTokenizer.from_pretrained(folder)(read, return_tensors="pt", add_special_tokens=False).input_ids
    if ids.shape[1] != given.length:
        raise RuntimeError(f"the model reads {ids.shape[1]} tokens, not {given.length}")
    print_machine("torch", "transformers")
    print(f"{given.model}, {given.length} tokens")
    wrong = 0
    for sparsity in given.sparsity:
        layers = measure(sparsity, given.step, model, ids, given.phase)
        found = {name: torch.stack([layer[name] for layer in layers]).mean(0) for name in layers[0]}
        for phase in given.phase:
            names = GROUPS[phase]
            print(f"\n{phase}, sparsity {sparsity}: mean over {len(layers)} layers")
            print(f"{'method':<32}{'mass':>8}{'density':>9}")
            for name in names:
                mass, density = found[name].tolist()
                amiss = mass > float(found[names[0]][0]) + 1e-6 or mass < float(found[names[-1]][0])
                wrong += amiss
                print(f"{name:<32}{mass:>8.4f}{density:>9.4f}{'  out of order' if amiss else ''}")
    print(f"\n{'every method lies between oracle and random' if not wrong else f'{wrong} out of order'}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
