"""A set of images with a forced-choice key: made once as PNG files, scored as a data set with opinions is.

Of a question's two images one shows something else and looks as good as before, one shows the same and looks worse.
The right answer puts the first below the second. `regrown` is asked but not counted among the others: how much a codec
of few bits invents is not known by construction.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitiq.analysis.choices import Agreed, agreed
from vitiq.datasets.opinion import Opinion
from vitiq.errors import InputError
from vitiq.evaluation.forced_choice import changes
from vitiq.evaluation.forced_choice.changes import LOOKS, STRENGTHS, WORDS, Box, Face
from vitiq.files import write_bytes
from vitiq.image.geometry import resize
from vitiq.image.io import write_png
from vitiq.types import ImageU8

KINDS = ("other object", "other hue", "other word", "moved features", "regrown")
"""What changes the meaning; the key of the last is not certain."""
CERTAIN = KINDS[:-1]

KEY = "key.csv"
COLUMNS = ("image", "reference", "file", "kind", "strength")

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
    """

    image: str
    reference: Path
    file: Path
    kind: str
    strength: str


def fitted(pixels: ImageU8, longest: int) -> ImageU8:
    """The image at most so long."""
    height, width, _ = pixels.shape
    scale = min(1.0, longest / max(height, width))
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)), "bicubic")


def changed(
    subjects: Sequence[Subject], rebuild: Callable[[ImageU8], ImageU8] | None = None
) -> Iterator[tuple[Subject, str, str, str, ImageU8]]:
    """Every reference ("", "" as kind and strength) and every change of it: subject, reference, kind, strength, pixels.

    Args:
        rebuild: reconstruction by a codec of few bits, for `regrown`; None leaves that out.
    """
    objects = [subject for subject in subjects if subject.thing is not None]
    for place, subject in enumerate(subjects):
        image = subject.pixels
        yield subject, "plain", "", "", image
        for kind, pixels in _meanings(subject, objects, rebuild):
            yield subject, "plain", kind, "", pixels
        yield from _looks(subject, "plain", image)
        first, second = WORDS[place % len(WORDS)]
        signed = changes.sign(image, first)
        yield subject, "sign", "", "", signed
        yield subject, "sign", "other word", "", changes.sign(image, second)
        yield from _looks(subject, "sign", signed)


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


def _looks(subject: Subject, reference: str, image: ImageU8) -> Iterator[tuple[Subject, str, str, str, ImageU8]]:
    for kind, strengths in LOOKS.items():
        for strength, change in zip(STRENGTHS, strengths, strict=True):
            yield subject, reference, kind, strength, change(image)


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
    for subject, reference, kind, strength, pixels in changed(subjects, rebuild):
        words = [subject.name, reference, kind, strength]
        path = folder / (" ".join(word for word in words if word).replace(" ", "-") + ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, pixels)
        if kind:
            items.append(Item(subject.name, folder / f"{subject.name}-{reference}.png", path, kind, strength))
    lines = [",".join(COLUMNS)]
    lines += [f"{i.image},{i.reference.name},{i.file.name},{i.kind},{i.strength}" for i in items]
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
                Item(r["image"], folder / r["reference"], folder / r["file"], r["kind"], r["strength"])
                for r in csv.DictReader(file)
            ]
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: no key of a set of changed images ({error}); make the set again") from error


def as_opinions(items: Sequence[Item]) -> list[Opinion]:
    """The set's pairs of files, as what scores data sets takes them; there are no opinions."""
    return [Opinion(item.reference, item.file, item.kind, float("nan")) for item in items]


def questions(items: Sequence[Item], kinds: Sequence[str], strengths: Sequence[str] = STRENGTHS) -> np.ndarray:
    """Places of the image that looks worse and of the one that shows something else, a row a question.

    Both are of one reference.
    """
    found = [
        (place, other)
        for place, looks in enumerate(items)
        if looks.strength in strengths and looks.kind in LOOKS
        for other, meaning in enumerate(items)
        if meaning.kind in kinds and meaning.reference == looks.reference
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
