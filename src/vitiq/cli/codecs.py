"""`vitiq codecs`."""

from __future__ import annotations

import click

from vitiq.cli.common import print_json


@click.group("codecs")
def command() -> None:
    """The codecs that are registered, built in or by plugins."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(as_json: bool) -> None:
    """List them with what they state about themselves."""
    from vitiq import registry  # noqa: PLC0415
    from vitiq.codecs.base import metadata  # noqa: PLC0415

    entries = [metadata(registry.load("codecs", name)) for name in registry.names("codecs")]
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        click.echo(f"{entry['name']!s:18}{entry['title']!s:48}{entry['quality']}")
