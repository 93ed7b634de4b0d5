"""`vitiq report`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from vitiq.cli import options as common
from vitiq.cli.common import say
from vitiq.cli.options import PathName
from vitiq.cli.study_options import StudyBar
from vitiq.errors import InputError, StoreError


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
    """Rebuild the report of the study in OUT, and its records.csv, from its records and images.

    Prints the path of each file written. In OUT/paper, files of earlier calls that no longer fit the study are removed.
    """
    if single_file and kind != "html":
        raise click.UsageError(f"--single-file given with --format {kind}: it belongs to the page (html)")
    from vitiq.evaluation.rows import tables_are_newest, write_tables  # noqa: PLC0415
    from vitiq.evaluation.store import Store  # noqa: PLC0415
    from vitiq.report.build import SINGLE, build_report  # noqa: PLC0415
    from vitiq.report.paper import export  # noqa: PLC0415

    with StudyBar(quiet=quiet) as bar, _in_place(out):
        bar.say("report")
        note = None
        if kind == "html":
            # A single file that an earlier call made is brought up to date with the page.
            forms = [True] if single_file else [False, True] if (out / SINGLE).exists() else [False]
            made = [build_report(out, single_file=single, step=bar.files) for single in forms]
        else:
            exported = export(out, kind)  # type: ignore[arg-type]
            made, note = exported.files, exported.note
        if not tables_are_newest(out):  # workers may have added rows since
            store = Store(out)
            write_tables(store.parts, store.study(), out)
    if note is not None:
        say(note, err=True, quiet=quiet)
    for path in made:
        click.echo(str(path))


@contextmanager
def _in_place(out: Path) -> Iterator[None]:
    """What can be done where a report cannot be written: it has no other place than the folder of its study.

    Raises:
        InputError: a file in it cannot be written.
    """
    try:
        yield
    except (InputError, StoreError) as error:
        said, written, advice = str(error).rpartition("); ")
        if "cannot be written (" not in said:
            raise
        space = "free some space, or " if advice.startswith("free some space") else ""
        raise InputError(
            f"{said}{written}{space}copy {out} to another place and report there, or run `vitiq view "
            f"{shlex.quote(str(out))}`, which writes nothing there"
        ) from error
