"""Run-length coding of BMP: 4, 8, 24 bits per pixel, with the marks that end a row or the image, or pass over pixels.

Source: Microsoft, "Bitmap Compression" (BI_RLE8, BI_RLE4); IBM, OS/2 2.0 bitmap format (BCA_RLE24).
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
    packed: bytes, height: int, width: int, *, nibbles: bool = False, step: int = 1, notes: list[str]
) -> tuple[UInt8[np.ndarray, "height width step"], UInt8[np.ndarray, "height width"] | None]:
    """The bytes of each pixel in the order of the file's rows, and 255 where one is coded, 0 where it is passed over.

    Of `nibbles`, two pixels lie in a byte; else a pixel has `step` bytes: one, the number of a colour, or three.

    The second is None where all are coded. A run too long for its row, which some writers make, is cut, with a note.

    Raises:
        ValueError: the coding ends before the image without saying so, or goes beyond its last row.
    """
    if height * width > 2 * _LONGEST * len(packed) + 65_536:
        raise ValueError(f"{len(packed)} bytes of pixel data are too few for {width}×{height} pixels")
    grid = _Grid(height, width, step, bytearray(height * width * step), bytearray(height * width), notes)
    at = 0
    for _ in range(height * width + height + MAX_CHUNKS):
        if grid.full():
            break
        if at + 2 > len(packed):
            raise ValueError(f"its pixel data ends in row {grid.row + 1} of {height}")
        count, code = packed[at], packed[at + 1]
        at += 2
        if count:
            grid.write(_run(count, packed[at - 1 : at - 1 + step], step, nibbles=nibbles))
            at += step - 1
        elif code == _END_OF_IMAGE:
            break
        elif code in {_END_OF_ROW, _MOVE}:
            at += grid.move(packed[at : at + 2] if code == _MOVE else None)
        else:
            used = (code + 1) // 2 if nibbles else code * step
            grid.write(_absolute(packed[at : at + used], code * step, nibbles=nibbles))
            at += used + used % 2
    else:
        raise ValueError("more runs of pixels than the image can hold")
    covered = np.frombuffer(grid.coded, np.uint8).reshape(height, width)
    pixels = np.frombuffer(grid.out, np.uint8).reshape(height, width, step)
    return pixels, None if covered.all() else covered


@dataclass(slots=True)
class _Grid:
    height: int
    width: int
    step: int
    out: bytearray
    coded: bytearray
    notes: list[str]
    row: int = 0
    column: int = 0

    def full(self) -> bool:
        if self.row > self.height:
            raise ValueError(f"its pixel data goes beyond the last of {self.height} rows")
        return self.row == self.height or (self.row == self.height - 1 and self.column >= self.width)

    def write(self, run: bytes) -> None:
        count = len(run) // self.step
        fitting = min(count, max(0, self.width - self.column))
        if fitting < count and OVERFLOW not in self.notes:
            self.notes.append(OVERFLOW)
        start = self.row * self.width + self.column
        if fitting:
            self.out[start * self.step : (start + fitting) * self.step] = run[: fitting * self.step]
            self.coded[start : start + fitting] = b"\xff" * fitting
        self.column += count

    def move(self, steps: bytes | None) -> int:
        """To the next row, or right and on by two numbers; how many bytes that took."""
        if steps is None:
            self.column, self.row = 0, self.row + 1
            return 0
        if len(steps) < 2:
            raise ValueError("its pixel data ends early")
        self.column, self.row = self.column + steps[0], self.row + steps[1]
        return 2


def _run(count: int, pixel: bytes, step: int, *, nibbles: bool) -> bytes:
    if len(pixel) < step:
        raise ValueError("its pixel data ends early")
    if not nibbles:
        return pixel * count
    return (bytes((pixel[0] >> 4, pixel[0] & 15)) * ((count + 1) // 2))[:count]


def _absolute(packed: bytes, count: int, *, nibbles: bool) -> bytes:
    run = bytes(part for byte in packed for part in (byte >> 4, byte & 15))[:count] if nibbles else packed
    if len(run) < count:
        raise ValueError("its pixel data ends early")
    return run
