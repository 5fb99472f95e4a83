"""No method makes a tensor as large as an attention matrix; benchmarks/prefill_memory.py measures whole processes."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nl_tasks.kernels.attention import attention
from nl_tasks.sparse_backends import get_backend

TOKENS, HEADS = 8192, 2
MATRIX = TOKENS * TOKENS * 4  # bytes of one head's scores
LIMIT = MATRIX // 6


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation returns."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, kinds, arguments=(), options=None):
        found = function(*arguments, **(options or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor):
                self.bytes = max(self.bytes, leaf.untyped_storage().nbytes())
        return found


@pytest.mark.parametrize(
    "spec",
    ["vertical_slash", "flexprefill", "block_sparse", "xattention", "streaming", "random", "oracle", "snapkv", "tova"],
)
def test_no_tensor_grows_with_the_square_of_the_length(spec):
    torch.manual_seed(0)
    tokens = TOKENS // 2 if spec == "oracle" else TOKENS  # it computes all scores, one tile at a time
    q, k, v = torch.randn(1, HEADS, tokens, 8), torch.randn(1, 1, tokens, 8), torch.randn(1, 1, tokens, 8)
    backend = get_backend(spec, sparsity=0.9)
    with torch.no_grad(), Largest() as largest:
        plan = backend.plan(q, k, scale=0.3, prompt=tokens)
        if backend.phase == "prefill":
            attention(q, k, v, plan, scale=0.3, provider="torch")
    assert largest.bytes < LIMIT


def test_counting_blocks_makes_nothing_as_large_as_their_lists():
    torch.manual_seed(0)
    q, k = torch.randn(1, HEADS, TOKENS, 8), torch.randn(1, 1, TOKENS, 8)
    plan = get_backend("block_sparse", sparsity=0.5).plan(q, k, scale=0.3)
    with Largest() as largest:
        plan.density()
    assert largest.bytes < plan.indices.nbytes / 8


def test_a_whole_matrix_would_be_noticed():
    with Largest() as largest:
        torch.zeros(TOKENS, TOKENS, dtype=torch.float32)
    assert largest.bytes == MATRIX > LIMIT
