"""JPEGs that lack a part of their image and end properly all the same, as broken downloads do once they are closed.

Truth: Pillow's own files, cut; libjpeg-turbo's djpeg 2.1.5 warns of each of them ("premature end of data segment",
"found marker 0xd4 instead of RST3").
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vitiq.errors import InputError
from vitiq.image.jpeg_scans import DETAIL_MISSING
from vitiq.image.read import decode_image

END = b"\xff\xd9"
NOISE = np.random.default_rng(0).integers(0, 256, (70, 93, 3), np.uint8)
SMOOTH = (np.add.outer(np.arange(70), np.arange(93))[:, :, None] * np.array([1, 2, 3]) % 256).astype(np.uint8)


def jpeg(pixels: np.ndarray, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def cut(data: bytes, share: float) -> bytes:
    """Without the last part of its scans, closed."""
    start = data.index(b"\xff\xda") + 14
    return data[: start + int(share * (len(data) - start))].rstrip(b"\xff") + END


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("pixels", [NOISE, SMOOTH])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_scan_that_ends_early_is_refused(pixels: np.ndarray, mode: str, subsampling: int, share: float) -> None:
    with pytest.raises(InputError, match="ends before the image"):
        decode_image(cut(jpeg(pixels, mode, subsampling=subsampling), share), "x")


@pytest.mark.parametrize("change", ["missing", "wrong", "a part missing", "the end missing"])
def test_restart_markers_must_be_whole(change: str) -> None:
    data = jpeg(SMOOTH, restart_marker_blocks=2)
    third, fourth, last = (data.rindex(bytes([0xFF, mark])) for mark in (0xD3, 0xD4, 0xD5))
    changed = {
        "missing": data[:third] + data[third + 2 :],
        "wrong": data[: third + 1] + b"\xd6" + data[third + 2 :],
        "a part missing": data[:third] + data[fourth:],
        "the end missing": data[:last] + END,
    }[change]
    np.testing.assert_array_equal(decode_image(data, "x")[0], np.asarray(Image.open(io.BytesIO(data))))
    with pytest.raises(InputError, match=r"damaged .*restart markers"):
        decode_image(changed, "x")


def test_missing_scans_are_said_or_refused() -> None:
    data = jpeg(SMOOTH, progressive=True)
    starts = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    assert decode_image(data, "x")[1] == []
    said = 0
    for start in starts[1:]:
        _, notes = decode_image(data[:start] + END, "x")
        said += notes == [DETAIL_MISSING]
    assert said == len(starts) - 1


@pytest.mark.parametrize("level", [0, 127, 128, 255])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_images_of_the_grey_that_is_filled_in_are_whole(level: int, mode: str, progressive: bool) -> None:
    for side in (1, 8, 17, 40):
        flat = np.full((side, side, 3), level, np.uint8)
        decode_image(jpeg(flat, mode, progressive=progressive, restart_marker_blocks=3), "x")


@pytest.mark.parametrize("filling", [1, 2, 5])
@pytest.mark.parametrize("progressive", [False, True])
def test_filling_before_the_end_is_no_missing_pixel(filling: int, progressive: bool) -> None:
    """T.81, B.1.1.2: any marker may follow bytes of 255. Cameras by Reconyx so pad the last byte of their pixels."""
    grey = np.full((70, 93, 3), 128, np.uint8)
    grey[:60] = NOISE[:60]
    whole = jpeg(grey, progressive=progressive)
    image, notes = decode_image(whole.removesuffix(END) + b"\xff" * filling + END, "x")
    np.testing.assert_array_equal(image, decode_image(whole, "x")[0])
    assert notes == []


@pytest.mark.parametrize("segment", [b"", b"J", b"JFIF\0", b"JFXX\0\x13\1\1\1\2\3", b"AVI1\0" + bytes(9)])
def test_odd_segments_in_the_place_of_jfif_stop_no_image(segment: bytes) -> None:
    """libjpeg-turbo passes over them (jdmarker.c, examine_app0); Pillow 13 fails on the empty one."""
    whole = jpeg(NOISE)
    odd = b"\xff\xe0" + (2 + len(segment)).to_bytes(2, "big") + segment
    jfif = 2 + 2 + int.from_bytes(whole[4:6], "big")
    for data in (whole[:2] + odd + whole[jfif:], whole[:jfif] + odd + whole[jfif:]):
        np.testing.assert_array_equal(decode_image(data, "x")[0], decode_image(whole, "x")[0])


def height_behind_the_scan(data: bytes) -> bytes:
    """The frame says 0; what it should say is in a DNL segment behind the first scan (T.81, B.2.5)."""
    at = min(found for found in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if found > 0) + 5
    scan = data.index(b"\xff\xda") + 2
    while not (data[scan] == 0xFF and data[scan + 1] not in {0, *range(0xD0, 0xD8)}):
        scan += 1
    return data[:at] + bytes(2) + data[at + 2 : scan] + b"\xff\xdc\0\4" + data[at : at + 2] + data[scan:]


@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"progressive": True}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_height_that_follows_the_first_scan_is_read(mode: str, options: dict[str, object]) -> None:
    data = jpeg(NOISE, mode, **options)
    image, notes = decode_image(height_behind_the_scan(data), "x")
    whole, said = decode_image(data, "x")
    np.testing.assert_array_equal(image, whole)
    assert notes == said


def test_a_height_that_is_nowhere_is_refused() -> None:
    data = height_behind_the_scan(jpeg(NOISE))
    at = data.index(b"\xff\xdc")
    with pytest.raises(InputError, match="93×0 pixels given"):
        decode_image(data[:at] + data[at + 6 :], "x")
