"""Studies from plan to records, in this process and in others: failures, resume, two at once, what is kept.

Truth: the same study undisturbed, and codecs whose files are known by hand (tests/engine_plugin.py).
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import engine_plugin as plugin
from read_tables import parquet_rows
from vitiq.analysis.points import points_of
from vitiq.codecs.rate_target import encode_within
from vitiq.codecs.spec import make_codec, parse_codecs
from vitiq.errors import InputError, MissingDependencyError, StoreError, TaskError
from vitiq.evaluation import engine
from vitiq.evaluation import store as store_module
from vitiq.evaluation import task as task_module
from vitiq.evaluation.bench import run_bench
from vitiq.evaluation.engine import Outcome, run_study
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.housekeeping import list_studies
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.plan import Faults, check_metrics, make_study, read_images, series_of
from vitiq.evaluation.presets import finish
from vitiq.evaluation.progress import Clock
from vitiq.evaluation.record import Record
from vitiq.evaluation.rows import FIXED, write_tables
from vitiq.evaluation.series_sets import kept_scores
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Study
from vitiq.evaluation.worker import latents_of
from vitiq.files import write_quickly
from vitiq.image.io import read_image, write_png
from vitiq.metrics.fidelity.pixel import Mae, PsnrRgb
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.models.perceptual import ALEXNET
from vitiq.models.threads import threads
from vitiq.types import ImageU8, Score
from vitiq.weights.store import model_info


@pytest.fixture(scope="module", autouse=True)
def _plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("site")
    plugin.install(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.syspath_prepend(str(Path(plugin.__file__).parent))
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images, one of them dark."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for name, level in (("dark", 20), ("light", 150), ("pale", 200)):
        write_png(folder / f"{name}.png", rng.integers(level, level + 50, (20, 30, 3), dtype=np.uint8))
    return folder


def plan(
    images: Path, codecs: str, metrics: str = "mse,psnr-rgb", keep: tuple[str, ...] = ("bitstreams", "images")
) -> Study:
    spec = MetricSpec(metrics)
    with Workers("inline") as workers:
        found, problems = read_images([images], workers)
    assert problems == []
    return make_study(found, map(series_of, parse_codecs(codecs)), check_metrics(spec, Faults()), spec, keep=keep)


def run(study: Study, out: Path, kind: str = "inline", **settings: int | None) -> Outcome:
    store = Store(out)
    store.begin(study)
    with Workers(kind, 2) as workers:
        return run_study(study, store, workers, **settings)  # type: ignore[arg-type]


def same(found: list[Record], wanted: list[Record]) -> None:
    """Equal but for times."""

    def plain(record: Record) -> str:
        answer = {name: getattr(record, name) for name in record.__dataclass_fields__ if "seconds" not in name}
        return repr(answer)

    assert list(map(plain, found)) == list(map(plain, wanted))


def test_records_and_files(images: Path, tmp_path: Path) -> None:
    outcome = run(plan(images, "test-grey@1,2"), tmp_path)
    assert (outcome.done, outcome.kept, outcome.failed) == (6, 0, {})
    store = Store(tmp_path)
    records = store.records()
    assert [(r.image, r.quality, r.bytes) for r in records[:3]] == [
        ("dark.png", 1, 8),
        ("dark.png", 2, 9),
        ("light.png", 1, 8),
    ]
    record = records[0]
    assert (record.codec, record.label, record.rate_kind, record.rate_value) == ("test-grey", "Grey", "quality", 1)
    assert (record.width, record.height, record.error, record.reached) == (30, 20, None, True)
    assert record.bpp == pytest.approx(8 * 8 / 600)
    assert list(record.scores) == ["mse", "psnr-rgb"]
    original, rebuilt, bitstream = store.original(record), store.reconstruction(record), store.bitstream(record)
    assert original
    assert rebuilt
    assert bitstream
    assert bitstream.read_bytes().startswith(b"GREY")
    assert bitstream.parent.name == record.key[:2]
    assert np.array_equal(read_image(original), read_image(images / "dark.png"))
    difference = read_image(original).astype(float) - read_image(rebuilt)
    assert record.value("mse") == pytest.approx(np.square(difference).mean())
    assert math.isnan(record.value("ssim"))
    assert record.details["original_bytes"] == (images / "dark.png").stat().st_size


def test_processes_give_the_records_of_one_process(images: Path, tmp_path: Path) -> None:
    study = plan(images, "jpeg@10:50:20,test-grey,webp@bytes=200", "mse,ssim")
    assert run(study, tmp_path / "one").done == run(study, tmp_path / "two", "processes").done == len(study)
    same(Store(tmp_path / "two").records(), Store(tmp_path / "one").records())


def test_a_new_metric_costs_no_encode_and_a_changed_codec_only_itself(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(plan(images, "test-grey@1,jpeg@50", "mse"), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("bitstreams/*/*")}
    assert len(before) == 6
    encoded: list[str] = []
    encode = encode_within

    def counted(codec: object, *rest: object) -> object:
        encoded.append(type(codec).__name__)
        return encode(codec, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(task_module, "encode_within", counted)
    assert run(plan(images, "test-grey@1,jpeg@50", "mse,psnr-rgb"), tmp_path).done == 6
    assert encoded == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [list(r.scores) for r in Store(tmp_path).records()] == [["mse", "psnr-rgb"]] * 6
    monkeypatch.setattr(plugin.Grey, "identity", lambda _: {"version": 2})
    outcome = run(plan(images, "test-grey@1,jpeg@50", "mse,psnr-rgb"), tmp_path)
    assert (outcome.done, outcome.kept) == (3, 3)
    assert encoded == ["Grey"] * 3


def test_a_new_version_of_a_plug_in_is_computed_anew_and_named(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = plan(images, "test-grey@1,jpeg@50", "mse")
    run(old, tmp_path / "out")
    signature = plan(images, "test-grey", "test-moody").signatures["test-moody"]
    plugin.install(tmp_path / "newer", "2.0")
    monkeypatch.syspath_prepend(str(tmp_path / "newer"))
    new = plan(images, "test-grey@1,jpeg@50", "mse")
    outcome = run(new, tmp_path / "out")
    assert (outcome.done, outcome.kept) == (3, 3)
    assert [one.identity.get("packages") for one in new.series] == [{"vitiq-tests": "2.0"}, None]
    versions = {r.codec: r.details["versions"] for r in Store(tmp_path / "out").records()}
    assert versions["test-grey"] == {**versions["jpeg"], "vitiq-tests": "2.0"}  # type: ignore[dict-item]
    assert signature == "test-moody|v1|vitiq-tests 1.0"
    newer = plan(images, "test-grey", "test-moody").signatures["test-moody"]
    assert newer == "test-moody|v1|vitiq-tests 2.0"


@pytest.mark.parametrize("keep", [("bitstreams",), ("images",), ()])
def test_scores_can_be_added_whatever_was_kept(images: Path, tmp_path: Path, keep: tuple[str, ...]) -> None:
    run(plan(images, "test-grey@1", "mse", keep), tmp_path)
    kinds = {"bitstreams": 3 * ("bitstreams" in keep), "reconstructions": 3 * ("images" in keep)}
    assert {kind: len(list(tmp_path.glob(f"{kind}/*/*"))) for kind in kinds} == kinds
    assert run(plan(images, "test-grey@1", "mse,psnr-rgb", keep), tmp_path).done == 3
    assert [list(r.scores) for r in Store(tmp_path).records()] == [["mse", "psnr-rgb"]] * 3


@pytest.mark.parametrize("kind", ["inline", "processes"])
def test_a_failed_task_is_recorded_and_tried_again_and_takes_no_other_with_it(
    images: Path, tmp_path: Path, kind: str
) -> None:
    study = plan(images, "test-wrong@1,2,3")
    outcome = run(study, tmp_path, kind)
    assert outcome.done == 9
    said = "codec test-wrong failed to encode (RuntimeError: no light); it comes from the plug-in engine_plugin"
    assert sorted(outcome.failed.values()) == [said, said, "too dark"]
    records = Store(tmp_path).records()
    assert [r.error for r in records if r.image == "dark.png"] == ["too dark", said, said]
    assert all(r.error is None and r.scores for r in records if r.image != "dark.png")
    assert (records[0].bytes, records[0].width, records[0].quality) == (0, 30, None)
    again = run(study, tmp_path, kind)
    assert (again.done, again.kept) == (3, 6)
    assert len(Store(tmp_path).records()) == 9


def test_a_metric_that_breaks_down_is_a_failure_of_its_task_and_costs_no_other_score(
    images: Path, tmp_path: Path
) -> None:
    study = plan(images, "test-grey@1,2", "mse,test-moody")
    outcome = run(study, tmp_path)
    said = "test-moody: metric test-moody failed (ValueError: no light); it comes from the plug-in engine_plugin"
    assert sorted(outcome.failed.values()) == [said, said]
    records = Store(tmp_path).records()
    dark = [r for r in records if r.image == "dark.png"]
    assert [(r.error, r.unscored, list(r.scores)) for r in dark] == [(None, said, ["mse"])] * 2
    assert all(r.failure is None and r.value("test-moody") == 0.5 for r in records if r not in dark)
    with Workers("inline") as workers:
        assert finish(study, Store(tmp_path), workers).problems == [f"{images / 'dark.png'}: test-grey: {said}"]
    assert [one.failed for one in list_studies(tmp_path)] == [2]
    assert run(study, tmp_path).done == 2  # tried again


def test_a_required_metric_that_a_worker_lacks_is_made_by_the_next_run(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = plan(images, "test-grey@1", "mse,mae")

    def lacking(*_: object) -> Score:
        raise MissingDependencyError("no program on this node")

    with monkeypatch.context() as patch:
        patch.setattr(Mae, "__call__", lacking)
        assert set(run(study, tmp_path).failed.values()) == {"mae: no program on this node"}
        assert [list(r.scores) for r in Store(tmp_path).records()] == [["mse"]] * 3
        # one of a group: what cannot be had is no failure, and as no worker is to have it, it is done
        group = replace(study, required=())
        assert run(group, tmp_path / "group").failed == {}
        assert run(group, tmp_path / "group").kept == 3
    again = run(study, tmp_path)
    assert (again.done, again.failed) == (3, {})
    for record in Store(tmp_path).records():
        original, rebuilt = Store(tmp_path).original(record), Store(tmp_path).reconstruction(record)
        assert original
        assert rebuilt
        difference = read_image(original).astype(float) - read_image(rebuilt)
        assert record.value("mae") == pytest.approx(np.abs(difference).mean())
    assert run(study, tmp_path).kept == 3


def test_a_value_of_another_version_than_planned_does_not_stand_for_it(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = plan(images, "test-grey@1", "mse,mae")
    group = replace(study, required=())
    with monkeypatch.context() as patch:
        patch.setattr(Mae, "signature", lambda _: "mae|v0")
        patch.setattr(Mae, "__call__", lambda *_: Score(7.0, "mae|v0"))
        said = f"mae: planned as {study.signatures['mae']}, but the worker has mae|v0; install the same version"
        assert all(error.startswith(said) for error in run(study, tmp_path).failed.values())
        assert run(group, tmp_path / "group").failed == {}
        assert [list(r.scores) for r in Store(tmp_path / "group").records()] == [["mse"]] * 3
        # a study that is planned where it is as it was made finds it
        other = plan(images, "test-grey@1", "mse,mae")
        assert run(other, tmp_path / "group").kept == 3
        assert [r.value("mae") for r in Store(tmp_path / "group").records(other.name)] == [7.0] * 3
    for one, out in ((study, tmp_path), (group, tmp_path / "group")):
        assert (run(one, out).done, run(one, out).kept) == (3, 3)
        assert all(r.value("mae") not in {7.0, math.nan} for r in Store(out).records(one.name))


def test_weights_in_a_folder_score_a_study_as_they_score_a_pair(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    generator = torch.Generator().manual_seed(0)
    trunk, heads = {}, {}
    for level, (place, (width, depth, side)) in enumerate(ALEXNET.items()):
        trunk[f"features.{place}.weight"] = torch.randn(width, depth, side, side, generator=generator) * 0.05
        trunk[f"features.{place}.bias"] = torch.zeros(width)
        heads[f"lin{level}.model.1.weight"] = torch.rand(1, width, 1, 1, generator=generator)
    torch.save(trunk, weights / Path(model_info("alexnet-torchvision").file).name)
    torch.save(heads, weights / Path(model_info("lpips-alex").file).name)
    write_png(tmp_path / "in" / "a.png", np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8))
    study = plan(tmp_path / "in", "test-grey@1", f"mse,lpips@{weights}")
    assert run(study, tmp_path / "out").failed == {}
    (record,) = Store(tmp_path / "out").records()
    rebuilt = Store(tmp_path / "out").reconstruction(record)
    assert rebuilt
    (metric,) = resolve_metrics(f"lpips@{weights}")
    wanted = score_pair(read_image(tmp_path / "in" / "a.png"), read_image(rebuilt), [metric])["lpips"]
    assert record.value("lpips") == wanted.value > 0
    assert record.scores["lpips"].signature == wanted.signature


def test_sets_that_are_known_stay_beside_those_that_are_scored_again(images: Path, tmp_path: Path) -> None:
    study = plan(images, "test-grey@1,jpeg@50,webp@50", "mse,kid-pixel")

    def scored() -> dict[str, float]:
        with Workers("inline") as workers:
            found = finish(study, Store(tmp_path), workers).sets
        assert kept_scores(study, Store(tmp_path)) == found
        return {name: scores["kid-pixel"].value for name, scores in found.items()}

    run(study, tmp_path)
    whole = scored()
    assert list(whole) == ["Grey", "JPEG", "WebP"]
    record = next(r for r in Store(tmp_path).records() if (r.codec, r.image) == ("test-grey", "pale.png"))
    rebuilt = Store(tmp_path).reconstruction(record)
    assert rebuilt
    rebuilt.unlink()
    fewer = scored()
    assert list(fewer) == list(whole)
    assert [fewer[name] == value for name, value in whole.items()] == [False, True, True]


def test_of_vitiqs_own_metrics_that_break_down_the_others_keep_their_scores(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = plan(images, "test-grey@1", "mse,psnr-rgb")

    def broken(*_: object) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr(PsnrRgb, "__call__", broken)
    assert sorted(run(study, tmp_path).failed.values()) == ["psnr-rgb: ZeroDivisionError"] * 3
    assert [(r.error, list(r.scores)) for r in Store(tmp_path).records()] == [(None, ["mse"])] * 3


@pytest.mark.parametrize("lost", [("reconstructions",), ("reconstructions", "bitstreams")])
def test_kept_files_that_are_damaged_are_made_again_for_a_further_metric(
    images: Path, tmp_path: Path, lost: tuple[str, ...]
) -> None:
    run(plan(images, "jpeg@50", "mse"), tmp_path / "hurt")
    whole = {path: path.read_bytes() for path in tmp_path.glob("hurt/reconstructions/*/*")}
    for path in (path for kind in lost for path in tmp_path.glob(f"hurt/{kind}/*/*")):
        path.write_bytes(path.read_bytes()[:60])
    study = plan(images, "jpeg@50", "mse,psnr-rgb")
    assert run(study, tmp_path / "hurt").failed == {}
    run(study, tmp_path / "sound")
    same(Store(tmp_path / "hurt").records(), Store(tmp_path / "sound").records())
    assert {path: path.read_bytes() for path in whole} == whole


def test_scores_that_were_made_stay_where_a_further_metric_fails(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(shutil.copytree(images, tmp_path / "images"))
    run(plan(own, "test-grey@1", "mse"), tmp_path / "out")
    study = plan(own, "test-grey@1", "mse,psnr-rgb")
    (own / "dark.png").unlink()
    monkeypatch.setattr(task_module._held, "image", None)  # tasks come in any order: it may have been the last one read
    assert len(run(study, tmp_path / "out").failed) == 1
    points = points_of(Store(tmp_path / "out").records())
    assert [sorted(point.values) for point in points] == [["mse"], ["mse", "psnr-rgb"], ["mse", "psnr-rgb"]]


def test_too_many_failures_end_a_study(images: Path, tmp_path: Path) -> None:
    study = plan(images, "test-wrong@1,2,3")
    with pytest.raises(TaskError, match="2 tasks failed, more than the 1 of --max-failures"):
        run(study, tmp_path, max_failures=1)
    records = Store(tmp_path).records()
    assert sum(record.error is not None for record in records) == 2
    again = run(study, tmp_path, max_failures=3)
    assert (again.done, again.kept) == (9 - (len(records) - 2), len(records) - 2)


def test_a_killed_worker_costs_the_task_that_killed_it(images: Path, tmp_path: Path) -> None:
    study = plan(images, "test-deadly@1,2,3,test-grey")
    outcome = run(study, tmp_path, "processes")
    records = Store(tmp_path).records()
    assert len(records) == len(study)
    failed = [r for r in records if r.error is not None]
    assert [(r.image, r.codec, r.rate_value) for r in failed] == [("dark.png", "test-deadly", 2)]
    assert "killed" in str(failed[0].error)
    assert list(outcome.failed) == [failed[0].key]


class _Breaking(Workers):
    """A pool that dies while it has two batches, and is noticed only when both are lost; then it works."""

    def __init__(self) -> None:
        super().__init__("inline")
        self.kind = "processes"
        self._lost: list[Future[Any]] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **settings: Any) -> Future[Any]:
        if len(self._lost) == 2:
            return super().submit(work, *args, **settings)
        self._lost.append(Future())
        if len(self._lost) == 2:
            for future in self._lost:
                future.set_exception(BrokenProcessPool("died"))
        return self._lost[-1]


def test_of_several_tasks_that_a_dead_pool_had_none_is_blamed(images: Path, tmp_path: Path) -> None:
    study = plan(images, "test-grey@1")
    store = Store(tmp_path)
    store.begin(study)
    outcome = run_study(study, store, _Breaking())
    assert (outcome.done, outcome.failed) == (len(study), {})


def test_two_runs_at_once_neither_corrupt_nor_double(images: Path, tmp_path: Path) -> None:
    study = plan(images, "test-grey@1:9:1,jpeg@10:90:10")
    runs = [threading.Thread(target=run, args=(study, tmp_path / "both")) for _ in range(2)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    run(study, tmp_path / "one")
    same(Store(tmp_path / "both").records(), Store(tmp_path / "one").records())
    store = Store(tmp_path / "both")
    store.parts.compact()
    same(store.records(), Store(tmp_path / "one").records())


def test_what_is_done_is_kept_while_the_next_tasks_take_long(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed study has left: a worker keeps no result to itself until it has done others too."""
    gate, out = tmp_path / "gate", tmp_path / "out"
    monkeypatch.setenv(plugin.GATE, str(gate))
    study = plan(images, "test-held@1:9:1")
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(run(study, out, "processes")))
    thread.start()
    try:
        end = time.monotonic() + 60
        while not any(out.glob("store/*/scores/*/[0-9]*.parquet")) and time.monotonic() < end:
            time.sleep(0.05)
        kept = Store(out).records(study)
    finally:
        gate.touch()
        thread.join()
    assert [len(record.scores) for record in kept] == [2]
    assert [(outcome.done, outcome.failed) for outcome in outcomes] == [(27, {})]


@pytest.mark.parametrize("kind", ["inline", "processes"])
def test_a_task_that_goes_on_for_long_does_not_hold_up_a_study_that_is_stopped(
    kind: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLURM kills a job two minutes after it has asked it to stop; before that it must be back in the queue."""
    gate = tmp_path / "gate"  # which never opens
    monkeypatch.setenv(plugin.GATE, str(gate))
    monkeypatch.setattr(engine, "GRACE", 0.5)
    study, store = plan(images, "test-held@1:9:1"), Store(tmp_path / "out")
    store.begin(study)

    def stop() -> None:
        while not gate.with_suffix(".first").exists():
            time.sleep(0.01)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGUSR1)

    deadline = time.time() + 1 if kind == "inline" else None
    thread = threading.Thread(target=stop)
    if deadline is None:
        thread.start()
    with Workers(kind, 2) as workers:
        outcome = run_study(study, store, workers, deadline=deadline)
        start = time.monotonic()
    assert time.monotonic() - start < 10, "for ever"
    assert outcome.stopped == ("SIGUSR1" if deadline is None else "deadline")
    assert outcome.done == len(store.records(study)) <= 2


@pytest.mark.parametrize("kind", ["inline", "processes"])
def test_tasks_that_take_longer_than_expected_go_back_and_are_done_once(
    kind: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches are planned as if tasks took no time, and workers have time for one task of each."""
    study = plan(images, "test-counted@1:9:1")
    run(study, tmp_path / "usual")
    monkeypatch.setenv(plugin.LOG, str(tmp_path / "log"))
    monkeypatch.setattr(engine, "BATCH_SECONDS", 0.0)
    monkeypatch.setattr(Clock, "knows", lambda *_: True)
    monkeypatch.setattr(Clock, "seconds", lambda *_: 0.0)
    outcome = run(study, tmp_path / "out", kind)
    assert (outcome.done, outcome.kept, outcome.failed) == (27, 0, {})
    assert len((tmp_path / "log").read_text().split()) == 27
    same(Store(tmp_path / "out").records(), Store(tmp_path / "usual").records())


def test_of_two_studies_at_once_the_one_that_ends_last_is_shown(images: Path, tmp_path: Path) -> None:
    """The table, the list and what reads the last study agree, whichever of them began last."""
    first, second = plan(images, "test-grey@1,2"), plan(images, "test-grey@2,3,4")
    store = Store(tmp_path)
    with Workers("inline") as workers:
        store.begin(first)
        assert store.study() == first
        run_bench(second, tmp_path, workers)
        for study in (second, first, second):
            run_study(study, store, workers)
            finish(study, store, workers)
            assert store.study() == study
            assert [one.name for one in list_studies(tmp_path) if one.last] == [study.name]
            with (tmp_path / "records.csv").open(newline="", encoding="utf-8") as file:
                assert len(list(csv.DictReader(file))) == len(study) == len(store.records())


RUN = """
import sys, time
from pathlib import Path
from vitiq.evaluation import engine, others
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.store import Store

engine.BATCH_SECONDS = engine.PART_SECONDS = others.LOOK_SECONDS = 0.1  # as short beside the whole as in a long study
others.SHARE = 0
out, own, other = map(Path, sys.argv[1:])
own.touch()
while not other.exists():
    time.sleep(0.01)
store = Store(out)
with Workers("inline") as workers:
    found = engine.run_study(store.study(), store, workers)
print(found.done, found.kept)
"""


def test_two_runs_at_once_share_the_work(tmp_path: Path) -> None:
    """Two programs, as on two machines. Each encode is counted: both took part, and little was done twice."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(20):
        write_png(folder / f"{i}.png", np.full((20, 30, 3), i, np.uint8))
    study = plan(folder, "test-counted@1:9:1")
    Store(tmp_path / "both").begin(study)
    names = [str(tmp_path / "first"), str(tmp_path / "second")]
    paths = os.pathsep.join([str(Path(plugin.__file__).parent), *sys.path])
    environment = os.environ | {plugin.LOG: str(tmp_path / "log"), "PYTHONPATH": paths}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, str(tmp_path / "both"), *order],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for order in (names, names[::-1])
    ]
    counts = [list(map(int, process.communicate(timeout=120)[0].split())) for process in runs]
    assert [done + kept for done, kept in counts] == [len(study)] * 2
    encoded = (tmp_path / "log").read_text().split()
    assert len(set(encoded)) == 2
    assert len(study) <= len(encoded) < 1.5 * len(study)  # 2 where nothing is shared
    run(study, tmp_path / "one")
    same(Store(tmp_path / "both").records(), Store(tmp_path / "one").records())


def test_threads_of_one_worker_do_not_take_each_others_image(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a Dask worker of several threads, which others started."""

    class Raced:
        """Where another thread always was there in between."""

        @property
        def image(self) -> tuple[str, object]:
            return "another", np.zeros((20, 30, 3), np.uint8)

        @image.setter
        def image(self, _: object) -> None:
            pass

    first = plan(images, "test-grey@1")
    with monkeypatch.context() as patch:
        patch.setattr(task_module, "_held", Raced())
        run(first, tmp_path / "raced")
    run(first, tmp_path / "alone")
    same(Store(tmp_path / "raced").records(), Store(tmp_path / "alone").records())
    study = plan(images, "test-grey@1:9:1")
    store = Store(tmp_path / "threads")
    store.begin(study)
    with Workers("inline") as workers, ThreadPoolExecutor(8) as pool:
        workers.executor, workers.kind, workers.count = pool, "dask", 8
        run_study(study, store, workers)
    run(study, tmp_path / "one")
    same(store.records(), Store(tmp_path / "one").records())


def test_work_of_other_peoples_workers_has_one_thread() -> None:
    torch = pytest.importorskip("torch")
    with threads(2), Workers("inline") as workers:
        assert workers.submit(torch.get_num_threads).result() == 1
        assert torch.get_num_threads() == 2


def test_studies_in_one_folder_share_and_replace_nothing(images: Path, tmp_path: Path) -> None:
    first, second = plan(images, "test-grey@1,2"), plan(images, "test-grey@2,3")
    run(first, tmp_path)
    wanted = Store(tmp_path).records()
    outcome = run(second, tmp_path)
    assert (outcome.done, outcome.kept) == (3, 3)
    store = Store(tmp_path)
    assert store.study_names() == [first.name, second.name]
    assert [r.rate_value for r in store.records()] == [2, 3] * 3
    same(store.records(first.name), wanted)
    run(first, tmp_path)
    assert store.study_names() == [second.name, first.name]
    same(store.records(), wanted)


def test_images_of_the_same_pixels_are_encoded_once_and_shown_each(images: Path, tmp_path: Path) -> None:
    for name in ("x.png", "y.png"):
        write_png(tmp_path / "in" / name, read_image(images / "pale.png"))
    outcome = run(plan(tmp_path / "in", "test-grey@1"), tmp_path / "out")
    assert outcome.done == 1
    assert [r.image for r in Store(tmp_path / "out").records()] == ["x.png", "y.png"]
    assert run(plan(tmp_path / "in", "test-grey@1"), tmp_path / "out").kept == 2


def test_the_same_stem_keeps_apart(images: Path, tmp_path: Path) -> None:
    for name, source in (("x.png", "pale.png"), ("X.bmp", "dark.png"), ("x.bmp", "light.png")):
        write_png(tmp_path / "in" / name, read_image(images / source))
    run(plan(tmp_path / "in", "test-grey@1"), tmp_path / "out")
    store = Store(tmp_path / "out")
    for record in store.records():
        original, rebuilt = store.original(record), store.reconstruction(record)
        assert original
        assert rebuilt
        assert read_image(rebuilt)[0, 0, 0] == int(read_image(original).mean())
    assert len({store.bitstream(r) for r in store.records()}) == 3


def test_an_image_that_changed_meanwhile_is_a_failure(images: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", read_image(images / "pale.png"))
    study = plan(tmp_path, "test-grey@1")
    write_png(tmp_path / "x.png", read_image(images / "dark.png"))
    task_module._held.image = None
    assert next(iter(run(study, tmp_path / "out").failed.values())).endswith("run the command again")


def test_a_full_disk_stops_with_one_error_and_resumes(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = plan(images, "test-grey@1,2,3")
    write, count = write_quickly, 0

    def full(path: Path, data: bytes) -> None:
        nonlocal count
        count += "bitstreams" in str(path)
        if count > 4:
            raise OSError(28, "No space left on device")
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "write_quickly", full)
        with pytest.raises(StoreError, match="No space left on device"):
            run(study, tmp_path)
    assert len(Store(tmp_path).records()) == 4
    assert all(record.error is None for record in Store(tmp_path).records())
    outcome = run(study, tmp_path)
    assert (outcome.done, outcome.kept) == (5, 4)


def test_wide_tables_for_people(images: Path, tmp_path: Path) -> None:
    study = plan(images, "test-wrong@1,3")
    run(study, tmp_path)
    write_tables(Store(tmp_path).parts, study, tmp_path)
    with (tmp_path / "records.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [*FIXED, "mse", "psnr-rgb"]
    assert list(rows[0])[:11] == columns
    assert ["too dark" in rows[0]["error"], "RuntimeError: no" in rows[1]["error"]] == [True, True]
    assert [row["error"] for row in rows[2:]] == [""] * 4
    for row in rows[2:]:
        assert (tmp_path / row["bitstream"]).stat().st_size == int(row["bytes"])
        assert read_image(tmp_path / row["reconstruction"]).shape == (20, 30, 3)
        assert json.loads(row["details"])["title"] == "Wrong"
    table = parquet_rows(tmp_path / "records.parquet")
    assert [row["mse"] for row in table[2:]] == [float(row["mse"]) for row in rows[2:]]


SCRIPT = """
import sys
from pathlib import Path
print("imported")
from vitiq.codecs.rate_target import encode_within
from vitiq.codecs.spec import make_codec, parse_codecs
from vitiq.evaluation.engine import run_study
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.housekeeping import list_studies
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.plan import KEEP, Faults, check_metrics, make_study, read_images, series_of
from vitiq.evaluation.store import Store
from vitiq.files import write_quickly

spec = MetricSpec("mse")
with Workers("processes", 2) as workers:
    images, _ = read_images([Path(sys.argv[1])], workers)
    study = make_study(images, map(series_of, parse_codecs("jpeg@10,90")), check_metrics(spec, Faults()), spec)
    store = Store(Path(sys.argv[2]))
    store.begin(study)
    print(run_study(study, store, workers).done)
"""


def test_a_script_needs_no_main_guard(images: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(images), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "imported\n6\n", done.stderr


def test_a_dask_scheduler_that_is_not_there_is_said() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(InputError, match="scheduler 'nowhere' given, no Dask scheduler answers there"):
        Workers("dask", 1, "nowhere")


class Leaving(Executor):
    """A cluster whose scheduler ends after one piece of work: what it had is cancelled, it takes no more."""

    def __init__(self) -> None:
        self.count = 0

    def submit(self, fn: Callable[..., Any], /, *args: object, **settings: object) -> Future[Any]:
        self.count += 1
        future: Future[Any] = Future()
        if self.count == 1:
            future.set_result(fn(*args, **settings))
        elif self.count == 2:
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            raise RuntimeError("client is closed")
        return future


@pytest.mark.parametrize("first", [0, 2])
def test_a_cluster_that_is_gone_ends_the_study_and_keeps_what_is_done(images: Path, tmp_path: Path, first: int) -> None:
    study = plan(images, "test-grey@1,2")
    store = Store(tmp_path)
    store.begin(study)
    with Workers("inline") as workers:
        executor = Leaving()
        executor.count = first
        workers.executor, workers.kind = executor, "dask"
        with pytest.raises(TaskError, match=r"scheduler is gone .*the same command resumes"):
            run_study(study, store, workers)
    done = len(store.records())
    assert done == (0 if first else 1)
    assert all(record.error is None for record in store.records())
    assert run(study, tmp_path).kept == done


def test_latents_are_kept_where_a_figure_can_show_them(images: Path, tmp_path: Path, small: ImageU8) -> None:
    """Those of a `generative` file of 768×512 pixels are 4.4 MB of JSON."""
    codec = make_codec("generative")
    assert latents_of(codec, codec.encode(small)) != []
    assert latents_of(codec, codec.encode(np.zeros((512, 768, 3), np.uint8))) == []
    run(plan(images, "generative-mse[refine=1]@0", "mse"), tmp_path)
    traces = [json.loads(path.read_text()) for path in (tmp_path / "traces").rglob("*.json")]
    assert [bool(trace["latents"]) for trace in traces] == [True] * 3
