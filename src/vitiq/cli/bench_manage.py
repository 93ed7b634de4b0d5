"""`vitiq bench ls|show|clean|export`: what is kept of studies."""

from __future__ import annotations

import json
import math
import shlex
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.analysis.left_out import NAMED, LeftOut, left_out
from vitiq.cli import options as common
from vitiq.cli.common import print_json, say
from vitiq.cli.options import PathName
from vitiq.cli.study_options import recorded, results_of
from vitiq.evaluation.independence import DEPENDENT, dependent_of, marked
from vitiq.text import escape_markdown

if TYPE_CHECKING:
    from vitiq.evaluation.record import Record

OUT = click.argument("out", type=PathName(path_type=Path))


@click.command("ls")
@OUT
@common.as_json
def ls(out: Path, as_json: bool) -> None:
    """List the studies in OUT; a report shows the last one."""
    from vitiq.evaluation.housekeeping import list_studies  # noqa: PLC0415

    found = list_studies(out)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        failed = f", {one.failed} failed" if one.failed else ""
        counts = f"{one.images} images, {one.series} series, {one.done} of {one.tasks} tasks done{failed}"
        click.echo(f"{one.name}  {one.preset:7} {counts}{'  (last)' if one.last else ''}")


@click.command("show")
@OUT
@common.study
@common.as_json
def show(out: Path, study: str | None, as_json: bool) -> None:
    """Show a study in OUT: what is compared, mean results so far, and failures."""
    from vitiq.cli.set_table import sets_json, sets_text  # noqa: PLC0415
    from vitiq.evaluation.series_sets import kept_scores  # noqa: PLC0415
    from vitiq.evaluation.standing import standing  # noqa: PLC0415
    from vitiq.evaluation.store import Store  # noqa: PLC0415

    store = Store(out)
    chosen = store.study(study)
    records = store.records(chosen, details=False)
    failed = [f"{r.image}: {r.label}: {r.failure}" for r in records if r.failure is not None]
    stands = standing(chosen, records)
    sets = kept_scores(chosen, store)
    if as_json:
        answer: dict[str, object] = {"study": chosen.name, "images": [i.name for i in chosen.images]}
        answer |= {**recorded(chosen, records), "tasks": stands.tasks, "done": stands.done}
        answer |= {"records": len(records), "unscored": dict(stands.unscored), "failed": failed}
        answer |= {"sets": sets_json(sets, records)} if sets else {}
        print_json(answer | {"results": results_of(records), "problems": list(chosen.problems)})
        return
    click.echo(f"{chosen.name}: {stands.done} of {stands.tasks} tasks done\n")
    click.echo(means_table(records, stands.lines()))
    if text := sets_text(chosen, sets, records):
        click.echo(text)
    for line in (*chosen.problems, *failed):
        click.echo(f"vitiq: {line}", err=True)


@click.command("clean")
@OUT
@click.option("--only-last", is_flag=True, help="Remove all studies but the last one.")
@click.option("--compact", is_flag=True, help="Only merge the parts of the store; also while a study runs.")
@common.as_json
def clean(out: Path, only_last: bool, compact: bool, as_json: bool) -> None:
    """Remove files in OUT that no result refers to, and merge the parts of its store.

    Do not use while a study runs in OUT, except with --compact. Links to folders are not followed: nothing outside OUT
    is removed.
    """
    from vitiq.evaluation import housekeeping  # noqa: PLC0415

    if compact and only_last:
        raise click.UsageError("--compact removes nothing: give it or --only-last")
    done = housekeeping.merge(out) if compact else housekeeping.clean(out, only_last=only_last)
    if as_json:
        print_json(asdict(done))
    else:
        click.echo(f"{done.files} files ({done.bytes} bytes) and {done.half_made} incomplete ones removed")
        click.echo(f"{done.parts} parts merged")
    for link in done.links:
        say(f"vitiq: {link}: a link, what lies behind it was left as it is", err=True)


@click.command("export")
@OUT
@click.option(
    "--to",
    "form",
    type=click.Choice(["csv", "compressai", "codec-compare"]),
    required=True,
    help="csv: all points; compressai: means as CompressAI's JSON; codec-compare: batches of Codec-Compare.",
)
@click.option("--codec", "label", help="Export one curve: its label, or the name of its codec.")
@common.study
@click.option(
    "-o",
    "--output",
    type=PathName(path_type=Path),
    help="Output file, or a folder for one JSON per curve; standard output if not given.",
)
@common.force
def export(  # noqa: PLR0917
    out: Path, form: str, label: str | None, study: str | None, output: Path | None, force: bool
) -> None:
    """Export a study in OUT for other tools."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from vitiq.analysis.export import averaged, to_codec_compare, to_compressai, to_csv  # noqa: PLC0415
    from vitiq.analysis.points import points_of  # noqa: PLC0415
    from vitiq.errors import InputError  # noqa: PLC0415
    from vitiq.evaluation.store import Store  # noqa: PLC0415
    from vitiq.image.folders import unique_names  # noqa: PLC0415

    store = Store(out)
    records = [r for r in store.records(study) if r.error is None and label in {None, r.label, r.codec}]
    if not records:
        raise InputError(
            f"{out}: no finished task{f' of {label}' if label else ''}; see `vitiq bench show {shlex.quote(str(out))}`"
        )
    if form == "csv":
        text = to_csv(points_of(records))
        if output is not None:
            written({output: text}, out, force=force)
        else:
            click.echo(text, nl=False)
        return
    if form == "compressai":
        points = points_of(records)
        for line in averaged(points)[1]:
            say(f"vitiq: {line}", err=True)
        tables = to_compressai(points)
    else:
        tables = to_codec_compare(records, time=datetime.now(UTC).isoformat(timespec="seconds"))
    if output is not None and len(tables) > 1:
        names = unique_names(f"{file_name(name)}.json" for name in tables)
        files = {output / name: table for name, table in zip(names, tables.values(), strict=True)}
        written({path: as_text(table) for path, table in files.items()}, out, force=force)
        return
    value = next(iter(tables.values())) if len(tables) == 1 else tables
    if output is not None:
        written({output: as_text(value)}, out, force=force)
    else:
        print_json(value)


def written(texts: Mapping[Path, str], study: Path, *, force: bool) -> None:
    """Writes files, none of them where one of their names may not be written.

    Raises:
        InputError: one exists already, unless `force`, or is part of the study's store.
    """
    from vitiq.cli.rd import inputs_of  # noqa: PLC0415
    from vitiq.files import check_output, write_text  # noqa: PLC0415

    inputs = inputs_of([study])
    for path in texts:
        check_output(path, inputs, overwrite=force)
    for path, text in texts.items():
        write_text(path, text)


def as_text(value: object) -> str:
    """JSON as it stands in a file."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def file_name(label: str) -> str:
    """A label as a file name."""
    return "".join(c if c.isalnum() or c in "-_.=" else "-" for c in label).strip("-.") or "codec"


def means_table(records: Sequence[Record], unfinished: Sequence[str] = ()) -> str:
    """Means over the images, a line a codec and rate, as Markdown; what some of them do not hold is said below.

    Times are medians, as in the report: the first file of a run may wait for a network to load.

    Args:
        unfinished: what is said of results that are not there yet.
    """
    good = [record for record in records if record.error is None]
    metrics = list(dict.fromkeys(name for record in good for name in record.scores))
    lines = ["| codec | rate | images | bytes | bpp | " + " | ".join([*metrics, "encode s", "decode s"]) + " |"]
    lines.append("|---|---|" + "---:|" * (5 + len(metrics)))
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in good:
        groups.setdefault((record.label, _rate(record)), []).append(record)
    without = {name: left_out((r.label, r.image, r.value(name)) for r in good if name in r.scores) for name in metrics}
    dependent = {label: dependent_of(r for r in good if r.label == label) for label, _ in groups}
    for (label, rate), own in groups.items():
        shown = [
            marked(_metric_mean(own, name, without[name]), independent=name not in dependent[label]) for name in metrics
        ]
        times = [_median([r.encode_seconds for r in own]), _median([r.decode_seconds for r in own])]
        sizes = [str(len(own)), _mean([r.bytes for r in own], 0), _mean([r.bpp for r in own], 4)]
        over = "*" if not all(record.reached for record in own) else ""
        lines.append(f"| {' | '.join([escape_markdown(label), rate + over, *sizes, *shown, *times])} |")
    if any(not record.reached for record in good):
        lines.append("\n\\* the smallest file of this codec is larger than what was asked for some images.")
    if any(dependent.values()):
        lines.append(f"\n{DEPENDENT}")
    if len({record.image for record in good}) > 1:
        lines.append("\nTimes are medians.")
    lines += [f"\n{escape_markdown(note)}" for note in (*_notes(good, without), *unfinished)]
    return "\n".join(lines)


def _rate(record: Record) -> str:
    """The rate that was asked for, in a few words."""
    value = f"{record.rate_value:.0f}" if record.rate_kind == "bytes" else f"{record.rate_value:g}"
    return f"closest to {value} bytes" if record.nearest else f"{record.rate_kind} {value}"


def _metric_mean(own: Sequence[Record], metric: str, without: LeftOut) -> str:
    """The mean over the images that every mean of the metric holds; a dash where one of them has no finite value."""
    values = [r.value(metric) for r in own if metric in r.scores and r.image not in without.images]
    return _mean(values, 4) if all(map(math.isfinite, values)) else "–"


def _notes(records: Sequence[Record], without: Mapping[str, LeftOut]) -> Iterator[str]:
    """What a reader must know of the means: which images are not in them, and why a metric has none."""
    for metric, found in without.items():
        scores = [record.scores[metric] for record in records if metric in record.scores]
        if found.images:
            every = len({record.image for record in records})
            held = f"{every - len(found.images)} of {every} images, bytes, bpp and times over all of a row"
            yield f"{metric}: means over {held}. Left out, as {found.text(NAMED)}."
        elif not any(math.isfinite(score.value) for score in scores):
            reason = next((score.details["undefined"] for score in scores if "undefined" in score.details), "")
            yield f"{metric}: no finite value{f': {reason}' if reason else ''}."
        elif not all(math.isfinite(score.value) for score in scores):
            yield f"{metric}: – where a file has no finite value."


def _median(values: Sequence[float]) -> str:
    finite = [value for value in values if math.isfinite(value)]
    return f"{statistics.median(finite):.3f}" if finite else "–"


def _mean(values: Sequence[float], digits: int) -> str:
    finite = [value for value in values if math.isfinite(value)]
    return f"{sum(finite) / len(finite):.{digits}f}" if finite else "–"
