"""`vitiq validate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json, report_problems
from vitiq.cli.progress import ProgressBar

if TYPE_CHECKING:
    from vitiq.datasets.opinions import OpinionSet
    from vitiq.evaluation.validate import Line, Measured


@click.command("validate")
@click.argument("dataset", type=click.Path(path_type=Path))
@common.metrics
@common.weights
@common.panel
@click.option(
    "--resamples",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Bootstrap samples behind the intervals.",
)
@common.device
@common.jobs
@common.as_json
@common.quiet
def command(  # noqa: PLR0917
    dataset: Path,
    metrics: str,
    weights: Path | None,
    panel: tuple[Path, ...],
    resamples: int,
    device: str,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Agreement of metrics with the human scores of DATASET: SRCC, PLCC, KRCC, RMSE.

    DATASET is a folder as published of TID2013, LIVE, CSIQ, KADID-10k, CID22 or PIPAL, or one with a mos.csv of the
    columns distorted, reference, mos. Broken images are named, the others are compared; then the exit code is 1.
    """
    from vitiq.datasets.opinions import load_opinions  # noqa: PLC0415
    from vitiq.evaluation import validate as work  # noqa: PLC0415
    from vitiq.evaluation.metric_spec import MetricSpec  # noqa: PLC0415

    spec = MetricSpec(work.DEFAULT if metrics == "default" else metrics, weights, panel, device)
    chosen = spec.make()
    data = load_opinions(dataset)
    with ProgressBar("image", total=len(data.opinions), quiet=quiet) as bar:
        found = work.values_of(data.opinions, spec, jobs=jobs, step=bar.advance)
    lines = work.validate(data, found.values, chosen, resamples=resamples)
    if as_json:
        print_json(as_facts(data, found, lines))
    else:
        count = len(data.opinions) - found.broken
        click.echo(f"{data.layout}: {count} images, 95 % intervals from resampled references\n")
        click.echo(work.to_markdown(lines))
    report_problems(found.problems)


def as_facts(data: OpinionSet, found: Measured, lines: Sequence[Line]) -> dict[str, object]:
    """The whole answer as JSON values."""
    from vitiq.metrics.scoring import number  # noqa: PLC0415

    agreements = [
        {
            "metric": line.metric,
            "distortion": line.distortion,
            "n": line.result.count,
            "left_out": line.result.left_out,
            **{name: number(getattr(line.result, name)) for name in ("srcc", "plcc", "krcc", "rmse")},
            "intervals_95": {k: [number(v) for v in pair] for k, pair in line.result.intervals.items()},
        }
        for line in lines
    ]
    images = [
        {
            "distorted": str(o.distorted),
            "reference": str(o.reference),
            "distortion": o.distortion,
            "quality": o.quality,
            "values": {name: number(float(column[i])) for name, column in found.values.items()},
        }
        for i, o in enumerate(data.opinions)
    ]
    facts = {"layout": data.layout, "signatures": found.signatures, "agreement": agreements, "images": images}
    return {**facts, **({"problems": found.problems} if found.problems else {})}
