"""`vitiq report`."""

from __future__ import annotations

from pathlib import Path

import click

from vitiq.cli.options import PathName


@click.command("report")
@click.argument("out", type=PathName(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["html", "md", "tex", "pdf", "csv"]),
    default="html",
    show_default=True,
    help="The page, or for papers under OUT/paper: tables (md, csv), figures (pdf), all with a document (tex).",
)
@click.option("--single-file", is_flag=True, help="Put the images into the page, as OUT/report-single.html.")
def command(out: Path, kind: str, single_file: bool) -> None:
    """Build the report of the study in OUT again, from its records and images.

    Prints the path of the page, or of each file made.
    """
    if single_file and kind != "html":
        raise click.UsageError(f"--single-file given with --format {kind}: it belongs to the page (html)")
    if kind == "html":
        from vitiq.report.build import build_report  # noqa: PLC0415

        click.echo(str(build_report(out, single_file=single_file)))
        return
    from vitiq.report.paper import export  # noqa: PLC0415

    for path in export(out, kind):  # type: ignore[arg-type]
        click.echo(str(path))
