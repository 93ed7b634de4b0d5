"""What people hold in their hands, as images. Truth: the same 8-bit pixels, whatever form they come in."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vitiq
from vitiq.errors import InputError
from vitiq.image.arrays import ROUNDED, to_image, to_images
from vitiq.image.io import read_image
from vitiq.image.read import GREY, ON_WHITE

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
PIXELS[0, 0] = 0, 255, 255
GREYS = PIXELS[:, :, 0].copy()
SEE_THROUGH = np.dstack([PIXELS, np.random.default_rng(1).integers(0, 255, (9, 7), dtype=np.uint8)])
OPAQUE = np.dstack([PIXELS, np.full((9, 7), 255, np.uint8)])


def on_white(rgba: np.ndarray) -> np.ndarray:
    """Alpha compositing by its definition, in exact fractions, rounded half up."""
    colour, cover = rgba[:, :, :3].astype(int), rgba[:, :, 3:].astype(int)
    mixed: np.ndarray = np.floor((colour * cover + 255 * (255 - cover)) / 255 + 0.5).astype(np.uint8)
    return mixed


def unit(image: np.ndarray, kind: str = "float64") -> np.ndarray:
    scaled: np.ndarray = (image.astype(np.float64) / 255).astype(kind)
    return scaled


REPEATED = np.repeat(GREYS[:, :, None], 3, axis=2)
FORMS: list[tuple[str, Callable[[], object], np.ndarray, list[str]]] = [
    ("uint8 H×W×3", lambda: PIXELS, PIXELS, []),
    ("uint8 H×W×3, a view", lambda: np.ascontiguousarray(PIXELS[::-1, :, ::-1])[::-1, :, ::-1], PIXELS, []),
    ("uint8 H×W", lambda: GREYS, REPEATED, [GREY]),
    ("uint8 H×W×1", lambda: GREYS[:, :, None], REPEATED, [GREY]),
    ("uint8 H×W×4", lambda: SEE_THROUGH, on_white(SEE_THROUGH), [ON_WHITE]),
    ("uint8 H×W×4, opaque", lambda: OPAQUE, PIXELS, []),
    ("float64 H×W×3", lambda: unit(PIXELS), PIXELS, []),
    ("float32 H×W×3", lambda: unit(PIXELS, "float32"), PIXELS, []),
    ("float16 H×W×3", lambda: unit(PIXELS, "float16"), PIXELS, []),
    ("float32 3×H×W", lambda: unit(PIXELS, "float32").transpose(2, 0, 1), PIXELS, []),
    ("float32 4×H×W", lambda: unit(SEE_THROUGH, "float32").transpose(2, 0, 1), on_white(SEE_THROUGH), [ON_WHITE]),
    ("float32 1×H×W", lambda: unit(GREYS, "float32")[None], REPEATED, [GREY]),
    ("float32 H×W", lambda: unit(GREYS, "float32"), REPEATED, [GREY]),
    ("float32 1×3×H×W", lambda: unit(PIXELS, "float32").transpose(2, 0, 1)[None], PIXELS, []),
    ("float32 between levels", lambda: unit(PIXELS) * 0.999, np.rint(PIXELS * 0.999).astype(np.uint8), [ROUNDED]),
    ("torch float32 3×H×W", lambda: torch.from_numpy(unit(PIXELS, "float32")).permute(2, 0, 1), PIXELS, []),
    ("torch float64 H×W×3", lambda: torch.from_numpy(unit(PIXELS)), PIXELS, []),
    ("torch with gradient", lambda: torch.from_numpy(unit(PIXELS)).requires_grad_(), PIXELS, []),
    ("Pillow RGB", lambda: Image.fromarray(PIXELS), PIXELS, []),
    ("Pillow L", lambda: Image.fromarray(GREYS), REPEATED, [GREY]),
    ("Pillow RGBA", lambda: Image.fromarray(SEE_THROUGH), on_white(SEE_THROUGH), [ON_WHITE]),
    ("list of one", lambda: [PIXELS], PIXELS, []),
]


@pytest.mark.parametrize(("form", "make", "expected", "notes"), FORMS, ids=[form for form, *_ in FORMS])
def test_every_stated_form_gives_the_same_pixels(
    form: str, make: Callable[[], object], expected: np.ndarray, notes: list[str]
) -> None:
    found, said = to_image(make())
    np.testing.assert_array_equal(found, expected, err_msg=form)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert said == notes


def test_paths_are_read_as_commands_read_them(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(PIXELS).save(path)
    for given in (path, str(path)):
        np.testing.assert_array_equal(to_image(given)[0], read_image(path))


def test_a_pillow_image_is_turned_as_its_file_is(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.repeat(np.repeat(PIXELS, 8, 0), 8, 1)).save(path, exif=exif, quality=100)
    with Image.open(path) as image:
        found, notes = to_image(image)
    np.testing.assert_array_equal(found, read_image(path))
    assert found.shape == (56, 72, 3)
    assert notes == ["turned by its stated orientation"]


def test_batches_come_as_arrays_of_four_axes_or_as_lists(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "x.png")
    both = np.stack([PIXELS, PIXELS[::-1]])
    stack = to_images(torch.from_numpy(unit(both, "float32")).permute(0, 3, 1, 2))
    mixed = to_images([tmp_path / "x.png", Image.fromarray(PIXELS[::-1])])
    for taken in (stack, mixed):
        assert taken.batch
        np.testing.assert_array_equal(np.stack(taken.images), both)
    assert not to_images(PIXELS).batch
    assert to_images(unit(PIXELS).transpose(2, 0, 1)[None]).batch


NAN = unit(PIXELS).copy()
NAN[0, 0, 0] = np.nan


class OfAnotherLibrary:
    """As arrays of JAX, TensorFlow and CuPy are seen."""

    def __array__(self) -> np.ndarray:
        return PIXELS


class BytesPath:
    """A path as `os.PathLike` allows it."""

    def __fspath__(self) -> bytes:
        return b"nowhere.png"


def late(cut: int | None) -> Image.Image:
    """A Pillow image whose file is closed, or cut short, before its pixels are read."""
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    image = Image.open(io.BytesIO(buffer.getvalue()[:cut]))
    if cut is None:
        image.close()
    return image


REFUSED: list[tuple[str, Callable[[], object], str]] = [
    ("uint16", lambda: PIXELS.astype(np.uint16), "shape 9×7×3 and uint16 given; give array / 65535"),
    ("int64", lambda: PIXELS.astype(np.int64), "int64 given; levels of 0 … 255 are uint8: give array.astype('uint8')"),
    ("bool", lambda: PIXELS > 3, "bool given; give uint8"),
    ("complex", lambda: PIXELS.astype(complex), "complex128 given; give uint8"),
    ("object", lambda: PIXELS.astype(object), "object given"),
    ("NaN", lambda: NAN, "NaN or infinite values given, finite ones"),
    ("infinity", lambda: np.where(np.isnan(NAN), np.inf, NAN), "NaN or infinite values given"),
    (
        "0 … 255 as floating point",
        lambda: PIXELS.astype(float),
        "from 0 to 255 given, values in [0, 1] expected; divide",
    ),
    ("-1 … 1", lambda: unit(PIXELS) * 2 - 1, "from -1 to 1 given, values in [0, 1] expected; give (array + 1) / 2"),
    ("0 … 2", lambda: unit(PIXELS) * 1.99, "from 0 to 1.99 given, values in [0, 1] expected; scale or clip it"),
    ("0 … 1023", lambda: unit(PIXELS) * 1000, "from 0 to 1000 given, values in [0, 1] expected; divide it by 1023 if"),
    ("0 … 65535", lambda: unit(PIXELS) * 65535, "divide it by 65535 if that is its white"),
    ("0 … 1e6", lambda: unit(PIXELS) * 1e6, "values in [0, 1] expected; scale or clip it"),
    ("a little above 1", lambda: unit(PIXELS) * 1.0001, "from 0 to 1.0001 given, values in [0, 1] expected; clip it"),
    ("rounded above 1", lambda: unit(PIXELS) * (1 + 1e-7), "from 0 to 1.0000001 given"),
    ("rounded below 0", lambda: unit(PIXELS) - 1e-7, "from -1e-07 to 0.9999999 given"),
    ("uint16, bytes swapped", lambda: PIXELS.astype(">u2"), "give array / 65535"),
    ("an open file", io.BytesIO, "BytesIO (give PIL.Image.open(...) of it) given"),
    ("an array of another library", OfAnotherLibrary, "(give numpy.asarray(...) of it) given"),
    ("a path of bytes", BytesPath, "a path of bytes given, of text expected"),
    ("an empty path", lambda: "", "an empty path given"),
    ("an address", lambda: "https://example.org/a.png", "nothing is downloaded"),
    ("a closed Pillow image", lambda: late(cut=None), "pixels cannot be read given (Operation on closed image)"),
    ("a truncated Pillow image", lambda: late(cut=80), "a Pillow image whose pixels cannot be read given"),
    ("premultiplied", lambda: Image.new("RGBa", (3, 3)), "mode RGBa given; convert it with .convert('RGBA')"),
    ("torch, no values", lambda: torch.zeros(3, 8, 9, device="meta"), "device 'meta' given, which holds no values"),
    ("torch, sparse", lambda: torch.zeros(3, 8, 9).to_sparse(), "a sparse tensor given; give tensor.to_dense()"),
    ("uint8 3×H×W", lambda: PIXELS.transpose(2, 0, 1), "channels stand first here: give array.transpose(1, 2, 0)"),
    ("uint8 3×W×3", lambda: PIXELS[:3], "channels could be first or last"),
    ("float 3×H×3", lambda: unit(PIXELS[:, :3]).transpose(2, 0, 1), "could be first or last; give a Pillow image"),
    ("float N×3×H×3", lambda: unit(PIXELS[:, :3]).transpose(2, 0, 1)[None], "or last; give a list of Pillow images"),
    ("32-bit whole numbers", lambda: Image.new("I", (3, 3)), "image of mode I given, whole numbers whose white is not"),
    (
        "a view of bytes",
        lambda: memoryview(PIXELS.tobytes()).cast("B", (9, 7, 3)),
        "189 bytes (give Image.open",
    ),
    ("uint8 N×3×H×W", lambda: PIXELS.transpose(2, 0, 1)[None], "for a batch: list(array.transpose(0, 2, 3, 1))"),
    ("uint8 N×3×H×3", lambda: PIXELS[:, :3].transpose(2, 0, 1)[None], "for a batch: each H×W×3"),
    ("a generator", lambda: (one for one in [PIXELS]), "generator (give the images that it yields as a list: list("),
    ("a compressed image", lambda: vitiq.encode(PIXELS, "jpeg"), "EncodedImage (give its .decode()) given"),
    ("compressed images", lambda: [vitiq.encode(PIXELS, "jpeg")], "a list of EncodedImage (give its .decode()) given"),
    ("uint8 N×H×W×3", lambda: PIXELS[None], "give a list of images for a batch: list(array)"),
    ("float N×H×W×3", lambda: unit(PIXELS)[None].repeat(2, 0), "give array.transpose(0, 3, 1, 2)"),
    ("float H×W×2", lambda: unit(PIXELS)[:, :, :2], "shape 9×7×2 given, H×W×3, 3×H×W or N×3×H×W expected"),
    ("uint8 H×W×2", lambda: PIXELS[:, :, :2], "shape 9×7×2 given, H×W×3 expected"),
    ("one number", lambda: np.float64(0.5), "numpy.float64 given"),
    ("no axes", lambda: np.array(0.5), "no shape given"),
    ("one row of numbers", lambda: np.zeros(5), "shape 5 given"),
    ("empty", lambda: np.zeros((0, 4, 3), np.uint8), "shape 0×4×3 given"),
    ("empty floating point", lambda: np.zeros((4, 0, 3)), "shape 4×0×3 given"),
    ("masked", lambda: np.ma.masked_array(PIXELS, PIXELS > 9), "masked array given"),
    ("torch uint8", lambda: torch.from_numpy(PIXELS), "tensor of shape 9×7×3 and uint8 given"),
    ("torch int64", lambda: torch.from_numpy(PIXELS).long(), "tensor of shape 9×7×3 and int64 given"),
    ("bytes", lambda: b"\x89PNG", "4 bytes (give Image.open(io.BytesIO(data))"),
    ("None", lambda: None, "None given, a path, a Pillow image"),
    ("numbers in lists", lambda: [[[0.1, 0.2, 0.3]]], "a list of list given, one of images expected"),
    ("nothing in a list", lambda: [], "an empty list given"),
    ("a set", lambda: {1, 2}, "set given"),
    ("two images", lambda: [PIXELS, PIXELS], "a batch of 2 images given, one expected"),
    ("no file", lambda: "nowhere.png", "nowhere.png"),
]


def test_what_is_refused_is_taken_as_the_message_says() -> None:
    """Truth: the pixels. Three rows or columns as a Pillow image, and mode I by either of its remedies."""
    np.testing.assert_array_equal(to_image(Image.fromarray(PIXELS[:3]))[0], PIXELS[:3])
    whole = Image.fromarray(GREYS.astype(np.int32))
    assert whole.mode == "I"
    np.testing.assert_array_equal(to_image(whole.convert("L"))[0], REPEATED)
    wide = Image.fromarray(GREYS.astype(np.int32) * 257)
    np.testing.assert_array_equal(to_image(wide.convert("I;16"))[0], REPEATED)


def test_a_batch_with_channels_first_is_taken_as_the_message_says() -> None:
    batch = np.stack([PIXELS, PIXELS[::-1]]).transpose(0, 3, 1, 2)
    found = to_images(list(batch.transpose(0, 2, 3, 1))).images
    np.testing.assert_array_equal(found, [PIXELS, PIXELS[::-1]])


def test_16_bit_colour_that_pillow_cuts_is_noted(tmp_path: Path) -> None:
    """Pillow keeps the high byte: of 0x01ff 1, where 2 is nearest. The PNG is written here by hand."""
    rows = b"".join(b"\0" + b"\x01\xff" * 3 * 2 for _ in range(2))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    path = tmp_path / "deep.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert to_image(path)[0][0, 0, 0] == 2
    with Image.open(path) as opened:
        image, notes = to_image(opened)
    assert image[0, 0, 0] == 1
    assert notes == ["16-bit colour cut to 8 bits by Pillow (vitiq rounds that of a path)"]


def test_views_that_numpy_has_no_form_of() -> None:
    """torch negates, or conjugates, when a value is asked for."""
    values = torch.from_numpy(unit(PIXELS))
    np.testing.assert_array_equal(to_image(torch._neg_view(-values))[0], PIXELS)
    np.testing.assert_array_equal(to_image(torch.complex(values, -values).conj().imag)[0], PIXELS)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_large_floating_point_is_rounded_part_by_part_to_the_same_levels_and_notes(order: tuple[int, ...]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (700, 1500, 3), dtype=np.uint8)
    exact = unit(levels, "float32").transpose(order)
    assert to_images(exact).notes == [()]
    np.testing.assert_array_equal(to_images(exact).images[0], levels)
    between = exact.copy()
    between[-1, -1, -1] = 0.4321
    tracemalloc.start()
    try:
        taken = to_images(between)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken.notes == [(ROUNDED,)], "one value, in the last part"
    levels[-1, -1, -1] = 110  # 0.4321 · 255 = 110.2
    np.testing.assert_array_equal(taken.images[0], levels)
    assert peak < 10 * levels.size + 2**20 * 16, "no float64 of the whole"


def test_a_numpy_matrix_is_a_grey_image() -> None:
    np.testing.assert_array_equal(to_image(GREYS.view(np.matrix))[0][:, :, 2], PIXELS[:, :, 0])


@pytest.mark.parametrize(("form", "make", "said"), REFUSED, ids=[form for form, *_ in REFUSED])
def test_whatever_else_is_refused_with_what_was_given(form: str, make: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        to_image(make())
    assert "\n" not in str(caught.value)
    assert form
    if form != "no file":
        assert str(caught.value).startswith("image")
