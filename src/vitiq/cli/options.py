"""Options that mean the same in every command, and completion of names in the shell."""

from __future__ import annotations

import difflib
import logging
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from vitiq.codecs.spec import RateSpec
    from vitiq.registry import Group
    from vitiq.types import RateKind

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Output:
    """Where an answer goes.

    Attributes:
        path: file or folder.
        is_folder: the name ends as a folder's does.
    """

    path: Path
    is_folder: bool


class PathName(click.Path):
    """A file or folder. An empty name, as of a variable that a script forgot, is refused: it would be this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Text of the command line to a path."""
        if value in {"", b""}:
            self.fail("an empty name given, a file or folder expected ('.' is this folder)", param, ctx)
        if "\0" in os.fsdecode(value):
            self.fail(f"{os.fsdecode(value)!r} given, which no file can be called", param, ctx)
        return super().convert(value, param, ctx)


class OutputPath(PathName):
    """A file, or a folder, which a slash at the end makes clear before it exists."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Text of the command line to an `Output`."""
        if isinstance(value, Output):
            return value
        text = str(super().convert(value, param, ctx))
        return Output(Path(text), text.endswith(("/", os.sep)))


class NumberRange(click.FloatRange):
    """A number within bounds; `nan` is none, though no comparison with a bound would say so."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Text of the command line to a number."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} given, a number expected", param, ctx)
        return number


class ResampleCount(click.ParamType[int]):
    """Resamples of a bootstrap, enough for a 95 % interval.

    Args:
        none: whether 0 is taken too, for no intervals.
    """

    name = "integer"

    def __init__(self, *, none: bool) -> None:
        self._none = none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Text of the command line to a number."""
        from vitiq.analysis.bootstrap import FEWEST_RESAMPLES  # noqa: PLC0415 - imports NumPy

        number = int(click.INT.convert(value, param, ctx))
        if number < FEWEST_RESAMPLES and (number != 0 or not self._none):
            less = ", or 0 for no intervals" if self._none else ""
            self.fail(f"{number} given, {FEWEST_RESAMPLES} or more expected for a 95 % interval{less}", param, ctx)
        return number


class RegisteredName(click.ParamType[str]):
    """A name of the registry, or several with commas; completed by the shell, checked where it is used."""

    def __init__(self, group: Group, *, several: bool = False, more: Iterable[str] = (), needed: bool = False) -> None:
        self.name = f"{group.removesuffix('s')}{',…' if several else ''}"
        self._group, self._several, self._more, self._needed = group, several, tuple(more), needed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is; refused where a name is needed and none is there."""
        if self._needed and not str(value).strip(", "):
            self.fail(f"{value!r} given, a name expected: vitiq {self._group} list shows all", param, ctx)
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Names that the last word begins; of filters, where it ends in a codec and a plus sign."""
        from vitiq import registry  # noqa: PLC0415 - slow to import

        head, comma, word = incomplete.rpartition(",") if self._several else ("", "", incomplete)
        known: Iterable[str] = (*registry.names(self._group), *self._more)
        if self._group == "codecs" and "+" in word:
            codec = word.rpartition("+")[0]
            known = (f"{codec}+{name}" for name in registry.names("filters"))
        return [CompletionItem(head + comma + name) for name in known if name.startswith(word)]


class Device(click.ParamType[str]):
    """A device of torch, looked up before any work; torch is not imported to name the CPU."""

    name = "device"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        """The device's own name, `auto` decided.

        Raises:
            InputError: torch does not have it here.
        """
        if ctx is not None and ctx.resilient_parsing:
            return str(value)
        from vitiq.api.devices import device_name  # noqa: PLC0415 - slow to import

        return device_name(str(value))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """What most machines have."""
        return [CompletionItem(name) for name in ("cpu", "cuda", "auto") if name.startswith(incomplete)]


CODEC = RegisteredName("codecs", needed=True)
CODECS = RegisteredName("codecs", several=True, needed=True)
ANY_CODECS = RegisteredName("codecs", several=True)
METRIC = RegisteredName("metrics", needed=True)
METRICS = RegisteredName("metrics", several=True, more=("default", "all"), needed=True)


class CodecCommand(click.Command):
    """A command that takes any codec's options: `--iterations 100` is short for `-O iterations=100`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Unknown long options become options of the codec, which knows whether they are its own."""
        known = {name for param in self.get_params(ctx) for name in (*param.opts, *param.secondary_opts)}
        words, rest, taken = [], iter(args), []
        for word in rest:
            name, equals, value = word.partition("=")
            if word == "--":
                words += [word, *rest]
            elif name.startswith("--") and len(name) > 2 and name not in known and not _mistyped(name, known):
                taken.append(name)
                words += ["-O", f"{name[2:].replace('-', '_')}={value if equals else next(rest, '')}"]
            else:
                words.append(word)
                if not equals and self._takes_value(ctx, word):
                    words += [value for value in [next(rest, None)] if value is not None]
        try:
            return super().parse_args(ctx, words)
        except click.MissingParameter:
            # Perhaps an option that nobody knows has taken the argument for its value: that is the mistake to name.
            strangers = [name for name in taken if not _is_codecs(name)]
            if not strangers:
                raise
            raise click.NoSuchOption(strangers[0], ctx=ctx) from None

    def _takes_value(self, ctx: click.Context, word: str) -> bool:
        return any(
            isinstance(param, click.Option) and not param.is_flag and not param.count and word in param.opts
            for param in self.get_params(ctx)
        )


def _mistyped(name: str, known: Iterable[str]) -> bool:
    """True where an option of the command itself was meant: click then says which."""
    return bool(difflib.get_close_matches(name, known, n=1, cutoff=0.75)) and not _is_codecs(name)


def _is_codecs(name: str) -> bool:
    """True where a registered codec has the option, however near it is to one of the command (`--coder`, `--codec`)."""
    from dataclasses import fields  # noqa: PLC0415

    from vitiq import registry  # noqa: PLC0415 - slow to import, as the codecs
    from vitiq.errors import VitiqError  # noqa: PLC0415

    wanted = name[2:].replace("-", "_")
    for codec in registry.names("codecs"):
        try:
            options = registry.load("codecs", codec).Options
        except VitiqError:  # a plug-in that is broken has no options
            continue
        if any(item.name == wanted for item in fields(options)):
            return True
    return False


def _complete_codec_option(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Options of the codec that was named, with their values where these are few."""
    from dataclasses import fields  # noqa: PLC0415
    from typing import get_type_hints  # noqa: PLC0415

    from vitiq import registry  # noqa: PLC0415 - slow to import, as the following
    from vitiq.codecs.spec import parse_codec  # noqa: PLC0415
    from vitiq.errors import VitiqError  # noqa: PLC0415
    from vitiq.options import choices  # noqa: PLC0415

    named = next((ctx.params.get(param.name or "") for param in ctx.command.params if "--codec" in param.opts), None)
    try:
        kind = registry.load("codecs", parse_codec(named or "").name).Options
    except VitiqError:  # no codec is named, or none of that name
        return []
    hints = get_type_hints(kind)
    known = []
    for item in fields(kind):
        values = ("true", "false") if hints[item.name] is bool else choices(hints[item.name])
        known += [f"{item.name}={value}" for value in values or ("",)]
    return [text for text in known if text.startswith(incomplete)]


codec_options = click.option(
    "-O", "--option", "options", multiple=True, metavar="KEY=VALUE", shell_complete=_complete_codec_option,
    help="Option of the codec (vitiq codecs info NAME); also --KEY VALUE.",
)  # fmt: skip
metrics = click.option(
    "-m", "--metrics", type=METRICS, default="default", show_default=True,
    help="Comma-separated metrics (vitiq metrics list), 'default' or 'all'.",
)  # fmt: skip
weights = click.option(
    "--weights", type=PathName(path_type=Path), metavar="[NAME:]PATH",
    help="Checkpoint of the scoring ViT, or its name in vitiq models list (NAME: plug-in backbone that reads it); "
    "the embedded ViT if not given.",
)  # fmt: skip
panel = click.option(
    "--panel", type=PathName(path_type=Path), multiple=True, metavar="[NAME:]PATH",
    help="Additional checkpoint for vit-panel; may be repeated.",
)  # fmt: skip
image_output = click.option(
    "-o", "--output", "wanted", type=OutputPath(),
    help="Output image (.png, .bmp, .ppm, .tif), or folder for several; FILE with suffix .png if not given.",
)  # fmt: skip
force = click.option("--force", is_flag=True, help="Replace existing files.")
jobs = click.option("-j", "--jobs", type=click.IntRange(min=1), help="Worker processes; one per core if not given.")
device = click.option(
    "--device", type=Device(), default="cpu", show_default=True,
    help="Device for neural codecs and scoring ViTs: cpu, cuda, cuda:1, …; auto: a GPU if available.",
)  # fmt: skip
as_json = click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")


def hear_notes(_: click.Context, __: click.Parameter, quiet: bool) -> bool:
    """Shows what the library itself says; where `quiet`, only problems (errors), no notes (warnings)."""
    for handler in logging.getLogger("vitiq").handlers:
        handler.setLevel(logging.ERROR if quiet else logging.NOTSET)
    return quiet


quiet = click.option(
    "--quiet", is_flag=True, callback=hear_notes, help="No progress or notes; results and problems are still printed."
)
study = click.option("--study", help="Study to use, if the folder has several; the last one if not given.")


def scoring(function: F) -> F:
    """`--metrics`, `--weights`, `--panel` and `--device`: what scores are made with, and where."""
    return metrics(weights(panel(device(function))))


def rate(function: F) -> F:
    """`--quality`, `--bytes` and `--bpp`: any codec takes any of the three."""
    for option in (
        click.option("--bpp", type=float, metavar="B",
                     help="Best file of at most B bits per pixel, instead of a quality."),
        click.option("--bytes", "max_bytes", type=click.IntRange(min=1), metavar="N",
                     help="Best file of at most N bytes, instead of a quality."),
        click.option("-q", "--quality", type=float, help="Quality on the codec's own scale; its default if not given."),
    ):  # fmt: skip
        function = option(function)
    return function


def rate_of(
    quality: float | None, max_bytes: int | None, bpp: float | None, bytes_name: str = "bytes"
) -> RateSpec | None:
    """The rate that was asked for.

    Args:
        bytes_name: the option that gave `max_bytes`.

    Raises:
        UsageError: more than one was.
    """
    from vitiq.codecs.spec import RateSpec  # noqa: PLC0415 - slow to import

    given: dict[RateKind, float | None] = {"quality": quality, "bytes": max_bytes, "bpp": bpp}
    asked = [(kind, value) for kind, value in given.items() if value is not None]
    if len(asked) > 1:
        named = " and ".join(f"--{bytes_name if kind == 'bytes' else kind}" for kind, _ in asked)
        raise click.UsageError(f"give one of --quality, --bytes and --bpp, not {named}")
    return RateSpec(asked[0][0], float(asked[0][1])) if asked else None


def options_of(texts: Iterable[str]) -> dict[str, object]:
    """Options of a codec from their KEY=VALUE texts.

    Raises:
        UsageError: a text that is none, or two values of one option.
    """
    found: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        # Whether the codec has such an option, and what value is then missing, the codec says.
        if not equals or not key:
            how = f"as -O {key}=VALUE or --{key.replace('_', '-')} VALUE" if key else "see vitiq codecs info NAME"
            raise click.UsageError(f"option {text!r} of the codec: KEY=VALUE expected, {how}")
        key = key.replace("-", "_")
        if found.get(key, value) != value:
            raise click.UsageError(f"option {key} given twice, as {found[key]} and as {value}; give one of them")
        found[key] = value
    return found
