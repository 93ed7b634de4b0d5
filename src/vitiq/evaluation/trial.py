"""One task tried in memory, to estimate how long a study may take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from vitiq.codecs.rate_target import encode_within
from vitiq.evaluation.study import Series, StudyImage, bytes_of
from vitiq.evaluation.worker import codec_of
from vitiq.image.io import read_image
from vitiq.metrics.base import Metric
from vitiq.metrics.scoring import score_pair
from vitiq.types import Bytes, Progress, Quality

ITERATIONS = 3
"""Of a search; the rest is estimated from them."""


class Enough(BaseException):
    """The search has shown how long an iteration takes."""


def trial_seconds(series: Series, path: Path, metrics: Sequence[Metric]) -> float:
    """Seconds of one task of a series at its middle rate; a search is followed for a few iterations only.

    Raises:
        VitiqError: the image cannot be read or coded.
    """
    image = read_image(path)
    height, width, _ = image.shape
    kind, value = series.rates[len(series.rates) // 2]
    target = bytes_of(kind, value, StudyImage("", "", "", width, height, 0))
    codec = codec_of(series.spec)
    start = time.perf_counter()
    first: list[float] = []
    left = 0.0

    def watch(state: Progress) -> None:
        nonlocal left
        first.append(time.perf_counter())
        if len(first) > ITERATIONS and state.iteration > 0:
            left = (first[-1] - first[0]) / (len(first) - 1) * (state.total - state.iteration)
            raise Enough

    try:
        made = encode_within(codec, image, Quality(value) if target is None else Bytes(target), watch)
        rebuilt = codec.decode(made.data)
        score_pair(image, rebuilt, metrics)
    except Enough:
        pass
    return time.perf_counter() - start + left
