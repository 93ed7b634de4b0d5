"""What vitiq wrote into a folder of images is no input of the next command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitiq.codecs.batch import output_names
from vitiq.codecs.files import DecodedFile, EncodedFile
from vitiq.codecs.folders import decode_files, encode_files
from vitiq.codecs.restored import restore_files
from vitiq.evaluation.inputs import find_inputs
from vitiq.evaluation.pairs import pair_up
from vitiq.evaluation.sets import images_of
from vitiq.image.folders import MADE_MARK, RESULTS_MARK, find_images
from vitiq.training.data import _files

RNG = np.random.default_rng(5)


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return path


def encoded(source: Path, out: Path, codec: str = "jpeg") -> list[str]:
    done = encode_files([source], out, codec=codec, jobs=1)
    return [one.path.relative_to(out).as_posix() for one in done if isinstance(one, EncodedFile)]


def decoded(source: Path, out: Path) -> list[str]:
    done = decode_files([source], out, jobs=1)
    return [one.path.relative_to(out).as_posix() for one in done if isinstance(one, DecodedFile)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two images, with what `encode` made of them inside it."""
    for name in ("a.png", "b/c.png"):
        photo(tmp_path / "photos" / name)
    assert encoded(tmp_path / "photos", tmp_path / "photos/out") == ["a.jpg", "b/c.jpg"]
    return tmp_path / "photos"


def test_encode_takes_neither_its_own_output_nor_that_of_another_call(photos: Path) -> None:
    assert encoded(photos, photos / "out") == [], "all is there"
    assert encoded(photos, photos / "webp", "webp") == ["a.webp", "b/c.webp"]
    said = next(iter(encode_files([photos], photos / "again", codec="webp", jobs=1)))
    assert str(said.note) == f"{photos}: 2 folders of vitiq's results not entered"  # type: ignore[union-attr]


def test_decode_and_restore_enter_what_encode_made_where_nothing_else_is_meant(photos: Path) -> None:
    assert decoded(photos, photos / "dec") == ["out/a.png", "out/b/c.png"]
    photo(photos / "d.jpg")
    assert decoded(photos, photos / "dec2") == ["d.png"], "the folder holds a JPEG of its own"
    done = restore_files([photos], photos / "restored", jobs=1)
    assert [one.path.name for one in done if isinstance(one, DecodedFile)] == ["d.png"]
    assert decoded(photos / "out", photos / "dec3") == ["a.png", "b/c.png"], "a folder that is named is what is meant"


def test_an_output_folder_above_the_images_hides_none_of_them(tmp_path: Path) -> None:
    for name in ("a.png", "data/b.png"):
        photo(tmp_path / "data" / name)
    assert encoded(tmp_path / "data", tmp_path) == ["a.jpg", "data/b.jpg"]
    assert (tmp_path / "data/b.jpg").is_file(), "an output that lies among the inputs"
    assert encoded(tmp_path / "data", tmp_path) == []
    assert decoded(tmp_path / "data", tmp_path) == ["b.png"], "which `decode` takes all the same"


def test_pairs_and_sets_leave_out_the_other_side_and_results(photos: Path) -> None:
    pairing = pair_up(photos, photos / "out")
    assert pairing.problems == []
    assert [(a.name, b.name) for a, b in pairing.pairs] == [("a.png", "a.jpg"), ("c.png", "c.jpg")]
    (photos / "out" / MADE_MARK).unlink()  # as if another program had made it
    assert pair_up(photos, photos / "out") == pairing
    assert pair_up(photos / "out", photos).pairs == [(b, a) for a, b in pairing.pairs]
    assert images_of(photos, [], photos / "out") == [photos / "a.png", photos / "b/c.png"]
    assert len(images_of(photos, [])) == 4


def test_studies_and_trainings_leave_out_what_encode_made_and_named_reconstructions(photos: Path) -> None:
    assert [name for _, name in find_inputs([photos]).files] == ["a.png", "b/c.png"]
    assert [name for name, _ in _files(photos, [])] == ["a.png", "b/c.png"]
    (photos / "out" / MADE_MARK).unlink()
    assert len(find_inputs([photos]).files) == 4
    assert [name for _, name in find_inputs([photos], others=[photos / "out"]).files] == ["a.png", "b/c.png"]


def test_a_folder_that_is_one_of_results_gives_the_images_that_no_study_wrote(tmp_path: Path) -> None:
    for name in ("data/a.png", "originals/00/x.png", "assets/y.png", "data/assets/b.png"):
        photo(tmp_path / name)
    (tmp_path / RESULTS_MARK).touch()
    found = find_images([tmp_path])
    assert [image.name for image in found.images] == ["data/a.png", "data/assets/b.png"]
    assert found.skipped == [f"{tmp_path}: 2 folders of vitiq's results not entered"]
    assert [image.name for image in find_images([tmp_path / "originals"]).images] == ["00/x.png"]
    for name in ("data/a.png", "data/assets/b.png"):
        (tmp_path / name).unlink()
    assert [image.name for image in find_images([tmp_path]).images] == ["assets/y.png", "originals/00/x.png"]


def test_sets_of_results_side_by_side_are_what_is_meant(tmp_path: Path) -> None:
    for name in ("kodak/a.png", "clic/a.png"):
        photo(tmp_path / "sets" / name)
    for name in ("kodak", "clic"):
        assert encoded(tmp_path / "sets" / name, tmp_path / "coded" / name) == ["a.jpg"]
    assert len(pair_up(tmp_path / "sets", tmp_path / "coded").pairs) == 2
    assert decoded(tmp_path / "coded", tmp_path / "dec") == ["clic/a.png", "kodak/a.png"]


AMBIGUOUS = [
    ("x.jpg", "x.png", "x.png.jpg"),
    ("x.jpg", "x.jpg.png", "x.png"),
    ("x.jpg", "x.png", "x.png.png"),
    ("X.jpg", "x.png", "x.png.jpg"),
    ("x.png", "x.png.jpg", "x.png.jpg.jpg"),
]


@pytest.mark.parametrize("names", AMBIGUOUS, ids=" ".join)
@pytest.mark.parametrize("suffixes", [(".jpg",), (".viq",), (".viq", ".png"), (".jpg", ".png")], ids=" ".join)
def test_outputs_that_are_called_as_another_input_are_paired_with_their_own(
    tmp_path: Path, names: tuple[str, ...], suffixes: tuple[str, ...]
) -> None:
    origin = {name: name for name in names}
    for suffix in suffixes:  # `encode`, then `decode`
        origin = dict(zip(output_names(sorted(origin), suffix), (origin[name] for name in sorted(origin)), strict=True))
    for name in names:
        photo(tmp_path / "in" / name)
    for name in origin:
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / name).touch()
    pairing = pair_up(tmp_path / "in", tmp_path / "out")
    found = {b.name: a.name for a, b in pairing.pairs}
    assert found.items() <= origin.items(), "no image is compared with another one"
    assert found == origin or suffixes == (".jpg", ".png"), "after which some names say too little"
    lines = "\n".join(pairing.problems)
    assert all(str(tmp_path / "out" / name) in lines for name in origin.keys() - found.keys())
    copies = pair_up(tmp_path / "in", tmp_path / "in").pairs
    assert [a.name for a, _ in copies] == [b.name for _, b in copies], "names that are the same stay together"
    assert len(copies) == len(names)


@pytest.mark.parametrize("name", ["a.viq", "a.png.viq"])
def test_a_compressed_file_beside_its_image_is_no_reference(tmp_path: Path, name: str) -> None:
    original = photo(tmp_path / "photos/a.png")
    (tmp_path / "coded").mkdir()
    for folder in ("photos", "coded"):
        (tmp_path / folder / name).write_bytes(b"\x89VQ")
    pairing = pair_up(tmp_path / "photos", tmp_path / "coded")
    assert pairing.pairs == [(original, tmp_path / "coded" / name)]
    assert pairing.problems == []
