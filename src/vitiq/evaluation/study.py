"""A study as data: images × codecs × rates × metrics, and the key of every task in it. Pure, and lazy.

A study never lists its tasks: `Study.tasks` makes them one by one, so that a million of them need no memory. The key of
a task is a sha256 of what decides its file: the original's pixels as read, the codec's identity, the rate and the
version of the schema. The names of images are not in it, nor the rest of the study: two studies share what they have
in common.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from vitiq.evaluation.published import PublishedPoint
from vitiq.evaluation.schema import VERSION
from vitiq.types import Bytes, RateKind


@dataclass(frozen=True, slots=True)
class StudyImage:
    """An image of a study.

    Attributes:
        name: unique in the study; bytes that are not UTF-8 stand as backslash escapes.
        path: of the file.
        sha256: of its pixels as read.
        width, height: in pixels.
        bytes: size of the file.
        notes: what reading it changed.
    """

    name: str
    path: str
    sha256: str
    width: int
    height: int
    bytes: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """A reconstruction that was made elsewhere.

    Attributes:
        path: of the image file.
        sha256: of the file.
        bytes: of the compressed file it came from.
        rate: number that distinguishes the rates of one image.
    """

    path: str
    sha256: str
    bytes: int
    rate: float


@dataclass(frozen=True)
class Series:
    """A codec with its options at some rates: one curve.

    Attributes:
        codec: registered name; "" for reconstructions that were made elsewhere.
        spec: a `vitiq.codecs.spec.CodecSpec` as JSON, without its rates.
        label: for curves and tables.
        title: of the codec.
        extension: suffix of its files.
        optimises: whether encoding is a search.
        identity: everything that changes what it writes.
        rates: kind and number of each.
        group: what the series is part of.
        nearest: at the file closest to a number of bytes, instead of the best of at most so many.
        targets: image name -> bytes, for rates that each image has of its own.
        ready: image name -> reconstructions made elsewhere.
    """

    codec: str
    spec: str
    label: str
    title: str
    extension: str
    optimises: bool = False
    identity: Mapping[str, Any] = field(default_factory=dict)
    rates: tuple[tuple[RateKind, float], ...] = ()
    group: str = "series"
    nearest: bool = False
    targets: Mapping[str, int] | None = None
    ready: Mapping[str, tuple[Ready, ...]] | None = None

    @cached_property
    def digest(self) -> str:
        """Sha256 of the identity."""
        return sha256_of({"codec": self.codec, **self.identity})

    def rates_of(self, image: StudyImage) -> Iterator[tuple[RateKind, float]]:
        """What is asked for, of one image."""
        if self.ready is not None:
            yield from (("quality", item.rate) for item in self.ready.get(image.name, ()))
        elif self.targets is None:
            yield from self.rates
        elif image.name in self.targets:
            yield "bytes", float(self.targets[image.name])

    def ready_at(self, image: StudyImage, rate: float) -> Ready | None:
        """The reconstruction made elsewhere, if the series is of such."""
        return next((item for item in (self.ready or {}).get(image.name, ()) if item.rate == rate), None)


@dataclass(frozen=True, slots=True)
class Task:
    """One image × codec × rate.

    Attributes:
        key: of the encode.
        image, series: places in the study.
        kind, value: the rate that is asked for.
        target: bytes, where the rate is a number of them (bits per pixel too).
    """

    key: str
    image: int
    series: int
    kind: RateKind
    value: float
    target: int | None


@dataclass(frozen=True)
class Study:
    """What is compared.

    Attributes:
        images: in order.
        series: in order.
        metrics: names of metrics, settings after an @ included.
        signatures: of the metrics of pairs, by name.
        spellings: metric -> name that it is made by, where that is another: `lpips` -> `lpips@FOLDER`; no part of the
            study's name, as the signature says what lies in the folder.
        required: metrics that were asked for by themselves, which every worker must have; of the others a worker gives
            what it has. No part of the study's name.
        weights: checkpoint of the ViT that scores; None for the embedded one.
        panel: further checkpoints.
        device: where the ViTs that score run; no part of the study's name.
        anchor: label of the curve that BD-rates are relative to, which is shown and changes no result: no part of the
            name; None where none was asked for.
        published: points of published tables beside the study's own, no part of its name likewise.
        keep: "bitstreams", "images" or both, or none.
        preset: what made it: "bench", "run" or "thesis".
        maps: whether semantic error maps are written.
        problems: one line for each input that is not part of it.
    """

    images: tuple[StudyImage, ...]
    series: tuple[Series, ...]
    metrics: tuple[str, ...]
    signatures: Mapping[str, str] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    weights: str | None = None
    panel: tuple[str, ...] = ()
    keep: tuple[str, ...] = ("bitstreams", "images")
    preset: str = "bench"
    maps: bool = False
    problems: tuple[str, ...] = ()
    device: str = "cpu"
    anchor: str | None = None
    published: tuple[PublishedPoint, ...] = ()

    @cached_property
    def name(self) -> str:
        """Twelve hexadecimal digits that change with everything that is asked for: of files what they hold, not where
        they are, so that a study whose files were moved is the same one, planned again.
        """
        asked = self.to_json()
        for word in ("problems", "device", "anchor", "published", "spellings", "required"):
            asked.pop(word)
        files = list(asked["images"])
        for series in asked["series"]:
            series.pop("targets")
            files += [item for items in (series["ready"] or {}).values() for item in items]
        for file in files:
            file.pop("path")
        return sha256_of(asked)[:12]

    def __len__(self) -> int:
        """Number of tasks; rates that images have of their own count once known."""
        plain = sum(len(one.rates) for one in self.series if one.targets is None and one.ready is None)
        own = sum(len(one.targets) for one in self.series if one.targets is not None)
        ready = sum(len(found) for one in self.series for found in (one.ready or {}).values())
        return plain * len(self.images) + own + ready

    def tasks(self, order: random.Random | None = None) -> Iterator[Task]:
        """Every task, image by image.

        Args:
            order: shuffles images, the series of each and their rates; None takes them as they stand.
        """
        images, numbered = list(enumerate(self.images)), list(enumerate(self.series))
        shuffle = order.shuffle if order is not None else _as_it_stands
        shuffle(images)
        for place, image in images:
            shuffle(numbered)
            for number, series in numbered:
                rates = list(series.rates_of(image))
                shuffle(rates)
                for kind, value in rates:
                    target = bytes_of(kind, value, image)
                    made = series.ready_at(image, value)
                    if made is not None:
                        rate = f"{made.sha256}={made.bytes}"
                    elif target is None:
                        rate = f"quality={value!r}"
                    else:
                        rate = f"bytes{'~' if series.nearest else '<='}{target}"
                    yield Task(task_key(image.sha256, series.digest, rate), place, number, kind, value, target)

    def to_json(self) -> dict[str, Any]:
        """The study as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: object) -> Study:
        """The study that `to_json` gave.

        Raises:
            ValueError: JSON values that no study has.
        """
        try:
            study = msgspec.convert(document, cls)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        if not all(math.isfinite(value) for one in study.series for _, value in one.rates):
            raise ValueError("a rate that is no finite number")
        if not all(0 < point.bpp < math.inf for point in study.published):
            raise ValueError("a published rate that is no number above 0")
        return study


def _as_it_stands(items: list[Any]) -> None:
    """In the place of a shuffle."""


def task_key(image: str, codec: str, rate: str) -> str:
    """Key of an encode.

    Args:
        image: sha256 of the pixels.
        codec: sha256 of the codec's identity.
        rate: what is asked for, as text.
    """
    return hashlib.sha256(f"{VERSION}\n{image}\n{codec}\n{rate}".encode()).hexdigest()


def bytes_of(kind: RateKind, value: float, image: StudyImage) -> int | None:
    """Bytes that a rate asks for; None for a quality."""
    if kind == "quality":
        return None
    return int(value) if kind == "bytes" else Bytes.per_pixel(value, image.width, image.height).count


def sha256_of(document: object) -> str:
    """Sha256 of JSON values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


def readable(name: str | Path) -> str:
    """A file name as text that UTF-8 holds: bytes that are not UTF-8 as backslash escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def of_shard(tasks: Iterator[Task], index: int, count: int) -> Iterator[Task]:
    """The tasks of one of `count` shares, chosen by their keys: which share a task is in depends on nothing else."""
    return (task for task in tasks if count < 2 or int(task.key[:12], 16) % count == index)
