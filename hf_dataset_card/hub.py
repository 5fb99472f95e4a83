"""The Hugging Face Hub, as far as publishing needs it: who we are, one repo, one commit; what fails said in one line.

The token is huggingface_hub's own (`hf auth login`, or HF_TOKEN); it is handed to that library and nowhere else.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, HfFileSystem, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

# The HTTP library's own is among the bases; a file that does not arrive is a RuntimeError, whatever the cause
_FAILURES: tuple[type[Exception], ...] = (OSError, RuntimeError, *HfHubHTTPError.__bases__)


class HubError(OSError):
    """The Hub could not be reached or refused; the message is one line that says which, and what helps."""


@dataclass(frozen=True)
class Commit:
    """What became of a commit: where it can be seen, its revision, and whether anything had changed."""

    url: str
    revision: str
    changed: bool


@dataclass(frozen=True)
class Head:
    """What a branch is at: a revision, and the files that it has."""

    revision: str
    files: tuple[str, ...]


class HubRepo:
    """A dataset repo on the Hub, and a branch of it. Raises HubError if there is no token."""

    def __init__(self, name: str, *, branch: str = "main") -> None:
        self.name, self.branch = name, branch
        self.token = get_token()
        if not self.token:
            raise HubError("no token of the Hub: log in with `hf auth login`, or set HF_TOKEN")
        self._api = HfApi(token=self.token)

    def require_login(self) -> str:
        """The user's name. Raises HubError if the Hub refuses the token or cannot be reached."""
        with self._failing("the token"):
            return str(self._api.whoami()["name"])

    def open(self, *, private: bool) -> Head:
        """Make the repo, private or not, and the branch, unless they are there; return what the branch is at.

        Raises HubError if that cannot be, or if the repo is there and public although it is to be private.
        """
        with self._failing(f"a repo {self.name}"):
            try:
                there = self._api.dataset_info(self.name)
            except RepositoryNotFoundError:
                self._api.create_repo(self.name, repo_type="dataset", private=private or None)
                there = None
        if there is not None and private and not there.private:
            raise HubError(f"{self.name} is public: make it private in its settings on the Hub, or leave --private out")
        with self._failing(f"the branch {self.branch}"):
            if self.branch != "main":
                self._api.create_branch(self.name, branch=self.branch, repo_type="dataset", exist_ok=True)
            info = self._api.dataset_info(self.name, revision=self.branch)
        return Head(str(info.sha), tuple(file.rfilename for file in info.siblings or ()))

    def read(self, path: str, revision: str) -> bytes:
        """A small file of the repo."""
        with self._failing(path):
            return Path(self._api.hf_hub_download(self.name, path, repo_type="dataset", revision=revision)).read_bytes()

    def files(self) -> HfFileSystem:
        """The files of all repos by address ("hf://datasets/NAME@REVISION/PATH"), read in parts as they are needed."""
        return HfFileSystem(endpoint=constants.ENDPOINT, token=self.token)

    def commit(self, files: Mapping[str, Path | bytes], removed: Sequence[str], *, message: str, parent: str) -> Commit:
        """Put all `files` (by their path in the repo) and remove `removed`, in one commit upon `parent`.

        Contents go first, in any order; the commit that names them comes last. If it does not come to that, the repo is
        as it was, and contents that have arrived are not sent again the next time.
        """
        operations = [CommitOperationAdd(path, content) for path, content in files.items()]
        deletions = [CommitOperationDelete(path) for path in removed]
        with self._failing("the upload"):
            # Not upload_folder: with hf_xet it commits a large folder in several parts
            info = self._api.create_commit(
                self.name,
                [*operations, *deletions],
                commit_message=message,
                repo_type="dataset",
                revision=self.branch,
                parent_commit=parent,
            )
        return Commit(f"{constants.ENDPOINT}/datasets/{self.name}", str(info.oid), info.oid != parent)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """Say in one line why the Hub did not do as it was asked."""
        try:
            yield
        except HubError:
            raise
        except OfflineModeIsEnabled:
            raise HubError("HF_HUB_OFFLINE is set: nothing can be published while it is") from None
        except HfHubHTTPError as error:
            raise HubError(f"the Hub {_refusal(error, what, self.name)}") from None
        except _FAILURES as error:
            if isinstance(error, OSError) and error.filename:
                raise  # a file here, not the Hub
            if isinstance(error.__cause__, HfHubHTTPError):
                raise HubError(f"the Hub {_refusal(error.__cause__, what, self.name)}") from None
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise HubError(f"the Hub cannot be reached at {constants.ENDPOINT} ({reason[0]}): run it again") from None


def _refusal(error: HfHubHTTPError, what: str, repo: str) -> str:
    """What the Hub answered, and what helps."""
    status = error.response.status_code if error.response is not None else 0
    if status == 401:
        where = "HF_TOKEN" if os.environ.get("HF_TOKEN") else "that of `hf auth login`"
        return f"refused the token ({where}): is it expired, or revoked?"
    if status in (403, 404):
        return f"refused {what} (status {status}): has the token the right to write to {repo}?"
    if status == 409 or status == 412:
        return f"refused {what}: somebody else has changed {repo} meanwhile; run it again"
    told = (error.server_message or str(error)).strip().splitlines() or ["no reason given"]
    return f"refused {what} (status {status}: {told[0]})"
