"""One grammar: options mean the same in every command, and nothing is made before a fault is named.

Truth: the definitions in `vitiq.cli.options`; the folder that a command ran in, looked at after it failed.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from vitiq import registry
from vitiq.cli import options as common
from vitiq.cli.main import COMMANDS, answer, cli, usage
from vitiq.image.io import write_png
from vitiq.types import ImageU8
from vitiq.weights.store import list_models

SHARED = ("metrics", "weights", "panel", "device", "jobs", "as_json", "quiet", "force")


def options() -> Iterator[tuple[str, click.Option]]:
    """Every option of every command, and of the commands below it."""
    for name in COMMANDS:
        command = import_module(f"vitiq.cli.{name}").command
        below = command.commands.values() if isinstance(command, click.Group) else [command]
        for one in below:
            yield from ((f"{name} {one.name}", param) for param in one.params if isinstance(param, click.Option))


def defined(name: str) -> click.Option:
    """The option as it is defined for all."""

    decorated = getattr(common, name)(lambda: None)
    found: click.Option = decorated.__click_params__[0]
    return found


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_option_is_the_same_everywhere(name: str) -> None:
    expected = defined(name)
    found = {
        where: param
        for where, param in options()
        # A worker of a cluster starts in a place that others share: one process if not set otherwise.
        if expected.opts[-1] in param.opts and where != "bench worker"
    }
    assert found
    for where, param in found.items():
        assert (param.opts, param.help, param.default, param.is_flag) == (
            expected.opts,
            expected.help,
            expected.default,
            expected.is_flag,
        ), where


@pytest.mark.parametrize("command", ["encode", "decode", "run", "score", "bench study", "validate"])
def test_commands_that_run_networks_take_a_device(command: str) -> None:
    assert "--device" in {word for where, param in options() if where.endswith(command) for word in param.opts}


FAULTS = [
    "encode x.png -c jpgg -o new",
    "encode x.png -c jpeg -q 1000 -o new",
    "encode x.png --bpp nan -o new",
    "encode x.png --bpp 1 --bytes 3 -o new",
    "encode x.png --at-bytes 4000 --bytes 3000 -o new",
    "encode x.png --speed 3 -o new",
    "encode . -c jpeg -q 300 -o new/",
    "decode x.png -o new.jpg",
    "run x.png -c jpgg -o new",
    "run x.png -m ssimm -o new",
    "run x.png -m '' -o new",
    "run x.png --at-bytes 0 -o new",
    "run x.png --iterations 3 -o new",
    "run x.png --comparators jpeg[spped=1] -o new",
    "run x.png --scheduler tcp://nowhere:1 -o new",
    "run x.png --weights none.pth -o new",
    "run x.png --keep some -o new",
    "bench x.png -c jpeg@bpp=-1 -o new",
    "bench x.png -c jpeg@bpp=0 -o new",
    "bench x.png -c jpeg@bytes=0.5 -o new",
    "bench x.png -c jpeg@20 --anchor foo -o new",
    "bench x.png -c jpeg@20 --anchors x.png -o new",
    "bench x.png -c jpeg@20 -m ssim@3 -o new",
    "score x.png x.png --map new.jpg",
    "score x.png x.png --out new.txt",
    "score x.png x.png -m ''",
    "score x.png x.png -m vit-topk@0",
    "validate . --resamples 0",
    "validate . --resamples 39",
    "bd . --anchor jpeg --resamples 39",
    "stats . -o new.npz -m ssim",
]


@pytest.mark.parametrize("line", FAULTS)
def test_a_fault_is_one_line_before_any_work(
    line: str, tmp_path: Path, small: ImageU8, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_png(Path("x.png"), small)
    error = CliRunner().invoke(cli, shlex.split(line), standalone_mode=False).exception
    assert isinstance(error, Exception)
    said = usage(error) if isinstance(error, click.ClickException) else answer(error)[0]
    assert "fault of vitiq" not in said
    assert said.strip()
    assert len(said.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_the_shell_completes_codecs_metrics_and_devices() -> None:
    def words(*typed: str) -> set[str]:
        *given, last = typed
        return {item.value for item in ShellComplete(cli, {}, "vitiq", "_V").get_completions(list(given), last)}

    assert words("encode", "-c", "jp") == {name for name in registry.names("codecs") if name.startswith("jp")}
    assert {"ssim", "ssim-y"} <= words("score", "-m", "ss")
    assert "mse,ssim" in words("run", "-m", "mse,ss")
    assert "all" in words("bench", "study", "-m", "a")
    assert "vit-topk" in words("validate", "-m", "vit-t")
    assert words("run", "-c", "av") == {name for name in registry.names("codecs") if name.startswith("av")}
    assert words("run", "--comparators", "jpeg,we") == {"jpeg,webp", "jpeg,webp-shrunk"}
    assert words("run", "--comparators", "jpeg,webp+") == {f"jpeg,webp+{name}" for name in registry.names("filters")}
    assert "jpeg+deblock" in words("encode", "-c", "jpeg+de")
    assert words("score", "--device", "c") == {"cpu", "cuda"}
    assert words("models", "info", "") == words("models", "fetch", "") == {info.name for info in list_models()}
    assert words("run", "--keep", "bit") == {"bitstreams,images", "bitstreams"}
    assert words("encode", "-c", "jpeg", "-O", "pro") == {"progressive=true", "progressive=false"}
    assert words("encode", "p.png", "-c", "generative", "-O", "t") == {
        f"tune={t}" for t in ("psnr", "ms-ssim", "perceptual")
    }
    assert words("encode", "-c", "generative", "-O", "eff") == {"effort="}
    assert words("decode", "-O", "") == words("encode", "-c", "no-such", "-O", "") == set()


def test_what_needs_no_torch_works_without_it(tmp_path: Path, small: ImageU8) -> None:
    (tmp_path / "d").mkdir()
    write_png(tmp_path / "d" / "x.png", small)
    program = """
import sys
sys.modules["torch"] = None
from click.testing import CliRunner
from vitiq.cli.main import answer, cli
for line in ("encode d/x.png -c avif -o x.avif", "decode x.avif -o y.png", "score d/x.png y.png -m ssim,psnr,brisque",
             "score d d -m ssim -j 1", "bench d -c jpeg@20 -m mse -o out --executor inline", "encode d/x.png -o x.viq"):
    done = CliRunner().invoke(cli, line.split(), standalone_mode=False)
    print(done.exit_code, answer(done.exception)[0] if done.exception else "")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[:5] == ["0 "] * 5, done.stdout
    assert "torch is not installed" in done.stdout.splitlines()[5]
