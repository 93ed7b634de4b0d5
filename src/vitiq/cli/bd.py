"""`vitiq bd`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from vitiq.analysis.refusals import Refusals
from vitiq.cli import options as common
from vitiq.cli.common import print_json, report_problems
from vitiq.cli.options import PathName
from vitiq.evaluation.independence import DEPENDENT_RATE, marked
from vitiq.text import escape_markdown, number

if TYPE_CHECKING:
    from vitiq.analysis.bootstrap import Estimate
    from vitiq.analysis.comparison import Comparison


@click.command("bd")
@click.argument("sources", nargs=-1, required=True, type=PathName(path_type=Path, exists=True))
@click.option("--anchor", required=True, help="Curve to compare with: its label, or the name of its codec.")
@click.option("-m", "--metric", "metrics", help="Comma-separated metrics; PSNR and MS-SSIM if not given.")
@click.option(
    "-c", "--codec", "codecs", multiple=True, help="Curve to compare; all others if not given; may be repeated."
)
@click.option(
    "--method",
    type=click.Choice(["akima", "pchip", "cubic"]),
    default="akima",
    show_default=True,
    help="Interpolation of the curves.",
)
@click.option(
    "--mean",
    type=click.Choice(["metric", "mse"]),
    default="metric",
    show_default=True,
    help="What the mean curve averages: the metric, or the squared error behind a PSNR.",
)
@click.option(
    "--least-shared",
    type=common.NumberRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Fraction of the narrower curve that both curves must cover; with less, no BD-rate is given.",
)
@click.option(
    "--resamples",
    type=common.ResampleCount(none=True),
    default=1000,
    show_default=True,
    help="Bootstrap resamples for the intervals, 40 or more; 0 for none.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed of the resamples.")
@common.study
@click.option("--per-image", is_flag=True, help="Also print the BD-rate of every image.")
@common.as_json
def command(  # noqa: PLR0917
    sources: tuple[Path, ...],
    anchor: str,
    metrics: str | None,
    codecs: tuple[str, ...],
    method: Literal["akima", "pchip", "cubic"],
    mean: Literal["metric", "mse"],
    least_shared: float,
    resamples: int,
    seed: int,
    study: str | None,
    per_image: bool,
    as_json: bool,
) -> None:
    """BD-rate of codecs against an anchor, with 95 % intervals over images.

    SOURCES are folders of `vitiq bench` or `vitiq run`, and published tables beside them (CompressAI's JSON,
    Cool-Chic's TSV, TFC's and ILLM's tables, the CSV of `vitiq rd`). A comparison that is not possible is reported,
    and the exit code is then 1.
    """
    from vitiq.analysis.comparison import Settings, average_over_metrics  # noqa: PLC0415
    from vitiq.analysis.points import codecs_of  # noqa: PLC0415
    from vitiq.evaluation.points import gather_points  # noqa: PLC0415

    gathered = gather_points(sources, study)
    against = gathered.label(anchor)
    tested = [gathered.label(c) for c in codecs] or [c for c in codecs_of(gathered.points) if c != against]
    if not tested:
        raise click.UsageError(f"only {against!r} is there: nothing to compare it with")
    how = Settings(method=method, pool=mean, least_shared=least_shared, resamples=resamples, seed=seed)
    found = gathered.compared(against, gathered.metrics(metrics), tested, how)
    averages = {}
    for codec in tested:
        own = [c for c in found if c.codec == codec]
        if len(own) > 1:
            averages[codec] = average_over_metrics(own)
    if as_json:
        print_json({"anchor": against, "comparisons": [to_json(c) for c in found], "averages": _numbers(averages)})
    else:
        click.echo(to_markdown(found, averages, per_image=per_image))
    report_problems([*gathered.problems, *refusals_of(found).named()])


def refusals_of(found: Sequence[Comparison]) -> Refusals:
    """Why the BD-rates of comparisons are missing, each reason once."""
    return Refusals.of((c.codec, c.metric, c.refused) for c in found if c.refused)


def to_json(comparison: Comparison) -> dict[str, object]:
    """A comparison as JSON values."""
    values = asdict(comparison)
    for name in ("rate", "quality", "mean_rate", "mean_quality", "image_rate"):
        values[name] = _numbers(values[name])
    for name in ("overlap", "low", "high"):
        values[name] = number(values[name])
    return values | {"images_of_mean": comparison.images_of_mean, "notes": list(comparison.notes)}


def _numbers(values: dict[str, float]) -> dict[str, float | str | None]:
    return {name: number(value) for name, value in values.items()}


def to_markdown(found: Sequence[Comparison], averages: dict[str, float], *, per_image: bool = False) -> str:
    """A table a metric, then what a reader must know of its rows; reasons of refused BD-rates stand once at the end."""
    parts = []
    refusals = refusals_of(found)
    for metric in dict.fromkeys(c.metric for c in found):
        own = [c for c in found if c.metric == metric]
        parts += [f"### {metric}: BD-rate against {escape_markdown(own[0].anchor)}", ""]
        parts += ["| codec | mean curve | mean of images | worst image | best image | BD-metric | range | images |"]
        parts += ["|---|---:|---:|---:|---:|---:|---:|---:|"]
        parts += [_row(c, refusals) for c in own] + [""]
        notes = [note_text(c.codec, note) for c in own for note in c.notes]
        parts += [*notes, ""] if notes else []
        if per_image:
            parts += _images(own)
    if averages:
        parts += ["### mean over the metrics above", "", "| codec | mean of images | metrics |", "|---|---:|---:|"]
        for codec, value in averages.items():
            own = [c for c in found if c.codec == codec]
            shown = marked(percent_text(value), independent=all(c.independent for c in own))
            parts.append(f"| {escape_markdown(codec)} | {shown} | {len(own)} |")
        parts += ["", "Of the column `mean of images`; where it is –, as of published means, of the mean curve."]
        parts += ["–: refused in one of the metrics."] if any(map(math.isnan, averages.values())) else []
        parts.append("")
    parts += table_notes(found, refusals)
    return "\n".join(parts).rstrip()


def table_notes(found: Sequence[Comparison], refusals: Refusals) -> list[str]:
    """What the marks in tables of BD-rates stand for."""
    notes = [f"- {escape_markdown(line)}" for line in refusals.lines()]
    return notes + ([f"- {DEPENDENT_RATE}"] if any(not c.independent for c in found) else [])


def note_text(codec: str, note: str) -> str:
    """What is said of a curve, as an item of a list."""
    return "- " + escape_markdown(note if note.startswith(f"{codec}: ") else f"{codec}: {note}")


def _row(c: Comparison, refusals: Refusals) -> str:
    ends = c.extremes
    best, worst = (f"{_percent(c, v)} ({escape_markdown(name)})" for name, v in ends) if ends else ("–", "–")
    quality = f"{c.quality.value:+.3g}" if math.isfinite(c.quality.value) else "–"
    cells = (
        escape_markdown(c.codec),
        rate_text(c, refusals),
        mean_text(c),
        worst,
        best,
        marked(quality, independent=c.independent),
        span_text(c),
        str(c.images or "–"),
    )
    return f"| {' | '.join(cells)} |"


def _images(own: Sequence[Comparison]) -> list[str]:
    names = list(dict.fromkeys(image for c in own for image in c.image_rate))
    if not names:
        return []
    lines = ["| image | " + " | ".join(escape_markdown(c.codec) for c in own) + " |", "|---|" + "---:|" * len(own)]
    for name in names:
        lines.append(
            f"| {escape_markdown(name)} | "
            + " | ".join(_percent(c, c.image_rate.get(name, math.nan)) for c in own)
            + " |"
        )
    return [*lines, ""]


def mean_text(found: Comparison) -> str:
    """The mean of the images' own BD-rates, and how many have one where not all do."""
    shown, own = estimate_text(found.mean_rate, independent=found.independent), found.images_of_mean
    return f"{shown} ({own} of {found.images})" if 0 < own < found.images else shown


def rate_text(found: Comparison, refusals: Refusals) -> str:
    """The BD-rate of the mean curves, or the mark of the reason why there is none."""
    if found.refused:
        return refusals.cell(found.refused)
    return estimate_text(found.rate, independent=found.independent)


def span_text(found: Comparison) -> str:
    """The qualities that a BD-rate is a mean over, and their share of both curves."""
    return f"{found.low:.4g} … {found.high:.4g} ({found.overlap:.0%})" if math.isfinite(found.overlap) else "–"


def _percent(found: Comparison, value: float) -> str:
    return marked(percent_text(value), independent=found.independent)


def estimate_text(value: Estimate, *, independent: bool = True) -> str:
    """A BD-rate with its interval, marked where it is of scores that are not independent."""
    shown = marked(percent_text(value.value), independent=independent)
    return f"{shown} [{value.low:+.1f}, {value.high:+.1f}]" if math.isfinite(value.low) else shown


def percent_text(value: float) -> str:
    """A BD-rate."""
    return f"{value:+.1f} %" if math.isfinite(value) else "–"
