"""`nl-tasks card`: write the card of a dataset folder anew."""

from pathlib import Path
from typing import Annotated

import typer


def card(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder.")],
    show: Annotated[bool, typer.Option("--print", help="Print the card; write nothing.")] = False,
) -> None:
    """Write README.md and its picture anew, from the manifest and the rows of a dataset folder.

    `generate` does so by itself; this is for folders of earlier versions, or a card that was changed.

    Example: nl-tasks card sparse-frontier/story
    """
    from nl_tasks.atomic_file import write_atomic
    from nl_tasks.face import CARD, folder_face
    from nl_tasks.manifest import read_manifest

    face = folder_face(folder, read_manifest(folder))
    if show:
        print(face[CARD], end="")
        return
    for name, text in face.items():
        write_atomic(folder / name, text)
    print(f"wrote {', '.join(str(folder / name) for name in face)}")
