"""`vitiq view`."""

from __future__ import annotations

from pathlib import Path

import click

from vitiq.cli.options import PathName


@click.command("view")
@click.argument("out", type=PathName(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port; 0 for any free one.")
@click.option("--open/--no-open", "show", default=False, help="Open the page in the browser.")
def command(out: Path, port: int, show: bool) -> None:
    """Show the study in OUT in a browser, through a local server; follows a run in progress.

    Drop your own images into the page "Try your own". The server never writes to OUT. Ctrl-C stops it.
    """
    from vitiq.report.server import ViewServer  # noqa: PLC0415

    server = ViewServer(out, port)
    click.echo(server.url)
    if show:
        import webbrowser  # noqa: PLC0415

        webbrowser.open(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        server.server_close()
