"""`vitiq metrics`."""

from __future__ import annotations

import click

from vitiq.cli.common import print_json


@click.group("metrics")
def command() -> None:
    """The metrics that are registered, built in or by plugins."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(as_json: bool) -> None:
    """List them with what they state about themselves."""
    from vitiq import registry  # noqa: PLC0415
    from vitiq.metrics.scoring import metadata  # noqa: PLC0415

    entries = [metadata(registry.load("metrics", name)) for name in registry.names("metrics")]
    if as_json:
        print_json(entries)
        return
    name, title = (max(len(str(entry[key])) for entry in entries) + 2 for key in ("name", "title"))
    for entry in entries:
        click.echo(f"{entry['name']!s:{name}}{entry['title']!s:{title}}{entry['formula']}")
