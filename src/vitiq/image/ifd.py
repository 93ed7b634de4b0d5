"""Tags of a TIFF or BigTIFF directory, which EXIF blocks use too. Reads numbers only; bounded by the file's own size.

Source: TIFF 6.0, section 2; BigTIFF as libtiff defines it (8-byte offsets and counts).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitiq.image.limits import MAX_FRAMES

_TYPES = {
    1: "u1",
    2: "S1",
    3: "u2",
    4: "u4",
    6: "i1",
    7: "u1",
    8: "i2",
    9: "i4",
    11: "f4",
    12: "f8",
    13: "u4",
    16: "u8",
}
_SIZES = {5: 8, 10: 8, 17: 8, 18: 8} | {key: np.dtype(kind).itemsize for key, kind in _TYPES.items()}

MAX_ENTRIES = 65_535
"""Tags of one directory: what the 16 bits of a TIFF can say, for BigTIFF too."""


class DamagedTagsError(ValueError):
    """The directory points outside the file, or holds something else than it must."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory: tag -> (type, count, position of the values)."""

    data: bytes
    order: str
    entries: dict[int, tuple[int, int, int]]
    next: int

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """All values of an integer tag.

        Raises:
            DamagedTagsError: the values are no integers, or lie outside the file.
        """
        if tag not in self.entries:
            return default
        kind, count, _ = self.entries[tag]
        if kind not in _TYPES or _TYPES[kind][0] not in "ui":
            raise DamagedTagsError(f"tag {tag} holds no whole numbers")
        raw = self._values(tag)
        return tuple(np.frombuffer(raw, self.order + _TYPES[kind], count).tolist()) or default

    def number(self, tag: int, default: int) -> int:
        """The first value of an integer tag; raises as `numbers`."""
        return self.numbers(tag, (default,))[0]

    def raw(self, tag: int) -> bytes | None:
        """The bytes of a tag, or None; raises DamagedTagsError where they lie outside the file."""
        return self._values(tag) if tag in self.entries else None

    def _values(self, tag: int) -> bytes:
        kind, count, position = self.entries[tag]
        length = count * _SIZES.get(kind, 1)
        if position + length > len(self.data):
            raise DamagedTagsError(f"tag {tag} lies outside the file")
        return self.data[position : position + length]


def first_directory(data: bytes) -> Directory:
    """The first directory of a file or EXIF block; raises DamagedTagsError."""
    order, big = _header(data)
    width = 8 if big else 4
    return _directory(data, _whole(data, 8 if big else 4, width, order), order, big)


def directory_at(directory: Directory, position: int) -> Directory:
    """Another directory of the same file, such as EXIF's own, which a tag points to; raises DamagedTagsError."""
    return _directory(directory.data, position, directory.order, big=_header(directory.data)[1])


def count_directories(data: bytes) -> int:
    """Pages of a TIFF, at most one more than `MAX_FRAMES`; a chain that breaks or runs in a circle ends there."""
    order, big = _header(data)
    head, step, width = (8, 20, 8) if big else (2, 12, 4)
    seen: set[int] = set()
    position = _whole(data, width, width, order)
    while position and position not in seen and len(seen) <= MAX_FRAMES:
        try:
            following = _whole(data, position + head + step * _whole(data, position, head, order), width, order)
        except DamagedTagsError:
            break
        seen.add(position)
        position = following
    return len(seen)


def _header(data: bytes) -> tuple[str, bool]:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        raise DamagedTagsError("no TIFF header")
    version = _whole(data, 2, 2, order)
    if version not in {42, 43}:
        raise DamagedTagsError(f"TIFF version {version}, 42 or 43 is expected")
    return order, version == 43


def _directory(data: bytes, position: int, order: str, big: bool) -> Directory:
    head, step, width = (8, 20, 8) if big else (2, 12, 4)
    count = _whole(data, position, head, order)
    start = position + head
    if count > MAX_ENTRIES:
        raise DamagedTagsError(f"{count} tags in a directory")
    if start + count * step + width > len(data):
        # EXIF blocks of some cameras lack the pointer to a next directory.
        if start + count * step > len(data):
            raise DamagedTagsError("the directory lies outside the file")
        following = 0
    else:
        following = _whole(data, start + count * step, width, order)
    entries: dict[int, tuple[int, int, int]] = {}
    for at in range(start, start + count * step, step):
        tag, kind = _whole(data, at, 2, order), _whole(data, at + 2, 2, order)
        number = _whole(data, at + 4, width, order)
        inline = at + 4 + width
        fits = number * _SIZES.get(kind, 1) <= width
        entries.setdefault(tag, (kind, number, inline if fits else _whole(data, inline, width, order)))
    return Directory(data, order, entries, following)


def _whole(data: bytes, position: int, width: int, order: str) -> int:
    if position + width > len(data):
        raise DamagedTagsError("the directory lies outside the file")
    return int.from_bytes(data[position : position + width], "little" if order == "<" else "big")
