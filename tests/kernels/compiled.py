"""Compile the Triton kernels for a GPU that is not here: `python compiled.py 8.6 101376`, run by `test_compiling.py`.

Prints a line for every kernel that takes more shared memory than a program may have there, or starts more programs than
a grid may hold, then how many kernels there were.
"""

import sys

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from nl_tasks.kernels import devices
from nl_tasks.kernels.plan import BlockPlan, VerticalSlashPlan
from nl_tasks.kernels.triton_antidiagonals import block_mass_triton
from nl_tasks.kernels.triton_attention_mass import attention_mass_triton
from nl_tasks.kernels.triton_block_sparse import block_sparse_triton
from nl_tasks.kernels.triton_compact import compact_triton
from nl_tasks.kernels.triton_line_sums import line_sums_triton
from nl_tasks.kernels.triton_pages import page_scores_triton
from nl_tasks.kernels.triton_tokens import attend_lists
from nl_tasks.kernels.triton_vertical_slash import vertical_slash_triton
from nl_tasks.kernels.triton_window_scores import window_scores_triton

T = 2048


class Absent:
    """A GPU of a given capability, as far as compiling asks."""

    def __init__(self, capability):
        self.target = GPUTarget("cuda", capability, 32)

    def get_current_target(self):
        return self.target

    def get_current_device(self):
        return 0

    def get_current_stream(self, device=None):
        return 0


def compile_alone(most, taken):
    """Make every launch compile and no more, and note what the kernel takes."""
    launch = JITFunction.run

    def run(self, *args, grid, warmup=False, **options):
        made = launch(self, *args, grid=grid, warmup=True, **options)
        taken[made.hash] = made.metadata.shared
        if max(grid[1:], default=0) > 65535:
            print(f"{self.fn.__module__}.{self.fn.__name__} starts {grid} programs: 65535 at most in y and z")
        if made.metadata.shared > most:
            print(f"{self.fn.__module__}.{self.fn.__name__} takes {made.metadata.shared} of {most}: {options}")
        return made

    JITFunction.run = run


def compile_all(dtype, dim):
    heads, kv = 8, 2
    q, k = torch.zeros(1, heads, T, dim, dtype=dtype), torch.zeros(1, kv, T, dim, dtype=dtype)
    for block in (32, 128):
        lists = torch.arange(T // block, dtype=torch.int32).expand(1, heads, T // block, -1)
        counts = torch.ones(1, heads, T // block, dtype=torch.int32)
        block_sparse_triton(q, k, k, BlockPlan(T, T, block, block, lists, counts), scale=0.1)
        attention_mass_triton(q, k, scale=0.1, block=block)
    one = torch.ones(1, heads, dtype=torch.int32)
    band = torch.full((1, heads, 1), -63, dtype=torch.int32), torch.full((1, heads, 1), 64, dtype=torch.int32)
    columns = torch.zeros(1, heads, 1, dtype=torch.int32)
    vertical_slash_triton(q, k, k, VerticalSlashPlan(T, T, 64, columns, one, *band, one), scale=0.1)
    line_sums_triton(q[:, :, -256:], k, scale=0.1)
    block_mass_triton(q, k, scale=0.1, block=128, stride=8)
    window_scores_triton(q[:, :, -64:], k, scale=0.1, over="mean")
    compact_triton(torch.zeros(heads, 70_000, 8, dtype=torch.bool), 8, 0)  # blocks of millions of tokens
    newest = q[:, :, -1:]
    for share in (False, True):
        page_scores_triton(newest, k, k, share=share)
    attend_lists(newest, k, k, None, None, 1, scale=0.1)
    for lists in (kv, heads):
        pages = torch.zeros(1, lists, 100, dtype=torch.int32)
        attend_lists(newest, k, k, pages, pages[..., 0], 16, scale=0.1)


if __name__ == "__main__":
    capability, most, taken = int(sys.argv[1].replace(".", "")), int(sys.argv[2]), {}
    driver.set_active(Absent(capability))
    devices.shared_memory = lambda device: most
    compile_alone(most, taken)
    for dtype, dim in ((torch.bfloat16, 128), (torch.bfloat16, 256), (torch.float32, 128), (torch.float32, 256)):
        compile_all(dtype, dim)
    print(f"{len(taken)} kernels, {max(taken.values())} bytes at most")
