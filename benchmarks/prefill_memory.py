"""Peak memory of a prefill through each method's plan and torch kernel, beyond what its inputs take.

    python benchmarks/prefill_memory.py [TOKENS] > benchmarks/prefill_memory.txt

One layer, batch 1, 8 query heads, 2 KV heads, head dim 64, float32, sparsity 0.9, each method in a process of its own:
the peak resident size at the end less the resident size once q, k and v are there. A full attention matrix of one head
would take 4 GiB at 32768 tokens. Exit status 1 if a method needs 2 GB or more.
"""

import resource
import subprocess
import sys
import time

from machine import print_machine

METHODS = ("vertical_slash", "flexprefill", "block_sparse", "xattention", "streaming", "random")
METHODS += ("oracle:unit=block", "oracle")  # these compute all scores, a tile at a time
LIMIT = 2e9


def peak_of_one(method: str, tokens: int) -> tuple[float, float, float]:
    """Bytes beyond the inputs, density, seconds."""
    import torch

    from nl_tasks.kernels.attention import attention
    from nl_tasks.sparse_backends import parse_backend

    torch.manual_seed(0)
    backend = parse_backend(f"{method}{',' if ':' in method else ':'}sparsity=0.9")
    q, k, v = torch.randn(1, 8, tokens, 64), torch.randn(1, 2, tokens, 64), torch.randn(1, 2, tokens, 64)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with torch.no_grad():
        plan = backend.plan(q, k, scale=0.125)
        attention(q, k, v, plan, scale=0.125, provider="torch")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (after - before) * 1024.0, float(plan.density().mean()), time.perf_counter() - began


def main(tokens: int) -> int:
    print_machine("torch")
    print(f"{'method':<24}{'MB beyond inputs':>18}{'density':>9}{'seconds':>9}")
    worst = 0.0
    for method in METHODS:
        words = [sys.executable, __file__, str(tokens), method]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        peak, density, seconds = map(float, done.stdout.split())
        worst = max(worst, peak)
        print(f"{method:<24}{peak / 1e6:>18.0f}{density:>9.3f}{seconds:>9.1f}", flush=True)
    print(f"largest: {worst / 1e6:.0f} MB, {'under' if worst < LIMIT else 'NOT under'} {LIMIT / 1e6:.0f} MB")
    return int(worst >= LIMIT)


if __name__ == "__main__":
    length = int(sys.argv[1]) if len(sys.argv) > 1 else 32768
    if len(sys.argv) > 2:
        print(*peak_of_one(sys.argv[2], length))
    else:
        sys.exit(main(length))
