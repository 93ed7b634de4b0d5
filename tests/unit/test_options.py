"""One word, one meaning: an option that several commands have is the same option in each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
import numpy as np
import pytest

from vitiq.cli.main import COMMANDS, cli
from vitiq.errors import InputError, PluginError
from vitiq.image.io import write_png
from vitiq.options import make_options, option

SHARED = (
    "--metrics", "--weights", "--panel", "--jobs", "--json", "--quiet", "--force", "--study", "--option", "--quality",
    "--bytes", "--bpp",
)  # fmt: skip
"""Options that more than one command has."""
OWN = {("vitiq bench worker", "--jobs")}
"""Those of another default: a worker's share is done on one core unless more were asked for."""


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for sub in getattr(command, "commands", {}).values():
        yield from commands(sub, f"{name} {sub.name}")


def every() -> list[tuple[str, click.Command]]:
    context = click.Context(cli)
    found = [(name, cli.get_command(context, name)) for name in COMMANDS]
    return [pair for name, one in found if one is not None for pair in commands(one, f"vitiq {name}")]


@pytest.mark.parametrize("name", SHARED)
def test_an_option_is_defined_once(name: str) -> None:
    found = {
        command: (option.help, option.type.name, option.multiple, option.is_flag, str(option.default))
        for command, one in every()
        for option in one.params
        if isinstance(option, click.Option) and name in option.opts and (command, name) not in OWN
    }
    assert len(found) > 1
    assert len(set(found.values())) == 1, found


@pytest.mark.parametrize("text", ["--coder qsgd", "--compat thesis", "--iterations 3", "--learning-rate 0.1"])
def test_options_of_codecs_are_taken_however_near_they_are_to_those_of_the_command(text: str) -> None:
    for name in ("run", "encode"):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        context = command.make_context(name, ["a.png", "-o", "out", *text.split()])
        key, value = text[2:].split()
        assert context.params["options"] == (f"{key.replace('-', '_')}={value}",)


def test_a_mistyped_option_is_no_codecs() -> None:
    command = cli.get_command(click.Context(cli), "run")
    assert command is not None
    with pytest.raises(click.NoSuchOption) as refused:
        command.make_context("run", ["a.png", "-o", "out", "--metrisc", "mse"])
    assert "--metrics" in (refused.value.possibilities or ())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--verbose"], "codec generative does not take the option verbose; it takes loss,"),
        (
            ["-c", "jpeg", "--progressive"],
            "codec jpeg: option progressive given without a value, expected true",
        ),
        (["-O", "generator="], "option generator given without a value, expected text"),
        (["-O", "=1"], "option '=1' of the codec: KEY=VALUE expected, see vitiq codecs info NAME"),
        (["-O", "foo"], "as -O foo=VALUE or --foo VALUE"),
    ],
)
def test_what_is_wrong_with_an_option_is_said_by_the_codec(words: list[str], said: str, tmp_path: Path) -> None:
    image = tmp_path / "p.png"
    write_png(image, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises((InputError, click.UsageError), match=re.escape(said)):
        cli.main(["encode", str(image), *words], standalone_mode=False)


def test_an_empty_text_is_a_value_where_it_is_the_default() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Options:
        suffix: str = option("", "of the file")

    assert make_options(Options, {"suffix": ""}, "codec x").suffix == ""


@pytest.mark.parametrize("seed", [2**53 + 1, str(2**63 + 1), -(2**60) - 1])
def test_large_whole_numbers_keep_their_digits(seed: int | str) -> None:
    """As doubles they would be others: 2**53 + 1 is none."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        seed: int = option(0, "of the noise")

    assert make_options(Options, {"seed": seed}, "codec x").seed == int(seed)


@pytest.mark.parametrize("written", ["None", "none", "NONE", None])
def test_none_is_a_value_where_the_type_has_it(written: str | None) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Options:
        threshold: float | None = option(0.5, "a number or none")
        mode: Literal["none", "all"] | None = option("all", "a choice")
        name: str = option("", "words")

    assert make_options(Options, {"threshold": written}, "codec x").threshold is None
    assert make_options(Options, {"mode": "none"}, "codec x").mode == "none"
    assert make_options(Options, {"name": "None"}, "codec x").name == "None"


def test_a_path_is_an_option_and_what_no_text_can_give_is_none() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Places:
        where: Path = option(Path("x"), "a folder")
        also: Path | None = option(None, "another")

    @dataclass(frozen=True, kw_only=True)
    class Sizes:
        sizes: tuple[int, ...] = option((1, 2), "several")
        plain: int = option(3, "one")

    assert make_options(Places, {"where": "a/b", "also": "c"}, "codec x") == Places(where=Path("a/b"), also=Path("c"))
    with pytest.raises(InputError, match="option where given without a value, expected a path"):
        make_options(Places, {"where": ""}, "codec x")
    with pytest.raises(PluginError, match=r"codec x has options of types that no text can be read as \(sizes: tuple"):
        make_options(Sizes, {}, "codec x")
