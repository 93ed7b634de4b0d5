"""AVIF whose structure has errors that libavif refuses, and that leave no doubt about the pixels.

Truth: the same file without the error. Found in libavif's tests/data (alpha_noispe, clap_irot_imir_non_essential,
pyramid_pymd) and link-u's avif-sample-images (plum-blossom, star with alpha), which libheif reads (libvips 8.18).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from vitiq.errors import InputError
from vitiq.image.avif_mending import MENDED, mended
from vitiq.image.boxes import boxes
from vitiq.image.read import decode_image

Parts = list[tuple[bytes, bytes]]
RAMP = np.add.outer(np.arange(40) * 3, np.arange(60) * 2)[:, :, None].astype(np.uint8) + np.array([0, 7, 20], np.uint8)


def avif(turn: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    alpha = np.add.outer(np.arange(40) * 2, np.arange(60)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.dstack([RAMP, alpha])).save(buffer, "AVIF", quality=100, subsampling="4:4:4", exif=exif)
    return buffer.getvalue()


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def described_anew(data: bytes, change: Callable[[Parts], Parts]) -> bytes:
    """The file with its description changed and put last, so that the places of its pixels stay true."""
    start, end = next((a, b) for kind, a, b in boxes(data) if kind == b"meta")
    parts = [(kind, data[a:b]) for kind, a, b in boxes(data, start + 4, end)]
    whole = data[: start - 4] + b"free" + data[start:]
    return whole + box(b"meta", data[start : start + 4] + b"".join(box(*part) for part in change(parts)))


def with_lists(parts: Parts, change: Callable[[bytes], list[bytes]]) -> Parts:
    """`change` makes one list of associations, as libavif writes it, into others."""
    out = []
    for kind, content in parts:
        if kind == b"iprp":
            store, association = (content[a:b] for _, a, b in boxes(content))
            out.append((kind, box(b"ipco", store) + b"".join(box(b"ipma", part) for part in change(association))))
        else:
            out.append((kind, content))
    return out


def entries(association: bytes) -> list[tuple[int, list[int]]]:
    at, found = 8, []
    for _ in range(int.from_bytes(association[4:8], "big")):
        count = association[at + 2]
        found.append((int.from_bytes(association[at : at + 2], "big"), list(association[at + 3 : at + 3 + count])))
        at += 3 + count
    return found


def listed(pairs: list[tuple[int, list[int]]]) -> bytes:
    body = b"".join(struct.pack(">HB", item, len(found)) + bytes(found) for item, found in pairs)
    return struct.pack(">II", 0, len(pairs)) + body


def in_two_lists(parts: Parts) -> Parts:
    return with_lists(parts, lambda part: [listed([entry]) for entry in entries(part)])


def alpha_without_size(parts: Parts) -> Parts:
    store = next(
        content[a:b] for k, content in parts if k == b"iprp" for kind, a, b in boxes(content) if kind == b"ipco"
    )
    sizes = {number for number, (kind, _, _) in enumerate(boxes(store), 1) if kind == b"ispe"}

    def change(part: bytes) -> list[bytes]:
        (first, found), (alpha, others) = entries(part)[:2]
        return [listed([(first, found), (alpha, [n for n in others if n & 127 not in sizes])])]

    return with_lists(parts, change)


def nothing_essential(parts: Parts) -> Parts:
    store = next(
        content[a:b] for k, content in parts if k == b"iprp" for kind, a, b in boxes(content) if kind == b"ipco"
    )
    turns = {number for number, (kind, _, _) in enumerate(boxes(store), 1) if kind in {b"irot", b"imir"}}
    assert turns

    def change(part: bytes) -> list[bytes]:
        return [listed([(i, [n & 127 if n & 127 in turns else n for n in found]) for i, found in entries(part)])]

    return with_lists(parts, change)


def reference_to_nothing(parts: Parts) -> Parts:
    more = box(b"cdsc", struct.pack(">HHH", 1, 1, 0))
    return [(kind, content + more if kind == b"iref" else content) for kind, content in parts]


def with_a_pyramid(parts: Parts) -> Parts:
    # As in libavif's pyramid_pymd.avif: its own reader of 2026 stumbles over it.
    group = struct.pack(">IIIII", 0, 1, 1, 1, 0x02000200) + bytes(6)
    return [*parts, (b"grpl", box(b"pymd", group))]


ERRORS = (in_two_lists, alpha_without_size, nothing_essential, reference_to_nothing, with_a_pyramid)


@pytest.mark.parametrize("error", ERRORS)
def test_it_is_read_as_without_the_error_and_said(error: Callable[[Parts], Parts]) -> None:
    whole, said = decode_image(avif(6), "x")
    image, notes = decode_image(described_anew(avif(6), error), "x")
    np.testing.assert_array_equal(image, whole)
    assert sorted(notes) == sorted([MENDED, *said])


def test_a_last_box_without_length_gets_one() -> None:
    data = bytearray(described_anew(avif(), in_two_lists))
    data += box(b"free", b"abc")
    data[-11:-7] = bytes(4)  # it reaches to the end of the file
    image, _ = decode_image(bytes(data), "x")
    np.testing.assert_array_equal(image, decode_image(avif(), "x")[0])


def test_nothing_is_made_of_a_file_without_such_errors() -> None:
    assert mended(avif(6)) is None
    assert mended(b"") is None


@pytest.mark.parametrize("keep", [9, 12, 14])
def test_a_list_cut_short_is_refused(keep: int) -> None:
    data = described_anew(avif(), lambda parts: with_lists(parts, lambda part: [part[:keep]]))
    with pytest.raises(InputError, match=r"AVIF|damaged"):
        decode_image(data, "x")
