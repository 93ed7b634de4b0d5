"""What goes to a worker and what comes back: tasks as text and numbers, results as rows of the store."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from vitiq import __version__
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.study import Ready, Series
from vitiq.metrics.scoring import to_json
from vitiq.types import Score


@dataclass(frozen=True, slots=True)
class Item:
    """One task of a batch.

    Attributes:
        key: of the encode.
        image: path of the original.
        sha256: of its pixels, as planned.
        width, height: of it, as planned.
        series: place in the batch's series.
        target: bytes asked for; None where a quality is.
        quality: asked for, or the rate of a reconstruction made elsewhere.
        kind, value: the rate as it was written.
        encode: False where the file is in the store and only scores are missing.
        metrics: names of the missing scores.
        map: whether a semantic error map is written, where the batch has them.
        ready: a reconstruction made elsewhere.
    """

    key: str
    image: str
    sha256: str
    width: int
    height: int
    series: int
    target: int | None
    quality: float
    kind: str
    value: float
    encode: bool
    metrics: tuple[str, ...]
    map: bool = True
    ready: Ready | None = None


@dataclass(frozen=True)
class Batch:
    """Tasks that one worker does one after the other.

    Attributes:
        items: of few images, side by side.
        series: settings of the codecs.
        out: folder of results, which every worker must see.
        metrics: what scores are made with.
        signatures: of the metrics, by name.
        required: metrics that a worker must have; of the others it gives what it has.
        keep: which files are kept.
        maps: whether semantic error maps are written.
        seconds: after which the worker begins no other task, and hands over what it has.
    """

    items: Sequence[Item]
    series: Mapping[int, Series]
    out: str
    metrics: MetricSpec
    signatures: Mapping[str, str]
    keep: frozenset[str]
    required: frozenset[str] = frozenset()
    maps: bool = False
    seconds: float = math.inf


@dataclass(frozen=True, slots=True)
class Result:
    """Rows of one task.

    Attributes:
        key: of the encode.
        encode: row of the encode; None where it was in the store.
        scores: rows of the scores.
        error: why it failed, or why one of its scores did.
        seconds: that it took.
    """

    key: str
    encode: Mapping[str, Any] | None
    scores: Sequence[Mapping[str, Any]]
    error: str | None
    seconds: float


def encode_row(item: Item, series: Series, size: tuple[int, int]) -> dict[str, Any]:
    """A row of the encodes, as it is where nothing could be made."""
    details = {
        "title": series.title,
        "extension": series.extension,
        "versions": {**versions(), **series.identity.get("packages", {})},
        "device": f"{_device(series)} {platform.machine()}",
    }
    return {
        "encode_key": item.key,
        "image_sha256": item.sha256,
        "codec": series.codec,
        "label": series.label,
        "settings": as_json(series.identity),
        "rate_kind": item.kind,
        "rate_value": item.value,
        "quality": None,
        "reached": True,
        "width": size[0] or item.width,
        "height": size[1] or item.height,
        "bytes": 0,
        "encode_seconds": math.nan,
        "decode_seconds": math.nan,
        "notes": "[]",
        "error": None,
        "details": as_json(details),
        "written": time.time(),
    }


def _device(series: Series) -> str:
    """Where the codec's networks run, as its options say."""
    return str(json.loads(series.spec).get("options", {}).get("device", "cpu")) if series.spec else "cpu"


def score_row(
    key: str, metric: str, signature: str, score: Score | None = None, error: str | None = None
) -> dict[str, Any]:
    """A row of the scores. Its signature is the one that was planned, so that it is found again."""
    stored = {} if score is None else to_json(score)
    details = {name: value for name, value in stored.items() if name not in {"value", "signature"}}
    if score is not None and score.signature != signature:
        details["signature"] = score.signature
    return {
        "encode_key": key,
        "metric": metric,
        "signature": signature,
        "value": math.nan if score is None else float(score.value),
        "details": as_json(details),
        "error": error,
        "written": time.time(),
    }


@lru_cache
def versions() -> dict[str, str]:
    """Versions of what computes the numbers, as far as it is installed."""
    found = {"vitiq": __version__, "python": platform.python_version()}
    for name in ("numpy", "pillow", "scipy", "torch", "constriction"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def as_json(value: object) -> str:
    """JSON values as text that UTF-8 holds."""
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace").decode()
