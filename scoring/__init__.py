r"""From a model's words to a score: extraction, exact-match metrics and their statistics.

score = get_scorer("items")("<answer>\n1. Rome\n2. **Oslo**\n</answer>", ["Rome", "Oslo"])
score.value, score.parsed                 # 1.0, True
summarise([score]).mean
"""

from nl_tasks.scoring import choice, exact_match, iou, items, pairs, squad  # noqa: F401  (each registers its metrics)
from nl_tasks.scoring.registry import Score, Scorer, get_scorer, register_scorer, scorers
from nl_tasks.scoring.summary import Summary, breakdown, summarise

__all__ = ["Score", "Scorer", "Summary", "breakdown", "get_scorer", "register_scorer", "scorers", "summarise"]
