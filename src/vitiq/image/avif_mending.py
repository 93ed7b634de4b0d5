"""Errors in the structure of AVIF files which libavif refuses, though they leave no doubt about the pixels, put right.

Other readers pass over them: properties of items listed in several boxes of one kind (older cavif), an alpha item that
does not state its size, a crop or turn that is not marked essential, references to an item 0 (GPAC), groups of images.

Source: ISO/IEC 23008-12, 6.5 (properties), 9.3 (ItemPropertyAssociationBox); 14496-12, 8.11.12 (references), 8.18
(groups); 23000-22, 7.3 (which transformations are essential).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from vitiq.image.boxes import boxes

MENDED = "errors in the structure of the AVIF mended"
_Associations = dict[int, list[tuple[bool, int]]]
_References = list[tuple[bytes, int, tuple[int, ...]]]
_TRANSFORMATIONS = {b"clap", b"irot", b"imir"}
_KEPT_GROUPS = {b"altr"}
"""Which image to show of several: needed for gain maps. Others (pyramids, stereo pairs, bursts) change no pixel."""


def mended(data: bytes) -> bytes | None:
    """The file with a corrected copy of its description put last, so that nothing else moves; None if nothing is wrong.

    Raises:
        ValueError: a box in it is cut short.
    """
    found = next(((start, end) for kind, start, end in boxes(data) if kind == b"meta"), None)
    if found is None:
        return None
    start, end = found
    parts = [(kind, data[a:b]) for kind, a, b in boxes(data, start + 4, end)]
    try:
        meta = data[start : start + 4] + b"".join(_box(kind, content) for kind, content in _corrected(parts))
    except (struct.error, IndexError) as error:
        raise ValueError("a box in it is cut short") from error
    if meta == data[start : start + 4] + b"".join(_box(*part) for part in parts):
        return None
    out = bytearray(data)
    kind_at = data.rindex(b"meta", 0, start)
    out[kind_at : kind_at + 4] = b"free"
    _close_last(out)
    return bytes(out) + _box(b"meta", meta)


def _close_last(out: bytearray) -> None:
    """Give a box that reaches to the end of the file its length, so that another may follow."""
    for kind, start, end in boxes(bytes(out)):
        if end == len(out) and out[start - 8 : start] == bytes(4) + kind:
            out[start - 8 : start - 4] = (end - start + 8).to_bytes(4, "big")


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _corrected(parts: list[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    references = next((_references(content) for kind, content in parts if kind == b"iref"), [])
    for kind, content in parts:
        if kind == b"iprp":
            yield kind, _properties(content, references)
        elif kind == b"iref":
            wide = content[0] >= 1
            kept = b"".join(_box(name, _ids(first, others, wide)) for name, first, others in references)
            if kept:
                yield kind, content[:4] + kept
        elif kind == b"grpl":
            kept = b"".join(_box(k, content[a:b]) for k, a, b in boxes(content) if k in _KEPT_GROUPS)
            if kept:
                yield kind, kept
        else:
            yield kind, content


def _references(content: bytes) -> _References:
    """Kind, from which item, to which, without those from or to an item 0, which no item is."""
    width = 4 if content[0] >= 1 else 2
    found: _References = []
    for kind, a, b in boxes(content, 4):
        numbers = tuple(int.from_bytes(content[at : at + width], "big") for at in range(a + width + 2, b, width))
        first, others = int.from_bytes(content[a : a + width], "big"), tuple(number for number in numbers if number)
        if first and others:
            found.append((kind, first, others))
    return found


def _ids(first: int, others: tuple[int, ...], wide: bool) -> bytes:
    letter = "I" if wide else "H"
    return struct.pack(f">{letter}H{len(others)}{letter}", first, len(others), *others)


def _properties(content: bytes, references: _References) -> bytes:
    """One list of which item has which properties, after the properties themselves."""
    parts = [(kind, content[a:b]) for kind, a, b in boxes(content)]
    store = next((part for kind, part in parts if kind == b"ipco"), b"")
    kinds = [kind for kind, _, _ in boxes(store)]
    lists = [part for kind, part in parts if kind == b"ipma"]
    items: _Associations = {}
    for part in lists:
        for item, found in _associations(part).items():
            items.setdefault(item, []).extend(found)
    before = {item: list(found) for item, found in items.items()}
    for item, found in items.items():
        items[item] = [(must or _kind(kinds, index) in _TRANSFORMATIONS, index) for must, index in found]
    sizes = {item: pair for item, found in items.items() for pair in found if _kind(kinds, pair[1]) == b"ispe"}
    for kind, alpha, targets in references:
        if kind == b"auxl" and alpha in items and alpha not in sizes and targets[0] in sizes:
            sizes[alpha] = sizes[targets[0]]
            items[alpha].insert(0, sizes[alpha])
    if items == before and len(lists) == 1:
        return content
    others = b"".join(_box(kind, part) for kind, part in parts if kind != b"ipma")
    return others + _box(b"ipma", _written(items))


def _kind(kinds: list[bytes], index: int) -> bytes:
    return kinds[index - 1] if 0 < index <= len(kinds) else b""


def _associations(part: bytes) -> _Associations:
    """Item -> its properties: whether each is essential, and its number from 1 on."""
    item_width, width = (4 if part[0] >= 1 else 2), 2 if part[3] & 1 else 1
    essential = 0x8000 if width == 2 else 0x80
    found: _Associations = {}
    at = 8
    for _ in range(int.from_bytes(part[4:8], "big")):
        item, count = int.from_bytes(part[at : at + item_width], "big"), part[at + item_width]
        at += item_width + 1
        numbers = [int.from_bytes(part[at + width * i : at + width * (i + 1)], "big") for i in range(count)]
        found.setdefault(item, []).extend((bool(number & essential), number & ~essential) for number in numbers)
        at += count * width
    return found


def _written(items: _Associations) -> bytes:
    """As `_associations` reads it, in the widest form, items in ascending order as the standard wants them."""
    out = struct.pack(">II", 0x01000001, len(items))
    for item, found in sorted(items.items()):
        out += struct.pack(">IB", item, len(found))
        out += b"".join(struct.pack(">H", index | 0x8000 * must) for must, index in found)
    return out
