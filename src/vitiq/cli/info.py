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
    from vitiq.codecs.detect import codec_of  # noqa: PLC0415
    from vitiq.codecs.spec import make_codec  # noqa: PLC0415
    from vitiq.errors import VitiqError  # noqa: PLC0415

    data = read_bytes(file)
    try:
        info = make_codec(codec_of(data)).inspect(data)
    except VitiqError as error:
        raise type(error)(f"{file}: {error}") from error
    facts: dict[str, object] = {"codec": info.codec, "width": info.width, "height": info.height, "bytes": info.bytes}
    facts |= {"bpp": info.bpp, "quality": info.quality, "weights_sha256_prefix": info.weights}
    facts |= {**info.details, "sections": dict(info.sections), "notes": list(info.notes)}
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name:24}{value}")
