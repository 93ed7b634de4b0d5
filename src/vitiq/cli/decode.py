"""`vitiq decode`."""

from __future__ import annotations

from pathlib import Path

import click

from vitiq.cli.common import read_bytes


@click.command("decode")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="PNG to write; FILE with the suffix .png.")
@click.option("--generator", help="Generator weights, where the file was made with others than the embedded ones.")
@click.option("--verify", is_flag=True, help="Decode twice and say what held (symbols' checksum, equal pixels).")
def command(file: Path, output: Path | None, generator: str | None, verify: bool) -> None:
    """Rebuild the picture from FILE, whatever codec wrote it."""
    import numpy as np  # noqa: PLC0415

    from vitiq.bitstream.sniff import sniff  # noqa: PLC0415
    from vitiq.errors import BitstreamError  # noqa: PLC0415
    from vitiq.experiments.task import make_codec  # noqa: PLC0415
    from vitiq.image.io import write_png  # noqa: PLC0415

    data = read_bytes(file)
    try:
        codec = make_codec(sniff(data), {} if generator is None else {"generator": generator})
        picture = codec.decode(data)
    except BitstreamError as error:
        raise BitstreamError(f"{file}: {error}") from error
    target = output or file.with_suffix(".png")
    write_png(target, picture)
    height, width, _ = picture.shape
    click.echo(f"{target}: {width}×{height} pixels")
    if verify:
        same = bool(np.array_equal(picture, codec.decode(data)))
        checks = (
            "symbols match the file's checksum" if codec.extension == ".viq" else "no symbol checksum in this format"
        )
        click.echo(f"verify: {checks}; decoded twice, pixels {'identical' if same else 'DIFFER'}")
