"""What a worker holds on to between batches: codecs and metrics that are slow to make, and who may stop it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitiq.codecs.base import Codec
from vitiq.codecs.spec import CodecSpec, FilterSpec
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Study
from vitiq.image.io import png_bytes
from vitiq.metrics.base import Metric
from vitiq.types import ImageU8, Progress

if TYPE_CHECKING:
    from vitiq.metrics.semantic.vit_map import MeaningMap

PNG_LEVEL = 1
"""Of kept images: three times as fast as the usual level 6, and a tenth larger."""


MOST_LATENTS = 20_000
"""Numbers that a trace holds at most; more make no figure, and megabytes of text."""


class Stopped(BaseException):
    """The study is to end now; raised out of a search, so that Ctrl-C need not wait for it."""


def never() -> bool:
    """The answer of a worker that nobody stops."""
    return False


stop_asked: Callable[[], bool] = never
"""Whether this worker is to stop; set when a worker process starts."""
watch: Callable[[Progress], None] | None = None
"""Who follows searches; set by the executor that works in this process."""


@lru_cache(maxsize=16)
def codec_of(spec: str) -> Codec:
    """A codec, made once a worker, with its networks: no task's seconds are those of loading them.

    Args:
        spec: a `CodecSpec` as JSON.
    """
    values = json.loads(spec)
    filters = tuple(FilterSpec(**item) for item in values["filters"])
    made = CodecSpec(**{**values, "filters": filters, "rates": ()}).make()
    made.load()
    return made


@lru_cache(maxsize=2)
def metrics_of(spec: MetricSpec) -> list[Metric]:
    """Metrics, made once a worker."""
    return spec.make()


def forget() -> None:
    """Let go of the codecs and metrics made so far: files of weights may have changed since an earlier study."""
    codec_of.cache_clear()
    metrics_of.cache_clear()


def spec_of(study: Study, names: Sequence[str]) -> MetricSpec:
    """Some metrics of a study, each as it was asked for."""
    weights = None if study.weights is None else Path(study.weights)
    return MetricSpec(
        ",".join(study.spellings.get(name, name) for name in names),
        weights,
        tuple(map(Path, study.panel)),
        study.device,
    )


class Trace:
    """Follows a search: its losses, and previews as files."""

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        self._losses: list[float] = []
        self._previews: list[tuple[int, str]] = []

    def __call__(self, state: Progress) -> None:
        """One more iteration.

        Raises:
            Stopped: the worker was asked to stop.
        """
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
        values = {"loss": self._losses, "previews": self._previews, "latents": latents}
        self._store.write_json(self._store.path("traces", self._key), values)


def latents_of(codec: Codec, data: bytes) -> list[Any]:
    """Latents in a file, for a figure; [] where they are too many for one."""
    found = codec.inspect(data, symbols=True).latents or ()
    return [layer.round(5).tolist() for layer in found] if sum(layer.size for layer in found) <= MOST_LATENTS else []


def png(image: ImageU8) -> bytes:
    """An image as it is kept."""
    return png_bytes(image, PNG_LEVEL)


def map_bytes(found: MeaningMap) -> bytes:
    """A semantic error map and the attention as the bytes of a .npz."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, loss=found.loss.astype(np.float16), attention=found.attention)
    return buffer.getvalue()


def optimised_against(codec: Codec) -> list[dict[str, object]]:
    """Backbones that trained or tuned what a codec writes: name, weights, and weights of their teachers."""
    from vitiq.weights.store import list_models  # noqa: PLC0415 - only needed here

    known = {info.name: info for info in list_models()}
    found: list[dict[str, object]] = []
    for name in codec.optimised_against():
        info = known.get(name)
        sha256 = name if info is None else info.sha256
        found.append({"backbone": name, "weights_sha256": sha256, "related": list(info.related) if info else []})
    return found
