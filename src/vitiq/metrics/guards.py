"""What every metric asks of images, and what becomes of a value that is not defined; `base` puts it before each metric.

A plug-in's metric gets the same without a line of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, SupportsFloat

import numpy as np

from vitiq.errors import (
    InputError,
    MissingDependencyError,
    PluginError,
    UndefinedError,
    VitiqError,
    WeightsError,
    described,
)
from vitiq.foreign import RAISED, guarded
from vitiq.models.device import shielded
from vitiq.text import plain
from vitiq.types import ImageU8, Score, check_image, read_only

if TYPE_CHECKING:
    from vitiq.metrics.base import Metric

UNDEFINED = (InputError, MissingDependencyError, PluginError, WeightsError)
"""Errors that leave one metric undefined and leave the others as they are."""


def check_sizes(reference: object, distorted: object) -> None:
    """Raises InputError for anything but two H×W×3 uint8 images of one size."""
    for image in (reference, distorted):
        check_image(image)
    if isinstance(reference, np.ndarray) and isinstance(distorted, np.ndarray) and reference.shape != distorted.shape:
        (h, w, _), (i, j, _) = reference.shape, distorted.shape
        raise InputError(f"images of {w}×{h} and {j}×{i} pixels given, the same size expected; resize one of them")


def undefined(metric: Metric, error: Exception) -> Score:
    """NaN with the reason in its details: `unavailable` where it cannot be had here, `failed` where it broke down."""
    try:
        signature = checked_signature(metric)
    except VitiqError:
        signature = metric.name
    details: dict[str, object] = {"undefined": str(error)}
    if isinstance(error, MissingDependencyError | WeightsError):
        details["unavailable"] = True
    elif isinstance(error, PluginError):
        details["failed"] = True
    return Score(math.nan, signature, details)


def checked_signature(metric: Metric) -> str:
    """A metric's signature.

    Raises:
        PluginError: it is no text.
        WeightsError, MissingDependencyError: it cannot be said here.
    """
    found: object = metric.signature()
    if not isinstance(found, str):
        raise PluginError(
            f"metric {metric.name} gave {type(found).__name__} for its signature, text expected; {_whose(metric)}"
        )
    return found


def to_try_again(score: Score) -> bool:
    """Whether there is no value since the metric could not be had or broke down: nothing that the images decide."""
    return math.isnan(score.value) and bool(score.details.get("unavailable") or score.details.get("failed"))


def with_reason(score: Score) -> Score:
    """The score; a NaN that gives no reason gets one."""
    if math.isnan(score.value) and "undefined" not in score.details:
        reason = "the value is not a number"
        return Score(score.value, score.signature, {**score.details, "undefined": reason})
    return score


def guarded_pair(work: Callable[..., Score]) -> Callable[..., Score]:
    """A pair metric's `__call__` that refuses what is no pair; an UndefinedError becomes NaN with its reason."""

    @wraps(work)
    def checked(self: Metric, reference: Any, distorted: Any) -> Score:
        check_sizes(reference, distorted)
        return _defined(work, self, _handed(self, reference), _handed(self, distorted))

    return checked


def guarded_set(work: Callable[..., Score]) -> Callable[..., Score]:
    """As `guarded_pair`, of two sets of images."""

    @wraps(work)
    def checked(self: Metric, reference: Any, distorted: Any) -> Score:
        return _defined(work, self, *(_handed_set(self, images) for images in (reference, distorted)))

    return checked


def _handed(metric: Metric, image: ImageU8) -> ImageU8:
    """An image as a metric gets it; vitiq's own write to none, and know images again that are the same object."""
    return image if _whose(metric) is None else read_only(image)


def _handed_set(metric: Metric, images: Sequence[ImageU8]) -> Sequence[ImageU8]:
    """As `_handed`, of a set; one that reads its images when they are asked for does so still.

    Raises:
        InputError: anything but H×W×3 uint8 images.
    """
    if isinstance(images, LazyImages):
        return images
    check_images(images)
    return [_handed(metric, image) for image in images]


class LazyImages(Sequence[ImageU8]):
    """Images that are read when they are asked for: checked and read-only then, and never all in memory."""


def check_images(images: Sequence[object]) -> None:
    """Raises InputError for anything but a list of H×W×3 uint8 images."""
    if isinstance(images, np.ndarray) and images.ndim != 4:
        raise InputError(f"an array of shape {images.shape} given, a list of images H×W×3 of uint8 expected")
    for image in images:
        check_image(image)


def _defined(work: Callable[..., Score], metric: Metric, *images: Any) -> Score:
    try:
        with shielded(), guarded(type(metric).__module__):
            score: object = work(metric, *images)
    except UndefinedError as error:
        return undefined(metric, error)
    except RAISED as error:
        if isinstance(error, VitiqError) or _whose(metric) is None:
            raise
        raise PluginError(f"metric {metric.name} failed ({described(error)}); {_whose(metric)}") from error
    if not isinstance(score, Score):
        raise PluginError(
            f"metric {metric.name} gave {type(score).__name__}, a vitiq.plugins.Score expected; {_whose(metric)}"
        )
    given: object = score.value
    if not isinstance(given, SupportsFloat):
        kind = f"{type(given).__name__} for a value"
        raise PluginError(f"metric {metric.name} gave {kind}, a number expected; {_whose(metric)}")
    if not isinstance(score.signature, str):
        kind = f"{type(score.signature).__name__} for a signature"
        raise PluginError(f"metric {metric.name} gave {kind}, text expected; {_whose(metric)}")
    score = score if type(score.value) is float else replace(score, value=float(given))
    return with_reason(score if _whose(metric) is None else replace(score, details=_plain_details(metric, score)))


def _plain_details(metric: Metric, score: Score) -> dict[str, object]:
    """A plug-in's details as JSON holds them, or the plug-in is named here: results of others stand in the same file.

    Raises:
        PluginError: JSON cannot hold them.
    """
    try:
        found: dict[str, object] = plain(dict(score.details))
    except (TypeError, ValueError) as error:
        raise PluginError(
            f"metric {metric.name} gave details that JSON cannot hold ({error}), text, numbers, lists and dicts "
            f"expected; {_whose(metric)}"
        ) from error
    return found


def _whose(metric: Metric) -> str | None:
    """The plug-in that a metric comes from; None for one of vitiq's own."""
    module = type(metric).__module__
    return None if module.partition(".")[0] == __name__.partition(".")[0] else f"it comes from the plug-in {module}"
