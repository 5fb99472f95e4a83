"""Sums that lie on a device, brought to the CPU all at once when somebody asks for a result."""

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor


class Settled:
    """A copy on the CPU of sums that lie on a device; empty until `settle` fills it, and once they have changed."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The sums are about to change."""
        self.on_cpu = torch.empty(0)
        self.there = False


class Tally(Protocol):
    """Sums on a device, and their copy."""

    sums: Settled

    def counted(self) -> Tensor:
        """The sums on the device."""


def settle(tallies: Iterable[Tally]) -> None:
    """Copy the sums of all tallies to the CPU that are not there yet, in one transfer for each device and type.

    A transfer waits until the device has done all it was asked, so one for each layer and row would cost more than the
    answers they are about.
    """
    groups: dict[tuple[torch.device, torch.dtype], list[Tally]] = {}
    for tally in tallies:
        if not tally.sums.there:
            groups.setdefault((tally.counted().device, tally.counted().dtype), []).append(tally)
    for group in groups.values():
        sums = [tally.counted() for tally in group]
        flat = torch.cat([each.flatten() for each in sums]).cpu().split([each.numel() for each in sums])
        for tally, each, copied in zip(group, sums, flat):
            tally.sums.on_cpu, tally.sums.there = copied.view(each.shape), True
