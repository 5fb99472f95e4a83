"""`nl-tasks publish`: a dataset folder as a dataset on the Hugging Face Hub."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nl_tasks.manifest import Manifest


def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder.")],
    repo: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The dataset repo; it is made if there is none.")],
    private: Annotated[bool, typer.Option("--private", help="Make a private repo.")] = False,
    branch: Annotated[str, typer.Option(help="The branch to commit to; it is made if there is none.")] = "main",
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Take away configs of the repo that this folder lacks; write over other files."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; ask nobody.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Upload card, manifest and files in one commit, and load a row of every config back to compare its hash.

    The token is that of `hf auth login` or HF_TOKEN. An upload that breaks off leaves the repo as it was; the same
    command again sends only what has not arrived.

    Example: nl-tasks publish sparse-frontier/story --repo sparse-frontier/story --dry-run

    Example: nl-tasks publish sparse-frontier/story --repo me/story --private
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", repo):
        raise ValueError(f"--repo {repo}: write OWNER/NAME")
    from nl_tasks.face import first_sample, folder_face
    from nl_tasks.folder import JOURNAL
    from nl_tasks.hf_dataset_card.publish import plan_upload
    from nl_tasks.manifest import read_manifest

    if (folder / JOURNAL).exists():
        raise ValueError(f"{folder} holds an unfinished run: continue it with nl-tasks generate ... --resume")
    manifest = read_manifest(folder)
    upload = plan_upload(folder, manifest.as_json(), folder_face(folder, manifest, dataset=repo))
    sizes = upload.sizes()
    for path in _local_paths(manifest) if not quiet else ():
        print(f"note: the rows name {path}, which readers of the dataset will not have", file=sys.stderr)
    if dry_run:
        for path, size in sizes.items():
            print(f"{size:>14,}  {path}")
        print(
            f"{sum(sizes.values()):>14,}  bytes in {len(sizes)} files, {len(upload.configs)} configs, would go to "
            f"{'a private repo ' if private else ''}datasets/{repo}, branch {branch}"
        )
        return
    from rich.console import Console

    from nl_tasks.hf_dataset_card import publish as publishing
    from nl_tasks.hf_dataset_card.hub import HubRepo

    console = Console(stderr=True, quiet=quiet)
    _progress_bars(console.is_terminal and not quiet)
    expected = {config.name: first_sample(folder, config).sha256 for config in manifest.configs}
    status = console.status("")  # not before the upload, which has bars of its own

    def reading(config: str) -> None:
        status.start()
        status.update(f"reading {config} back")

    try:
        done = publishing.publish(
            upload, HubRepo(repo, branch=branch), expected, private=private, replace=replace, reading=reading
        )
    finally:
        status.stop()
    if quiet:
        return
    news = f"{len(sizes)} files, {sum(sizes.values()) / 1e6:.1f} MB" if done.commit.changed else "nothing had changed"
    gone = f"; {len(done.removed)} old files went" if done.removed else ""
    print(f"{done.commit.url}: {news}{gone}; revision {done.commit.revision}")
    print(f"the first row of {done.read_back} configs was read back, with equal hashes")
    print(f'load them with: load_dataset("{repo}", "{upload.configs[0]}")')


def _local_paths(manifest: "Manifest") -> list[str]:
    """Tokenizers and sources that are files or folders of this machine."""
    recipes = [config.recipe for config in manifest.configs]
    names = [recipe.tokenizer for recipe in recipes] + [str(recipe.knobs.get("source") or "") for recipe in recipes]
    return [name for name in dict.fromkeys(names) if name and Path(name.removeprefix("gguf:")).exists()]


def _progress_bars(shown: bool) -> None:
    """The Hub library's own bars, for a terminal alone."""
    from datasets import disable_progress_bars as without_loading_bars
    from huggingface_hub.utils import disable_progress_bars as without_upload_bars

    without_loading_bars()
    if not shown:
        without_upload_bars()
