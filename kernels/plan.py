"""Plans: which score entries an attention kernel computes, as tensors.

Query row `t` of `T` stands at position `S - T + t` of the `S` keys, so one plan type serves prefill (`T == S`),
chunked prefill (`T < S`) and decode (`T == 1`); every plan is causal. Plans hold int32 index lists padded to a common
length and the counts that say how much of each list is real: entries past a count are 0 and mean nothing. Lists are
sorted, hold no index twice, and lie on the device of q and k; no plan needs a host sync to be run. `H` is the number
of query heads, or of KV heads where the query heads of a group share their selection.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor


def causal_entries(queries: int, keys: int) -> int:
    """Count the score entries of full causal attention of the last `queries` of `keys` positions (one head)."""
    return queries * keys - queries * (queries - 1) // 2


@dataclass(frozen=True, eq=False)
class Plan(ABC):
    """What to compute for `queries` (T) rows over `keys` (S) columns of every head."""

    queries: int
    keys: int

    def __post_init__(self) -> None:
        for field in fields(self):
            lists = getattr(self, field.name)
            if isinstance(lists, Tensor) and lists.dim() > 2 and not lists.shape[-1]:
                raise ValueError(
                    f"{field.name} has the shape {tuple(lists.shape)}: lists have room for at least one entry, "
                    "and counts say how many there are"
                )

    @property
    def offset(self) -> int:
        """Position of the first query row."""
        return self.keys - self.queries

    @abstractmethod
    def computed(self) -> Tensor:
        """Causal score entries that the plan covers, each (query, key) pair counted once, `[B, H]` int64."""

    @abstractmethod
    def _cover(self, rows: Tensor) -> Tensor:
        """Entries covered in the query rows `rows` `[n]`, causality aside, `[B, H, n, S]` bool."""

    def density(self) -> Tensor:
        """Return computed entries / entries of full causal attention, `[B, H]` float64."""
        return self.computed().double() / causal_entries(self.queries, self.keys)

    def mask(self, start: int, stop: int) -> Tensor:
        """Return what rows `start` to `stop` (excluded) see, `[B, H, stop - start, S]` bool, causality included."""
        cover = self._cover(torch.arange(start, stop, device=self.device))
        return cover & causal_mask(start, stop, self.offset, self.keys, self.device)

    def sees(self, start: int, stop: int, keys: Tensor) -> Tensor:
        """Return which of `keys` `[B, n]` (int64, < S) rows `start` to `stop` (excluded) see, `[B, H, rows, n]` bool.

        The same as picking them from `mask`, which the plans of this file never make for it.
        """
        mask = self.mask(start, stop)
        return mask.gather(-1, keys[:, None, None].expand(*mask.shape[:3], -1))

    def _allowed(self, start: int, stop: int, keys: Tensor) -> Tensor:
        """Which of `keys` `[B, n]` causality lets rows `start` to `stop` see, `[B, 1, rows, n]` bool."""
        position = torch.arange(start + self.offset, stop + self.offset, device=self.device)[:, None]
        return keys[:, None, None] <= position

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the plan's tensors lie."""


@dataclass(frozen=True, eq=False)
class FullPlan(Plan):
    """Every causal entry, of `batch` x `heads` heads: dense attention as a plan."""

    batch: int
    heads: int
    on: torch.device

    @property
    def device(self) -> torch.device:  # noqa: D102
        return self.on

    def computed(self) -> Tensor:  # noqa: D102
        return torch.full((self.batch, self.heads), causal_entries(self.queries, self.keys), device=self.on)

    def _cover(self, rows: Tensor) -> Tensor:
        return rows.new_ones(self.batch, self.heads, len(rows), self.keys, dtype=torch.bool)

    def sees(self, start: int, stop: int, keys: Tensor) -> Tensor:  # noqa: D102
        return self._allowed(start, stop, keys).expand(-1, self.heads, -1, -1)


@dataclass(frozen=True, eq=False)
class BlockPlan(Plan):
    """Key blocks to compute for each query block.

    Query block `r` holds rows `r * query_block` and on (counted from the first row, not from position 0); key block
    `c` holds keys `c * key_block` and on. `indices` `[B, H, R, M]` lists key blocks, ascending; `counts` `[B, H, R]`.
    A listed block is computed whole, less what causality forbids, and holds at least one allowed entry.
    """

    query_block: int
    key_block: int
    indices: Tensor
    counts: Tensor

    @property
    def device(self) -> torch.device:  # noqa: D102
        return self.indices.device

    def computed(self) -> Tensor:  # noqa: D102
        row = torch.arange(self.indices.shape[2], device=self.device) * self.query_block
        length = (self.queries - row).clamp(max=self.query_block)  # [R]
        # Lists ascend: causality and the last key can cut only their last entries, of which there are few.
        near = min(-(-self.query_block // self.key_block) + 1, self.indices.shape[3])
        place = self.counts[..., None].long() - near + torch.arange(near, device=self.device)  # [B, H, R, near]
        first = self.indices.gather(-1, place.clamp(min=0)).long() * self.key_block
        width = (self.keys - first).clamp(max=self.key_block)
        visible = self.offset + row[:, None] - first + 1  # keys of the block that the first row sees
        last = torch.where(place >= 0, _ramp_sum(visible, length[:, None], width), 0).sum(-1)
        whole = (self.counts.long() - near).clamp(min=0) * length * self.key_block
        return (whole + last).sum(-1)

    def valid(self) -> Tensor:
        """Which entries of `indices` are real, `[B, H, R, M]` bool."""
        return torch.arange(self.indices.shape[-1], device=self.device) < self.counts[..., None]

    def _cover(self, rows: Tensor) -> Tensor:
        row = rows // self.query_block
        picked, inverse = torch.unique_consecutive(row, return_inverse=True)
        valid, indices = self.valid()[:, :, picked], self.indices[:, :, picked].long()
        blocks = _bitmap(indices, valid, -(-self.keys // self.key_block))  # [B, H, rows, C]
        return blocks[:, :, inverse].repeat_interleave(self.key_block, -1)[..., : self.keys]

    def sees(self, start: int, stop: int, keys: Tensor) -> Tensor:  # noqa: D102
        first, last = start // self.query_block, -(-stop // self.query_block)
        real = torch.arange(self.indices.shape[-1], device=self.device) < self.counts[:, :, first:last, None]
        blocks = _bitmap(self.indices[:, :, first:last].long(), real, -(-self.keys // self.key_block))
        place = (keys // self.key_block)[:, None, None].expand(*blocks.shape[:3], -1)
        row = torch.arange(start, stop, device=self.device) // self.query_block - first
        return blocks.gather(-1, place)[:, :, row] & self._allowed(start, stop, keys)


@dataclass(frozen=True, eq=False)
class VerticalSlashPlan(Plan):
    """Whole columns, and bands of diagonals, the latter in steps of `query_block` rows.

    Rows come in blocks of `query_block` (a divisor or multiple of a kernel's tile; 1 means exact diagonals), counted
    from the first row. The block whose first row stands at position `p` sees the keys `p + starts[i]` to `p + ends[i]`
    (excluded) for every band `i`: `starts`, `ends` `[B, H, N]`, ascending and disjoint, `bands` `[B, H]` their count.
    It also sees the keys `columns` `[B, H, M]`, of which `column_counts` `[B, H]` are real. A column inside a band is
    counted and computed once. Causality and key 0 cut both short.
    """

    query_block: int
    columns: Tensor
    column_counts: Tensor
    starts: Tensor
    ends: Tensor
    bands: Tensor

    @property
    def device(self) -> torch.device:  # noqa: D102
        return self.columns.device

    def band_table(self) -> Tensor:
        """Return `[B, H, S + query_block]` bool: entry `i` says if key `p + i - S` is in a band of the block at `p`."""
        return self._band_table

    @cached_property
    def _band_table(self) -> Tensor:
        size = self.keys + self.query_block
        valid = torch.arange(self.starts.shape[-1], device=self.device) < self.bands[..., None]
        edge = torch.zeros(*self.starts.shape[:2], size + 1, dtype=torch.int32, device=self.device)
        step = valid.to(torch.int32)
        edge.scatter_add_(2, (self.starts.long() + self.keys).clamp(0, size), step)
        edge.scatter_add_(2, (self.ends.long() + self.keys).clamp(0, size), -step)
        return edge.cumsum(2)[..., :size] > 0

    def column_table(self) -> Tensor:
        """Return which keys are kept columns, `[B, H, S]` bool."""
        valid = torch.arange(self.columns.shape[-1], device=self.device) < self.column_counts[..., None]
        return _bitmap(self.columns.long(), valid, self.keys)

    def computed(self) -> Tensor:  # noqa: D102
        table = self.band_table()
        first = torch.arange(0, self.queries, self.query_block, device=self.device)  # first row of each block [R]
        length = (self.queries - first).clamp(max=self.query_block)
        before = torch.nn.functional.pad(table.long().cumsum(-1), (1, 0))  # covered entries left of i
        upto = torch.nn.functional.pad(before[..., self.keys + 1 :].cumsum(-1), (1, 0))  # summed over a block's rows
        in_bands = upto[..., length].sum(-1) - (before[..., self.keys - first - self.offset] * length).sum(-1)
        valid = torch.arange(self.columns.shape[-1], device=self.device) < self.column_counts[..., None]
        return in_bands + torch.where(valid, self._rows_without_band(~table), 0).sum(-1)

    def _rows_without_band(self, bare: Tensor) -> Tensor:
        """Count, for each column, the rows that see it and no band there, `[B, H, M]`; `bare` is `~band_table()`."""
        step, blocks = self.query_block, -(-self.queries // self.query_block)
        last_rows = self.queries - (blocks - 1) * step
        # A column's place relative to block r moves by `step` as r grows: sums over blocks are sums in strides.
        strided = torch.nn.functional.pad(bare, (step, -bare.shape[-1] % step)).unflatten(-1, (-1, step))
        total = strided.long().cumsum(-2).flatten(-2)
        total = total[..., : bare.shape[-1] + step]  # entry i + step: blocks whose place is i, i - step, ...

        def at(table: Tensor, place: Tensor) -> Tensor:
            return table.gather(-1, place.clamp(0, table.shape[-1] - 1))

        row = self.columns.long() - self.offset  # the row at which the column's key stands (negative: before the chunk)
        begin = -(-row.clamp(min=0) // step)  # first block that sees the column in all its rows
        place, end = row - begin * step + self.keys, row - (blocks - 1) * step + self.keys
        whole = (at(total, place + step) - at(total, end)) * step - at(bare.long(), end) * (step - last_rows)
        seen = (self.queries - (begin - 1) * step).clamp(max=step) - (row - (begin - 1) * step)
        part = at(bare.long(), place + step) * seen
        return torch.where(begin < blocks, whole, 0) + torch.where((row > 0) & (row % step > 0), part, 0)

    def _cover(self, rows: Tensor) -> Tensor:
        start = rows // self.query_block * self.query_block + self.offset
        place = torch.arange(self.keys, device=self.device) - start[:, None] + self.keys
        in_band = self.band_table()[:, :, place.clamp(max=self.keys + self.query_block - 1)]
        return in_band | self.column_table()[:, :, None]

    def sees(self, start: int, stop: int, keys: Tensor) -> Tensor:  # noqa: D102
        bands, columns = self.band_table(), self.column_table()
        rows = torch.arange(start, stop, device=self.device)
        shift = self.keys - self.offset - rows // self.query_block * self.query_block  # [rows]
        place = (keys[:, None] + shift[:, None]).clamp(max=self.keys + self.query_block - 1)  # [B, rows, n]
        in_band = bands.gather(-1, place.flatten(1)[:, None].expand(-1, bands.shape[1], -1)).unflatten(
            -1, place.shape[1:]
        )
        in_column = columns.gather(-1, keys[:, None].expand(-1, columns.shape[1], -1))
        return (in_band | in_column[:, :, None]) & self._allowed(start, stop, keys)


@dataclass(frozen=True, eq=False)
class PagePlan(Plan):
    """Decode: pages of `page` keys for the one query row. `pages` `[B, H, M]`, ascending; `counts` `[B, H]`.

    `each` is how many keys every head reads, where that is known without asking the device; all lists are full then.
    """

    page: int
    pages: Tensor
    counts: Tensor
    each: int | None = None

    @property
    def device(self) -> torch.device:  # noqa: D102
        return self.pages.device

    def valid(self) -> Tensor:
        """Which entries of `pages` are real, `[B, H, M]` bool."""
        return torch.arange(self.pages.shape[-1], device=self.device) < self.counts[..., None]

    def computed(self) -> Tensor:  # noqa: D102
        if self.each is not None:
            return torch.full_like(self.counts, self.each, dtype=torch.int64)
        width = (self.keys - self.pages.long() * self.page).clamp(max=self.page)
        return torch.where(self.valid(), width, 0).sum(-1)

    def _cover(self, rows: Tensor) -> Tensor:
        kept = _bitmap(self.pages.long(), self.valid(), -(-self.keys // self.page))
        kept = kept.repeat_interleave(self.page, -1)[..., : self.keys]
        return kept[:, :, None].expand(-1, -1, len(rows), -1)

    def sees(self, start: int, stop: int, keys: Tensor) -> Tensor:  # noqa: D102
        size, real = -(-self.keys // self.page), None if self.each is not None else self.valid()
        return _picked(_bitmap(self.pages.long(), real, size), keys // self.page)[:, :, : stop - start]


@dataclass(frozen=True, eq=False)
class TokenPlan(Plan):
    """Decode: single keys for the one query row. `tokens` `[B, H, M]`, ascending; `counts` `[B, H]`.

    Also what an eviction method keeps of a prompt of `keys` tokens, as a token generated next sees it.
    """

    tokens: Tensor
    counts: Tensor

    @property
    def device(self) -> torch.device:  # noqa: D102
        return self.tokens.device

    def valid(self) -> Tensor:
        """Which entries of `tokens` are real, `[B, H, M]` bool."""
        return torch.arange(self.tokens.shape[-1], device=self.device) < self.counts[..., None]

    def computed(self) -> Tensor:  # noqa: D102
        return self.counts.long()

    def _cover(self, rows: Tensor) -> Tensor:
        kept = _bitmap(self.tokens.long(), self.valid(), self.keys)
        return kept[:, :, None].expand(-1, -1, len(rows), -1)

    def sees(self, start: int, stop: int, keys: Tensor) -> Tensor:  # noqa: D102
        return _picked(_bitmap(self.tokens.long(), self.valid(), self.keys), keys)[:, :, : stop - start]


def causal_mask(start: int, stop: int, offset: int, keys: int, device: torch.device) -> Tensor:
    """Return which keys rows `start` to `stop` may see if row 0 is at position `offset`, `[stop - start, S]` bool."""
    position = torch.arange(start, stop, device=device)[:, None] + offset
    return torch.arange(keys, device=device) <= position


def _ramp_sum(first: Tensor, length: Tensor, width: Tensor) -> Tensor:
    """Sum `clamp(first + i, 0, width)` over `i < length`."""

    def below(x: Tensor) -> Tensor:  # the sum of clamp(j, 0, width) over j < x
        inside = x.clamp(min=0).minimum(width + 1)
        return inside * (inside - 1) // 2 + (x - width - 1).clamp(min=0) * width

    return below(first + length) - below(first)


def _bitmap(indices: Tensor, valid: Tensor | None, size: int) -> Tensor:
    """`[..., M]` indices to `[..., size]` bool, ignoring those not `valid` (None: all are)."""
    table = torch.zeros(*indices.shape[:-1], size + 1, dtype=torch.bool, device=indices.device)
    table.scatter_(-1, indices if valid is None else torch.where(valid, indices, size), True)
    return table[..., :size]


def _picked(table: Tensor, places: Tensor) -> Tensor:
    """Entries `places` `[B, n]` of `table` `[B, H, size]`, as what one query row sees, `[B, H, 1, n]`."""
    return table.gather(-1, places[:, None].expand(-1, table.shape[1], -1))[:, :, None]
