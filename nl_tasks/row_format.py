"""Rows on disk: the columns of a dataset as parquet or JSON lines."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

from nl_tasks.atomic_file import AtomicFile

FORMATS = ("parquet", "jsonl")

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("task", pa.string()),
        ("index", pa.int64()),
        ("seed", pa.int64()),
        ("version", pa.string()),
        ("prompt", pa.string()),
        ("question", pa.string()),
        ("answers", pa.list_(pa.string())),
        ("metric", pa.string()),
        ("target_tokens", pa.int64()),
        ("num_tokens", pa.int64()),
        ("tokenizer", pa.string()),
        ("depths", pa.list_(pa.float64())),
        ("evidence", pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("role", pa.string())]))),
        ("params", pa.string()),
        ("sha256", pa.string()),
    ]
)
"""The columns of `nl_tasks.generators.sample.Sample`, in its order."""

_REPEATED = ["task", "version", "metric", "tokenizer", "params"]  # worth a dictionary; prompts are not
_COUNTED = ["id", "index", "target_tokens"]  # worth minima and maxima


def write_rows(path: Path, rows: Iterable[dict[str, Any]], *, file_format: str, group: int) -> AtomicFile:
    """Write a data file, whole or not at all, `group` rows at a time; return it closed, with its size and hash.

    The bytes depend on the rows, on `group` and on the version of pyarrow alone.
    """
    lines = ((json.dumps(row, ensure_ascii=False) + "\n").encode() for row in rows)
    with AtomicFile(path) as file:
        if file_format == "parquet":
            _write_parquet(file, lines, group)
        else:
            for line in lines:
                file.write(line)
    return file


def _write_parquet(file: AtomicFile, lines: Iterator[bytes], group: int) -> None:
    options: dict[str, Any] = {
        "version": "2.6",
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": _REPEATED,
        "write_statistics": _COUNTED,
        "store_schema": False,  # would add Arrow's own bytes, which change with its version
    }
    with pq.ParquetWriter(file, SCHEMA, **options) as writer:
        while text := b"".join(islice(lines, group)):
            writer.write_table(_table(text), row_group_size=group)


def _table(lines: bytes) -> pa.Table:
    """An Arrow table from JSON lines: from Python objects, pyarrow would import pandas (0.2 s and 50 MB)."""
    return pyarrow.json.read_json(
        pa.BufferReader(lines),
        pyarrow.json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        pyarrow.json.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="error"),
    )


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a data file, one by one, all columns or `columns`.

    Raises ValueError if the file is neither of the two formats, or lacks a column.
    """
    names = list(columns or SCHEMA.names)
    try:
        rows = _read_parquet(path, names) if path.suffix == ".parquet" else _read_jsonl(path)
        for row in rows:
            yield {name: row[name] for name in names}
    except KeyError as error:
        raise ValueError(f"{path} lacks the column {error}: it is not a file of this package's datasets") from None
    except (pa.ArrowInvalid, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} cannot be read as {path.suffix.lstrip('.')}: {error}".splitlines()[0]) from None


def unpacked_bytes(path: Path) -> int:
    """The size of a data file's contents without compression. Raises ValueError or OSError if it cannot be read."""
    if path.suffix != ".parquet":
        return path.stat().st_size
    with pq.ParquetFile(path) as file:
        return sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))


def _read_parquet(path: Path, names: list[str]) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=16, columns=names, use_threads=False):
            yield from batch.to_pylist()


def _read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise KeyError("id")
            yield row
