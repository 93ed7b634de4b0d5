"""`vitiq codecs`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json


@click.group("codecs")
def command() -> None:
    """List and describe the available codecs, built-in and from plug-ins."""


@command.command("list")
@common.as_json
def list_(as_json: bool) -> None:
    """List codecs and the meaning of their quality."""
    from vitiq import registry  # noqa: PLC0415 - slow to import, as the following
    from vitiq.codecs.base import metadata  # noqa: PLC0415
    from vitiq.errors import VitiqError  # noqa: PLC0415

    entries = []
    for name in registry.names("codecs"):
        try:
            entries.append(metadata(registry.load("codecs", name)))
        except VitiqError as error:
            click.echo(f"vitiq: {error}", err=True)
    if as_json:
        print_json(entries)
        return
    wide, wider = (max((len(str(entry[key])) for entry in entries), default=0) + 2 for key in ("name", "title"))
    click.echo(f"{'name':{wide}}{'title':{wider}}quality")
    for entry in entries:
        click.echo(f"{entry['name']!s:{wide}}{entry['title']!s:{wider}}{entry['quality']}")


@command.command("info")
@click.argument("name", type=common.CODEC)
@common.as_json
def info(name: str, as_json: bool) -> None:
    """Show codec NAME and its options (-O KEY=VALUE)."""
    from vitiq.codecs.base import metadata  # noqa: PLC0415 - slow to import
    from vitiq.codecs.spec import make_codec  # noqa: PLC0415

    codec = make_codec(name)
    stated = metadata(codec)
    if as_json:
        print_json(stated)
        return
    options = describe_options(codec.Options)
    for key, value in stated.items():
        if key != "options":
            shown = ", ".join(f"{v:g}" for v in value) if isinstance(value, list) else value
            click.echo(f"{key.replace('_', ' '):18}{shown}")
    click.echo("options           " + ("" if options else "none"))
    wide = max((len(option) for option, *_ in options), default=0) + 2
    for option, legal, default, text in options:
        click.echo(f"  {option:{wide}}{text} ({legal}; default {default})")


def describe_options(kind: type[Any]) -> list[tuple[str, str, str, str]]:
    """Name, legal values, default and help of each option of a codec."""
    from vitiq.options import choices  # noqa: PLC0415 - slow to import

    hints = get_type_hints(kind)
    words = {int: "whole number", float: "number", bool: "true or false", str: "text"}
    found = []
    for item in fields(kind):
        hint = hints[item.name]
        legal = "|".join(map(str, choices(hint)))
        if not legal:
            legal = next((words[part] for part in (hint, *get_args(hint)) if part in words), "value")
            low, high = item.metadata.get("low"), item.metadata.get("high")
            legal += f" from {low}" if low is not None else ""
            legal += f" to {high}" if high is not None else ""
        default = "not set" if item.default is None else str(item.default)
        found.append((item.name, legal, default, str(item.metadata.get("help", ""))))
    return found
