"""`vitiq report`."""

from __future__ import annotations

from pathlib import Path

import click

from vitiq.cli import options as common
from vitiq.cli.options import PathName
from vitiq.cli.study_options import StudyBar


@click.command("report")
@click.argument("out", type=PathName(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["html", "md", "tex", "pdf", "csv"]),
    default="html",
    show_default=True,
    help="html: the page; for papers, in OUT/paper: tables (md, csv), figures (pdf), both and a document (tex).",
)
@click.option("--single-file", is_flag=True, help="Embed the images in the page: OUT/report-single.html.")
@common.quiet
def command(out: Path, kind: str, single_file: bool, quiet: bool) -> None:
    """Rebuild the report of the study in OUT from its records and images.

    Prints the path of each file written.
    """
    if single_file and kind != "html":
        raise click.UsageError(f"--single-file given with --format {kind}: it belongs to the page (html)")
    from vitiq.report.build import build_report  # noqa: PLC0415
    from vitiq.report.paper import export  # noqa: PLC0415

    with StudyBar(quiet=quiet) as bar:
        bar.say("report")
        page = kind == "html"
        made = [build_report(out, single_file=single_file, step=bar.files)] if page else export(out, kind)  # type: ignore[arg-type]
    for path in made:
        click.echo(str(path))
