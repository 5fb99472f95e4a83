"""The prediction of somebody who knows: a sample's gold answers, put as a model would put them."""

from collections.abc import Sequence

PLAIN = ":plain"
"""Metrics of prompts for base models end so: their prompts bear no chat template, their predictions no tags."""


def gold_prediction(metric: str, answers: Sequence[str]) -> str:
    """A prediction that scores 1.0 by `metric`."""
    kind = metric.removesuffix(PLAIN)
    if kind == "items":
        text = "\n".join(f"{number}. {answer}" for number, answer in enumerate(answers, 1))
    elif kind == "pairs":
        text = "\n".join(answers)
    elif kind == "iou":
        text = ", ".join(answers) or "none"
    else:  # several answers are several ways to say the same
        text = answers[0] if answers else ""
    return text if metric.endswith(PLAIN) else f"<answer>\n{text}\n</answer>"
