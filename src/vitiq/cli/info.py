"""`vitiq info`."""

from __future__ import annotations

from pathlib import Path

import click

from vitiq.cli.common import print_json, read_bytes


@click.command("info")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(file: Path, as_json: bool) -> None:
    """Show what is in a compressed FILE."""
    from vitiq.bitstream.container import MAGIC, describe  # noqa: PLC0415
    from vitiq.bitstream.sniff import sniff  # noqa: PLC0415
    from vitiq.errors import VitiqError  # noqa: PLC0415
    from vitiq.evaluation.task import make_codec  # noqa: PLC0415

    data = read_bytes(file)
    try:
        if data.startswith(MAGIC):
            facts = describe(data)
        else:
            codec = sniff(data)
            height, width, _ = make_codec(codec, {}).decode(data).shape
            facts = {"format": codec, "codec": codec, "width": width, "height": height, "bytes": len(data)}
            facts["bpp"] = len(data) * 8 / (width * height)
    except VitiqError as error:
        raise type(error)(f"{file}: {error}") from error
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name:24}{value}")
