"""Every kind of image file a user may give.

Truth: the policy in image/io.py's docstring; files are built here with Pillow or by hand.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vitiq.codecs.classical.command import write_exchange
from vitiq.codecs.files import image_bytes
from vitiq.errors import InputError
from vitiq.evaluation.pairs import pair_up
from vitiq.evaluation.worker import png
from vitiq.image.folders import RESULTS_MARK
from vitiq.image.io import find_images, png_bytes, read_image, read_image_details, write_png

RED = (200, 30, 30)


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def gradient(width: int = 24, height: int = 16) -> Image.Image:
    x = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    return Image.fromarray(x.astype(np.uint8))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.png", b"", "empty"),
        ("text.png", b"hello, not an image", "not an image"),
        ("cut.png", b"", "truncated"),
        ("cut.jpg", b"", "truncated"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    if name.startswith("cut"):
        buffer = io.BytesIO()
        gradient(200, 200).save(buffer, "PNG" if name.endswith("png") else "JPEG")
        data = buffer.getvalue()[: len(buffer.getvalue()) // 2]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        read_image(path)
    assert str(path) in str(error.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(InputError, match="folder"):
        read_image(tmp_path)


def test_grey_palette_and_bilevel(tmp_path: Path) -> None:
    grey = Image.fromarray(np.full((3, 4), 77, np.uint8))
    assert (read_image(save(tmp_path / "l.png", grey)) == 77).all()
    palette = Image.new("RGB", (4, 4), RED).quantize(4)
    assert tuple(read_image(save(tmp_path / "p.png", palette))[0, 0]) == RED
    assert (read_image(save(tmp_path / "1.png", Image.new("1", (4, 4), 1))) == 255).all()


def test_sixteen_bits_are_rounded(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257, 65535]], np.uint16)
    image, notes = read_image_details(save(tmp_path / "deep.png", Image.fromarray(values)))
    assert image[0, :, 0].tolist() == [0, 0, 1, 1, 255]
    assert notes == ["grey repeated in three channels", "16 bits rounded to 8"]


def test_alpha_is_laid_on_white(tmp_path: Path) -> None:
    image, notes = read_image_details(save(tmp_path / "a.png", Image.new("RGBA", (2, 2), (0, 0, 0, 0))))
    assert (image == 255).all()
    assert notes == ["transparency laid on white"]
    la, _ = read_image_details(save(tmp_path / "la.png", Image.new("LA", (2, 2), (0, 255))))
    assert (la == 0).all()


def test_cmyk_and_animation(tmp_path: Path) -> None:
    image, notes = read_image_details(save(tmp_path / "c.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0))))
    assert image[0, 0, 0] > 180 > image[0, 0, 1]
    assert "CMYK converted to RGB" in notes
    frames = [Image.new("RGB", (8, 8), c) for c in (RED, (0, 0, 255))]
    image, notes = read_image_details(
        save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:], duration=9)
    )
    assert abs(int(image[0, 0, 0]) - 200) < 4
    assert notes == ["first of 2 frames"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image, notes = read_image_details(save(tmp_path / "e.png", gradient(), exif=exif))
    assert image.shape[:2] == ((24, 16) if orientation >= 5 else (16, 24))
    assert bool(notes) == (orientation != 1)


def test_extreme_sizes(tmp_path: Path) -> None:
    assert read_image(save(tmp_path / "one.png", Image.new("RGB", (1, 1)))).shape == (1, 1, 3)
    assert read_image(save(tmp_path / "long.png", Image.new("RGB", (30_000, 2)))).shape == (2, 30_000, 3)


def test_a_decompression_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    path = save(tmp_path / "bomb.png", Image.new("1", (10, 10)))
    data = bytearray(path.read_bytes())
    data[16:24] = (100_000).to_bytes(4, "big") + (100_000).to_bytes(4, "big")
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="pixels"):
        read_image(path)


def test_write_and_read_back(tmp_path: Path) -> None:
    image = np.asarray(gradient()).copy()
    write_png(tmp_path / "new" / "x.png", image)
    assert np.array_equal(read_image(tmp_path / "new" / "x.png"), image)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        write_png(tmp_path / "file" / "x.png", image)


def test_a_png_has_the_same_bytes_wherever_it_is_written(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    data = png_bytes(image)
    write_png(tmp_path / "x.png", image)
    assert (tmp_path / "x.png").read_bytes() == image_bytes(image) == data
    write_exchange(tmp_path / "in.png", image)
    assert (tmp_path / "in.png").read_bytes() == png(image) == png_bytes(image, 1) != data
    assert np.array_equal(read_image(tmp_path / "in.png"), image)


def test_find_images(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / "x.png", gradient())
    (tmp_path / "a" / "notes.txt").write_text("no image")
    found = find_images([tmp_path, tmp_path / "a" / "x.png", tmp_path / "b" / "x.png", tmp_path / "gone"])
    assert [p.name for p in found.images] == ["a/x.png", "b/x.png"]  # a file that two paths reach counts once
    assert found.problems == [f"{tmp_path / 'gone'}: no such file or folder; check the path"]
    said = "-: standard input is not taken here; name files or folders (a file of this name is ./-)"
    assert find_images([Path("-")]).problems == [said]
    found = find_images([tmp_path / "a", tmp_path / "b" / "x.png"])
    assert [p.name for p in found.images] == ["x.png", "x-2.png"]


def test_a_folder_of_results_inside_another_is_left_out_with_a_word(tmp_path: Path) -> None:
    for folder in ("photos", "photos/study/previews"):
        (tmp_path / folder).mkdir(parents=True)
        save(tmp_path / folder / "x.png", gradient())
    (tmp_path / "photos/study" / RESULTS_MARK).touch()
    found = find_images([tmp_path / "photos"])
    assert [image.name for image in found.images] == ["x.png"]
    assert found.skipped == [f"{tmp_path / 'photos'}: 1 folder of vitiq's results not entered"]
    named = find_images([tmp_path / "photos/study"])
    assert [image.name for image in named.images] == ["previews/x.png"], "a folder that is named is what is wanted"
    references = [tmp_path / "photos" / "x.png", tmp_path / "photos" / "study" / "previews" / "x.png"]
    assert pair_up(tmp_path / "photos", tmp_path / "photos/study/previews").pairs == [tuple(references)]
