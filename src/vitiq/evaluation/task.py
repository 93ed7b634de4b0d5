"""Tasks in batches, as every kind of worker runs them: encode, decode the bytes again, score, keep the files.

A batch names everything by text and numbers, so that it can go to another process or machine; what is slow to make
(codecs, metrics, an image that was read) stays in the worker for the next batch. A task that fails gives a row with its
error and takes no other with it. What cannot be written stops the study: it is no fault of the task.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitiq.codecs.base import Codec
from vitiq.codecs.rate_target import Encoded, encode_nearest, encode_within
from vitiq.errors import BitstreamError, InputError, PluginError, StoreError, in_one_line
from vitiq.evaluation import worker
from vitiq.evaluation.batch import Batch, Item, Result, as_json, encode_row, score_row
from vitiq.evaluation.inputs import pixels_digest
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Series, readable
from vitiq.evaluation.worker import Stopped, Trace, codec_of, latents_of, map_bytes, metrics_of, optimised_against, png
from vitiq.image.io import read_image, read_image_details
from vitiq.metrics.guards import to_try_again
from vitiq.metrics.scoring import score_pairs, signature_of
from vitiq.types import Bytes, ImageU8, Quality, Score

PIXELS = 4_000_000
"""Pixels of images that are scored at once: a network reads them in full batches, and memory stays small."""


@dataclass
class _Files:
    """What a worker holds on to between tasks."""

    image: tuple[str, ImageU8] | None = None


_held = _Files()


@dataclass
class _Pending:
    """A task on its way: its row and images, until it has scores.

    Attributes:
        item: the task.
        image, rebuilt: pixels; None where it failed.
        row: of the encode, if there was one to do.
        error: why it failed.
        seconds: that it took so far.
    """

    item: Item
    image: ImageU8 | None = None
    rebuilt: ImageU8 | None = None
    row: dict[str, Any] | None = None
    error: str | None = None
    seconds: float = 0.0


def run_batch(batch: Batch) -> list[Result]:
    """Every task of a batch; fewer where its time is over, one at least, or where the worker was asked to stop.

    Scores are made for several tasks at once.

    Raises:
        StoreError: results cannot be written.
    """
    results: list[Result] = []
    pending: list[_Pending] = []
    pixels = 0
    end = time.monotonic() + batch.seconds
    for item in batch.items:
        if worker.stop_asked() or ((results or pending) and time.monotonic() >= end):
            break
        try:
            pending.append(_produced(batch, item))
        except Stopped:
            break
        pixels += item.width * item.height
        if pixels > PIXELS:
            results += _scored(batch, pending)
            pending, pixels = [], 0
    return results + _scored(batch, pending)


def _produced(batch: Batch, item: Item) -> _Pending:
    """A task without its scores.

    Raises:
        StoreError: results cannot be written.
        Stopped: the worker was asked to stop.
    """
    start = time.perf_counter()
    series, store = batch.series[item.series], Store(Path(batch.out))
    made = _Pending(item)
    try:
        made.image = _image(item)
        if item.encode:
            made.row, made.rebuilt = _made(batch, store, item, series, made.image)
        else:
            made.rebuilt = _rebuilt(store, item, series, made.image)
    except (StoreError, Stopped, KeyboardInterrupt):
        raise
    except BaseException as raised:  # whatever a codec does, the other tasks continue
        made.error = in_one_line(raised)
        if item.encode:
            made.row = {**encode_row(item, series, (0, 0)), "error": made.error}
    made.seconds = time.perf_counter() - start
    return made


def _scored(batch: Batch, pending: list[_Pending]) -> list[Result]:
    """Results of tasks in their order: those that lack the same metrics are scored at once."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for names in dict.fromkeys(made.item.metrics for made in pending):
        own = [made for made in pending if made.error is None and made.item.metrics == names]
        start = time.perf_counter()
        for made, scores in zip(own, _score(batch, names, own), strict=True):
            rows[made.item.key] = scores
            made.error = next((f"{row['metric']}: {row['error']}" for row in scores if row["error"]), None)
        for made in own:
            made.seconds += (time.perf_counter() - start) / len(own)
    results = []
    for made in pending:
        scores = rows.get(made.item.key, [])
        if made.error is not None and made.row is None and not scores:
            scores = [
                score_row(made.item.key, name, batch.signatures[name], error=made.error) for name in made.item.metrics
            ]
        results.append(Result(made.item.key, made.row, scores, made.error, made.seconds))
    return results


def _score(batch: Batch, names: Sequence[str], pending: Sequence[_Pending]) -> list[list[dict[str, Any]]]:
    """Rows of scores of some tasks; where scoring several at once fails, each task and then each metric alone."""
    if not pending or not names:
        return [[] for _ in pending]
    metrics = [metric for metric in metrics_of(batch.metrics) if metric.name in names]
    pairs = [(made.image, made.rebuilt) for made in pending if made.image is not None and made.rebuilt is not None]
    try:
        found = score_pairs([image for image, _ in pairs], [rebuilt for _, rebuilt in pairs], metrics)
        here = {metric.name: signature_of(metric) for metric in metrics}
    except Exception as error:  # a metric's own fault must not cost the others' scores
        if len(pending) > 1:
            return [_score(batch, names, [made])[0] for made in pending]
        if len(names) > 1:
            return [[row for name in names for row in _score(batch, [name], pending)[0]]]
        return [[score_row(pending[0].item.key, names[0], batch.signatures[names[0]], error=in_one_line(error))]]
    return [
        [_row(batch, made.item.key, name, here[name], score) for name, score in scores.items()]
        for made, scores in zip(pending, found, strict=True)
    ]


def _row(batch: Batch, key: str, name: str, here: str, score: Score) -> dict[str, Any]:
    """A row of a score; an error, so that it is named and tried again, where the metric broke down, or is required and
    cannot be had as it was planned.

    What another than the planned metric gives is kept as its own: a study that is planned with it finds it, and this
    one tries again, maybe where the planned one is.

    Args:
        here: signature of the metric in this process.
    """
    planned, required = batch.signatures[name], name in batch.required
    if to_try_again(score) and (required or score.details.get("failed")):
        return score_row(key, name, planned, error=" ".join(str(score.details["undefined"]).split()))
    if here != planned and required:
        said = f"planned as {planned}, but the worker has {here}; install the same version and weights for both"
        return score_row(key, name, planned, error=said)
    return score_row(key, name, here, score)


def failed(item: Item, series: Series, batch: Batch, error: str) -> Result:
    """The result of a task whose worker died."""
    if item.encode:
        return Result(item.key, {**encode_row(item, series, (0, 0)), "error": error}, [], error, 0.0)
    lost = [score_row(item.key, name, batch.signatures[name], error=error) for name in item.metrics]
    return Result(item.key, None, lost, error, 0.0)


def _image(item: Item) -> ImageU8:
    """The original, read once for all of its tasks.

    Raises:
        InputError: it cannot be read, or is not the one that was planned.
    """
    held = _held.image  # taken once: other threads of a Dask worker hold theirs here too
    if held is None or held[0] != item.sha256:
        held = _held.image = None
        pixels = read_image(_there(item.image))
        if pixels_digest(pixels) != item.sha256:
            raise InputError(f"{readable(item.image)}: changed since the study was planned; run the command again")
        held = _held.image = (item.sha256, pixels)
    return held[1]


def _there(path: str) -> Path:
    """The path of an image of the study.

    Raises:
        InputError: nothing is there.
    """
    if not os.path.lexists(path):
        raise InputError(
            f"{readable(path)}: no such file, where it was when the study was planned; if it was moved, give its new "
            "place to the command that made the study (`vitiq bench`, with --plan for workers)"
        )
    return Path(path)


def _made(batch: Batch, store: Store, item: Item, series: Series, image: ImageU8) -> tuple[dict[str, Any], ImageU8]:
    """Encode and decode, or take what was made elsewhere; keeps the files, and returns the row and the image."""
    trace: Trace | None = None
    if item.ready is not None:
        rebuilt, of_reading = read_image_details(_there(item.ready.path))
        columns: dict[str, Any] = {"bytes": item.ready.bytes, "quality": item.ready.rate}
        columns["notes"] = json.dumps([f"reconstruction: {note}" for note in of_reading])
        details: dict[str, Any] = {"reconstruction_sha256": item.ready.sha256}
    else:
        codec = codec_of(series.spec)
        trace = Trace(store, item.key) if series.optimises else None
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
        columns = {
            "bytes": len(data),
            "quality": made.quality,
            "reached": made.reached,
            "encode_seconds": encoded - start,
            "decode_seconds": time.perf_counter() - before,
        }
        notes, sections = _inside(codec, data)
        columns["notes"] = json.dumps(list(dict.fromkeys([*notes, *made.notes])))
        details = {
            "target_bytes": item.target,
            "sections": sections,
            "shared_bytes": codec.shared_bytes(),
            "optimised_against": optimised_against(codec),
            "seed": getattr(codec.options, "seed", 0),
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
        trace.save(latents_of(codec, data))
    if batch.maps and item.map:
        details["map_signature"] = _write_map(store.path("maps", item.key), store, batch, image, rebuilt)
    size = (image.shape[1], image.shape[0])
    row = encode_row(item, series, size) | columns
    return row | {"details": as_json(json.loads(row["details"]) | details | {"kept": kept})}, rebuilt


def _inside(codec: Codec, data: bytes) -> tuple[Sequence[str], dict[str, int]]:
    """Notes and parts of a file; what the base class would say is said without decoding the file again."""
    if type(codec).inspect is Codec.inspect:
        return (), {"file": len(data)}
    try:
        info = codec.inspect(data)
    except (BitstreamError, PluginError) as error:  # a plug-in's own: the file is there, and is measured
        return (str(error),), {"file": len(data)}
    return info.notes, dict(info.sections)


def _encode(codec: Codec, image: ImageU8, item: Item, series: Series, trace: Trace | None) -> Encoded:
    rate = Quality(item.quality) if item.target is None else Bytes(item.target)
    if series.nearest and isinstance(rate, Bytes):
        return encode_nearest(codec, image, rate, trace)
    return encode_within(codec, image, rate, trace)


def _rebuilt(store: Store, item: Item, series: Series, image: ImageU8) -> ImageU8:
    """The reconstruction of an encode that is in the store, from what was kept of it, else made again.

    A kept file that cannot be read is as good as none; a damaged reconstruction is replaced by what was made again.
    """
    if item.ready is not None:
        return read_image(_there(item.ready.path))
    kept = store.path("reconstructions", item.key)
    damaged = kept.exists()
    if damaged:
        with suppress(InputError, OSError):
            return read_image(kept)
    codec = codec_of(series.spec)
    bitstream = store.path("bitstreams", item.key, series.extension)
    rebuilt: ImageU8 | None = None
    with suppress(BitstreamError, OSError):
        rebuilt = codec.decode(bitstream.read_bytes())
    if rebuilt is None:
        rebuilt = codec.decode(_encode(codec, image, item, series, None).data)
    if damaged:
        with suppress(StoreError):  # a finished folder may be read-only
            store.put(kept, png(rebuilt))
    return rebuilt


def _write_map(path: Path, store: Store, batch: Batch, image: ImageU8, rebuilt: ImageU8) -> str:
    """Write the semantic error map and the attention; returns their signature."""
    from vitiq.metrics.semantic.vit_map import meaning_map  # noqa: PLC0415 - torch

    found = meaning_map(image, rebuilt, batch.metrics.backbone())
    store.put(path, map_bytes(found))
    return found.signature
