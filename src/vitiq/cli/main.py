"""`vitiq`: finds the command, and turns every failure into one line and an exit code.

Exit codes: 0 done, 1 failure, 2 usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from vitiq import __version__
from vitiq.cli.readable import tame
from vitiq.cli.stop import StoppedHalfway
from vitiq.cli.streams import ReaderGone, abandon, flush, of_output, prepare, reader_gone, show_error
from vitiq.errors import InputError, SettingError, UnknownNameError, VitiqError, described, near_names
from vitiq.foreign import reserve_output
from vitiq.signals import stop_on_signals

COMMANDS = {
    "run": "compress, decode, score and report, beside other codecs",
    "bench": "compare codecs at many rates, resumable",
    "score": "metrics for two images or two folders",
    "stats": "mean and covariance of a folder's features, for FID",
    "encode": "compress an image to a file",
    "decode": "decode a compressed file to an image",
    "restore": "remove compression artefacts from a JPEG",
    "info": "codec, size, quality and parts of a compressed file",
    "classify": "labels of a compressed image, read from its latents",
    "bd": "BD-rate of codecs against an anchor, with intervals",
    "rd": "rate-distortion points, mean curves and tables as data",
    "report": "rebuild the report of a run",
    "view": "show the report in a browser, live, with your own images",
    "validate": "agreement of metrics with opinion scores",
    "train": "train an embedded model",
    "cost": "estimate what a training costs: operations, hours, energy, money",
    "models": "weights files: list, fetch, info",
    "metrics": "list the available metrics",
    "codecs": "list and describe the available codecs",
}
"""Command -> its line in the help; each lives in the module of its name, imported only when used."""


@contextmanager
def own_signals() -> Iterator[None]:
    """Keeps click from answering a closed pipe without a word, and Ctrl-C with an empty line."""
    try:
        yield
    except BrokenPipeError as error:
        raise broken_pipe(error) from error
    except KeyboardInterrupt as error:
        raise click.exceptions.Abort from error


def broken_pipe(error: BrokenPipeError) -> Exception:
    """What a broken pipe means: the end of the work where it is standard output's, a failure where it is another."""
    from vitiq.registry import plugin_fault  # noqa: PLC0415 - slow to import

    if reader_gone():
        return ReaderGone()
    named = error.filename or "a pipe that is not standard output"
    return plugin_fault(error) or VitiqError(f"{named}: whoever read it has closed it ({error.strerror})")


class LazyGroup(click.Group):
    """Imports a command's module only when the command is used."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the command line."""
        with own_signals():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with own_signals():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None with a hint at near names."""
        if cmd_name not in COMMANDS:
            near = near_names(cmd_name, COMMANDS, most=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {cmd_name!r}: {hint}", ctx)
        command: click.Command = import_module(f"vitiq.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Help lines without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


OUT_OF_MEMORY = "not enough memory for this; shrink the image or cut it into tiles"
NO_MEMORY = ("can't allocate memory", "failed to map segment", "cannot allocate memory", "bad_alloc")
"""What torch, the loader of libraries (ld.so) and C++ say where there is none."""

KINDS_OF_NUMBER = {
    "integer range": "a whole number",
    "float range": "a number",
    "integer": "a whole number",
    "float": "a number",
}
"""What click calls numbers, and what they are."""

COMPLETION = """
Shell completion:  eval "$(_VITIQ_COMPLETE=bash_source vitiq)"  (or zsh_source;
fish: _VITIQ_COMPLETE=fish_source vitiq | source)
"""


@click.group(
    cls=LazyGroup, epilog=COMPLETION, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="vitiq")
@click.option("--debug", is_flag=True, help="Show the full traceback of an error (also VITIQ_DEBUG=1).")
def cli(debug: bool) -> None:
    """Neural image compression, judged by what an image means."""
    if debug:
        os.environ["VITIQ_DEBUG"] = "1"


class StandardError(logging.Handler):
    """Shows what the library says, a line each."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line."""
        click.echo(tame(record.getMessage(), line=True), err=True)


def main() -> None:
    """Entry point of the program."""
    log = logging.getLogger("vitiq")
    if not any(isinstance(handler, StandardError) for handler in log.handlers):
        log.addHandler(StandardError())
    # Threads that spin while they wait starve each other on shared cores; OpenMP reads this when torch is imported.
    # GNU's spins for a while even where it is set to be passive.
    if os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE").upper() == "PASSIVE":
        os.environ.setdefault("GOMP_SPINCOUNT", "0")
    # A home folder that cannot be written to costs matplotlib its cache, not the user a paragraph.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    prepare()
    reserve_output()
    stop_on_signals()
    try:
        check_folder()
        with own_signals():
            cli.main(prog_name="vitiq", standalone_mode=False)
            flush()
    except ReaderGone:
        abandon(sys.stdout)
        sys.exit(0)
    except click.exceptions.NoArgsIsHelpError as error:  # a group alone: its help, whole
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        show_error(usage(error))
        sys.exit(error.exit_code)
    except SystemExit as error:  # a command's own exit code; or a plug-in's
        fail_of_plugin(error)
    except Exception as error:
        fail(*answer(error))
    except KeyboardInterrupt:
        fail("stopped", 130)


def check_folder() -> None:
    """Refuse to work in a folder that was removed: names would lead nowhere, and libraries end the process.

    Raises:
        InputError: it was.
    """
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise InputError("the current folder was removed; change to one that is there") from error


def usage(error: click.ClickException) -> str:
    """A wrong command line in one line, with the way to its help."""
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx is not None else "vitiq"
    said = " ".join(error.format_message().split()).removesuffix(".")
    dashed = [word for word in sys.argv[1:] if word.startswith("-") and os.path.lexists(word)]
    if dashed and "--" not in sys.argv and isinstance(error, click.UsageError):
        said += f"; a file {dashed[0]} is here: write ./{dashed[0]}"
    for kind, meant in KINDS_OF_NUMBER.items():
        said = said.replace(f"is not a valid {kind}", f"is not {meant}")
    return f"vitiq: error: {said} (see {where} --help)"


def answer(error: Exception) -> tuple[str, int]:  # noqa: PLR0911 - a kind of failure each
    """What is said about a failure, in one line, and the exit code."""
    match error:
        case StoppedHalfway():
            return "stopped; what is done is kept, the same command resumes", 130
        case click.exceptions.Abort():
            return "stopped", 130
        case VitiqError():
            return str(error), 2 if isinstance(error, UnknownNameError | SettingError) else 1
        case MemoryError():
            return OUT_OF_MEMORY, 1
        case FileExistsError() | NotADirectoryError() | PermissionError() | OSError(errno=errno.EROFS):
            return f"{error.filename or error}: {error.strerror}; choose another output or cache folder", 1
        case OSError(errno=errno.ENOMEM):
            return OUT_OF_MEMORY, 1
        case OSError(strerror=str()) if error.filename or of_output(error):
            return f"{error.filename or 'standard output'}: {error.strerror}", 1
        case OSError(strerror=str()):
            return f"{error.strerror}, of a file without a name; {debugged()} shows which", 1
        case _:
            return unexpected(error), 1


def unexpected(error: Exception) -> str:
    """What is said about an exception that nobody meant to raise."""
    from vitiq.registry import plugin_fault  # noqa: PLC0415 - slow to import

    if any(words in str(error) for words in NO_MEMORY):
        return OUT_OF_MEMORY
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return "torch is not installed, which neural codecs and the ViT-Score need; run: pip install torch"
    fault = plugin_fault(error)
    if fault is not None:
        return str(fault)
    return f"a fault of vitiq ({described(error)}); please report what this shows: {debugged()}"


def debugged() -> str:
    """The command again, with the whole of what went wrong."""
    return shlex.join(["vitiq", "--debug", *sys.argv[1:]])


def fail_of_plugin(error: SystemExit) -> NoReturn:
    """End as a command asked for; where the code of a plug-in asked, that is its failure."""
    from vitiq.registry import plugin_fault  # noqa: PLC0415 - slow to import

    fault = plugin_fault(error)
    if fault is not None:
        fail(str(fault), 1)
    raise error


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong on stderr and exit."""
    if os.environ.get("VITIQ_DEBUG") == "1":
        traceback.print_exc()
    show_error(f"vitiq: error: {' '.join(message.splitlines())}")
    try:
        flush()
    except (OSError, ValueError):
        abandon(sys.stdout)
    sys.exit(code)
