"""`vitiq run` and `vitiq score` stopped by Ctrl-C or killed outright, and the same command again.

Truth: the same command without a stop.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitiq.cli.main import main
from vitiq.codecs.defaults import MAIN
from vitiq.evaluation import scoring
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.pair_store import PairStore
from vitiq.evaluation.presets import THESIS_LADDER, RunConfig, run_preset
from vitiq.evaluation.progress import Step
from vitiq.evaluation.record import Record
from vitiq.evaluation.store import Store
from vitiq.image.io import write_png
from vitiq.types import ImageU8


def arguments(images: Path, out: Path, executor: str = "inline") -> list[str]:
    settings = ["--preset", "thesis", "--iterations", "8", "--comparators", "jpeg", "-m", "mse,psnr-rgb", "--quiet"]
    return ["run", str(images), "-o", str(out), *settings, "--executor", executor, "-j", "2"]


def records(out: Path) -> list[str]:
    """Records but for times."""
    names = [name for name in Record.__dataclass_fields__ if "seconds" not in name]
    return [repr({name: getattr(record, name) for name in names}) for record in Store(out).records()]


def files(out: Path) -> dict[str, bytes]:
    """Bitstreams and images."""
    found = (path for folder in ("bitstreams", "reconstructions", "previews") for path in (out / folder).rglob("*"))
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found if path.is_file()}


@pytest.fixture(scope="module")
def images(bundled: dict[str, ImageU8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name in ("animal", "portrait"):
        write_png(folder / f"{name}.png", np.ascontiguousarray(bundled[name][200:264, 200:264]))
    return folder


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing stops; without its report, which is not compared."""
    out = tmp_path_factory.mktemp("whole")
    config = RunConfig(
        MAIN,
        {"iterations": "8"},
        comparators="jpeg",
        ladder=THESIS_LADDER,
        metrics=MetricSpec("mse,psnr-rgb"),
        preset="thesis",
    )
    with Workers("inline") as workers:
        run_preset(config, [images], out, workers)
    return out


def test_both_passes_of_a_run_are_one_progress(images: Path, tmp_path: Path) -> None:
    """Comparators wait for the sizes of the main codec's files: what that took still counts when they begin."""
    steps: list[Step] = []
    config = RunConfig("webp", {}, comparators="jpeg", ladder=(), metrics=MetricSpec("mse"))
    with Workers("inline") as workers:
        run_preset(config, [images], tmp_path, workers, steps.append)
    assert {step.total for step in steps} == {4}
    assert steps[-1].done == 4
    spent = [step.spent for step in steps]
    assert spent == sorted(spent)
    assert steps[-1].rest == 0


SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
SAID = "vitiq: error: stopped; what is done is kept, the same command resumes\n"


PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background would ignore it
from vitiq.cli.main import main
from vitiq.evaluation import pair_store
from vitiq.models import threads
threads.SEARCH_THREADS = 1  # as in the process of the tests
pair_store.PART_SECONDS = 0  # written down at once, so that a fast machine is stopped in the middle too
main()
"""


def hears_sigint() -> None:
    """In a child: as a terminal starts a program, also where these tests run in the background with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop(command: list[str], ready: Callable[[], bool], number: signal.Signals) -> tuple[int, str, str]:
    """Send a signal to a program as soon as it is ready for that; exit code, stdout and stderr."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=hears_sigint,  # noqa: PLW1509 - no threads here
    ) as process:
        end = time.monotonic() + 100
        while not ready():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.005)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@SIGNALS
def test_the_same_command_finishes_a_stopped_run(
    number: signal.Signals, images: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    command = arguments(images, out)
    code, said, err = stop(command, lambda: any(out.glob("store/*/scores/*/[0-9]*.parquet")), number)
    assert said == ""
    if number == signal.SIGINT:
        assert (code, err) == (130, SAID)
        assert not [path for path in out.rglob(".*") if path.name != ".vitiq"], "no half-made files"
    else:
        assert code == -signal.SIGKILL
    parts = {path: path.stat().st_mtime_ns for path in out.glob("store/*/*/*/[0-9]*.parquet")}
    done = len(records(out))
    assert 0 < done < len(records(whole))
    monkeypatch.setattr(sys, "argv", ["vitiq", *command])
    main()
    assert records(out) == records(whole)
    assert len(records(out)) == 2 * (1 + 1 + 8)
    assert files(out) == files(whole)
    assert {path: path.stat().st_mtime_ns for path in parts} == parts, "what was done is not done again"
    with (out / "records.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 2 * (1 + 1 + 8)
    assert (out / "report.html").is_file()


@SIGNALS
def test_the_same_command_finishes_stopped_scores(
    number: signal.Signals,
    small: ImageU8,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for i in range(60):
        write_png(tmp_path / "a" / f"{i}.png", small)
        write_png(tmp_path / "b" / f"{i}.png", np.ascontiguousarray(small // (i + 1) * (i + 1)))
    folders = ["score", str(tmp_path / "a"), str(tmp_path / "b"), "-m", "brisque,patch-kid-pixel", "-j", "1"]
    table, whole, kept = tmp_path / "t.csv", tmp_path / "whole.csv", tmp_path / ".t.csv.scores"
    command = [*folders, "--json", "--quiet", "--out", str(table)]
    code, _, err = stop(command, lambda: any(kept.rglob("[0-9]*.parquet")), number)
    assert (code, err) == ((130, SAID) if number == signal.SIGINT else (-signal.SIGKILL, ""))
    done = len(PairStore(kept, ()).known())
    assert 0 < done < 60
    scored: list[Path] = []
    score_files = scoring.score_files

    def counted(pairs: Sequence[scoring.Pair], *rest: Any, **settings: Any) -> list[scoring.Scored]:
        scored.extend(distorted for _, distorted in pairs)
        return score_files(pairs, *rest, **settings)

    monkeypatch.setattr(scoring, "score_files", counted)
    answers = []
    for out in (table, whole):
        monkeypatch.setattr(sys, "argv", ["vitiq", *command[:-1], str(out)])
        main()
        answers.append(json.loads(capsys.readouterr().out))
        assert len(scored) == (60 - done if out == table else 120 - done)
    assert table.read_bytes() == whole.read_bytes()
    assert answers[0] == answers[1]
    assert answers[0]["summary"]["brisque"]["n"] == 60
    assert not kept.exists()


def test_ctrl_c_while_the_program_starts_is_one_line(tmp_path: Path) -> None:
    """The interrupt falls into the first import of the command line, as a quick hand's does."""
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    done = subprocess.run(
        [sys.executable, "-m", "vitiq", "--version"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "vitiq: error: stopped\n")
