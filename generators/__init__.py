"""Tasks and the text they are made of: `get_task("story_multihop").sample(...)`."""

from nl_tasks.generators import (
    qa_quality,
    qa_squad,
    qa_toefl,
    ruler_cwe,
    ruler_fwe,
    ruler_niah,
    ruler_vt,
    story_filtering,
    story_multihop,
    story_retrieval,
)
from nl_tasks.generators.lengths import format_length, parse_length
from nl_tasks.generators.sample import Evidence, Sample
from nl_tasks.generators.task import Task, get_task, register, task_types
from nl_tasks.generators.tokenizers import Tokenizer, load_tokenizer

__all__ = [
    "Evidence",
    "Sample",
    "Task",
    "Tokenizer",
    "format_length",
    "get_task",
    "load_tokenizer",
    "parse_length",
    "qa_quality",
    "qa_squad",
    "qa_toefl",
    "register",
    "ruler_cwe",
    "ruler_fwe",
    "ruler_niah",
    "ruler_vt",
    "story_filtering",
    "story_multihop",
    "story_retrieval",
    "task_types",
]
