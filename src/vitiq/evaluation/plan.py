"""What a run will do, as data: configuration -> tasks with stable hashes. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from vitiq import __version__
from vitiq.codecs.defaults import COMPARATORS, LADDER, LADDER_QUALITIES, MAIN

Group = Literal["main", "equal-bytes", "ladder"]


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Settings of the main job.

    Attributes:
        codec: the codec that sets the size others are compared at.
        options: its constructor arguments.
        quality: its quality; None for its default.
        comparators: codecs compared at equal bytes.
        at_bytes: bytes to compare at; None for the size of the main codec's file.
        jpeg_ladder: JPEG qualities run besides.
        metrics: as `resolve_metrics` takes them.
        weights: checkpoint of the ViT that judges; None for the embedded one.
    """

    codec: str = MAIN
    options: Mapping[str, object] = field(default_factory=dict)
    quality: float | None = None
    comparators: tuple[str, ...] = COMPARATORS
    at_bytes: int | None = None
    jpeg_ladder: tuple[float, ...] = LADDER_QUALITIES
    metrics: str = "default"
    weights: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One image × codec × quality.

    Attributes:
        image: name of the image.
        content: sha256 of the image file.
        codec: codec name.
        group: what it is part of.
        options: constructor arguments of the codec.
        quality: None for the codec's default, or where bytes are given.
        at_bytes: number of bytes, or "main" for the size of the main codec's file; None where quality decides.
        metrics, weights: how it is scored.
        after: hash of the task whose file gives the size.
        identity: hash of the shared weights that the codec and the judge use, so that new weights are new tasks.
    """

    image: str
    content: str
    codec: str
    group: Group
    options: Mapping[str, object]
    quality: float | None
    at_bytes: int | Literal["main"] | None
    metrics: str
    weights: str | None
    after: str | None = None
    identity: str = ""

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that change with anything that changes the result."""
        facts = json.dumps({**asdict(self), "version": __version__}, sort_keys=True, default=str)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]


def plan(config: RunConfig, images: Sequence[tuple[str, str]], identity: str = "") -> list[Task]:
    """Tasks of a run: for each image the main codec, the comparators at its size, then the JPEG ladder.

    Args:
        images: name and sha256 of each image file.
        identity: hash of shared weights.
    """
    tasks: list[Task] = []
    for image, content in images:

        def task(
            codec: str,
            group: Group,
            quality: float | None = None,
            at_bytes: int | Literal["main"] | None = None,
            after: str | None = None,
            *,
            image: str = image,
            content: str = content,
        ) -> Task:
            options = config.options if group == "main" else {}
            scoring = (config.metrics, config.weights)
            return Task(image, content, codec, group, options, quality, at_bytes, *scoring, after, identity)

        main = task(config.codec, "main", config.quality)
        tasks.append(main)
        size: int | Literal["main"] = config.at_bytes or "main"
        tasks += [
            task(codec, "equal-bytes", at_bytes=size, after=main.hash if size == "main" else None)
            for codec in config.comparators
        ]
        tasks += [task(LADDER, "ladder", quality) for quality in config.jpeg_ladder]
    return tasks
