"""What may be written into a dataset folder, and what of it is there already.

Nothing is touched while this is found out. A run that has begun keeps a journal (a hidden manifest of the files it is
to write, with the hashes of those written), by which a killed run is told from a finished one and can be resumed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from nl_tasks.atomic_file import leftovers, write_atomic
from nl_tasks.face import folder_face
from nl_tasks.manifest import MANIFEST, Config, DataFile, Manifest

JOURNAL = ".nl-tasks-unfinished.json"


@dataclass(kw_only=True)
class DatasetFolder:
    """A folder about to take the configs of `wanted`; `kept` are those it keeps, `removed` those that must go.

    Attributes:
        folder: Where it is.
        wanted: The configs that this run answers for; files that need no writing have their hashes already.
        kept: Finished configs of earlier runs that stay.
        removed: Files (paths within the folder) that are in the way.
    """

    folder: Path
    wanted: Manifest
    kept: list[Config] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all that is wanted is there, finished."""
        return all(config.sha256 for config in self.wanted.configs) and not (self.folder / JOURNAL).exists()

    def begin(self) -> None:
        """Write the journal, take away what is in the way, clean up after killed runs."""
        write_atomic(self.folder / JOURNAL, self.wanted.text())
        if self.removed:
            if self.kept:
                self._write_face(self.wanted.with_configs(self.kept))
            else:
                (self.folder / MANIFEST).unlink(missing_ok=True)
        for path in [*leftovers(self.folder), *(self.folder / name for name in self.removed)]:
            path.unlink(missing_ok=True)
            if path.parent != self.folder and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()

    def wrote(self, config: str, file: DataFile, *, size: int, sha256: str) -> None:
        """Record that `file` is now whole, with `size` bytes."""
        whole = replace(file, bytes=size, sha256=sha256)
        self._update(config, lambda old: replace(old, files=tuple(whole if f == file else f for f in old.files)))
        write_atomic(self.folder / JOURNAL, self.wanted.text())

    def finished(self, config: str, sha256: str) -> None:
        """Record that a config's files are all there, and the hash of its rows."""
        self._update(config, lambda old: replace(old, sha256=sha256))

    def end(self) -> None:
        """Write manifest and card, and drop the journal: the folder is a finished dataset."""
        self._write_face(self.wanted.with_configs([*self.kept, *self.wanted.configs]))
        (self.folder / JOURNAL).unlink()

    def _write_face(self, manifest: Manifest) -> None:
        for name, text in folder_face(self.folder, manifest).items():
            write_atomic(self.folder / name, text)
        write_atomic(self.folder / MANIFEST, manifest.text())

    def _update(self, name: str, change: Callable[[Config], Config]) -> None:
        self.wanted = self.wanted.with_configs(
            change(config) if config.name == name else config for config in self.wanted.configs
        )


def inspect_folder(folder: Path, wanted: Manifest, *, resume: bool, overwrite: bool) -> DatasetFolder:
    """Find out what a run that is to write `wanted` into `folder` may do there. Writes nothing.

    Raises ValueError, saying which option helps, if something is in the way that neither option allows to touch.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: choose another --out")
    old = Manifest.read(folder / MANIFEST) if (folder / MANIFEST).is_file() else None
    journal = Manifest.read(folder / JOURNAL) if (folder / JOURNAL).is_file() else None
    if overwrite:
        return _overwriting(folder, wanted, old, journal)
    if (
        old is None
        and journal is None
        and folder.is_dir()
        and any(not p.name.startswith(".") for p in folder.iterdir())
    ):
        raise ValueError(f"{folder} holds other files and no dataset: choose another --out, or add --overwrite")
    if journal is not None:
        if not resume:
            raise ValueError(
                f"{folder} holds an unfinished run: continue with --resume, or start over with --overwrite"
            )
        _require_same_run(folder, wanted, journal)
    kept = []
    for config in old.configs if old else ():
        if (new := wanted.config(config.name)) is None:
            _require_compatible(folder, wanted, config, old)
            kept.append(config)
        elif difference := new.recipe.differences(config.recipe) or _format_difference(wanted, old):
            raise ValueError(
                f"{folder} holds {config.name} already, with {difference}: choose another --out, or add --overwrite"
            )
    known = [config for manifest in (old, journal) if manifest for config in manifest.configs]
    result = DatasetFolder(folder=folder, wanted=_with_intact_files(folder, wanted, known), kept=kept)
    for config in old.configs if old else ():
        new = result.wanted.config(config.name)
        if new is not None and not new.sha256 and not resume:
            damaged = next(file.path for file in new.files if not file.sha256)
            raise ValueError(f"{folder / damaged} is missing or was changed: --resume writes it anew")
    return result


def _overwriting(folder: Path, wanted: Manifest, old: Manifest | None, journal: Manifest | None) -> DatasetFolder:
    kept: list[Config] = []
    removed = list(journal.configs) if journal else []
    for config in old.configs if old else ():
        stays = wanted.config(config.name) is None and not _incompatible(wanted, config, old)
        (kept if stays else removed).append(config)
    paths = {file.path for config in removed for file in config.files} - {f.path for c in kept for f in c.files}
    return DatasetFolder(folder=folder, wanted=wanted, kept=kept, removed=sorted(paths))


def _with_intact_files(folder: Path, wanted: Manifest, known: Iterable[Config]) -> Manifest:
    """`wanted`, with hashes for each file that a config of the same recipe recorded and that is still as recorded."""
    found = {
        (config.recipe, replace(file, bytes=0, sha256="")): file
        for config in known
        for file in config.files
        if file.intact(folder)
    }
    hashes = {(config.recipe, config.files): config.sha256 for config in known}
    configs = []
    for config in wanted.configs:
        files = tuple(found.get((config.recipe, file), file) for file in config.files)
        configs.append(replace(config, files=files, sha256=hashes.get((config.recipe, files), "")))
    return wanted.with_configs(configs)


def _require_same_run(folder: Path, wanted: Manifest, journal: Manifest) -> None:
    there = {config.name: config.recipe for config in journal.configs}
    now = {config.name: config.recipe for config in wanted.configs}
    if there.keys() == now.keys():
        found = ((name, recipe.differences(there[name])) for name, recipe in now.items())
        problem = next((f"{name} with {difference}" for name, difference in found if difference), "")
    else:
        problem = f"{', '.join(there)} there, {', '.join(now)} now"
    problem = _format_difference(wanted, journal) or problem
    if problem:
        raise ValueError(
            f"{folder} holds an unfinished run of other options ({problem}): resume with those, or add --overwrite"
        )


def _require_compatible(folder: Path, wanted: Manifest, config: Config, old: Manifest | None) -> None:
    if problem := _incompatible(wanted, config, old):
        raise ValueError(
            f"{folder} holds {config.name}, which cannot be in one dataset with this run ({problem}): "
            "choose another --out, or add --overwrite to replace it"
        )


def _incompatible(wanted: Manifest, config: Config, old: Manifest | None) -> str:
    """Why an earlier config cannot stay beside the wanted ones.

    One dataset has one seed and file format, one version of each task, one tokenizer for each suffix of config names.
    """
    if problem := _format_difference(wanted, old):
        return problem
    for new in wanted.configs:
        same = replace(config.recipe, seed=new.recipe.seed)
        if config.recipe.suffix == new.recipe.suffix:
            same = replace(same, tokenizer=new.recipe.tokenizer, fingerprint=new.recipe.fingerprint)
        if config.recipe.task == new.recipe.task:
            same = replace(same, version=new.recipe.version)
        if problem := same.differences(config.recipe):
            return problem
    return ""


def _format_difference(wanted: Manifest, other: Manifest | None) -> str:
    for name in ("dataset", "file_format"):
        if other is not None and getattr(other, name) != getattr(wanted, name):
            return f"{name}={getattr(other, name)} there, {getattr(wanted, name)} now"
    return ""
