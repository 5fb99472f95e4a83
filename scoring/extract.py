"""Where in a prediction the answer stands: one policy for all metrics.

A chat prompt asks for `<answer>...</answer>`, and the last well-formed pair of tags wins: an explanation or a chain
of thought may quote the tags, a final answer comes last. A tag that is never closed is no answer. A plain prompt (for
base models, metrics that end in `:plain`) ends with a cue, and the first line after it is the answer, or for numbered
answers the list that begins there; whatever the model goes on to write is ignored.
"""

import re

_TAG = re.compile(r"<\s{0,9}(/?)\s{0,9}answer\b[^<>]{0,200}>", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w-]*[ \t]*$", re.MULTILINE)
_NUMBERED = re.compile(r"^\W{0,9}(\d{1,6})\b")
_ENTRY = re.compile(r"(?:[-+*•]|\W{0,9}\d{1,6}[.):\]])\s")
_SEVERAL = re.compile(r"[,;&]|\band\b")


def tagged_answer(prediction: str) -> str | None:
    """What stands between the last well-formed tags, without code fences; None where there are none or nothing.

    Of nested tags the inner ones count.
    """
    start, found = None, None
    for tag in _TAG.finditer(prediction):
        if not tag[1]:
            start = tag.end()
        elif start is not None:
            found, start = prediction[start : tag.start()], None
    return _content(found or "")


def first_line(prediction: str) -> str | None:
    """The first line that is not empty, or None; for a list, see `leading_list`."""
    return _content(_after_thought(prediction).partition("\n")[0])


def leading_list(prediction: str) -> str | None:
    """The list that a prediction begins with, as lines, or None.

    It ends at an empty line that is not followed by the next number, or where numbers start again.
    """
    lines: list[str] = []
    last, gap = 0, False
    for line in _after_thought(prediction).splitlines():
        number = _NUMBERED.match(line)
        if not line.strip():
            gap = True
        elif (number and int(number[1]) <= last) or (gap and not (number and int(number[1]) == last + 1)):
            break
        else:
            lines.append(line)
            last, gap = int(number[1]) if number else last, False
    return _content("\n".join(lines))


def leading_set(prediction: str) -> str | None:
    """The members that a prediction begins with, or None: its first line, and the lines below that look like it.

    They do if both begin with a bullet or list number, or have equally many words. A first line of several members
    is the whole set, unless a comma or colon at its end says that more comes.
    """
    lines = [line.strip() for line in _after_thought(prediction).splitlines()]
    kept = lines[:1]
    more = kept[0].endswith((",", ";", ":")) if kept else False
    for line in lines[1:] if more or (kept and not _SEVERAL.search(kept[0])) else []:
        if not line or not (more or _shape(line) == _shape(kept[0])):
            break
        kept.append(line)
        more = line.endswith((",", ";"))  # after a colon the list sets the form
        if kept[0].endswith(":"):
            kept = kept[1:]
    return _content("\n".join(kept))


def _shape(line: str) -> int:
    """0 for a line with a bullet or list number, else how many words it has."""
    return 0 if _ENTRY.match(line) else len(line.split())


def _after_thought(prediction: str) -> str:
    """`prediction` without a chain of thought and a code fence before its first line."""
    text = prediction.strip()
    if text.startswith("<think>") and "</think>" in text:
        text = text.partition("</think>")[2]
    return _FENCE.sub("", text).strip()


def _content(text: str) -> str | None:
    return _FENCE.sub("", text).strip() or None
