"""`vitiq run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from vitiq.cli.common import codec_options, given_options, print_json
from vitiq.cli.stop import resumable
from vitiq.codecs.defaults import COMPARATORS, MAIN


@click.command("run")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "out", required=True, type=click.Path(path_type=Path), help="Folder for everything made."
)
@click.option("-c", "--codec", default=MAIN, show_default=True, help="Codec that sets the size.")
@click.option("-q", "--quality", type=float, help="Its quality; its default if not given.")
@click.option("--at-bytes", type=int, help="Compare at this many bytes; the codec's own file size if not given.")
@click.option(
    "--comparators",
    default=",".join(COMPARATORS),
    show_default=True,
    help="Codecs compared at equal bytes.",
)
@click.option("--metrics", default="default", show_default=True, help="'default', 'all' or names with commas.")
@click.option(
    "--weights", type=click.Path(path_type=Path), help="Checkpoint of the ViT that judges; embedded if not given."
)
@codec_options
@click.option("--json", "as_json", is_flag=True, help="Paths and problems as JSON on stdout.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(  # noqa: PLR0917
    images: tuple[Path, ...],
    out: Path,
    codec: str,
    quality: float | None,
    at_bytes: int | None,
    comparators: str,
    metrics: str,
    weights: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Compress IMAGES (files or folders), rebuild, score and report.

    The same command resumes a run that was stopped.
    """
    from vitiq.evaluation.plan import RunConfig  # noqa: PLC0415
    from vitiq.evaluation.runner import run  # noqa: PLC0415
    from vitiq.report.build import build_report, summary_table  # noqa: PLC0415

    config = RunConfig(
        codec=codec,
        options=given_options(options),
        quality=quality,
        comparators=tuple(name.strip() for name in comparators.split(",") if name.strip()),
        at_bytes=at_bytes,
        metrics=metrics,
        weights=None if weights is None else str(weights),
    )
    bar = RunBar(quiet=quiet)
    try:
        with resumable():
            result = run(config, images, out, bar)
            bar.say("report")
            page = build_report(out)
    finally:
        bar.close()
    if as_json:
        print_json({"report": str(page), "records": str(out / "records.parquet"), "problems": result.problems})
    else:
        click.echo(summary_table(out))
    for problem in result.problems:
        click.echo(f"vitiq: {problem}", err=True)
    if not as_json:
        click.echo(str(page))
    if result.problems:
        sys.exit(1)


class RunBar:
    """One bar for the whole run with time left; a search shows its iteration and loss beside it."""

    def __init__(self, *, quiet: bool) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - imported where used

        form = "{percentage:3.0f}%|{bar:24}| {elapsed}<{remaining} {desc}"
        self._bar = tqdm(disable=quiet, file=sys.stderr, total=1.0, smoothing=0, bar_format=form, leave=False)
        self._started = False

    def __call__(self, step: Any) -> None:
        """Show a step of the runner."""
        if not self._started:
            # What an earlier run has done took no time now.
            self._bar.initial, self._started = step.share, True
        text = f"task {min(step.done + 1, step.total)} of {step.total}: {step.label}"
        if step.state is not None:
            text += f", iteration {step.state.iteration} of {step.state.total}, loss {step.state.loss:.3g}"
        self._bar.set_description_str(text, refresh=False)
        self._bar.n = step.share
        self._bar.refresh()

    def say(self, text: str) -> None:
        """Name what is being done."""
        self._bar.set_description_str(text)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()
