"""`vitiq stats`."""

from __future__ import annotations

from pathlib import Path

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json, report_problems, say
from vitiq.cli.options import PathName
from vitiq.cli.progress import ProgressBar


@click.command("stats")
@click.argument("folder", type=PathName(path_type=Path))
@click.option("-o", "--out", type=PathName(path_type=Path), required=True, help="Output file (.npz).")
@click.option(
    "-m",
    "--metric",
    type=common.METRIC,
    default="fid",
    show_default=True,
    help="Fréchet distance that will use the file.",
)
@common.weights
@common.device
@common.force
@common.jobs
@common.as_json
@common.quiet
def command(  # noqa: PLR0917
    folder: Path,
    out: Path,
    metric: str,
    weights: Path | None,
    device: str,
    force: bool,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Save mean and covariance of the features of all images in FOLDER.

    The file holds `mu` and `sigma` in the format of pytorch-fid and clean-fid, and `count`, `key` and `metric`.
    `vitiq score` accepts it, or one of theirs, instead of a folder.
    """
    from vitiq.errors import InputError  # noqa: PLC0415
    from vitiq.evaluation.metric_spec import MetricSpec  # noqa: PLC0415
    from vitiq.evaluation.sets import STATISTICS, write_statistics  # noqa: PLC0415
    from vitiq.files import check_output  # noqa: PLC0415

    if out.suffix != STATISTICS:
        raise InputError(f"{out}: a statistics file ends with {STATISTICS}")
    check_output(out, overwrite=force)
    with ProgressBar("image", quiet=quiet) as bar:
        spec = MetricSpec(metric, weights, device=device)
        statistics, problems = write_statistics(folder, out, spec, jobs=jobs, step=bar)
    moments = statistics.moments
    answer = {
        "out": str(out),
        "metric": statistics.metric,
        "key": statistics.key,
        "count": moments.count,
        "dimensions": moments.dimensions,
    }
    if as_json:
        print_json({**answer, **({"problems": problems} if problems else {})})
    else:
        say(f"{out}: {moments.count} samples of {moments.dimensions} numbers, for {statistics.metric}")
        if (moments.count or 0) <= moments.dimensions:
            click.echo(f"vitiq: too few for a distance, more than {moments.dimensions} samples are needed", err=True)
    report_problems(problems)
