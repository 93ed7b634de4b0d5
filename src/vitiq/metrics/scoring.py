"""Metrics by name, and all of them on a pair or on two sets; one that fails does not stop the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from vitiq import registry
from vitiq.errors import InputError, VitiqError
from vitiq.image.shared import sharing
from vitiq.metrics.base import Metric, PairMetric, SetMetric
from vitiq.metrics.guards import UNDEFINED, check_images, check_sizes, checked_signature, undefined
from vitiq.metrics.naming import distinct_names, make_metric
from vitiq.metrics.sets.rows import RowGatherer, RowMetric, rows_of
from vitiq.metrics.spec import MetricName, base_of, parse_names, split_names
from vitiq.text import number
from vitiq.types import ImageU8, Score, read_only

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone


def resolve_metrics(
    names: str | Sequence[str | Metric] = "default", backbone: Backbone | None = None, panel: Sequence[Backbone] = ()
) -> list[Metric]:
    """Metrics by name: names with commas or a list of names; "default", "all" and "jpeg-ai-cttc" stand for many.

    A name may carry its metric's parameter after an @: `vit-topk@10`, `vit-topk@10%`, `vit-panel@5`, `vit-rbo@0.9`.

    Args:
        names: metrics that are made already stay as they are.
        backbone: for the metrics that read images with a ViT; None for the embedded one.
        panel: further backbones for the metrics that ask several.

    Raises:
        UnknownNameError: no such metric.
        InputError: a parameter that the metric does not take, or two metrics that go by one name.
    """
    given = split_names(names) if isinstance(names, str) else names
    texts = [item for item in given if not isinstance(item, Metric)]
    distinct = chosen_names(texts)
    named: list[MetricName | Metric] = [*distinct]
    if len(texts) < len(given):
        named = [one for item in given for one in ([item] if isinstance(item, Metric) else parse_names([item]))]
    return [
        one if isinstance(one, Metric) else make_metric(one, backbone=backbone, panel=panel)
        for one in dict.fromkeys(named)
        if isinstance(one, Metric) or one in distinct
    ]


def chosen_names(names: str | Sequence[str]) -> list[MetricName]:
    """The names by which `resolve_metrics` makes metrics, in its order.

    Raises:
        UnknownNameError, InputError: as `resolve_metrics`.
    """
    return distinct_names(split_names(names) if isinstance(names, str) else names, signature_of)


def score_pair(reference: ImageU8, distorted: ImageU8, metrics: Sequence[Metric]) -> dict[str, Score]:
    """Every pair metric's score; one that is not defined for the pair is NaN, with the reason in its details.

    Raises:
        InputError: no images of H×W×3 uint8, or they differ in size.
    """
    return score_pairs([reference], [distorted], metrics)[0]


def score_pairs(
    references: Sequence[ImageU8], distorted: Sequence[ImageU8], metrics: Sequence[Metric]
) -> list[dict[str, Score]]:
    """Every pair metric's score of every pair, in order: the values of `score_pair`, many pairs at a time.

    Networks read all different images in full batches, so that a sweep of M reconstructions of one original costs
    M + 1 forwards. The images stay in memory: hand in some tens of pairs at a time.

    Raises:
        InputError: lists of different length; no images of H×W×3 uint8, or a pair that differs in size.
    """
    if len(references) != len(distorted):
        raise InputError(f"{len(references)} references and {len(distorted)} distorted images given, pairs expected")
    for pair in zip(references, distorted, strict=True):
        check_sizes(*pair)
    pair_metrics = [metric for metric in metrics if isinstance(metric, PairMetric)]
    views = {id(image): read_only(image) for image in (*references, *distorted)}
    references, distorted = ([views[id(image)] for image in side] for side in (references, distorted))
    images = list(views.values())
    with sharing(*images):
        for metric in pair_metrics:
            with suppress(*UNDEFINED):  # the pairs say so themselves
                metric.prepare(images)
        return [_score(a, b, pair_metrics) for a, b in zip(references, distorted, strict=True)]


def _score(reference: ImageU8, distorted: ImageU8, metrics: Sequence[PairMetric]) -> dict[str, Score]:
    scores = {}
    with sharing(reference, distorted):
        for metric in metrics:
            try:
                scores[metric.name] = metric(reference, distorted)
            except UNDEFINED as error:
                scores[metric.name] = undefined(metric, error)
    return scores


def score_sets(
    reference: Sequence[ImageU8], distorted: Sequence[ImageU8], metrics: Sequence[Metric]
) -> dict[str, Score]:
    """Every set metric's score, NaN with the reason where it is not defined.

    Raises:
        InputError: no images of H×W×3 uint8.
    """
    check_images(reference)
    check_images(distorted)
    gatherer = RowGatherer(metrics)
    for image in reference:
        gatherer.add(rows_of(image, metrics), {})
    for image in distorted:
        gatherer.add({}, rows_of(image, metrics))
    scores = gatherer.scores() | score_whole_sets(reference, distorted, metrics)
    return {metric.name: scores[metric.name] for metric in metrics if metric.name in scores}


def read_whole_sets(metrics: Sequence[Metric]) -> list[SetMetric]:
    """The metrics of sets that are given all images, as plug-ins may have it; others need only rows of each."""
    return [metric for metric in metrics if isinstance(metric, SetMetric) and not isinstance(metric, RowMetric)]


def score_whole_sets(
    reference: Sequence[ImageU8], distorted: Sequence[ImageU8], metrics: Sequence[Metric]
) -> dict[str, Score]:
    """The score of every metric of `read_whole_sets`, NaN with the reason where it is not defined.

    Args:
        reference, distorted: in memory, or `LazyImages`.
    """
    scores = {}
    for metric in read_whole_sets(metrics):
        try:
            scores[metric.name] = metric(reference, distorted)
        except UNDEFINED as error:
            scores[metric.name] = undefined(metric, error)
    return scores


def signature_of(metric: Metric) -> str:
    """A metric's signature, or why it has none here; for telling whether results may be used again.

    That of a plug-in's metric ends with its package and version.
    """
    package = registry.package("metrics", base_of(metric.name))
    try:
        return checked_signature(metric) + (f"|{' '.join(package)}" if package else "")
    except VitiqError as error:
        return f"{metric.name}: {error}"


def metadata(metric: Metric | type[Metric]) -> dict[str, object]:
    """What a metric states about itself, JSON-serialisable."""
    low, high = metric.range
    return {
        "name": metric.name,
        "title": metric.title,
        "unit": metric.unit,
        "range": [number(low), number(high)],
        "higher_is_better": metric.higher_is_better,
        "kind": metric.kind,
        "differentiable": metric.differentiable,
        "formula": metric.formula,
        "parameter": metric.parameter,
        "reference": metric.reference,
    }


def to_json(score: Score) -> dict[str, object]:
    """A score as JSON-serialisable values: `value` (null if undefined, "inf" if infinite), `signature`, details."""
    return {"value": number(score.value), "signature": score.signature, **_clean(score.details)}


def from_json(values: Mapping[str, Any]) -> Score:
    """The score that `to_json` gave; what is null among its details stays None.

    Example:
        >>> from_json({"value": None, "signature": "kid|v1", "undefined": "1 and 1 images given"}).value
        nan
    """
    details = {key: value for key, value in values.items() if key not in {"value", "signature"}}
    value = values["value"]
    return Score(math.nan if value is None else float(value), str(values["signature"]), details)


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    return number(value) if isinstance(value, float) else value
