"""Codec metrics against their reference programs: whole, odd, tiny and flat images.

Truth: data/codec-metrics.json, which names for each value the program, its version, the call, the tolerance and the
command that wrote it (benchmarks/codec_metrics.py). No reference program is needed here; `butteraugli`, `cvvdp` and
`vmaf` are compared where they are installed.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest

from scripts import script_module
from vitiq.errors import InputError
from vitiq.metrics.base import PairMetric
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.types import ImageU8

GOLDEN = json.loads((Path(__file__).parent / "data" / "codec-metrics.json").read_text(encoding="utf-8"))
PROGRAMS = ("butteraugli", "cvvdp", "vmaf")
NOISE = {"flat, brighter", "flat, noise"}
"""Pairs whose value in single precision is the rounding of the arithmetic (docs/reference/metrics-codec.md)."""

Pairs = dict[str, tuple[ImageU8, ImageU8]]


@pytest.fixture(scope="session")
def pairs(bundled: dict[str, ImageU8]) -> Pairs:
    made: Pairs = script_module("benchmarks/inputs.py").codec_pairs(bundled)
    for name, (_, other) in made.items():
        found = hashlib.sha256(other.tobytes()).hexdigest()
        assert found == GOLDEN["images"][name], f"Pillow makes another {name}; run: {GOLDEN['command']}"
    return made


@pytest.fixture(scope="session")
def scores(pairs: Pairs) -> dict[str, dict[str, float]]:
    names = sorted({e["metric"] for e in GOLDEN["entries"]} - set(PROGRAMS))
    metrics = resolve_metrics(names)
    return {name: {k: s.value for k, s in score_pair(a, b, metrics).items()} for name, (a, b) in pairs.items()}


def entries(*, programs: bool) -> list[Any]:
    chosen = [e for e in GOLDEN["entries"] if (e["metric"] in PROGRAMS) == programs]
    return [pytest.param(e, id=f"{e['metric']}: {e['source']}, {e['call']}") for e in chosen]


@pytest.mark.parametrize("entry", entries(programs=False))
def test_values_are_the_programs(entry: dict[str, Any], scores: dict[str, dict[str, float]]) -> None:
    assert len(entry["values"]) == len(scores)
    compared = 0
    for name, value in entry["values"].items():
        found = scores[name][entry["metric"]]
        noise = name in NOISE and "double" not in entry["source"]
        if value is None or noise or math.isnan(found):
            continue
        assert found == pytest.approx(value, abs=entry["tolerance"]), name
        compared += 1
    assert compared >= 6


@pytest.mark.parametrize("entry", entries(programs=True))
def test_programs_are_called_rightly(entry: dict[str, Any], pairs: Pairs) -> None:
    metric = resolve_metrics(entry["metric"])[0]
    assert isinstance(metric, PairMetric)
    for name, value in entry["values"].items():
        try:
            found = score_pair(*pairs[name], [metric])[entry["metric"]]
        except InputError:
            continue
        if "undefined" in found.details or value is None:
            assert math.isnan(found.value) == ("undefined" in found.details)
            continue
        assert found.value == pytest.approx(value, abs=max(entry["tolerance"], 1e-5)), name


def test_every_metric_without_a_program_is_compared() -> None:
    compared = {e["metric"] for e in GOLDEN["entries"]}
    assert compared >= {
        *("ssimulacra2", "iw-ssim", "vif", "fsim", "nlpd", "psnr-hvs", "psnr-hvs-m", "gmsd", "haarpsi", "ciede2000"),
        *("iw-ssim@jpeg-ai-cttc", "vif@jpeg-ai-cttc", "nlpd@jpeg-ai-cttc", "psnr-hvs@jpeg-ai-cttc"),
        *("ms-ssim-y@jpeg-ai-cttc", "butteraugli", "cvvdp", "vmaf"),
    }
