"""A dataset folder as a dataset on the Hub: what of it goes there, one commit, and a look at what arrived.

upload = plan_upload(folder, manifest, {"README.md": card})
published = publish(upload, HubRepo("sparse-frontier/story"), first_hashes)
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq

from nl_tasks.generators.sample import content_hash
from nl_tasks.hf_dataset_card.hub import Commit, Head, HubError, HubRepo

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Upload:
    """Files by their path in the repo: bytes, or where they lie here; `configs` are those of the manifest."""

    dataset: str
    files: Mapping[str, Path | bytes]
    configs: tuple[str, ...]

    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {
            path: len(content) if isinstance(content, bytes) else content.stat().st_size
            for path, content in self.files.items()
        }


@dataclass(frozen=True)
class Published:
    """The commit, the files it took away, and how many configs were read back and found equal."""

    commit: Commit
    removed: tuple[str, ...]
    read_back: int


def plan_upload(folder: Path, manifest: Mapping[str, Any], face: Mapping[str, str]) -> Upload:
    """What is to go: `face` (card and picture), the manifest, and the files it names; nothing else of the folder.

    Raises ValueError if a file is not what the manifest says.
    """
    files: dict[str, Path | bytes] = {name: text.encode() for name, text in face.items()}
    files[MANIFEST] = folder / MANIFEST
    for config in manifest["configs"].values():
        for file in config["files"]:
            path = folder / file["path"]
            if not path.is_file() or _sha256(path) != file["sha256"]:
                raise ValueError(
                    f"{path} is missing or was changed since it was written: nl-tasks generate --resume writes it anew"
                )
            files[file["path"]] = path
    return Upload(manifest["dataset"], files, tuple(manifest["configs"]))


def publish(
    upload: Upload,
    repo: HubRepo,
    expected: Mapping[str, str],
    *,
    private: bool = False,
    replace: bool = False,
    reading: Callable[[str], None] = lambda config: None,
) -> Published:
    """Upload in one commit, then load the first row of every config back from the Hub.

    Args:
        upload: What goes.
        repo: Where it goes.
        expected: Per config the `sha256` of its first row.
        private: Make the repo private, if there is none yet.
        replace: Let configs go that the repo has and the upload has not, and write beside files of another dataset;
            earlier revisions keep what was there.
        reading: Called with the name of each config before it is read back.

    Raises:
        HubError: The Hub refused, could not be reached, or gave something else back.
        ValueError: The repo has configs that the upload has not, or holds another dataset.
    """
    repo.require_login()
    head = repo.open(private=private)
    there = _configs_there(repo, head, replace=replace)
    gone = [name for name in there if name not in upload.configs]
    if gone and not replace:
        raise ValueError(
            f"{repo.name} has configs that are not in this folder ({', '.join(gone)}): "
            "generate them here as well, or add --replace to take them away (earlier revisions keep them)"
        )
    old = {path for paths in there.values() for path in paths if path in head.files}
    removed = sorted(old - set(upload.files))
    message = f"{upload.dataset}: {', '.join(upload.configs)}"
    message = message if len(message) <= 120 else f"{upload.dataset}: {len(upload.configs)} configs"
    commit = repo.commit(upload.files, removed, message=message, parent=head.revision)
    for config in upload.configs:
        reading(config)
        _require_equal(config, _first_row(repo, config, commit.revision), expected[config])
    return Published(commit, tuple(removed) if commit.changed else (), len(upload.configs))


def _configs_there(repo: HubRepo, head: Head, *, replace: bool) -> dict[str, list[str]]:
    """Config name to data files of the dataset that the repo holds. Raises ValueError if it is none of ours."""
    try:
        if MANIFEST in head.files:
            configs = json.loads(repo.read(MANIFEST, head.revision))["configs"]
            return {name: [file["path"] for file in config["files"]] for name, config in configs.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    if set(head.files) - {".gitattributes"} and not replace:
        raise ValueError(
            f"{repo.name} holds files, and not of a dataset that nl-tasks wrote: choose another --repo, "
            "or add --replace (files of other names stay, earlier revisions keep the rest)"
        )
    return {}


def _first_row(repo: HubRepo, config: str, revision: str) -> dict[str, Any]:
    """Row 0 of a config, of the file that `datasets` finds on the Hub for it, without the rest of its files."""
    import datasets  # here: it takes a second, and a dry run need not wait for it

    try:
        builder = datasets.load_dataset_builder(repo.name, config, revision=revision, token=repo.token)
        path = builder.config.data_files["test"][0]
        with repo.files().open(path, "rb") as file:
            return _parquet_row(file) if path.endswith(".parquet") else dict(json.loads(next(file)))
    except StopIteration:
        raise HubError(f"{repo.name} was uploaded (revision {revision}), but {config} has no rows there") from None
    except Exception as error:  # of whichever library: the upload is done, and what came back cannot be read
        reason = (str(error).strip().splitlines() or [""])[0]
        raise HubError(
            f"{repo.name} was uploaded (revision {revision}), but {config} cannot be loaded from there "
            f"({type(error).__name__}: {reason})"
        ) from None


def _parquet_row(file: IO[bytes]) -> dict[str, Any]:
    """What is hashed of row 0. Raises StopIteration if there is none.

    Read in this thread, not by streaming with `datasets`: Arrow's threads may still hold a file of Python when the
    process ends, and then abort it (apache/arrow#45214), here after a publication that went well.
    """
    rows = pq.ParquetFile(file, pre_buffer=False)
    batch = next(rows.iter_batches(batch_size=1, columns=["prompt", "answers", "sha256"], use_threads=False))
    return dict(batch.to_pylist()[0])


def _require_equal(config: str, row: Mapping[str, Any], expected: str) -> None:
    found = content_hash(row["prompt"], list(row["answers"]))
    if not found == row["sha256"] == expected:
        raise HubError(f"{config}: the first row that the Hub gives has the hash {found}, not {expected}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
