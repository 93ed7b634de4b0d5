"""The cache of training images.

Truth: images made here, stored without loss, must come back as they were; shrinking is Pillow's own.
"""

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from vitiq.errors import InputError
from vitiq.image.folders import RESULTS_MARK
from vitiq.training.data import ImageSet


def image(seed: int, height: int = 10, width: int = 14) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images in folders, one broken, one text, and a .tar of two more."""
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    (source / "a" / "one.png").write_bytes(png(image(1)))
    (source / "two.PNG").write_bytes(png(image(2, 9, 8)))
    (source / "broken.png").write_bytes(png(image(3))[:60])
    (source / "notes.txt").write_text("no image")
    with tarfile.open(source / "more.tar", "w") as archive:
        for seed in (4, 5):
            data = png(image(seed))
            entry = tarfile.TarInfo(f"deep/{seed}.png")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return source


def test_images_of_folders_and_tars_come_back_as_they_were(folder: Path, tmp_path: Path) -> None:
    images = ImageSet.open([folder], tmp_path / "cache", short_side=100)
    expected = {
        "a/one.png": image(1),
        "two.PNG": image(2, 9, 8),
        "more/deep/4.png": image(4),
        "more/deep/5.png": image(5),
    }
    assert sorted(images.names) == sorted(expected)
    assert len(images) == 4
    for index, name in enumerate(images.names):
        np.testing.assert_array_equal(images[index], expected[name])


def test_results_of_a_study_and_files_of_the_system_are_no_training_images(folder: Path, tmp_path: Path) -> None:
    for place in ("study/previews", "__MACOSX"):
        (folder / place).mkdir(parents=True)
        (folder / place / "x.png").write_bytes(png(image(6)))
    (folder / "study" / RESULTS_MARK).touch()
    (folder / "a" / "._one.png").write_bytes(png(image(7)))
    images = ImageSet.open([folder], tmp_path / "cache", short_side=100)
    assert sorted(images.names) == ["a/one.png", "more/deep/4.png", "more/deep/5.png", "two.PNG"]


def test_what_cannot_be_decoded_is_said(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(6):
        (folder / f"cut{number}.png").write_bytes(png(image(3))[:60])
    assert len(ImageSet.open([folder], tmp_path / "cache", short_side=100)) == 4
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 6
    assert said[0].startswith("left out of the training images: broken.png: ")
    assert said[5] == "left out of the training images: 2 more"


def test_a_folder_is_read_by_content_and_what_leads_nowhere_is_said(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "no suffix").write_bytes(png(image(6)))
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with tarfile.open(folder / "MAC.TAR", "w") as archive:
        for name in ("8.png", "._8.png"):
            entry = tarfile.TarInfo(name)
            entry.size = len(png(image(8)))
            archive.addfile(entry, io.BytesIO(png(image(8))))
    images = ImageSet.open([folder], tmp_path / "cache", short_side=100)
    assert {"no suffix", "MAC/8.png"} <= set(images.names)
    assert len(images) == 6
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert any("gone.png: " in line for line in said)


def test_pixels_are_those_that_vitiq_reads(tmp_path: Path) -> None:
    """Pillow alone clips grey of 16 bits to white, and leaves a photograph on its side."""
    (tmp_path / "in").mkdir()
    grey = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "in" / "grey.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(image(1)).save(tmp_path / "in" / "turned.tif", exif=turned)
    images = ImageSet.open([tmp_path / "in"], tmp_path / "cache", short_side=100)
    assert images.names == ["grey.png", "turned.tif"]
    np.testing.assert_array_equal(images[0], np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2))
    np.testing.assert_array_equal(images[1], np.rot90(image(1), -1))


def test_large_images_shrink_to_the_short_side(folder: Path, tmp_path: Path) -> None:
    images = ImageSet.open([folder], tmp_path / "cache", short_side=5)
    downscaled = images[images.names.index("a/one.png")]
    expected = Image.fromarray(image(1)).resize((7, 5), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(downscaled, np.asarray(expected))


def test_the_cache_serves_until_contents_or_an_argument_change(folder: Path, tmp_path: Path) -> None:
    cache, moved = tmp_path / "cache", tmp_path / "moved"
    first = ImageSet.open([folder], cache, short_side=100)
    written = (cache / "pixels.bin").stat().st_mtime_ns
    folder.rename(moved)
    assert ImageSet.open([moved], cache, short_side=100).names == first.names
    assert (cache / "pixels.bin").stat().st_mtime_ns == written
    # As many bytes at the same path and time: contents alone tell.
    file = moved / "a" / "one.png"
    before, data = file.stat(), png(image(7))
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = ImageSet.open([moved], cache, short_side=100)
    assert changed.digest != first.digest
    np.testing.assert_array_equal(changed[changed.names.index("a/one.png")], image(7))
    file.unlink()
    assert "a/one.png" not in ImageSet.open([moved], cache, short_side=100).names


def test_the_cache_is_written_again_for_other_arguments(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = ImageSet.open([folder], cache, short_side=100)
    (folder / "a" / "one.png").unlink()
    other = ImageSet.open([folder], cache, short_side=5)
    assert "a/one.png" not in other.names
    np.testing.assert_array_equal(first[first.names.index("a/one.png")], image(1))


def test_a_half_written_cache_is_written_again(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    ImageSet.open([folder], cache, short_side=100)
    (cache / "index.json").unlink()
    (cache / "pixels.bin").write_bytes(b"cut")
    images = ImageSet.open([folder], cache, short_side=100)
    np.testing.assert_array_equal(images[images.names.index("two.PNG")], image(2, 9, 8))


@pytest.mark.parametrize(
    ("name", "bytes_"),
    [
        ("pixels.bin", b"cut"),
        ("pixels.bin", b""),
        ("index.json", b"no JSON"),
        ("index.json", b"\xff"),
        ("index.json", b"[]"),
        ("index.json", b"{}"),
    ],
)
def test_a_damaged_cache_is_written_again(folder: Path, tmp_path: Path, name: str, bytes_: bytes) -> None:
    cache = tmp_path / "cache"
    ImageSet.open([folder], cache, short_side=100)
    (cache / name).write_bytes(bytes_)
    images = ImageSet.open([folder], cache, short_side=100)
    np.testing.assert_array_equal(images[images.names.index("two.PNG")], image(2, 9, 8))
    (cache / "pixels.bin").unlink()
    assert len(ImageSet.open([folder], cache, short_side=100)) == 4


def test_a_limit_takes_the_first_of_each_source(folder: Path, tmp_path: Path) -> None:
    images = ImageSet.open([folder / "a", folder / "more.tar"], tmp_path / "cache", short_side=100, limit=1)
    assert images.names == ["one.png", "more/deep/4.png"]


def test_held_out_images_stay_held_out_when_others_join(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for seed in range(30):
        (source / f"{seed}.png").write_bytes(png(image(seed)))
    few = ImageSet.open([source], tmp_path / "few", short_side=100)
    training, held_out = few.split(10)
    assert sorted(training + held_out) == list(range(30))
    assert few.split(10) == (training, held_out)
    before = {few.names[i] for i in held_out}
    (source / "new.png").write_bytes(png(image(31)))
    more = ImageSet.open([source], tmp_path / "more", short_side=100)
    after = {more.names[i] for i in more.split(10)[1]}
    assert len(before & after) >= 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.mkdir(), "no images found"),
        (lambda path: path.write_bytes(b"x"), "no folder and no .tar"),
    ],
)
def test_sources_without_images_are_named(tmp_path: Path, make: object, message: str) -> None:
    source = tmp_path / "images"
    assert callable(make)
    make(source)
    with pytest.raises(InputError, match=f"images: {message}|images.*: {message}"):
        ImageSet.open([source], tmp_path / "cache", short_side=8)


def test_a_damaged_tar_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.tar").write_bytes(b"not a tar" * 200)
    with pytest.raises(InputError, match=r"bad\.tar: not a readable"):
        ImageSet.open([tmp_path / "bad.tar"], tmp_path / "cache", short_side=8)


def test_no_program_is_run_for_an_image_of_another_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow hands EPS to Ghostscript, whatever the file's suffix."""
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("a program was run"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    )
    Image.new("RGB", (9, 9)).save(tmp_path / "in" / "y.png")
    assert ImageSet.open([tmp_path / "in"], tmp_path / "cache", short_side=9).names == ["y.png"]


def test_files_above_the_limit_are_left_out_unread(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A sparse file, or a member of a packed archive, asks for more memory than it takes on the disk."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    (folder / "large.png").write_bytes(png(noise))
    with tarfile.open(folder / "more.tar", "a") as archive:
        archive.add(folder / "large.png", "deep/also large.png")
    for module in ("vitiq.image.limits", "vitiq.training.data"):
        monkeypatch.setattr(f"{module}.MAX_FILE_BYTES", 2000)
    images = ImageSet.open([folder], tmp_path / "cache", short_side=100)
    assert len(images) == 4
    for name in ("large.png: more than 2000 bytes", "more.tar: deep/also large.png has"):
        assert name in caplog.text
