"""The cache of training pictures.

Truth: pictures made here, stored without loss, must come back as they were; shrinking is Pillow's own.
"""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitiq.errors import InputError
from vitiq.training.data import PictureSet


def picture(seed: int, height: int = 10, width: int = 14) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures in folders, one broken, one text, and a .tar of two more."""
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    (source / "a" / "one.png").write_bytes(png(picture(1)))
    (source / "two.PNG").write_bytes(png(picture(2, 9, 8)))
    (source / "broken.png").write_bytes(png(picture(3))[:60])
    (source / "notes.txt").write_text("no picture")
    with tarfile.open(source / "more.tar", "w") as archive:
        for seed in (4, 5):
            data = png(picture(seed))
            entry = tarfile.TarInfo(f"deep/{seed}.png")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return source


def test_pictures_of_folders_and_tars_come_back_as_they_were(folder: Path, tmp_path: Path) -> None:
    pictures = PictureSet.open([folder], tmp_path / "cache", short_side=100)
    expected = {
        "a/one.png": picture(1),
        "two.PNG": picture(2, 9, 8),
        "more/deep/4.png": picture(4),
        "more/deep/5.png": picture(5),
    }
    assert sorted(pictures.names) == sorted(expected)
    assert len(pictures) == 4
    for index, name in enumerate(pictures.names):
        np.testing.assert_array_equal(pictures[index], expected[name])


def test_large_pictures_shrink_to_the_short_side(folder: Path, tmp_path: Path) -> None:
    pictures = PictureSet.open([folder], tmp_path / "cache", short_side=5)
    shrunk = pictures[pictures.names.index("a/one.png")]
    expected = Image.fromarray(picture(1)).resize((7, 5), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(shrunk, np.asarray(expected))


def test_the_cache_serves_until_an_argument_changes(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = PictureSet.open([folder], cache, short_side=100)
    (folder / "a" / "one.png").unlink()
    assert PictureSet.open([folder], cache, short_side=100).names == first.names
    other = PictureSet.open([folder], cache, short_side=5)
    assert "a/one.png" not in other.names
    np.testing.assert_array_equal(first[first.names.index("a/one.png")], picture(1))


def test_a_half_written_cache_is_written_again(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    PictureSet.open([folder], cache, short_side=100)
    (cache / "index.json").unlink()
    (cache / "pixels.bin").write_bytes(b"cut")
    pictures = PictureSet.open([folder], cache, short_side=100)
    np.testing.assert_array_equal(pictures[pictures.names.index("two.PNG")], picture(2, 9, 8))


def test_a_limit_takes_the_first_of_each_source(folder: Path, tmp_path: Path) -> None:
    pictures = PictureSet.open([folder / "a", folder / "more.tar"], tmp_path / "cache", short_side=100, limit=1)
    assert pictures.names == ["one.png", "more/deep/4.png"]


def test_held_out_pictures_stay_held_out_when_others_join(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for seed in range(30):
        (source / f"{seed}.png").write_bytes(png(picture(seed)))
    few = PictureSet.open([source], tmp_path / "few", short_side=100)
    training, held_out = few.split(10)
    assert sorted(training + held_out) == list(range(30))
    assert few.split(10) == (training, held_out)
    before = {few.names[i] for i in held_out}
    (source / "new.png").write_bytes(png(picture(31)))
    more = PictureSet.open([source], tmp_path / "more", short_side=100)
    after = {more.names[i] for i in more.split(10)[1]}
    assert len(before & after) >= 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.mkdir(), "no pictures found"),
        (lambda path: path.write_bytes(b"x"), "no folder and no .tar"),
    ],
)
def test_sources_without_pictures_are_named(tmp_path: Path, make: object, message: str) -> None:
    source = tmp_path / "pictures"
    assert callable(make)
    make(source)
    with pytest.raises(InputError, match=f"pictures: {message}|pictures.*: {message}"):
        PictureSet.open([source], tmp_path / "cache", short_side=8)


def test_a_damaged_tar_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.tar").write_bytes(b"not a tar" * 200)
    with pytest.raises(InputError, match=r"bad\.tar: not a readable"):
        PictureSet.open([tmp_path / "bad.tar"], tmp_path / "cache", short_side=8)
