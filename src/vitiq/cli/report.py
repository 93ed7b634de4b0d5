"""`vitiq report`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("out", type=click.Path(path_type=Path))
def command(out: Path) -> None:
    """Build the report of the run in OUT again, from its records and images."""
    from vitiq.report.build import build_report  # noqa: PLC0415

    click.echo(str(build_report(out)))
