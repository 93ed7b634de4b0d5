"""What is known of metrics on a data set, as Markdown for people and as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from vitiq.analysis.paired import Difference, best_of, sentence
from vitiq.datasets.opinion import OpinionSet
from vitiq.evaluation.opinion_values import Measured
from vitiq.evaluation.validate import Line, Validation
from vitiq.text import number, plural

CLEARLY = -0.5
"""SRCC below which a metric without an interval ranks against the opinions."""

FLATTERY = (
    "Flattered: of the pairs in which people prefer the other codec, those where the metric prefers the learned one.",
    "Slighted: of the pairs in which people prefer the learned one, those where the metric prefers the other codec.",
    "A tie of the metric counts as half.",
)

OF = {"distortion": "By distortion", "rate": "By rate"}


def to_markdown(found: Validation, *, against: str | None = None) -> str:
    """Tables, best SRCC first: agreement, differences against one metric, parts, learned codecs, JND.

    Args:
        against: metric that the others are compared with; None for the best on the images that both have.
    """
    lines = _sorted([line for line in found.lines if line.of == "all"])
    order = [line.metric for line in lines]
    against = against or best_of(order, found.differences)
    text = _agreement(lines)
    notes = notes_of(found)
    text += [*(f"- {note}" for note in notes), ""] if notes else []
    if against is not None and len(order) > 1:
        text += _differences(found.differences, order, against)
    for of, title in OF.items():
        text += _by_part(title, [line for line in found.lines if line.of == of], order)
    if found.choices:
        text += ["### Single choices of people that the metric makes too", "", "| metric | choices | share |"]
        text += ["|---|---:|---|"]
        text += [f"| {c.metric} | {c.count} | {_cell(c.share, c.interval)} |" for c in found.choices] + [""]
    if found.flattery:
        text += ["### Learned codecs against others, pairs of one reference", ""]
        text += [*FLATTERY, ""]
        text += ["| metric | pairs | flattered | slighted | flattered less slighted |", "|---|---:|---:|---:|---|"]
        text += [
            f"| {f.metric} | {f.pairs} | {_share(f.flattered)} | {_share(f.slighted)} | {_cell(f.bias, f.interval)} |"
            for f in sorted(found.flattery, key=lambda f: order.index(f.metric))
        ] + [""]
    if found.jnd:
        text += ["### Published maps to JND", "", "| metric | error, JND | mean error, JND |", "|---|---:|---:|"]
        text += [f"| {e.metric} | {e.rmse:.3f} | {e.bias:+.3f} |" for e in found.jnd] + [""]
    return "\n".join(text)


def notes_of(found: Validation) -> list[str]:
    """What a reader must know of the agreement on all images: one line each."""
    lines = _sorted([line for line in found.lines if line.of == "all"])
    notes = []
    reversed_ = [line.metric for line in lines if _is_negative(line)]
    if 2 * len(reversed_) > len(lines):
        notes.append(
            f"SRCC is below 0 for {len(reversed_)} of {plural(len(lines), 'metric')}: the opinions look reversed "
            "(DMOS?); larger must be better"
        )
    if len({line.result.count for line in lines}) > 1:
        notes.append("metrics of another n are measured on other images; the differences below are on the same ones")
    for line in lines:
        if line.result.finite < line.result.count:
            of = f"{line.result.finite} of {plural(line.result.count, 'image')}"
            notes.append(f"{line.metric}: PLCC and RMSE are of {of}, the others' values are infinite; ranks hold them")
    return notes


def _is_negative(line: Line) -> bool:
    """Whether a metric clearly ranks against the opinions."""
    high = line.result.intervals["srcc"][1]
    return bool(high < 0 if np.isfinite(high) else line.result.srcc < CLEARLY)


def _sorted(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda x: -np.nan_to_num(x.result.srcc, nan=-2))


def _agreement(lines: Sequence[Line]) -> list[str]:
    text = ["| metric | n | SRCC | PLCC | KRCC | RMSE |", "|---|---:|---|---|---|---|"]
    for line in lines:
        r = line.result
        cells = (_cell(getattr(r, name), r.intervals[name]) for name in ("srcc", "plcc", "krcc", "rmse"))
        text.append(f"| {line.metric} | {r.count} | " + " | ".join(cells) + " |")
    return [*text, ""]


def _differences(differences: Sequence[Difference], order: Sequence[str], against: str) -> list[str]:
    """One sentence a metric, its SRCC less that of `against`, best first."""
    found = {}
    for d in differences:
        if d.measure == "srcc":
            found[d.first, d.second] = d
            ends = 0 - d.value, 0 - d.high, 0 - d.low  # of 0 not -0
            found[d.second, d.first] = Difference(d.second, d.first, d.measure, *ends, d.count)
    text = [f"### Against {against}: SRCC on the same images, paired", ""]
    text += [f"- {sentence(found[name, against])}" for name in order if (name, against) in found]
    return [*text, ""]


def _by_part(title: str, lines: Sequence[Line], order: Sequence[str]) -> list[str]:
    """SRCC of every metric on every part: a row a metric."""
    if not lines:
        return []
    parts = {line.distortion: line.result.count for line in lines}
    cell = {(line.metric, line.distortion): line.result.srcc for line in lines}
    text = [f"### {title}: SRCC (images)", ""]
    text += ["| metric | " + " | ".join(f"{part} ({count})" for part, count in parts.items()) + " |"]
    text += ["|---|" + "---:|" * len(parts)]
    for name in order:
        row = [cell.get((name, part), float("nan")) for part in parts]
        text.append(f"| {name} | " + " | ".join(f"{v:.3f}" if np.isfinite(v) else "–" for v in row) + " |")
    return [*text, ""]


def _share(value: float) -> str:
    return f"{100 * value:.1f} %" if np.isfinite(value) else "–"


def _cell(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    shown = f"{value:.3f}" if np.isfinite(value) else "–"
    return f"{shown} [{low:.3f}, {high:.3f}]" if np.isfinite(low) else shown


def to_json(data: OpinionSet, measured: Measured, found: Validation) -> dict[str, object]:
    """The whole answer as JSON values."""
    agreements = [
        {
            "metric": line.metric,
            "distortion": line.distortion,
            "of": line.of,
            "n": line.result.count,
            "n_finite": line.result.finite,
            "left_out": line.result.left_out,
            **{name: number(getattr(line.result, name)) for name in ("srcc", "plcc", "krcc", "rmse")},
            "intervals_95": {k: [number(v) for v in pair] for k, pair in line.result.intervals.items()},
        }
        for line in found.lines
    ]
    images = [
        {
            "distorted": str(o.distorted),
            "reference": str(o.reference),
            "distortion": o.distortion,
            "rate": number(o.rate),
            "quality": o.quality,
            "values": {name: number(float(column[i])) for name, column in measured.values.items()},
        }
        for i, o in enumerate(data.opinions)
    ]
    values: dict[str, object] = {
        "layout": data.layout,
        "unit": data.unit,
        "rate_unit": data.rate_unit,
        "signatures": measured.signatures,
        "agreement": agreements,
        "differences": [_numbers(asdict(d)) for d in found.differences],
        "choices": [_numbers(asdict(c)) for c in found.choices],
        "learned_codecs": [_numbers(asdict(f)) for f in found.flattery],
        "jnd": [_numbers(asdict(e)) for e in found.jnd],
        "images": images,
    }
    without = measured.without_agreement()
    values |= {"without_agreement": without} if without else {}
    incomplete, notes = measured.incomplete(), notes_of(found)
    values |= {"incomplete": incomplete} if incomplete else {}
    values |= {"notes": notes} if notes else {}
    return values | ({"problems": measured.problems} if measured.problems else {})


def _numbers(values: dict[str, object]) -> dict[str, object]:
    def clean(value: object) -> object:
        if isinstance(value, float):
            return number(value)
        return [clean(v) for v in value] if isinstance(value, tuple | list) else value

    return {key: clean(value) for key, value in values.items()}
