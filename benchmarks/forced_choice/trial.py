"""A set of images with a forced-choice key: made once as PNG files, scored as a data set with opinions is.

Of a question's two images one shows something else and looks as good as before, one shows the same and looks worse.
The right answer puts the first below the second. Damage is spread over the image, in three strengths; or it is strong
and lies where the other image was changed, so that looking for the worst place is no answer. `regrown` is asked but not
counted among the others: how much a codec of few bits invents is not known by construction.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forced_choice import changes
from forced_choice.changes import LOOKS, STRENGTHS, WORDS, Box, Face
from vitiq.analysis.choices import Agreed, agreed
from vitiq.datasets.opinion import Opinion
from vitiq.errors import InputError
from vitiq.files import write_bytes
from vitiq.image.geometry import resize
from vitiq.image.io import write_png
from vitiq.types import ImageU8

KINDS = ("other object", "other hue", "other word", "moved features", "regrown")
"""What changes the meaning; the key of the last is not certain."""
CERTAIN = KINDS[:-1]

PLACES = {
    "other object": "thing",
    "other hue": "thing",
    "regrown": "thing",
    "other word": "sign",
    "moved features": "face",
}
"""What changes the meaning -> where."""

LOCAL = "local"
"""Strength of damage that lies where the meaning changes: as `strong`, and there alone."""

KEY = "key.csv"
COLUMNS = ("image", "reference", "file", "kind", "strength", "place")

Values = Float[np.ndarray, " n"]


@dataclass(frozen=True, slots=True)
class Subject:
    """An image and what is where on it.

    Attributes:
        name: without suffix.
        pixels: the image.
        thing: box of an object; None where there is none.
        face: parts of a face; None where there is none.
    """

    name: str
    pixels: ImageU8
    thing: Box | None = None
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One changed image of the set.

    Attributes:
        image: name of the subject.
        reference, file: paths.
        kind: what was done to it: one of `KINDS` or of `LOOKS`.
        strength: of what looks worse; "" for the others.
        place: of local damage: one of the places of `PLACES`; "" for the others.
    """

    image: str
    reference: Path
    file: Path
    kind: str
    strength: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One image to write: a reference where `kind` is empty, or a change of it; fields as of `Item`."""

    subject: Subject
    reference: str
    pixels: ImageU8
    kind: str = ""
    strength: str = ""
    place: str = ""


def fitted(pixels: ImageU8, longest: int) -> ImageU8:
    """The image at most so long."""
    height, width, _ = pixels.shape
    scale = min(1.0, longest / max(height, width))
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)), "bicubic")


def changed(subjects: Sequence[Subject], rebuild: Callable[[ImageU8], ImageU8] | None = None) -> Iterator[Change]:
    """Every reference and every change of it.

    Args:
        rebuild: reconstruction by a codec of few bits, for `regrown`; None leaves that out.
    """
    objects = [subject for subject in subjects if subject.thing is not None]
    for place, subject in enumerate(subjects):
        image = subject.pixels
        yield Change(subject, "plain", image)
        for kind, pixels in _meanings(subject, objects, rebuild):
            yield Change(subject, "plain", pixels, kind)
        yield from _looks(subject, "plain", image)
        if subject.thing is not None:
            yield from _local(subject, "plain", image, "thing", [subject.thing])
        if subject.face is not None:
            yield from _local(subject, "plain", image, "face", [subject.face.eye, subject.face.mouth])
        first, second = WORDS[place % len(WORDS)]
        signed = changes.sign(image, first)
        yield Change(subject, "sign", signed)
        yield Change(subject, "sign", changes.sign(image, second), "other word")
        yield from _looks(subject, "sign", signed)
        yield from _local(subject, "sign", signed, "sign", [changes.sign_box(image)])


def _meanings(
    subject: Subject, objects: Sequence[Subject], rebuild: Callable[[ImageU8], ImageU8] | None
) -> Iterator[tuple[str, ImageU8]]:
    image = subject.pixels
    if subject.thing is not None:
        other = objects[(objects.index(subject) + 1) % len(objects)]
        if other is not subject and other.thing is not None:
            yield "other object", changes.other_object(image, subject.thing, other.pixels, other.thing)
        yield "other hue", changes.other_hue(image, subject.thing)
        if rebuild is not None:
            yield "regrown", changes.regrown(image, subject.thing, rebuild)
    if subject.face is not None:
        yield "moved features", changes.moved_features(image, subject.face)


def _looks(subject: Subject, reference: str, image: ImageU8) -> Iterator[Change]:
    for kind, strengths in LOOKS.items():
        for strength, change in zip(STRENGTHS, strengths, strict=True):
            yield Change(subject, reference, change(image), kind, strength)


def _local(subject: Subject, reference: str, image: ImageU8, place: str, boxes: Sequence[Box]) -> Iterator[Change]:
    for kind, strengths in LOOKS.items():
        pixels = changes.only_there(image, boxes, strengths[-1])
        yield Change(subject, reference, pixels, kind, LOCAL, place)


def make_set(
    subjects: Sequence[Subject], folder: Path, rebuild: Callable[[ImageU8], ImageU8] | None = None
) -> list[Item]:
    """Write the set's images and its key.

    Raises:
        InputError: two subjects of one name, or files cannot be written.
    """
    if len({subject.name for subject in subjects}) < len(subjects):
        raise InputError("two images of one name given; rename one")
    items = []
    for change in changed(subjects, rebuild):
        name, reference = change.subject.name, f"{change.subject.name}-{change.reference}.png"
        words = [name, change.reference, change.kind, change.strength, change.place]
        path = folder / ("-".join(word.replace(" ", "-") for word in words if word) + ".png")
        write_png(path, change.pixels)
        if change.kind:
            items.append(Item(name, folder / reference, path, change.kind, change.strength, change.place))
    lines = [",".join(COLUMNS)]
    lines += [f"{i.image},{i.reference.name},{i.file.name},{i.kind},{i.strength},{i.place}" for i in items]
    write_bytes(folder / KEY, ("\n".join(lines) + "\n").encode())
    return items


def read_set(folder: Path) -> list[Item]:
    """The set that `make_set` wrote.

    Raises:
        InputError: there is none.
    """
    path = folder / KEY
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                Item(r["image"], folder / r["reference"], folder / r["file"], r["kind"], r["strength"], r["place"])
                for r in csv.DictReader(file)
            ]
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: no key of a set of changed images ({error}); make the set again") from error


def as_opinions(items: Sequence[Item]) -> list[Opinion]:
    """The set's pairs of files, as what scores data sets takes them; there are no opinions."""
    return [Opinion(item.reference, item.file, item.kind, float("nan")) for item in items]


def questions(items: Sequence[Item], kinds: Sequence[str], strengths: Sequence[str] = STRENGTHS) -> np.ndarray:
    """Places of the image that looks worse and of the one that shows something else, a row a question.

    Both are of one reference; of local damage, that of the place where the other was changed.
    """
    found = [
        (place, other)
        for place, looks in enumerate(items)
        if looks.strength in strengths and looks.kind in LOOKS
        for other, meaning in enumerate(items)
        if meaning.kind in kinds and meaning.reference == looks.reference and looks.place in ("", PLACES[meaning.kind])
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def answers(
    items: Sequence[Item],
    values: Mapping[str, Values],
    better: Mapping[str, bool],
    kinds: Sequence[str],
    strengths: Sequence[str] = STRENGTHS,
    *,
    resamples: int = 1000,
) -> dict[str, Agreed]:
    """Share of the questions that each metric answers rightly; ties count half, guessing is 0.5.

    Args:
        values: metric -> its value of every item.
        better: metric -> whether higher is better.
        kinds: what changed the meaning.
        strengths: of what looks worse.
    """
    asked = questions(items, kinds, strengths)
    groups = np.array([item.image for item in items])
    if not len(asked):
        return {}
    return {
        name: agreed(name, column, asked[:, 0], asked[:, 1], groups, higher_is_better=better[name], resamples=resamples)
        for name, column in values.items()
    }
