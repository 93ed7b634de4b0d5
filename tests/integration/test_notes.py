"""Whatever reading an image changed is said on standard error and in JSON, by every command; `--quiet` keeps it.

Truth: what was done to the images that are made here.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vitiq as library
from program import Vitiq
from vitiq.codecs.classical.pillow import Jpeg
from vitiq.types import ImageU8

TURNED = Image.Exif()
TURNED[0x0112] = 6


def see_through(image: Image.Image) -> Image.Image:
    image.putalpha(128)
    return image


KINDS: dict[str, tuple[Callable[[Image.Image, Path], object], str]] = {
    "alpha.webp": (lambda image, path: see_through(image).save(path, lossless=True), "transparency laid on white"),
    "inks.jpg": (lambda image, path: image.convert("CMYK").save(path), "CMYK converted to RGB"),
    "frames.webp": (
        lambda image, path: image.save(path, save_all=True, append_images=[image.rotate(180)]),
        "first of 2 frames",
    ),
    "turned.jpg": (lambda image, path: image.save(path, exif=TURNED), "turned by its stated orientation"),
}
"""Files that codecs read, and what is said of each."""


@pytest.fixture
def photo(small: ImageU8, tmp_path: Path) -> Image.Image:
    return Image.fromarray(small)


@pytest.fixture(params=KINDS)
def noted(request: pytest.FixtureRequest, photo: Image.Image, tmp_path: Path) -> tuple[Path, str]:
    save, note = KINDS[request.param]
    path = tmp_path / "noted" / request.param
    path.parent.mkdir()
    save(photo, path)
    return path, note


def test_decode_and_info(vitiq: Vitiq, noted: tuple[Path, str], tmp_path: Path) -> None:
    path, note = noted
    done = vitiq("decode", path, "-o", tmp_path / "a.png")
    assert (done.code, done.err) == (0, f"{path}: {note}\n")
    assert json.loads(vitiq("decode", path, "-o", tmp_path / "b.png", "--json", "--quiet").out)["notes"] == [note]
    assert f"{path}: {note}\n" in vitiq("decode", path.parent, "-o", tmp_path / "back").err
    assert json.loads(vitiq("info", path, "--json").out)["notes"] == [note]
    assert f"note     {note}" in vitiq("info", path).out


def test_score(vitiq: Vitiq, noted: tuple[Path, str], tmp_path: Path) -> None:
    path, note = noted
    done = vitiq("score", path, path, "-m", "mse")
    assert (done.code, done.err) == (0, f"{path}: {note}\n")
    both = [f"{side}: {note}" for side in ("reference", "distorted")]
    assert json.loads(vitiq("score", path, path, "-m", "mse", "--json").out)["pairs"][0]["notes"] == both
    assert list(library.score(path, path, "mse").notes) == both
    assert json.loads(vitiq("score", path, "-m", "brisque", "--json").out)["images"][0]["notes"] == [note]
    assert f"{path.parent}: 1 image: {note}\n" in vitiq("score", path.parent, path.parent, "-m", "fid-pixel").err


def test_score_of_a_format_that_a_codec_reads(vitiq: Vitiq, photo: Image.Image, tmp_path: Path) -> None:
    """16 bits to 8, and grey: an image that no codec writes."""
    deep, plain = tmp_path / "deep.png", tmp_path / "plain.png"
    Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save(deep)
    photo.save(plain)
    said = vitiq("score", plain, deep, "-m", "mse").err
    assert said == f"{deep}: grey repeated in three channels\n{deep}: 16 bits rounded to 8\n"


def test_notes_of_a_resumed_table(vitiq: Vitiq, photo: Image.Image, tmp_path: Path) -> None:
    """A pair that has no image stops nothing; the others are kept, and said again, by the same command."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        see_through(photo.copy()).save(tmp_path / folder / "x.png")
        (tmp_path / folder / "y.png").write_bytes(b"broken")
    command = ("score", tmp_path / "a", tmp_path / "b", "-m", "mse", "--out", tmp_path / "t.csv")
    first, second = vitiq(*command), vitiq(*command)
    assert first.err == second.err
    for folder in ("a", "b"):
        assert f"{tmp_path / folder / 'x.png'}: transparency laid on white\n" in second.err


def test_a_note_of_many_images_is_counted(vitiq: Vitiq, photo: Image.Image, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n in range(5):
        photo.convert("L").save(tmp_path / "in" / f"{n}.png")
    command = ("bench", tmp_path / "in", "-c", "jpeg@20", "-m", "mse", "-o", tmp_path / "out", "--executor", "inline")
    said = [line for line in vitiq(*command).err.splitlines() if "grey repeated" in line]
    assert len(said) == 4
    assert said[3].startswith("2 images more: grey repeated")


def test_studies(vitiq: Vitiq, photo: Image.Image, tmp_path: Path) -> None:
    path, out = tmp_path / "x.png", tmp_path / "out"
    see_through(photo).save(path)
    command = ("bench", path, "-c", "jpeg@20", "-c", "jpeg@bytes=5", "-m", "mse", "-o", out, "--executor", "inline")
    note = "transparency laid on white"
    assert f"{path}: {note}\n" in vitiq(*command).err
    assert json.loads(vitiq(*command, "--json", "--quiet").out)["notes"] == [f"x.png: {note}"]
    with (out / "records.csv").open(newline="") as file:
        written = [json.loads(row["notes"]) for row in csv.DictReader(file)]
    records = library.run_study(path, "jpeg@20,jpeg@bytes=5", out, "mse", executor="inline").records
    assert written == [list(record.notes) for record in records]
    assert written[0] == [note]
    assert len(written[1]) == 2
    run = ("run", path, "-c", "jpeg", "--comparators", "", "-m", "mse", "-o", tmp_path / "r", "--executor", "inline")
    assert f"{path}: {note}\n" in vitiq(*run).err
    assert note not in vitiq(*run, "--quiet").err


def test_a_decoder_on_top_of_another_hands_its_notes_on(photo: Image.Image, tmp_path: Path) -> None:
    class Darker(Jpeg):
        def decompress(self, data: bytes) -> ImageU8:
            return super().decompress(data) // 2

    path = tmp_path / "inks.jpg"
    photo.convert("CMYK").save(path)
    for codec in (Darker(), library.codec("jpeg")):
        assert codec.decode_noted(path.read_bytes())[1] == ("CMYK converted to RGB",)
    assert np.array_equal(Darker().decode_noted(path.read_bytes())[0], library.decode(path) // 2)


@pytest.mark.parametrize("several", [False, True])
def test_quiet_keeps_notes_and_not_results(vitiq: Vitiq, photo: Image.Image, tmp_path: Path, several: bool) -> None:
    """Its help: no progress or notes; results and problems are still printed."""
    folder, coded, back = (tmp_path / name for name in ("photos", "coded", "back"))
    folder.mkdir()
    see_through(photo).save(folder / "x.png")
    (folder / "x.txt").write_text("no image")
    photo.convert("CMYK").save(tmp_path / "inks.jpg")
    source, made = (folder, coded) if several else (folder / "x.png", coded / "x.jpg")
    done = vitiq("encode", source, "-c", "jpeg", "-o", made, "--quiet")
    assert done.err == ""
    assert f"{coded / 'x.jpg'}: " in done.out
    done = vitiq("decode", tmp_path / "inks.jpg", "-o", back / ("" if several else "y.png"), "--quiet")
    assert done.err == ""
    assert "pixels" in done.out
    done = vitiq("score", folder, folder, "-m", "mse", "--quiet")
    assert (done.err, done.out.splitlines()[0]) == ("", "1 pair")
