"""`vitiq codecs`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json

if TYPE_CHECKING:
    from vitiq.registry import Group


@click.group("codecs")
def command() -> None:
    """List and describe the available codecs, built-in and from plug-ins."""


@command.command("list")
@common.as_json
def list_(as_json: bool) -> None:
    """List codecs and the meaning of their quality, then filters (CODEC+FILTER)."""
    from vitiq.codecs.base import metadata  # noqa: PLC0415 - slow to import

    entries = [metadata(codec) for codec in _loaded("codecs")]
    if as_json:
        print_json(entries)
        return
    wide, wider = (max((len(str(entry[key])) for entry in entries), default=0) + 2 for key in ("name", "title"))
    click.echo(f"{'name':{wide}}{'title':{wider}}quality")
    for entry in entries:
        click.echo(f"{entry['name']!s:{wide}}{entry['title']!s:{wider}}{entry['quality']}")
    click.echo(f"\n{'filter':{wide}}title")
    for item in _loaded("filters"):
        click.echo(f"{'+' + item.name:{wide}}{item.title}")


def _loaded(group: Group) -> Iterator[Any]:
    """Everything of a group; what cannot be loaded is reported."""
    from vitiq import registry  # noqa: PLC0415 - slow to import, as the following
    from vitiq.errors import VitiqError  # noqa: PLC0415

    for name in registry.names(group):
        try:
            yield registry.load(group, name)
        except VitiqError as error:
            click.echo(f"vitiq: {error}", err=True)


@command.command("info")
@click.argument("name", type=common.CODEC)
@common.as_json
def info(name: str, as_json: bool) -> None:
    """Show codec NAME and its options (-O KEY=VALUE); of NAME+FILTER[KEY=VALUE] also the filter's."""
    from vitiq import registry  # noqa: PLC0415 - slow to import, as the following
    from vitiq.codecs.base import metadata  # noqa: PLC0415
    from vitiq.codecs.spec import make_codec, parse_codec  # noqa: PLC0415

    codec = make_codec(name)
    stated = metadata(codec)
    if as_json:
        print_json(stated)
        return
    for key, value in stated.items():
        if key != "options":
            shown = ", ".join(f"{v:g}" for v in value) if isinstance(value, list) else value
            click.echo(f"{key.replace('_', ' '):18}{shown}")
    usual = registry.make("codecs", parse_codec(name).name).options  # a subclass of Command has its own defaults
    _print_options("options", codec.Options, usual)
    for item in getattr(codec, "filters", ()):
        _print_options(f"options of {item.name}", item.Options)


def _print_options(title: str, kind: type[Any], usual: object = None) -> None:
    options = describe_options(kind, usual)
    click.echo(f"{title:18}" + ("" if options else "none"))
    wide = max((len(option) for option, *_ in options), default=0) + 2
    for option, legal, default, text in options:
        click.echo(f"  {option:{wide}}{text} ({legal}; default {default})")


def describe_options(kind: type[Any], usual: object = None) -> list[tuple[str, str, str, str]]:
    """Name, legal values, default and help of each option of a codec or filter.

    Args:
        usual: options that hold the defaults, where these are not those of the class.
    """
    from vitiq import registry  # noqa: PLC0415 - slow to import, as the following
    from vitiq.options import choices  # noqa: PLC0415

    hints = get_type_hints(kind)
    words = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path"}
    found = []
    for item in fields(kind):
        hint = hints[item.name]
        legal = "|".join(map(str, choices(hint)))
        if not legal:
            legal = next((words[part] for part in (hint, *get_args(hint)) if part in words), "value")
            low, high = item.metadata.get("low"), item.metadata.get("high")
            legal += f" from {low}" if low is not None else ""
            legal += f" to {high}" if high is not None else ""
            group = item.metadata.get("names")
            legal += f": {', '.join(known)}" if group and (known := registry.names(group)) else ""
        value = getattr(usual, item.name, item.default)
        default = "not set" if value is None or value == "" else str(value)
        found.append((item.name, legal, default, str(item.metadata.get("help", ""))))
    return found
