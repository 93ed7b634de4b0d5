"""Tasks in batches, as every kind of worker runs them: encode, decode the bytes again, score, keep the files.

A batch names everything by text and numbers, so that it can go to another process or machine; what is slow to make
(codecs, metrics, an image that was read) stays in the worker for the next batch. A task that fails gives a row with its
error and takes no other with it. What cannot be written stops the study: it is no fault of the task.
"""

from __future__ import annotations

import io
import json
import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vitiq import __version__
from vitiq.codecs.base import Codec
from vitiq.codecs.rate_target import Encoded, encode_nearest, encode_within
from vitiq.codecs.spec import CodecSpec, FilterSpec
from vitiq.errors import InputError, StoreError
from vitiq.evaluation.inputs import pixels_digest
from vitiq.evaluation.rows import error_text
from vitiq.evaluation.scoring import MetricSpec
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Ready, Series, readable
from vitiq.image.io import read_image
from vitiq.metrics.base import Metric
from vitiq.metrics.scoring import score_pair, to_json
from vitiq.types import Bytes, ImageU8, Progress, Quality, Score

PNG_LEVEL = 1
"""Of kept images: three times as fast as the usual level 6, and a tenth larger."""


MOST_LATENTS = 20_000
"""Numbers that a trace holds at most; more make no figure, and megabytes of text."""


class Stopped(BaseException):
    """The study is to end now; raised out of a search, so that Ctrl-C need not wait for it."""


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
        keep: which files are kept.
        maps: whether semantic error maps are written.
    """

    items: Sequence[Item]
    series: Mapping[int, Series]
    out: str
    metrics: MetricSpec
    signatures: Mapping[str, str]
    keep: frozenset[str]
    maps: bool = False


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


@dataclass
class _Files:
    """What a worker holds on to between tasks."""

    image: tuple[str, ImageU8] | None = None


_held = _Files()


def never() -> bool:
    """The answer of a worker that nobody stops."""
    return False


stop_asked: Callable[[], bool] = never
"""Whether this worker is to stop; set when a worker process starts."""
watch: Callable[[Progress], None] | None = None
"""Who follows searches; set by the executor that works in this process."""


def run_batch(batch: Batch) -> list[Result]:
    """Every task of a batch; fewer where the worker was asked to stop.

    Raises:
        StoreError: results cannot be written.
    """
    results: list[Result] = []
    for item in batch.items:
        if stop_asked():
            break
        try:
            results.append(run_item(batch, item))
        except Stopped:
            break
    return results


def run_item(batch: Batch, item: Item) -> Result:
    """One task.

    Raises:
        StoreError: results cannot be written.
        Stopped: the worker was asked to stop.
    """
    start = time.perf_counter()
    series, store = batch.series[item.series], Store(Path(batch.out))
    row: dict[str, Any] | None = None
    scores: list[dict[str, Any]] = []
    error = None
    try:
        image = _image(item)
        if item.encode:
            row, rebuilt = _made(batch, store, item, series, image)
        else:
            rebuilt = _rebuilt(store, item, series, image)
        scores = _score(batch, item, image, rebuilt)
        error = next((found["error"] for found in scores if found["error"]), None)
    except (StoreError, Stopped, KeyboardInterrupt):
        raise
    except BaseException as raised:  # noqa: BLE001 - whatever a codec or a metric does, the other tasks go on
        error = error_text(raised)
        if item.encode and row is None:
            row = {**_row(item, series, (0, 0)), "error": error}
        else:
            scores = [_score_row(item.key, name, batch.signatures[name], error=error) for name in item.metrics]
    return Result(item.key, row, scores, error, time.perf_counter() - start)


def failed(item: Item, series: Series, batch: Batch, error: str) -> Result:
    """The result of a task whose worker did not live to tell."""
    if item.encode:
        return Result(item.key, {**_row(item, series, (0, 0)), "error": error}, [], error, 0.0)
    lost = [_score_row(item.key, name, batch.signatures[name], error=error) for name in item.metrics]
    return Result(item.key, None, lost, error, 0.0)


def _image(item: Item) -> ImageU8:
    """The original, read once for all of its tasks.

    Raises:
        InputError: it cannot be read, or is not the one that was planned.
    """
    if _held.image is None or _held.image[0] != item.sha256:
        _held.image = None
        pixels = read_image(Path(item.image))
        if pixels_digest(pixels) != item.sha256:
            raise InputError(f"{readable(item.image)}: changed since the study was planned; run the command again")
        _held.image = (item.sha256, pixels)
    return _held.image[1]


def _made(
    batch: Batch, store: Store, item: Item, series: Series, image: ImageU8
) -> tuple[dict[str, Any], ImageU8]:
    """Encode and decode, or take what was made elsewhere; keeps the files, and returns the row and the image."""
    trace: _Trace | None = None
    if item.ready is not None:
        rebuilt = read_image(Path(item.ready.path))
        facts: dict[str, Any] = {"bytes": item.ready.bytes, "quality": item.ready.rate}
        details: dict[str, Any] = {"reconstruction_sha256": item.ready.sha256}
    else:
        codec = codec_of(series.spec)
        trace = _Trace(store, item.key) if series.optimises else None
        start = time.perf_counter()
        made = _encode(codec, image, item, series, trace)
        encoded = time.perf_counter()
        data = made.data
        if "bitstreams" in batch.keep:
            path = store.path("bitstreams", item.key, series.extension)
            store.put(path, data)
            data = path.read_bytes()
        before = time.perf_counter()
        rebuilt = codec.decode(data)
        facts = {
            "bytes": len(data),
            "quality": made.quality,
            "reached": made.reached,
            "encode_seconds": encoded - start,
            "decode_seconds": time.perf_counter() - before,
        }
        info = codec.inspect(data)
        facts["notes"] = json.dumps(list(dict.fromkeys([*info.notes, *made.notes])))
        details = {
            "target_bytes": item.target,
            "sections": dict(info.sections),
            "shared_bytes": codec.shared_bytes(),
            "optimised_against": optimised_against(codec),
            "seed": json.loads(series.spec)["options"].get("seed", 0),
        }
    if rebuilt.shape != image.shape:
        (h, w, _), (i, j, _) = image.shape, rebuilt.shape
        raise InputError(f"an image of {w}×{h} pixels given, the reconstruction has {j}×{i}")
    kept = ["bitstreams"] if "bitstreams" in batch.keep and item.ready is None else []
    if "images" in batch.keep:
        store.put(store.path("reconstructions", item.key), png(rebuilt))
        original = store.path("originals", item.sha256)
        if not original.exists():
            store.put(original, png(image))
        kept.append("reconstructions")
    if trace is not None and kept:
        trace.save(_latents(codec, data))
    if batch.maps and item.map:
        details["map_signature"] = _write_map(store.path("maps", item.key), store, batch, image, rebuilt)
    size = (image.shape[1], image.shape[0])
    row = _row(item, series, size) | facts
    return row | {"details": _json(json.loads(row["details"]) | details | {"kept": kept})}, rebuilt


def _encode(codec: Codec, image: ImageU8, item: Item, series: Series, trace: _Trace | None) -> Encoded:
    rate = Quality(item.quality) if item.target is None else Bytes(item.target)
    if series.nearest and isinstance(rate, Bytes):
        return encode_nearest(codec, image, rate, trace)
    return encode_within(codec, image, rate, trace)


def _rebuilt(store: Store, item: Item, series: Series, image: ImageU8) -> ImageU8:
    """The reconstruction of an encode that is in the store, from what was kept of it, else made again."""
    if item.ready is not None:
        return read_image(Path(item.ready.path))
    kept = store.path("reconstructions", item.key)
    if kept.exists():
        return read_image(kept)
    codec = codec_of(series.spec)
    bitstream = store.path("bitstreams", item.key, series.extension)
    if bitstream.exists():
        return codec.decode(bitstream.read_bytes())
    return codec.decode(_encode(codec, image, item, series, None).data)


def _score(batch: Batch, item: Item, image: ImageU8, rebuilt: ImageU8) -> list[dict[str, Any]]:
    metrics = [metric for metric in metrics_of(batch.metrics) if metric.name in item.metrics]
    return [
        _score_row(item.key, name, batch.signatures[name], score)
        for name, score in score_pair(image, rebuilt, metrics).items()
    ]


class _Trace:
    """Follows a search: its losses, and previews as files."""

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        self._losses: list[float] = []
        self._previews: list[tuple[int, str]] = []

    def __call__(self, state: Progress) -> None:
        if stop_asked():
            raise Stopped
        self._losses.append(state.loss)
        if state.preview is not None:
            path = self._store.path("previews", self._key) / f"{state.iteration:06d}.png"
            self._store.put(path, png(state.preview))
            self._previews.append((state.iteration, path.relative_to(self._store.out).as_posix()))
        if watch is not None:
            watch(state)

    def save(self, latents: list[Any]) -> None:
        """Write what was followed, and the latents that it led to."""
        facts = {"loss": self._losses, "previews": self._previews, "latents": latents}
        self._store.write_json(self._store.path("traces", self._key), facts)


def _latents(codec: Codec, data: bytes) -> list[Any]:
    """Latents in a file, for a figure; [] where they are too many for one."""
    found = codec.inspect(data, symbols=True).latents or ()
    return [layer.round(5).tolist() for layer in found] if sum(layer.size for layer in found) <= MOST_LATENTS else []


def _write_map(path: Path, store: Store, batch: Batch, image: ImageU8, rebuilt: ImageU8) -> str:
    """Write the semantic error map and the attention; returns their signature."""
    from vitiq.metrics.semantic.vit_map import meaning_map  # noqa: PLC0415 - torch

    found = meaning_map(image, rebuilt, batch.metrics.backbone())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, loss=found.loss.astype(np.float16), attention=found.attention)
    store.put(path, buffer.getvalue())
    return found.signature


def _row(item: Item, series: Series, size: tuple[int, int]) -> dict[str, Any]:
    """A row of the encodes, as it is where nothing could be made."""
    details = {
        "title": series.title,
        "extension": series.extension,
        "versions": versions(),
        "device": f"cpu {platform.machine()}",
    }
    return {
        "encode_key": item.key,
        "image_sha256": item.sha256,
        "codec": series.codec,
        "label": series.label,
        "settings": _json(series.identity),
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
        "details": _json(details),
        "written": time.time(),
    }


def _score_row(
    key: str, metric: str, signature: str, score: Score | None = None, error: str | None = None
) -> dict[str, Any]:
    """A row of the scores. Its signature is the one that was planned, so that it is found again."""
    facts = {} if score is None else to_json(score)
    details = {name: value for name, value in facts.items() if name not in {"value", "signature"}}
    if score is not None and score.signature != signature:
        details["signature"] = score.signature
    return {
        "encode_key": key,
        "metric": metric,
        "signature": signature,
        "value": math.nan if score is None else float(score.value),
        "details": _json(details),
        "error": error,
        "written": time.time(),
    }


def png(image: ImageU8) -> bytes:
    """An image as the bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def optimised_against(codec: Codec) -> list[dict[str, object]]:
    """Backbones that trained or tuned what a codec writes: name, weights, and weights of the networks that taught them."""
    from vitiq.weights.store import list_models  # noqa: PLC0415 - only needed here

    known = {info.name: info for info in list_models()}
    found: list[dict[str, object]] = []
    for name in codec.optimised_against():
        info = known.get(name)
        sha256 = name if info is None else info.sha256
        found.append({"backbone": name, "weights_sha256": sha256, "related": list(info.related) if info else []})
    return found


@lru_cache
def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    names = ("numpy", "pillow", "scipy", "torch", "constriction")
    return {"vitiq": __version__, "python": platform.python_version(), **{name: version(name) for name in names}}


@lru_cache(maxsize=16)
def codec_of(spec: str) -> Codec:
    """A codec, made once a worker.

    Args:
        spec: a `CodecSpec` as JSON.
    """
    facts = json.loads(spec)
    filters = tuple(FilterSpec(**item) for item in facts["filters"])
    return CodecSpec(**{**facts, "filters": filters, "rates": ()}).make()


@lru_cache(maxsize=2)
def metrics_of(spec: MetricSpec) -> list[Metric]:
    """Metrics, made once a worker."""
    return spec.make()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace").decode()
