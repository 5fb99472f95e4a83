"""PNG files of a few colours, without an image library: the same bytes for the same pixels."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np


def png_bytes(pixels: np.ndarray, colours: Sequence[tuple[int, int, int]]) -> bytes:
    """Encode `pixels` `[height, width]`, indices into at most 256 RGB `colours`.

    Raises ValueError for an index that is no colour.
    """
    if not 0 < len(colours) <= 256 or pixels.min() < 0 or pixels.max() >= len(colours):
        raise ValueError(f"pixels are {pixels.min()} to {pixels.max()}, which is out of range: 0 to {len(colours) - 1}")
    height, width = pixels.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with 0: no filter
    lines[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits a pixel, from a palette
    parts = ((b"IHDR", header), (b"PLTE", bytes(sum(colours, ()))), (b"IDAT", zlib.compress(lines.tobytes(), 9)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in (*parts, (b"IEND", b"")))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
