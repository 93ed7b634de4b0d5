"""`vitiq validate`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json, report_problems, say, say_notes
from vitiq.cli.options import PathName
from vitiq.cli.progress import ProgressBar
from vitiq.cli.stop import resumable
from vitiq.errors import UnknownNameError
from vitiq.text import plural

if TYPE_CHECKING:
    from vitiq.datasets.opinion import OpinionSet
    from vitiq.evaluation.metric_spec import MetricSpec
    from vitiq.evaluation.opinion_values import Measured
    from vitiq.evaluation.validate import Validation
    from vitiq.metrics.base import Metric


@click.command("validate")
@click.argument("dataset", type=PathName(path_type=Path))
@common.scoring
@click.option(
    "--against",
    metavar="METRIC",
    help="Metric that the others are compared with; the best on common images if not given.",
)
@click.option(
    "--learned", default="", metavar="NAMES", help="Codecs to count as learned, in addition to the known ones."
)
@click.option(
    "--out",
    type=PathName(path_type=Path),
    help="Folder for all values: the same command resumes, and further metrics are computed alone.",
)
@click.option(
    "--resamples",
    type=common.ResampleCount(none=False),
    default=1000,
    show_default=True,
    help="Bootstrap resamples for the intervals, 40 or more.",
)
@common.jobs
@common.as_json
@common.quiet
def command(  # noqa: PLR0917
    dataset: Path,
    metrics: str,
    weights: Path | None,
    panel: tuple[Path, ...],
    against: str | None,
    learned: str,
    out: Path | None,
    resamples: int,
    device: str,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Agreement of metrics with the opinion scores of DATASET, and whether one agrees better than another.

    SRCC, PLCC, KRCC and RMSE with 95 % intervals; differences between metrics on the same images (paired bootstrap);
    SRCC by codec or distortion and by rate; how often a metric prefers a learned codec where people prefer another,
    and the other way round; the error of published mappings to just noticeable differences.

    DATASET is the folder, as published, of TID2013, LIVE, CSIQ, KADID-10k, AIC-3, AIC-4, CID22, mucped22, mucped23 or
    PIPAL, or one with a mos.csv with the columns distorted, reference, mos. Metric values published with a data set are
    compared too; without its images, only these. Broken images are listed and the others used; the exit code is then 1.
    """
    from vitiq.datasets.opinions import load_opinions  # noqa: PLC0415
    from vitiq.evaluation import validate as work  # noqa: PLC0415
    from vitiq.evaluation.metric_spec import MetricSpec  # noqa: PLC0415
    from vitiq.evaluation.opinion_values import check_asked, compared, sets_left_out  # noqa: PLC0415
    from vitiq.evaluation.validate_text import to_json, to_markdown  # noqa: PLC0415
    from vitiq.metrics.spec import named_in, parse_name  # noqa: PLC0415

    spec = MetricSpec(work.DEFAULT if metrics == "default" else metrics, weights, panel, device)
    data = load_opinions(dataset)
    chosen = check_asked(dataset, data, spec)
    known = compared(data, chosen)
    if against is not None and against not in known:
        against = str(parse_name(against))
    if against is not None and against not in known:
        raise UnknownNameError(f"--against {against!r} given, which is not compared; choose {', '.join(known)}")
    found = measure(data, spec, jobs=jobs, out=out, quiet=quiet)
    say_notes(dataset, (f"{plural(count, 'image')}: {note}" for note, count in found.notes.items()), quiet=quiet)
    sets = sets_left_out(data, chosen)
    if sets:
        say(f"{', '.join(sets)}: left out, as sets of images have no opinion", err=True, quiet=quiet)
    lost: list[str] = []
    for name, line in (found.without_agreement() | found.incomplete()).items():
        if named_in(metrics, name):
            lost.append(line)
        else:  # one of "all" that cannot be had here, or of the default
            say(line, err=True, quiet=quiet)
    names = frozenset(name.strip().lower() for name in learned.split(",") if name.strip())
    answer = agreement_of(data, found, chosen, resamples=resamples, jobs=jobs, learned=names, quiet=quiet)
    if as_json:
        print_json(to_json(data, found, answer) | ({"left_out": sets} if sets else {}))
    else:
        rated = len(data.opinions)
        what = (
            f"{rated - found.broken} images"
            if data.with_images
            else f"{rated} rated images, without the images themselves"
        )
        click.echo(f"{data.layout}: {what}, 95 % intervals from resampled references\n")
        click.echo(to_markdown(answer, against=against))
    lost += [f"{line.metric}, {line.distortion}: {line.problem}" for line in answer.lines if line.problem is not None]
    report_problems([*data.problems, *found.problems, *lost])


def measure(data: OpinionSet, spec: MetricSpec, *, jobs: int | None, out: Path | None, quiet: bool) -> Measured:
    """Every metric on every image, and what the set publishes."""
    from vitiq.evaluation.opinion_values import Measured, published_values, values_of  # noqa: PLC0415

    published = published_values(data.opinions)
    if not data.with_images:
        return Measured(published, {}, [], 0)
    bar = ProgressBar("image", total=len(data.opinions), label="score", quiet=quiet)
    with nullcontext() if out is None else resumable(), bar:
        found = values_of(
            data.opinions,
            spec,
            jobs=jobs,
            step=lambda kept: bar.advance(kept=kept),
            keep=None if out is None else out / "values",
        )
    return replace(found, values={**found.values, **published})


def agreement_of(
    data: OpinionSet,
    found: Measured,
    metrics: list[Metric],
    *,
    resamples: int,
    jobs: int | None,
    learned: frozenset[str],
    quiet: bool,
) -> Validation:
    """What follows from the values, with progress."""
    from vitiq.evaluation.validate import validate  # noqa: PLC0415

    with ProgressBar("agreement", label="resample", quiet=quiet) as bar:
        return validate(
            data,
            found.values,
            metrics,
            resamples=resamples,
            jobs=jobs,
            learned=learned,
            step=lambda done, total: bar.update(done, total=total),
        )
