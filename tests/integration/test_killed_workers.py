"""A worker process that is killed in the middle: its item is named, the others are done.

Truth: the result without the item. Workers end themselves by SIGKILL, as the system does that has no memory left, on
images whose name has "deadly" in it.
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import killers
from program import Vitiq
from vitiq import workers
from vitiq.codecs import folders as codec_folders
from vitiq.codecs.batch import Skipped
from vitiq.codecs.files import EncodedFile, encode_file
from vitiq.codecs.journal import Journal
from vitiq.codecs.spec import make_codec
from vitiq.errors import TaskError
from vitiq.evaluation import plan, scoring, series_sets, sets, validate
from vitiq.evaluation.executors import Workers
from vitiq.image.io import write_png
from vitiq.types import Score
from vitiq.workers import KILLED, Processes, in_order

COUNT = 20


@pytest.fixture(scope="module", autouse=True)
def _on_path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(killers.__file__).parent))
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders of the same names; one image of the second kills whoever reads it."""
    top = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for side in ("a", "b"):
        for i in range(COUNT):
            write_png(top / side / f"{i:02}{'-deadly' * (i == 7)}.png", rng.integers(0, 256, (16, 16, 3), np.uint8))
    return top / "a", top / "b"


def test_an_item_is_tried_alone_and_those_beside_it_are_done() -> None:
    items = list(range(30))
    found = list(in_order(killers.squares, items, lambda item, said: (item, said), jobs=2, size=4))
    assert found == [(i, KILLED) if i in {5, 6, 29} else i * i for i in items]


def test_an_item_that_fits_alone_is_done(tmp_path: Path) -> None:
    found = list(in_order(killers.together, [1, 2, 3, 4, 5], lambda item, said: said, jobs=2, size=2))
    assert found == [1, 2, 3, 4, 5]


def test_a_worker_that_ends_as_it_starts_is_no_reader_of_our_output_that_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipe that its start is written to breaks; a broken pipe of standard output ends a command without a word."""

    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    monkeypatch.setattr(ProcessPoolExecutor, "submit", broken)
    found = list(in_order(killers.squares, [1, 2, 3], lambda item, said: (item, said), jobs=2))
    assert found == [(item, KILLED) for item in (1, 2, 3)]
    monkeypatch.setattr(workers, "ProcessPoolExecutor", broken)
    with pytest.raises(TaskError, match=r"worker processes cannot be started \(Broken pipe\); do without them"):
        list(in_order(killers.squares, [1, 2, 3], lambda item, said: (item, said), jobs=2))


def test_ending_workers_of_which_one_has_died_is_no_error() -> None:
    pool = Processes(2)
    for future in [pool.submit(killers.together, [1]) for _ in range(2)]:
        future.result()
    dead = next(iter(pool.executor._processes))
    os.kill(dead, signal.SIGKILL)
    for _ in range(500):  # until the pool has taken notice, and nobody is called so any more
        if not Path(f"/proc/{dead}").exists():
            break
        time.sleep(0.01)
    pool.kill()
    pool.close()


def test_a_worker_that_is_ended_leaves_no_program_and_no_temporary_folder(tmp_path: Path) -> None:
    pool, note = Processes(1), tmp_path / "note"
    future = pool.submit(killers.program, note)
    while not note.exists():
        assert not future.done()
        time.sleep(0.02)
    number, folder = note.read_text().split(maxsplit=1)
    pool.kill()
    pool.close()
    assert not Path(folder.strip()).exists()
    state = Path(f"/proc/{number}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_nor_does_a_worker_whose_parent_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = f"""
import os, pathlib, signal, time
from vitiq.workers import Processes
import killers
note = pathlib.Path({str(note)!r})
Processes(1).submit(killers.program, note)
while not note.exists():
    time.sleep(0.02)
os.kill(os.getpid(), signal.SIGKILL)
"""
    there = os.pathsep.join([str(Path(killers.__file__).parent), os.environ.get("PYTHONPATH", "")])
    subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONPATH": there})
    folder = Path(note.read_text().split(maxsplit=1)[1].strip())
    for _ in range(500):
        if not folder.exists():
            return
        time.sleep(0.02)
    raise AssertionError("still there")


def test_errors_of_the_work_itself_are_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_order(killers.inverses, [1, 2, 0], lambda item, said: said, jobs=2))


def test_score_names_the_pair_and_does_the_others(
    folders: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vitiq: Vitiq,
) -> None:
    monkeypatch.setattr(scoring, "score_files", killers.score_files)
    out = tmp_path / "table.csv"
    arguments = ("score", *folders, "-m", "mse", "-j", 2, "--json", "--quiet", "--out", out)
    code, text, err = vitiq(*arguments)
    facts = json.loads(text)
    assert code == 1
    assert len(facts["pairs"]) == COUNT - 1
    assert facts["problems"] == [f"{folders[0]}/07-deadly.png and {folders[1]}/07-deadly.png: {KILLED}"]
    assert err == f"vitiq: {facts['problems'][0]}\n"
    assert len(out.read_text().splitlines()) == COUNT
    # The same command does the one that is missing, alone.
    monkeypatch.undo()
    code, text, _ = vitiq(*arguments, "--force")
    assert code == 0
    assert len(json.loads(text)["pairs"]) == COUNT


def test_sets_and_statistics_leave_the_image_out(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from vitiq.evaluation.metric_spec import MetricSpec

    monkeypatch.setattr(sets, "read_rows", killers.read_rows)
    found = sets.score_sets_of(*folders, MetricSpec("kid-pixel"), jobs=2)
    assert found.problems == [f"{side}/07-deadly.png: {KILLED}" for side in folders]


def test_the_images_of_a_study(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "read_inputs", killers.read_inputs)
    with Workers("processes", 2) as workers:
        images, problems = plan.read_images([folders[1]], workers)
    assert len(images) == COUNT - 1
    assert problems == [f"{folders[1]}/07-deadly.png: {KILLED}"]


def test_an_agreement_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from vitiq.datasets.opinion import Opinion, OpinionSet
    from vitiq.evaluation.validate_text import to_markdown
    from vitiq.metrics.scoring import resolve_metrics

    rng = np.random.default_rng(0)
    opinions = [
        Opinion(Path(f"{i % 9}.png"), Path(f"{i}.png"), "jpeg" if i % 2 else "noise", float(i)) for i in range(40)
    ]
    values = {"mse": rng.normal(size=40), "ssim": np.arange(40.0)}
    monkeypatch.setattr(validate, "WORTH_PROCESSES", 0)
    monkeypatch.setattr(validate, "_some_resampled", killers.agreements)
    answer = validate.validate(OpinionSet("x", tuple(opinions)), values, resolve_metrics("mse,ssim"), resamples=10)
    lines = answer.lines
    assert [(line.metric, line.distortion, line.problem) for line in lines if line.problem] == [("ssim", "all", KILLED)]
    assert len(lines) == 6
    assert "| ssim | 40 | – | – | – | – |" in to_markdown(answer)


@pytest.mark.parametrize("work", [killers.encode_some, killers.encode_some_and_end])
def test_folders_of_encode(
    work: Callable[..., object], folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec_folders, "_encode_some", work)
    found = list(codec_folders.encode_files([folders[1]], tmp_path, codec="jpeg", jobs=2))
    failed = [one for one in found if isinstance(one, codec_folders.Failed)]
    assert failed == [codec_folders.Failed(folders[1] / "07-deadly.png", f"{folders[1]}/07-deadly.png: {KILLED}")]
    assert len(list(tmp_path.glob("*.jpg"))) == COUNT - 1


def test_a_file_that_another_run_or_a_killed_worker_has_made_is_there_already(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    source, target = sorted(folders[1].glob("*.png"))[0], tmp_path / "made.jpg"
    codec, journal = make_codec("jpeg"), Journal.of(tmp_path, {})

    def made(kept: Journal, between: bytes | None = None) -> object:
        def one(source: Path, target: Path) -> EncodedFile:
            if between is not None:  # another run is faster
                target.write_bytes(between)
            return encode_file(source, target, codec=codec, journal=kept)

        return codec_folders.each_of([(source, target)], one, kept, overwrite=False)[0]

    assert isinstance(made(journal), EncodedFile)
    first, there = target.read_bytes(), Skipped(source, target, meanwhile=True)
    assert made(journal) == there
    target.unlink()
    assert made(journal, first) == there
    other = made(Journal.of(tmp_path, {"other": 1}))
    assert target.read_bytes() == first
    target.write_bytes(b"another")
    for foreign in (other, made(journal)):
        assert isinstance(foreign, codec_folders.Failed)
        assert "exists already" in foreign.problem
    assert target.read_bytes() == b"another"


def test_sets_of_a_study_say_why_and_are_tried_again(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vitiq as library

    def study() -> Score:
        done = library.run_study(folders[0], "jpeg@50", tmp_path, "mse,kid-pixel", executor="processes", jobs=2)
        return done.sets["JPEG"]["kid-pixel"]

    monkeypatch.setenv(killers.WHEN, "1")
    monkeypatch.setattr(series_sets, "rows_of_files", killers.rows_of_files)
    first = study()
    assert math.isnan(first.value)
    assert str(first.details["undefined"]).endswith(KILLED)
    monkeypatch.setenv(killers.WHEN, "")
    assert math.isfinite(study().value)
