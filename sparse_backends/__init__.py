"""Sparse attention for transformers models: which blocks, columns, pages or tokens to keep, and the hook.

    from nl_tasks.sparse_backends import parse_backend

    with parse_backend("vertical_slash:sparsity=0.9").attach(model) as run:
        model.generate(**inputs)
    print(run.density().nanmean())

Importing this package also makes each backend known to transformers: `attn_implementation="nl_quest"`.
"""

from nl_tasks.sparse_backends.ada_snapkv import AdaSnapKV
from nl_tasks.sparse_backends.base import Backend
from nl_tasks.sparse_backends.block_sparse import BlockSparse
from nl_tasks.sparse_backends.budget import budget
from nl_tasks.sparse_backends.dense import Dense
from nl_tasks.sparse_backends.flexprefill import FlexPrefill
from nl_tasks.sparse_backends.names import use_by_name
from nl_tasks.sparse_backends.oracle import Oracle
from nl_tasks.sparse_backends.quest import Quest
from nl_tasks.sparse_backends.random import Random
from nl_tasks.sparse_backends.registry import backend_types, get_backend, parameter_types, parse_backend, register
from nl_tasks.sparse_backends.run import Run
from nl_tasks.sparse_backends.snapkv import SnapKV
from nl_tasks.sparse_backends.streaming import Streaming
from nl_tasks.sparse_backends.tova import Tova
from nl_tasks.sparse_backends.vertical_slash import VerticalSlash
from nl_tasks.sparse_backends.xattention import XAttention

__all__ = [
    "AdaSnapKV",
    "Backend",
    "BlockSparse",
    "Dense",
    "FlexPrefill",
    "Oracle",
    "Quest",
    "Random",
    "Run",
    "SnapKV",
    "Streaming",
    "Tova",
    "VerticalSlash",
    "XAttention",
    "backend_types",
    "budget",
    "get_backend",
    "parameter_types",
    "parse_backend",
    "register",
    "use_by_name",
]
