"""Run-length coding of BMP: 8 and 4 bits a pixel, with the marks that end a row or the image, or pass over pixels.

Source: Microsoft, "Bitmap Compression" (BI_RLE8, BI_RLE4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from vitiq.image.limits import MAX_CHUNKS

OVERFLOW = "runs of pixels beyond the end of their row cut off"
_END_OF_ROW, _END_OF_IMAGE, _MOVE = 0, 1, 2
_LONGEST = 255
"""Pixels that a run of two bytes holds at most."""


def unpack_runs(
    packed: bytes, height: int, width: int, *, nibbles: bool, notes: list[str]
) -> tuple[UInt8[np.ndarray, "height width"], UInt8[np.ndarray, "height width"] | None]:
    """Numbers of colours in the order of the file's rows, and 255 where a pixel is painted, 0 where it is passed over.

    The second is None where all are painted. A run too long for its row, which some writers make, is cut, with a note.

    Raises:
        ValueError: the coding ends before the image without saying so, or goes beyond its last row.
    """
    if height * width > 2 * _LONGEST * len(packed) + 65_536:
        raise ValueError(f"{len(packed)} bytes of pixel data are too few for {width}×{height} pixels")
    canvas = _Canvas(height, width, bytearray(height * width), bytearray(height * width), notes)
    at = 0
    for _ in range(height * width + height + MAX_CHUNKS):
        if canvas.full():
            break
        if at + 2 > len(packed):
            raise ValueError(f"its pixel data ends in row {canvas.row + 1} of {height}")
        count, code = packed[at], packed[at + 1]
        at += 2
        if count:
            canvas.paint(_run(count, code, nibbles=nibbles))
        elif code == _END_OF_IMAGE:
            break
        elif code in {_END_OF_ROW, _MOVE}:
            at += canvas.move(packed[at : at + 2] if code == _MOVE else None)
        else:
            used = (code + 1) // 2 if nibbles else code
            canvas.paint(_absolute(packed[at : at + used], code, nibbles=nibbles))
            at += used + used % 2
    else:
        raise ValueError("more runs of pixels than the image can hold")
    covered = np.frombuffer(canvas.painted, np.uint8).reshape(height, width)
    indices = np.frombuffer(canvas.out, np.uint8).reshape(height, width)
    return indices, None if covered.all() else covered


@dataclass(slots=True)
class _Canvas:
    height: int
    width: int
    out: bytearray
    painted: bytearray
    notes: list[str]
    row: int = 0
    column: int = 0

    def full(self) -> bool:
        if self.row > self.height:
            raise ValueError(f"its pixel data goes beyond the last of {self.height} rows")
        return self.row == self.height or (self.row == self.height - 1 and self.column >= self.width)

    def paint(self, run: bytes) -> None:
        fitting = min(len(run), max(0, self.width - self.column))
        if fitting < len(run) and OVERFLOW not in self.notes:
            self.notes.append(OVERFLOW)
        start = self.row * self.width + self.column
        if fitting:
            self.out[start : start + fitting] = run[:fitting]
            self.painted[start : start + fitting] = b"\xff" * fitting
        self.column += len(run)

    def move(self, steps: bytes | None) -> int:
        """To the next row, or right and on by two numbers; how many bytes that took."""
        if steps is None:
            self.column, self.row = 0, self.row + 1
            return 0
        if len(steps) < 2:
            raise ValueError("its pixel data ends early")
        self.column, self.row = self.column + steps[0], self.row + steps[1]
        return 2


def _run(count: int, code: int, *, nibbles: bool) -> bytes:
    if not nibbles:
        return bytes((code,)) * count
    return (bytes((code >> 4, code & 15)) * ((count + 1) // 2))[:count]


def _absolute(packed: bytes, count: int, *, nibbles: bool) -> bytes:
    run = bytes(part for byte in packed for part in (byte >> 4, byte & 15))[:count] if nibbles else packed
    if len(run) < count:
        raise ValueError("its pixel data ends early")
    return run
