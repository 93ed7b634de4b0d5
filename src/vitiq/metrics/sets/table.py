"""The metrics of sets: what is measured × who reads the samples × whole images or patches, one row a metric.

The classes are made from the table: a measure (`measures`) of samples from a source (`inception`, `vit`, `pixel`). A
row here and an entry point in pyproject.toml are a new metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vitiq.metrics.sets.measures import Fid, InceptionScore, Kid, Measure, Precision, Recall


@dataclass(frozen=True, slots=True)
class Row:
    """One metric.

    Attributes:
        made: name of its class.
        name, title: as every metric states them.
        measure: what is measured.
        patched: of patches, not of whole images.
        parts: of the Inception Score.
    """

    made: str
    name: str
    title: str
    measure: type[Measure]
    patched: bool = False
    parts: int = 1


TABLE: Mapping[str, tuple[Row, ...]] = {
    "inception": (
        Row("FidInception", "fid", "FID", Fid),
        Row("KidInception", "kid", "KID", Kid),
        Row("IsInception", "inception-score", "Inception Score", InceptionScore, parts=10),  # as published
        Row("PrecisionInception", "precision-inception", "Precision of Inception features", Precision),
        Row("RecallInception", "recall-inception", "Recall of Inception features", Recall),
        Row("PatchFid", "patch-fid", "FID of patches (FID/256)", Fid, patched=True),
        Row("PatchKid", "patch-kid", "KID of patches (KID/256)", Kid, patched=True),
        Row("PatchIs", "patch-is", "Inception Score of patches", InceptionScore, patched=True),
        Row(
            "PatchPrecisionInception",
            "patch-precision-inception",
            "Precision of Inception features of patches",
            Precision,
            patched=True,
        ),
        Row(
            "PatchRecallInception",
            "patch-recall-inception",
            "Recall of Inception features of patches",
            Recall,
            patched=True,
        ),
    ),
    "vit": (
        Row("FidVit", "fid-vit", "Fréchet distance of ViT features", Fid),
        Row("KidVit", "kid-vit", "Kernel distance of ViT features", Kid),
        Row("IsVit", "is-vit", "Inception Score with the ViT's labels", InceptionScore),
        Row("PrecisionVit", "precision-vit", "Precision of ViT features", Precision),
        Row("RecallVit", "recall-vit", "Recall of ViT features", Recall),
        Row("PatchFidVit", "patch-fid-vit", "Fréchet distance of ViT features of patches", Fid, patched=True),
        Row("PatchKidVit", "patch-kid-vit", "Kernel distance of ViT features of patches", Kid, patched=True),
        Row(
            "PatchIsVit",
            "patch-is-vit",
            "Inception Score of patches with the ViT's labels",
            InceptionScore,
            patched=True,
        ),
        Row(
            "PatchPrecisionVit", "patch-precision-vit", "Precision of ViT features of patches", Precision, patched=True
        ),
        Row("PatchRecallVit", "patch-recall-vit", "Recall of ViT features of patches", Recall, patched=True),
    ),
    "pixel": (
        Row("FidPixel", "fid-pixel", "Fréchet distance of downscaled images", Fid),
        Row("KidPixel", "kid-pixel", "Kernel distance of downscaled images", Kid),
        Row("PrecisionPixel", "precision-pixel", "Precision of downscaled images", Precision),
        Row("RecallPixel", "recall-pixel", "Recall of downscaled images", Recall),
        Row("PatchFidPixel", "patch-fid-pixel", "Fréchet distance of 8×8 patches", Fid, patched=True),
        Row("PatchKidPixel", "patch-kid-pixel", "Kernel distance of 8×8 patches", Kid, patched=True),
        Row("PatchPrecisionPixel", "patch-precision-pixel", "Precision of 8×8 patches", Precision, patched=True),
        Row("PatchRecallPixel", "patch-recall-pixel", "Recall of 8×8 patches", Recall, patched=True),
    ),
}
"""Rows by the module of their source."""


def classes(source: str, base: type[Any], module: str) -> dict[str, Any]:
    """The classes of one source, by their names.

    Args:
        source: key of `TABLE`.
        base: makes the source from the options of the metric; `patched` says which samples.
        module: name of the module that offers them.
    """
    return {row.made: _made(row, base, module) for row in TABLE[source]}


def _made(row: Row, base: type[Any], module: str) -> type[Measure]:
    samples = "patches" if row.patched else "whole images"
    attributes = {"name": row.name, "title": row.title, "patched": row.patched, "__module__": module}
    said = (row.measure.__doc__ or "").partition("\n")[0]  # python -OO leaves none
    attributes["__doc__"] = f"{row.title}: {said} Samples are {samples}."
    if issubclass(row.measure, InceptionScore):
        attributes["parts"] = row.parts
    return type(row.made, (base, row.measure), attributes)
