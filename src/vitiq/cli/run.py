"""`vitiq run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vitiq.cli import options as common
from vitiq.cli.options import PathName
from vitiq.cli.stop import resumable
from vitiq.cli.study_options import StudyBar, end_study, page_of, study_options, workers_of
from vitiq.codecs.defaults import COMPARATORS, MAIN, RUN


@click.command("run", cls=common.CodecCommand)
@click.argument("images", nargs=-1, required=True, type=PathName(path_type=Path))
@click.option("-o", "--output", "out", required=True, type=PathName(path_type=Path), help="Output folder.")
@click.option(
    "--preset",
    type=click.Choice(["run", "thesis"]),
    default="run",
    show_default=True,
    help="thesis: the published experiment, with its JPEG qualities.",
)
@click.option(
    "-c",
    "--codec",
    type=common.CODEC,
    help=f"Main codec, whose file size the others match.  [default: {RUN}; thesis: {MAIN}]",
)
@common.rate
@common.codec_options
@click.option(
    "--at-bytes",
    type=click.IntRange(min=1),
    help="Compare at the files closest to this size, the main codec's too; to that of its file if not given.",
)
@click.option(
    "--comparators",
    type=common.ANY_CODECS,
    default=",".join(COMPARATORS),
    show_default=True,
    help="Codecs to compare, each at its file closest to that size; '' for none.",
)
@study_options
def command(  # noqa: PLR0917
    images: tuple[Path, ...],
    out: Path,
    preset: str,
    codec: str | None,
    quality: float | None,
    max_bytes: int | None,
    bpp: float | None,
    options: tuple[str, ...],
    at_bytes: int | None,
    comparators: str,
    **study: Any,
) -> None:
    """Compress, decode and score IMAGES (files or folders) beside other codecs at equal bytes, and write a report.

    The same command resumes a run that was stopped.
    """
    from vitiq.evaluation.metric_spec import MetricSpec  # noqa: PLC0415
    from vitiq.evaluation.plan import check_keep  # noqa: PLC0415
    from vitiq.evaluation.presets import THESIS_LADDER, RunConfig, run_preset  # noqa: PLC0415
    from vitiq.report.build import summary_table  # noqa: PLC0415

    rate = common.rate_of(quality, max_bytes, bpp)
    thesis = preset == "thesis"
    main = codec or (MAIN if thesis else RUN)
    config = RunConfig(
        codec=main,
        options=common.options_of(options),
        rate=rate,
        comparators=comparators,
        at_bytes=at_bytes,
        ladder=THESIS_LADDER if thesis else (),
        metrics=MetricSpec(study["metrics"], study["weights"], study["panel"], study["device"]),
        preset=preset,
        keep=check_keep(study["keep"]),
        device=study["device"],
    )
    with resumable(), StudyBar(quiet=study["quiet"]) as bar, workers_of(study) as workers:
        done = run_preset(config, images, out, workers, bar, details=False)
        page = page_of(done.study, out, bar)
    summary = summary_table(out, done.study.name)
    end_study(out, done, page, summary, as_json=study["as_json"], quiet=study["quiet"])
