"""`vitiq restore`: the grammar of `decode`, on JPEGs alone.

Truth: the correction of one file from Python; Pillow reads what is written; files that must be kept, before and after.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from program import Vitiq
from vitiq.cli import streams
from vitiq.codecs.spec import make_codec
from vitiq.filters.deblock.filter import restore_jpeg
from vitiq.filters.deblock.network import Corrector
from vitiq.training.recipes.deblock import export_weights
from vitiq.types import ImageU8


@pytest.fixture
def jpeg(tmp_path: Path, small: ImageU8) -> Path:
    path = tmp_path / "photo.jpg"
    Image.fromarray(small).save(path, quality=20)
    return path


def pixels(path: Path) -> ImageU8:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def test_a_jpeg_becomes_an_image(vitiq: Vitiq, jpeg: Path, tmp_path: Path) -> None:
    answer = vitiq("restore", jpeg, "-o", tmp_path / "out.png")
    assert answer.code == 0
    assert answer.out.startswith(f"{tmp_path / 'out.png'}: 96×80 pixels, ")
    assert answer.err == ""
    np.testing.assert_array_equal(pixels(tmp_path / "out.png"), restore_jpeg(jpeg.read_bytes(), "x")[0])


def test_names_and_formats_are_those_of_decode(vitiq: Vitiq, jpeg: Path, tmp_path: Path) -> None:
    assert vitiq("restore", jpeg).code == 0
    assert pixels(tmp_path / "photo.png").shape == (80, 96, 3)
    assert vitiq("restore", jpeg, "-o", tmp_path / "out.bmp").code == 0
    np.testing.assert_array_equal(pixels(tmp_path / "photo.png"), pixels(tmp_path / "out.bmp"))
    answer = vitiq("restore", jpeg, "-o", tmp_path / "out.jpg")
    assert answer.code == 1
    assert "decoded images are written as .png" in answer.err


def test_nothing_is_replaced_unless_asked(vitiq: Vitiq, jpeg: Path, tmp_path: Path) -> None:
    there = tmp_path / "photo.png"
    there.write_bytes(b"mine")
    answer = vitiq("restore", jpeg)
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 1
    assert there.read_bytes() == b"mine"
    assert vitiq("restore", jpeg, "--force").code == 0
    assert pixels(there).shape == (80, 96, 3)


@pytest.mark.parametrize("kind", ["png", "text", "empty", "missing", "cut", "inks"])
def test_anything_else_gets_one_line(vitiq: Vitiq, small: ImageU8, tmp_path: Path, kind: str) -> None:
    path, buffer = tmp_path / "given.jpg", io.BytesIO()
    image = Image.fromarray(small)
    if kind == "png":
        image.save(path, "PNG")
    elif kind == "inks":
        image.convert("CMYK").save(path, "JPEG")
    elif kind != "missing":
        image.save(buffer, "JPEG", quality=30)
        path.write_bytes({"text": b"hello", "empty": b"", "cut": buffer.getvalue()[:900]}[kind])
    answer = vitiq("restore", path, "-o", tmp_path / "out.png")
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 1
    assert str(path) in answer.err
    assert not (tmp_path / "out.png").exists()


def test_a_png_is_named_as_what_it_is_not(vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    Image.fromarray(small).save(tmp_path / "a.png")
    answer = vitiq("restore", tmp_path / "a.png", "-o", tmp_path / "out.png")
    assert answer.err == (
        f"vitiq: error: {tmp_path / 'a.png'}: this is a PNG image, no JPEG, whose artefacts alone are corrected; "
        "give a .jpg as it was received\n"
    )


def test_folders_keep_their_tree(vitiq: Vitiq, jpeg: Path, tmp_path: Path, small: ImageU8) -> None:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for name in ("a.jpg", "deep/b.jpeg"):
        (source / name).write_bytes(jpeg.read_bytes())
    Image.fromarray(small).save(source / "c.png")
    answer = vitiq("restore", source, "-o", tmp_path / "out", "-j", "1")
    assert answer.code == 0
    assert "1 other file skipped" in answer.err
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.png")) == [
        "a.png",
        "deep/b.png",
    ]
    again = vitiq("restore", source, "-o", tmp_path / "out", "--json")
    assert len(json.loads(again.out)["skipped"]) == 2


def test_json_and_standard_streams(vitiq: Vitiq, jpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = json.loads(vitiq("restore", jpeg, "-o", tmp_path / "out.png", "--json").out)
    assert (facts["width"], facts["height"], facts["codec"]) == (96, 80, "deblock")
    written: list[bytes] = []
    monkeypatch.setattr("vitiq.cli.single.read_stdin", jpeg.read_bytes)
    monkeypatch.setattr("vitiq.cli.single.write_stdout", written.append)
    assert Path("-") == streams.STDIO
    assert vitiq("restore", "-").code == 0
    assert written[0].startswith(b"\x89PNG")


def test_the_projection_can_be_left_out(vitiq: Vitiq, jpeg: Path, tmp_path: Path) -> None:
    assert vitiq("restore", jpeg, "-o", tmp_path / "free.png", "--no-projection").code == 0
    np.testing.assert_array_equal(pixels(tmp_path / "free.png"), restore_jpeg(jpeg.read_bytes(), "x", project=False)[0])


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A weights file of an untrained correction, which corrects nothing."""
    path = tmp_path / "own.safetensors"
    export_weights(Corrector(), 0, path)
    return path


def test_a_retrained_correction_is_used_for_files_and_folders(
    vitiq: Vitiq, jpeg: Path, own: Path, tmp_path: Path
) -> None:
    truth = make_codec(f"jpeg+deblock[weights={own}]").decode(jpeg.read_bytes())
    assert not np.array_equal(truth, restore_jpeg(jpeg.read_bytes(), "x")[0])
    assert vitiq("restore", jpeg, "-o", tmp_path / "own.png", "--correction", own).code == 0
    np.testing.assert_array_equal(pixels(tmp_path / "own.png"), truth)
    out = tmp_path / "out"
    assert vitiq("restore", jpeg, "-o", f"{out}/", "--correction", own, "-j", "1").code == 0
    np.testing.assert_array_equal(pixels(out / "photo.png"), truth)


def test_missing_weights_are_named(vitiq: Vitiq, jpeg: Path, tmp_path: Path) -> None:
    answer = vitiq("restore", jpeg, "-o", tmp_path / "out.png", "--correction", tmp_path / "no.safetensors")
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)
    assert str(tmp_path / "no.safetensors") in answer.err
    assert not (tmp_path / "out.png").exists()
