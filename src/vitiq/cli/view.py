"""`vitiq view`."""

from __future__ import annotations

from pathlib import Path

import click

from vitiq.cli.options import PathName


@click.command("view")
@click.argument("out", type=PathName(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes one that is free.")
@click.option("--open/--no-open", "show", default=False, help="Open the page in the browser.")
def command(out: Path, port: int, show: bool) -> None:
    """Show the study in OUT on a server of this machine alone, following a run in progress.

    Images can be dropped into its page "Try your own". Reads OUT, never writes to it. Ctrl-C ends it.
    """
    from vitiq.errors import InputError  # noqa: PLC0415
    from vitiq.report.server import ViewServer  # noqa: PLC0415

    try:
        server = ViewServer(out, port)
    except OSError as error:
        raise InputError(f"port {port} given: {error.strerror}; choose another with --port") from error
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
