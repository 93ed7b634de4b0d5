"""`vitiq`: finds the command, and turns every failure into one line and an exit code.

Exit codes: 0 done, 1 failure, 2 usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from importlib import import_module

import click

from vitiq import __version__
from vitiq.cli.stop import StoppedHalfway
from vitiq.errors import UnknownNameError, VitiqError

COMMANDS = {
    "run": "the main job: compress, rebuild, score, report",
    "score": "every metric for two images or two folders",
    "stats": "mean and covariance of a folder's features, for FID",
    "encode": "compress an image to a file",
    "decode": "rebuild the image from a file",
    "info": "what is in a compressed file",
    "classify": "labels of a compressed image, read from its latents",
    "bench": "x",
    "bd": "BD-rate of codecs against an anchor, with intervals",
    "rd": "rate-distortion points, mean curves and tables as data",
    "report": "build the report of a run again",
    "validate": "agreement of the metrics with human scores",
    "train": "train an embedded model again",
    "cost": "what a training costs: operations, hours, energy, money",
    "models": "weights files: list, fetch, info",
    "metrics": "list the metrics",
    "codecs": "list the codecs",
}
"""Command -> its line in the help; each lives in the module of its name, imported only when used."""


class LazyGroup(click.Group):
    """Imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None with a hint at near names."""
        if cmd_name not in COMMANDS:
            near = difflib.get_close_matches(cmd_name, COMMANDS, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {cmd_name!r}: {hint}", ctx)
        command: click.Command = import_module(f"vitiq.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Help lines without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="vitiq")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error (also VITIQ_DEBUG=1).")
def cli(debug: bool) -> None:
    """Neural image compression, judged by what an image means."""
    if debug:
        os.environ["VITIQ_DEBUG"] = "1"


def main() -> None:
    """Entry point of the program."""
    # Threads that spin while they wait starve each other on shared cores; OpenMP reads this when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        cli.main(standalone_mode=False)
    except StoppedHalfway:
        fail("stopped; what is done is kept, the same command goes on with the rest", 130)
    except (click.exceptions.Abort, KeyboardInterrupt):
        fail("stopped", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UnknownNameError as error:
        fail(str(error), 2)
    except VitiqError as error:
        fail(str(error), 1)
    except MemoryError:
        fail("not enough memory for this; shrink the image or cut it into tiles", 1)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        fail(f"{error.filename or error}: {error.strerror}; choose another output or cache folder", 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def fail(message: str, code: int) -> None:
    """Say what went wrong on stderr and exit."""
    if os.environ.get("VITIQ_DEBUG") == "1":
        traceback.print_exc()
    click.echo(f"vitiq: error: {message}", err=True)
    sys.exit(code)
