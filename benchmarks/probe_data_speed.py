"""How fast one core makes a probe's training batches: python benchmarks/probe_data_speed.py [FOLDER]."""

import sys
import time

from nl_tasks.local_models import model_folder
from nl_tasks.probe_data import WIDTHS, Course


def main() -> None:
    folder = model_folder(sys.argv[1] if len(sys.argv) > 1 else "smollm2")
    print("width | tokens a second of processor time | share of them that is text")
    for width in WIDTHS:
        course = Course(tokenizer=folder, seed=0, steps=100, widths=(width,))
        course.batch(0)  # vocabularies and templates are read once
        began = time.process_time()
        batches = [course.batch(step) for step in range(1, 6)]
        seconds = time.process_time() - began
        tokens = sum(batch.tokens.numel() for batch in batches)
        used = sum(int((batch.tokens != 0).sum()) for batch in batches)
        print(f"{width} | {tokens / seconds:,.0f} | {used / tokens:.2f}", flush=True)


if __name__ == "__main__":
    main()
