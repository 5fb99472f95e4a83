"""What a dataset folder holds, as data: `manifest.json`.

It names no date and no machine, so that the same command writes the same bytes.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import nl_tasks
from nl_tasks.generators.lengths import format_length

MANIFEST = "manifest.json"
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides the rows of one config. `params` is the JSON text of the task's knobs, `length` in tokens."""

    config: str
    task: str
    version: str
    params: str
    seed: int
    n: int
    length: int
    tokenizer: str
    fingerprint: str

    @property
    def knobs(self) -> dict[str, Any]:
        """The task's knobs and their values."""
        return dict(json.loads(self.params))

    @property
    def suffix(self) -> str:
        """What the config's name has after the length: `_qwen2.5` where a dataset has several tokenizers, else ``."""
        return self.config.partition(f"_{format_length(self.length)}")[2]

    def differences(self, other: "Recipe") -> str:
        """Where the two disagree, as `n=10 there, 100 now`; empty if nowhere."""
        pairs = ((field.name, getattr(other, field.name), getattr(self, field.name)) for field in fields(self))
        return ", ".join(f"{name}={there} there, {now} now" for name, there, now in pairs if there != now)


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file: its path within the folder, rows `start` to `stop` of its config; `sha256` is empty until written."""

    path: str
    start: int
    stop: int
    bytes: int = 0
    sha256: str = ""

    def __post_init__(self) -> None:
        if Path(self.path).is_absolute() or ".." in Path(self.path).parts:
            raise ValueError(f"path {self.path!r} leads out of the dataset folder")

    def intact(self, folder: Path) -> bool:
        """Whether the file is there with the recorded size and hash."""
        path = folder / self.path
        return bool(self.sha256) and path.is_file() and path.stat().st_size == self.bytes and self.same_hash(path)

    def same_hash(self, path: Path) -> bool:
        """Whether the bytes at `path` have the recorded hash."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


@dataclass(frozen=True, kw_only=True)
class Config:
    """One config: recipe, files, and the hash over its rows' `sha256` in order (empty until all are written)."""

    recipe: Recipe
    files: tuple[DataFile, ...]
    sha256: str = ""

    @property
    def name(self) -> str:
        """The name `load_dataset` knows it by."""
        return self.recipe.config


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The contents of a dataset folder; configs are kept in the order of task and length."""

    dataset: str
    file_format: str
    configs: tuple[Config, ...]

    def __post_init__(self) -> None:
        ordered = sorted(self.configs, key=lambda config: (config.recipe.task, config.recipe.length, config.name))
        object.__setattr__(self, "configs", tuple(ordered))

    def config(self, name: str) -> Config | None:
        """The config called `name`, if there is one."""
        return next((config for config in self.configs if config.name == name), None)

    def with_configs(self, configs: Iterable[Config]) -> "Manifest":
        """The same dataset with other contents."""
        return replace(self, configs=tuple(configs))

    def as_json(self) -> dict[str, Any]:
        """Plain data, as `manifest.json` holds it."""
        return {
            "format": _FORMAT,
            "nl_tasks": nl_tasks.__version__,
            "dataset": self.dataset,
            "file_format": self.file_format,
            "configs": {config.name: _config_json(config) for config in self.configs},
        }

    def text(self) -> str:
        """The text of `manifest.json`."""
        return json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a manifest. Raises ValueError if the file is none, or of a later format; OSError if it is missing."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != _FORMAT:
                raise ValueError(f"{path} has format {data['format']}; this version reads format {_FORMAT}")
            configs = tuple(_read_config(name, config) for name, config in data["configs"].items())
            return cls(dataset=data["dataset"], file_format=data["file_format"], configs=configs)
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError):
            raise ValueError(f"{path} is not a manifest of nl-tasks") from None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a dataset folder. Raises ValueError if the folder holds no finished dataset."""
    if not (folder / MANIFEST).is_file():
        raise ValueError(f"{folder} is not a dataset folder: it has no {MANIFEST} (write one with: nl-tasks generate)")
    return Manifest.read(folder / MANIFEST)


def rows_hash(hashes: Iterable[str]) -> str:
    """SHA-256 (hex) over the rows' `sha256` in order: the hash of a config, whatever its files look like."""
    digest = hashlib.sha256()
    for text in hashes:
        digest.update(text.encode())
    return digest.hexdigest()


def _config_json(config: Config) -> dict[str, Any]:
    recipe = asdict(config.recipe)
    del recipe["config"]
    recipe["params"] = json.loads(config.recipe.params)
    recipe["tokenizer"] = {"name": config.recipe.tokenizer, "fingerprint": recipe.pop("fingerprint")}
    return {**recipe, "sha256": config.sha256, "files": [asdict(file) for file in config.files]}


def _read_config(name: str, data: dict[str, Any]) -> Config:
    recipe = Recipe(
        config=name,
        params=json.dumps(data["params"], sort_keys=True, separators=(",", ":")),
        tokenizer=data["tokenizer"]["name"],
        fingerprint=data["tokenizer"]["fingerprint"],
        **{field: data[field] for field in ("task", "version", "seed", "n", "length")},
    )
    files = tuple(DataFile(**file) for file in data["files"])
    return Config(recipe=recipe, files=files, sha256=data["sha256"])
