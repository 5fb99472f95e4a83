"""Work through many jobs together with any number of other processes, each job done once.

    failures = work(jobs, Path("results"))

A job is done when its file is there. A worker that is killed loses the job in hand, which another takes over. Jobs of
one group need the same preparation: a worker goes through a group that no other is at while there is one, so that each
prepares few of them, and then helps where most is left.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nl_tasks.atomic_file import write_atomic
from nl_tasks.claims import STALE_AFTER, Claims

CLAIMS, GROUPS = ".claims", ".groups"


@dataclass(frozen=True)
class Job:
    """Something to be done once.

    Attributes:
        key: Its name among the claims.
        path: The file whose being there says that it is done.
        run: Does it, and writes `path` as a whole.
        label: For people.
        cost: Its share of the work, in any unit.
        group: What it needs prepared, as a word of letters, digits, `-` and `_`.
    """

    key: str
    path: Path
    run: Callable[[], object]
    label: str = ""
    cost: float = 1.0
    group: str = "all"

    @property
    def done(self) -> bool:
        """Whether its file is there."""
        return self.path.is_file()


def work(
    jobs: Sequence[Job],
    folder: Path,
    *,
    starting: Callable[[Job], None] = lambda job: None,
    done: Callable[[Job], None] = lambda job: None,
    stale_after: float = STALE_AFTER,
    poll: float = 1.0,
) -> dict[str, str]:
    """Do all jobs that nobody else does, wait for the others, and return what failed, by label.

    Args:
        jobs: In the order in which one worker alone should do them, those of a group together.
        folder: Claims are kept in `.claims` in it.
        starting: Called before a job that this process does.
        done: Called for each job when it is found done, whoever did it.
        stale_after: See `Claims`.
        poll: Seconds between looks at the jobs of others.
    """
    claims = Claims(folder / CLAIMS, stale_after)
    began = claims.now()
    failures: dict[str, str] = {}
    left = {group: list(members) for group, members in _groups(jobs).items()}

    def settle(group: str) -> bool:
        waiting = []
        for job in left[group]:
            if not job.done and not _attempt(job, claims, began, starting, failures):
                waiting.append(job)
            elif job.done:
                done(job)
        some, left[group] = len(waiting) < len(left[group]), waiting
        return some

    places = Claims(folder / GROUPS, stale_after)
    while any(left.values()):
        settled = False
        for group in list(left):
            if left[group] and (place := places.take(group)):
                with place:
                    settled |= settle(group)
        fullest = sorted(left, key=lambda group: -len(left[group]))
        if not settled and not any(settle(group) for group in fullest if left[group]) and any(left.values()):
            time.sleep(poll)
    tidy(jobs, folder, stale_after=stale_after)
    return failures


def tidy(jobs: Sequence[Job], folder: Path, *, stale_after: float = STALE_AFTER) -> None:
    """Remove the claims of processes that died between the end of a job and giving it back."""
    claims = Claims(folder / CLAIMS, stale_after)
    left = {path.stem for path in claims.folder.glob("*.*")}
    for job in jobs:
        if job.key in left and job.done and (claim := claims.take(job.key)):
            with claim:
                pass
    places = Claims(folder / GROUPS, stale_after)
    for group, members in _groups(jobs).items():
        if (
            list(places.folder.glob(f"{group}.*"))
            and all(job.done for job in members)
            and (claim := places.take(group))
        ):
            with claim:
                pass


def _groups(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    found: dict[str, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.group, []).append(job)
    return found


def _attempt(job: Job, claims: Claims, began: float, starting: Callable[[Job], None], failures: dict[str, str]) -> bool:
    """Settle a job if nobody else has it; False if somebody has."""
    note = claims.folder / f"{job.key}.failed"
    if note.is_file() and note.stat().st_mtime > began:  # elsewhere, in this sweep: it would fail here too
        failures[job.label] = note.read_text()
        return True
    claim = claims.take(job.key)
    if claim is None:
        return False
    with claim:
        if not job.done:
            starting(job)
            try:
                job.run()
                note.unlink(missing_ok=True)
            except Exception as error:
                failures[job.label] = f"{type(error).__name__}: {error}"
                write_atomic(note, failures[job.label])
    return True
