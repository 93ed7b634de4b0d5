"""`vitiq rd`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from vitiq.cli import options as common
from vitiq.cli.common import report_problems, say
from vitiq.cli.options import PathName
from vitiq.text import number

if TYPE_CHECKING:
    from vitiq.analysis.points import RdPoint
    from vitiq.evaluation.points import Gathered

Row = dict[str, str | float | bool | Mapping[str, str] | None]


@click.command("rd")
@click.argument("sources", nargs=-1, required=True, type=PathName(path_type=Path, exists=True))
@click.option(
    "--table",
    type=click.Choice(["points", "means", "pareto"]),
    default="points",
    show_default=True,
    help="points: every file; means: mean curves with bands; pareto: settings that no other dominates.",
)
@click.option("--at", help="Print a table at these equal rates instead (comma-separated).")
@click.option("--unit", type=click.Choice(["bpp", "bytes"]), default="bpp", show_default=True, help="Unit of --at.")
@click.option("--nearest", is_flag=True, help="With --at: use the file nearest in rate instead of interpolating.")
@click.option(
    "-m", "--metric", "metrics", help="Comma-separated metrics; by default all for points, PSNR and MS-SSIM for tables."
)
@click.option(
    "--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="Output format."
)
@common.study
@click.option("-o", "--output", type=PathName(path_type=Path), help="Output file; standard output if not given.")
@common.force
def command(  # noqa: PLR0917
    sources: tuple[Path, ...],
    table: Literal["points", "means", "pareto"],
    at: str | None,
    unit: Literal["bpp", "bytes"],
    nearest: bool,
    metrics: str | None,
    form: Literal["csv", "json"],
    study: str | None,
    output: Path | None,
    force: bool,
) -> None:
    """Rate-distortion points as data: one row per image, codec and setting.

    SOURCES are folders of `vitiq bench` or `vitiq run`, and published tables, as for `vitiq bd`, which can also read
    the CSV of points written here.
    """
    from vitiq.analysis.export import to_csv, to_json, to_rows  # noqa: PLC0415
    from vitiq.evaluation.points import gather_points  # noqa: PLC0415

    if at is None:
        _refuse_without_at()
    if output is not None:
        from vitiq.files import check_output  # noqa: PLC0415

        check_output(output, inputs_of(sources), overwrite=force)
    gathered = gather_points(sources, study)
    problems = list(gathered.problems)
    if at is not None:
        rows = _at(gathered, at, unit, nearest=nearest, metrics=metrics)
        if not any(row["images"] for row in rows):  # a table without a value is no answer
            problems.append("no value in this table: give rates that the files have")
    elif table == "points":
        points = list(gathered.points)
        if metrics is not None:
            chosen = gathered.metrics(metrics)
            points = [replace(p, values={k: v for k, v in p.values.items() if k in chosen}) for p in points]
        _write(output, to_csv(points) if form == "csv" else to_json(to_rows(points)), force=force)
        report_problems(gathered.problems)
        return
    else:
        rows = (_means if table == "means" else _pareto)(gathered, gathered.metrics(metrics))
    _write(output, _csv(rows) if form == "csv" else to_json([_plain(row) for row in rows]), force=force)
    report_problems(problems)


def _refuse_without_at() -> None:
    """Refuse options that belong to --at where that is not given.

    Raises:
        UsageError: one is.
    """
    context = click.get_current_context()
    for name in ("nearest", "unit"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} belongs to --at, which is not given: give rates, as --at 0.1,0.5")


def _at(gathered: Gathered, at: str, unit: Literal["bpp", "bytes"], *, nearest: bool, metrics: str | None) -> list[Row]:
    from vitiq.analysis.equal_rate import at_rates  # noqa: PLC0415

    try:
        targets = [float(text) for text in at.split(",")]
    except ValueError as error:
        raise click.UsageError(f"--at {at!r} given; expected numbers with commas, such as 0.1,0.25,0.5") from error
    chosen = gathered.metrics(metrics)
    how: Literal["interpolate", "nearest"] = "nearest" if nearest else "interpolate"
    rows: list[Row] = []
    empty: dict[str, None] = {}
    said: dict[str, None] = {}
    points = _of_images(gathered)
    images = len({p.image for p in points})
    for found in at_rates(points, chosen, targets, unit=unit, how=how):
        row: Row = {"codec": found.codec, f"target_{unit}": found.target, unit: found.rate, "images": found.images}
        if found.out_of_reach:
            empty[f"{found.target:g}"] = None
        else:
            said |= dict.fromkeys(f"{found.target:g} {unit}: {note}" for note in found.left_out.summary(images))
        for name, value in found.values.items():
            row |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
        dependent = " ".join(name for name in chosen if not gathered.is_independent(name, found.codec))
        rows.append(row | {"not_independent": dependent, "left_out": found.left_out.images})
    for note in said:
        say(f"vitiq: {note}", err=True)
    if empty:
        sizes = [p.bpp if unit == "bpp" else p.bytes for p in points]
        digits = ".4g" if unit == "bpp" else ".0f"
        known = f"the files have {min(sizes):{digits}} to {max(sizes):{digits}}"
        click.echo(
            f"vitiq: no image on which every codec reaches {', '.join(empty)} {unit} ({known}); "
            "give other rates, or compare fewer codecs",
            err=True,
        )
    return rows


def _of_images(gathered: Gathered) -> list[RdPoint]:
    """The points of images; a published mean has none, and is named."""
    for label in dict.fromkeys(p.codec for p in gathered.points if p.aggregate):
        say(f"vitiq: {label}: a published mean, not of images: left out of this table", err=True)
    return [p for p in gathered.points if not p.aggregate]


def _means(gathered: Gathered, metrics: Mapping[str, bool]) -> list[Row]:
    from vitiq.analysis.mean_curve import mean_curves  # noqa: PLC0415

    rows: list[Row] = []
    for metric in metrics:
        curves = mean_curves(gathered.points, metric)
        shared = [note for note in curves[0].left_out if all(note in one.left_out for one in curves)] if curves else []
        for note in shared:
            say(f"vitiq: {metric}: {note}", err=True)
        for one in curves:
            for note in [note for note in one.left_out if note not in shared]:
                say(f"vitiq: {one.codec}, {metric}: {note.removeprefix(f'{one.codec}: ')}", err=True)
            columns = zip(one.settings, one.rate, one.value, one.value_low, one.value_high, strict=True)
            for setting, rate, value, low, high in columns:
                row: Row = {"metric": metric, "codec": one.codec, "setting": setting, "images": one.images}
                row |= {"bpp": float(rate), "value": float(value), "low": float(low), "high": float(high)}
                rows.append(row | {"independent": gathered.is_independent(metric, one.codec)})
    return rows


def _pareto(gathered: Gathered, metrics: Mapping[str, bool]) -> list[Row]:
    from vitiq.analysis.mean_curve import images_with_curves, said_of_common  # noqa: PLC0415
    from vitiq.analysis.pareto import AXES, candidates  # noqa: PLC0415
    from vitiq.analysis.points import codecs_of, gather  # noqa: PLC0415

    rows: list[Row] = []
    points = _of_images(gathered)
    for metric, better in metrics.items():
        scored = [p for p in points if metric in p.values]
        _, infinite = images_with_curves([gather(points, codec, metric) for codec in codecs_of(scored)])
        for note in (*said_of_common(scored), *infinite):
            say(f"vitiq: {metric}: {note}", err=True)
        timed = all(math.isfinite(p.encode_seconds) and math.isfinite(p.decode_seconds) for p in points)
        for c in candidates(points, metric, higher_is_better=better, axes=AXES if timed else AXES[:2]):
            row: Row = {"metric": metric, "codec": c.codec, "setting": c.setting, "images": c.images}
            row |= {
                "bpp": c.bpp,
                "value": c.value,
                "encode_seconds": c.encode_seconds,
                "decode_seconds": c.decode_seconds,
                "efficient": c.efficient,
                "independent": gathered.is_independent(metric, c.codec),
            }
            rows.append(row)
    return rows


def _csv(rows: Sequence[Row]) -> str:
    """Rows as CSV, which holds no mappings: what is left out stands on stderr alone."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = [{key: value for key, value in row.items() if not isinstance(value, Mapping)} for row in rows]
    writer.writerow(rows[0] if rows else [])
    for row in rows:
        writer.writerow(["" if v is None or (isinstance(v, float) and math.isnan(v)) else v for v in row.values()])
    return text.getvalue()


def _plain(row: Row) -> dict[str, object]:
    return {k: number(v) if isinstance(v, float) else v for k, v in row.items()}


def inputs_of(sources: Sequence[Path]) -> list[Path]:
    """What is read of studies and tables, which no output replaces."""
    kept = [source / place for source in sources if source.is_dir() for place in ("store", "studies")]
    return [*sources, *(path for folder in kept for path in folder.rglob("*"))]


def _write(output: Path | None, text: str, *, force: bool) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    from vitiq.files import write_bytes  # noqa: PLC0415

    write_bytes(output, text.encode(), overwrite=force)
