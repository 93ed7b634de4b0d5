"""`vitiq run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vitiq.cli.common import codec_options, given_options
from vitiq.cli.stop import resumable
from vitiq.cli.study_options import StudyBar, end_study, study_options, workers_of
from vitiq.codecs.defaults import COMPARATORS, MAIN, RUN

if TYPE_CHECKING:
    from vitiq.evaluation.record import RateKind


@click.command("run")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "out", required=True, type=click.Path(path_type=Path), help="Folder for everything made."
)
@click.option(
    "--preset",
    type=click.Choice(["run", "thesis"]),
    default="run",
    show_default=True,
    help="thesis: the published experiment, with its ladder of qualities.",
)
@click.option("-c", "--codec", help=f"Codec that sets the size.  [default: {RUN}; thesis: {MAIN}]")
@click.option("-q", "--quality", type=float, help="Its quality; its default if not given.")
@click.option("--bytes", "size", type=int, help="Instead: its best file of at most this many bytes.")
@click.option("--bpp", type=float, help="Instead: its best file of at most this many bits per pixel.")
@click.option("--at-bytes", type=int, help="Compare at this many bytes; at the codec's own file size if not given.")
@click.option("--comparators", default=",".join(COMPARATORS), show_default=True, help="Codecs compared at equal bytes.")
@study_options
@codec_options
def command(  # noqa: PLR0917
    images: tuple[Path, ...],
    out: Path,
    preset: str,
    codec: str | None,
    quality: float | None,
    size: int | None,
    bpp: float | None,
    at_bytes: int | None,
    comparators: str,
    **options: Any,
) -> None:
    """Compress IMAGES (files or folders), rebuild, score and report, beside other codecs at equal bytes.

    The same command resumes a run that was stopped.
    """
    from vitiq.codecs.spec import RateSpec  # noqa: PLC0415
    from vitiq.evaluation.metric_spec import MetricSpec  # noqa: PLC0415
    from vitiq.evaluation.plan import check_keep  # noqa: PLC0415
    from vitiq.evaluation.presets import THESIS_LADDER, RunConfig, run_preset  # noqa: PLC0415
    from vitiq.report.build import build_report, summary_table  # noqa: PLC0415

    rates: dict[RateKind, float | None] = {"quality": quality, "bytes": size, "bpp": bpp}
    if sum(value is not None for value in rates.values()) > 1:
        raise click.UsageError("give one of --quality, --bytes and --bpp")
    thesis = preset == "thesis"
    main = codec or (MAIN if thesis else RUN)
    config = RunConfig(
        codec=main,
        options=given_options(options),
        rate=next((RateSpec(kind, value) for kind, value in rates.items() if value is not None), None),
        comparators=comparators,
        at_bytes=at_bytes,
        ladder=THESIS_LADDER if thesis else (),
        metrics=MetricSpec(options["metrics"], options["weights"], options["panel"], options["device"]),
        preset=preset,
        keep=check_keep(options["keep"]),
        device=options["device"],
    )
    with resumable(), StudyBar(quiet=options["quiet"]) as bar, workers_of(options) as workers:
        done = run_preset(config, images, out, workers, bar)
        bar.say("report")
        page = build_report(out)
    end_study(out, done, page, summary_table(out), as_json=options["as_json"])
