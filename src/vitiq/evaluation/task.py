"""One task: encode to a file, decode that file, score the reconstruction, tell what happened."""

from __future__ import annotations

import io
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import numpy as np

from vitiq import __version__
from vitiq.codecs.base import Codec
from vitiq.codecs.rate_target import Encoded, encode_nearest, encode_within
from vitiq.codecs.spec import make_codec
from vitiq.errors import InputError
from vitiq.evaluation.plan import Task
from vitiq.evaluation.store import write_json
from vitiq.image.io import write_bytes, write_png
from vitiq.metrics.base import Metric
from vitiq.metrics.scoring import score_pair, to_json
from vitiq.types import Bytes, ImageU8, Progress, ProgressCallback, Quality, Record

Watch = Callable[[Progress], None]


def folder_of(image: str) -> str:
    """Folder name of an image inside OUT: its relative path without the suffix."""
    path = PurePosixPath(image)
    return path.with_suffix("").as_posix()


def file_stem(task: Task) -> str:
    """Name of a task's files: codec, group and what sets its size."""
    if task.group == "ladder":
        return f"{task.codec}-q{task.quality:g}"
    return task.codec if task.at_bytes is None else f"{task.codec}-at-bytes"


@dataclass(frozen=True, slots=True)
class Job:
    """A task with what it needs at hand."""

    task: Task
    image: ImageU8
    original_bytes: int
    notes: Sequence[str]
    main_bytes: int | None


def run_task(job: Job, out: Path, metrics: Sequence[Metric], watch: Watch | None = None) -> Record:
    """Run one task and write its files; returns the record.

    The reconstruction is decoded from the bytes on disk, not from what the encoder held.
    """
    task, image = job.task, job.image
    codec = make_codec(task.codec, task.options)
    place = folder_of(task.image)
    losses: list[float] = []
    previews: list[tuple[int, str]] = []

    def progress(state: Progress) -> None:
        losses.append(state.loss)
        if state.preview is not None:
            name = f"previews/{place}/{state.iteration:06d}.png"
            write_png(out / name, state.preview)
            previews.append((state.iteration, name))
        if watch is not None:
            watch(state)

    start = time.perf_counter()
    encoded = _encode(codec, job, progress if codec.optimises else None)
    data = encoded.data
    encode_seconds = time.perf_counter() - start
    bitstream = f"bitstreams/{place}/{file_stem(task)}{codec.extension}"
    write_bytes(out / bitstream, data)
    start = time.perf_counter()
    reconstruction = codec.decode((out / bitstream).read_bytes())
    decode_seconds = time.perf_counter() - start
    painted = f"reconstructions/{place}/{file_stem(task)}.png"
    write_png(out / painted, reconstruction)
    scores = score_pair(image, reconstruction, metrics)
    signatures = {key: score.signature for key, score in scores.items()}
    info = codec.inspect(data, symbols=codec.optimises)
    details: dict[str, object] = {
        "group": task.group,
        "title": codec.title,
        "target_bytes": job.main_bytes if task.at_bytes == "main" else task.at_bytes,
        "reachable": encoded.reached,
        "original_bytes": job.original_bytes,
        "sections": dict(info.sections),
        "shared_bytes": codec.shared_bytes(),
        "settings": dict(codec.identity()),
        "tuned_on": tuned_on(codec),
        "seed": task.options.get("seed", 0),
        "versions": versions(),
        "device": f"cpu {platform.machine()}",
        "notes": [*job.notes, *encoded.notes, *info.notes],
        "bitstream": bitstream,
        "reconstruction": painted,
        "task": task.hash,
        "signatures": signatures,
        "scores": {key: to_json(score) for key, score in scores.items()},
    }
    if codec.optimises:
        trace = f"traces/{place}/{file_stem(task)}.json"
        latents = [layer.round(5).tolist() for layer in info.latents or ()]
        write_json(out / trace, {"loss": losses, "previews": previews, "latents": latents})
        details["trace"] = trace
    if task.group != "ladder" and any(metric.kind == "semantic" for metric in metrics):
        details["map"] = f"maps/{place}/{file_stem(task)}.npz"
        details["signatures"] = {**signatures, "vit-map": _write_map(job, reconstruction, out / str(details["map"]))}
    height, width, _ = image.shape
    return Record(
        image=task.image,
        codec=task.codec,
        quality=float(encoded.quality),
        width=width,
        height=height,
        bytes=len(data),
        bpp=len(data) * 8 / (width * height),
        encode_seconds=encode_seconds,
        decode_seconds=decode_seconds,
        scores={key: score.value for key, score in scores.items()},
        details=details,
    )


def tuned_on(codec: Codec) -> list[dict[str, object]]:
    """Backbones that trained or tuned what a codec writes: name, weights, and weights of the networks that taught them.

    A codec names them in `optimised_against`: a model of the manifest, or the sha256 of a weights file.
    """
    from vitiq.weights.store import list_models  # noqa: PLC0415 - light, but only needed here

    known = {info.name: info for info in list_models()}
    found: list[dict[str, object]] = []
    for name in codec.optimised_against():
        info = known.get(name)
        sha256 = name if info is None else info.sha256
        found.append({"backbone": name, "weights_sha256": sha256, "related": list(info.related) if info else []})
    return found


def _write_map(job: Job, reconstruction: ImageU8, path: Path) -> str:
    """Write the maps of meaning lost and of attention; returns their signature."""
    from vitiq.metrics.semantic.vit_map import meaning_map  # noqa: PLC0415 - torch
    from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

    weights = job.task.weights
    backbone = load_backbone(weights=None if weights is None else Path(weights))
    found = meaning_map(job.image, reconstruction, backbone)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, loss=found.loss.astype(np.float16), attention=found.attention)
    write_bytes(path, buffer.getvalue())
    return found.signature


def _encode(codec: Codec, job: Job, progress: ProgressCallback | None) -> Encoded:
    task = job.task
    if task.at_bytes is None:
        return encode_within(codec, job.image, None if task.quality is None else Quality(task.quality), progress)
    target = job.main_bytes if task.at_bytes == "main" else task.at_bytes
    if target is None:
        raise InputError("waits for the size of the main codec's file, which could not be made; or give --at-bytes")
    return encode_nearest(codec, job.image, Bytes(target), progress)


def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    names = ("numpy", "pillow", "scipy", "torch", "constriction")
    return {"vitiq": __version__, "python": platform.python_version(), **{name: version(name) for name in names}}
