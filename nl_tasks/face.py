"""What a dataset folder shows: its card, and the picture beside it, made from the manifest and some of the rows.

    for name, text in folder_face(folder, read_manifest(folder)).items():
        write_atomic(folder / name, text)

It says nothing that is not in the folder.
"""

from itertools import islice
from pathlib import Path

from nl_tasks.generators.sample import Sample
from nl_tasks.hf_dataset_card.card import render_card
from nl_tasks.hf_dataset_card.picture import PICTURE, SAMPLES, draw_evidence
from nl_tasks.manifest import Config, Manifest
from nl_tasks.row_format import read_rows, unpacked_bytes

CARD = "README.md"


def folder_face(folder: Path, manifest: Manifest, *, dataset: str = "") -> dict[str, str]:
    """The texts of card and picture by file name, for the files of `manifest` that lie in `folder`.

    Of each task the shortest config is shown, as long as its files can be read. `dataset` is the name it is published
    under, if not the manifest's.
    """
    shown: dict[str, Config] = {}
    for config in manifest.configs:  # by length
        shown.setdefault(config.recipe.task, config)
    samples: dict[str, Sample] = {}
    depths: dict[str, list[list[float]]] = {}
    for task, config in shown.items():
        try:
            samples[task] = first_sample(folder, config)
            depths[task] = _depths(folder, config)
        except (OSError, ValueError):  # kept from an earlier run and damaged since: `verify` says so
            samples.pop(task, None)
    unpacked = {config.name: _unpacked(folder, config) for config in manifest.configs}
    face = {CARD: render_card(manifest.as_json(), samples, unpacked, dataset=dataset)}
    return {**face, PICTURE: draw_evidence(depths)} if samples else face


def first_sample(folder: Path, config: Config) -> Sample:
    """Sample 0 of a config. Raises OSError or ValueError if its file cannot be read."""
    for row in read_rows(folder / config.files[0].path):
        return Sample.from_row(row)
    raise ValueError(f"{folder / config.files[0].path} holds no row")


def _depths(folder: Path, config: Config) -> list[list[float]]:
    rows = (row["depths"] for file in config.files for row in read_rows(folder / file.path, ["depths"]))
    return list(islice(rows, SAMPLES))


def _unpacked(folder: Path, config: Config) -> int:
    """Bytes of a config's files without compression; as they are, where that cannot be told."""
    try:
        return sum(unpacked_bytes(folder / file.path) for file in config.files)
    except (OSError, ValueError):
        return sum(file.bytes for file in config.files)
