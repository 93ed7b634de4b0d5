"""Images that change meaning and keep looks, and the reverse. Truth: what a change may touch and must keep, stated by
its box; the key, counted by hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from forced_choice.changes import (
    LOOKS,
    STRENGTHS,
    WORDS,
    Face,
    blend,
    moved_features,
    other_hue,
    other_object,
    pixels,
    regrown,
    sign,
    sign_box,
)
from forced_choice.trial import (
    CERTAIN,
    LOCAL,
    Subject,
    answers,
    as_opinions,
    fitted,
    make_set,
    questions,
    read_set,
)

from scripts import script_module
from vitiq.errors import InputError
from vitiq.image.io import read_image
from vitiq.metrics.fidelity.pixel import mean_squared_error
from vitiq.types import ImageU8

BOX = (0.25, 0.5, 0.75, 0.9)
FACE = Face((0.1, 0.1, 0.3, 0.3), (0.5, 0.6, 0.9, 0.9))


@pytest.fixture(scope="module")
def image(bundled: dict[str, ImageU8]) -> ImageU8:
    return fitted(bundled["building"], 200)


def outside(image: ImageU8, *boxes: tuple[float, float, float, float]) -> np.ndarray:
    mask = np.full(image.shape[:2], True)
    for box in boxes:
        mask[pixels(image, box)] = False
    return mask


def test_a_change_stays_in_its_box(image: ImageU8, bundled: dict[str, ImageU8]) -> None:
    for out in (
        other_object(image, BOX, bundled["animal"], (0.2, 0.2, 0.9, 0.9)),
        other_hue(image, BOX),
        regrown(image, BOX, lambda whole: 255 - whole),
    ):
        assert out.shape == image.shape
        assert (out[outside(image, BOX)] == image[outside(image, BOX)]).all()
        assert (out != image).any()
    out = moved_features(image, FACE)
    assert (out[outside(image, FACE.eye, FACE.mouth)] == image[outside(image, FACE.eye, FACE.mouth)]).all()
    rows, columns = pixels(image, (0.18, 0.18, 0.22, 0.22))
    assert (out[rows, columns] != image[rows, columns]).any()


def test_a_turned_hue_keeps_the_luma_and_leaves_grey() -> None:
    soft = np.random.default_rng(0).integers(100, 156, (40, 40, 3), dtype=np.uint8)
    turned = other_hue(soft, (0, 0, 1, 1))
    luma = np.array([0.299, 0.587, 0.114])
    assert np.abs(turned @ luma - soft @ luma).max() < 1, "rounding alone"
    assert np.abs(turned.astype(int) - soft).max() > 10
    grey = np.full((20, 20, 3), 77, np.uint8)
    assert (other_hue(grey, (0, 0, 1, 1)) == grey).all()
    once = other_hue(other_hue(other_hue(soft, (0, 0, 1, 1)), (0, 0, 1, 1)), (0, 0, 1, 1))
    assert np.abs(once[5:-5, 5:-5].astype(int) - soft[5:-5, 5:-5]).max() <= 4, "three thirds of a turn"


def test_edges_are_blended_and_the_middle_is_the_patch() -> None:
    black = np.zeros((50, 50, 3), np.uint8)
    out = blend(black, (0, 0, 1, 1), np.full((50, 50, 3), 200.0))
    assert (out[10:40, 10:40] == 200).all()
    assert 0 < out[0, 25, 0] < 60


def test_signs_differ_in_their_words_alone(image: ImageU8) -> None:
    for first, second in WORDS:
        assert len(first) == len(second)
        a, b = sign(image, first), sign(image, second)
        changed = (a != b).any(axis=2)
        assert changed.any()
        assert changed.mean() < 0.05
        assert changed[: image.shape[0] // 2].sum() == 0


def test_stronger_damage_is_further_off(image: ImageU8) -> None:
    for strengths in LOOKS.values():
        assert len(strengths) == len(STRENGTHS)
        errors = [mean_squared_error(image, change(image)) for change in strengths]
        assert 0 < errors[0] < errors[1] < errors[2]


def test_the_set_has_the_key_that_it_was_made_with(image: ImageU8, bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    subjects = [
        Subject("one", image, BOX, FACE),
        Subject("two", fitted(bundled["animal"], 128), (0.2, 0.2, 0.9, 0.9)),
        Subject("three", fitted(bundled["portrait"], 128)),
    ]
    items = make_set(subjects, tmp_path, lambda whole: 255 - whole)
    assert read_set(tmp_path) == items
    kinds = [item.kind for item in items if not item.strength]
    assert sorted(kinds) == sorted(
        [*["other word"] * 3, *["other object", "other hue", "regrown"] * 2, "moved features"]
    )
    places = 3 + 2 + 1  # signs, objects, a face
    assert len(items) == len(kinds) + 3 * 2 * 9 + places * len(LOOKS)
    for item in items:
        assert read_image(item.file).shape == read_image(item.reference).shape
        assert ("sign" in item.reference.name) == ("sign" in item.file.name)
    # a question a change and a damage of the same reference: 6 changes that are certain and 2 regrown, 9 damages each
    assert len(questions(items, CERTAIN)) == 8 * 9
    assert len(questions(items, ["regrown"])) == 2 * 9
    assert len(questions(items, CERTAIN, ["mild"])) == 8 * 3
    local = questions(items, CERTAIN, [LOCAL])
    assert len(local) == 8 * 3
    for looks, meaning in local:
        box_of = {"thing": subjects[0].thing, "sign": sign_box(image)}
        box = box_of.get(items[looks].place)
        if items[looks].image == "one" and box is not None:
            for item in (items[looks], items[meaning]):
                pair = read_image(item.file), read_image(item.reference)
                assert (pair[0] == pair[1])[outside(image, box)].all(), "both change one place"
    knows = np.array([1.0 if item.strength else 0.0 for item in items])
    found = answers(items, {"knows": knows, "no idea": knows * 0}, {"knows": True, "no idea": True}, CERTAIN)
    assert (found["knows"].share, found["no idea"].share) == (1.0, 0.5)
    wrong = answers(items, {"x": knows}, {"x": False}, CERTAIN, resamples=10)
    assert wrong["x"].share == 0
    assert [o.distorted for o in as_opinions(items)] == [item.file for item in items]
    with pytest.raises(InputError, match="one name"):
        make_set([subjects[0], subjects[0]], tmp_path)
    with pytest.raises(InputError, match=r"key\.csv"):
        read_set(tmp_path / "gone")


def test_images_are_fitted() -> None:
    assert fitted(np.zeros((100, 300, 3), np.uint8), 150).shape == (50, 150, 3)
    assert fitted(np.zeros((100, 120, 3), np.uint8), 150).shape == (100, 120, 3)


class Inverting:
    """What the benchmark takes of a codec: with these weights it inverts images and adds a constant."""

    def __init__(self, weights: int) -> None:
        self.weights = weights
        self.coded = 0

    def identity(self) -> dict[str, object]:
        return {"weights_sha256": f"{self.weights}"}

    def encode(self, image: ImageU8, rate: object) -> ImageU8:
        self.coded += 1
        return image

    def decode(self, data: ImageU8) -> ImageU8:
        return 255 - data // self.weights


def test_a_set_is_made_anew_for_another_synthesis(
    image: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was regrown by earlier weights is not taken for the present ones'; all else is the same bytes."""
    meaning = script_module("benchmarks/meaning.py")
    monkeypatch.setattr(meaning, "subjects", lambda _: [Subject("one", image, BOX)])
    first, again, other = Inverting(1), Inverting(1), Inverting(2)
    found = [meaning.changed_set(tmp_path, tmp_path, codec) for codec in (first, again, other)]
    assert [codec.coded for codec in (first, again, other)] == [1, 0, 1]
    assert found[0] == found[1]
    for old, new in zip(found[0], found[2], strict=True):
        assert (old.file.read_bytes() == new.file.read_bytes()) == (old.kind != "regrown")
