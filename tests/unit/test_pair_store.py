"""Scored pairs that are kept: what is found again, and what is not. Truth: the same pairs scored without keeping."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import pytest

from vitiq.evaluation.batch import score_row
from vitiq.evaluation.pair_store import KeptValues, open_pairs, resumed
from vitiq.evaluation.scoring import Pair, Scored, score_files
from vitiq.image.io import write_png
from vitiq.metrics.scoring import resolve_metrics
from vitiq.types import ImageU8, Score

METRICS = "mse,psnr-rgb,ssim,frechet-pixel,patch-kid-pixel"
"""With an infinite value (PSNR of a copy), one that is not defined (SSIM of 8 pixels), details, and rows."""


@pytest.fixture
def pairs(small: ImageU8, tmp_path: Path) -> list[Pair]:
    for i, size in enumerate((60, 40, 8)):
        write_png(tmp_path / "a" / f"{i}.png", np.ascontiguousarray(small[:size, :size]))
        write_png(
            tmp_path / "b" / f"{i}.png", np.ascontiguousarray(small[:size, :size] // 3 * 3 if i else small[:60, :60])
        )
    return [(tmp_path / "a" / f"{i}.png", tmp_path / "b" / f"{i}.png") for i in range(3)]


def score(pairs: Sequence[Pair], names: str, table: Path, stop_after: int | None = None) -> tuple[list[Scored], int]:
    """What `resumed` gives, and how many pairs were scored for it; may be stopped by an error."""
    metrics, count = resolve_metrics(names), 0

    def work(todo: Sequence[Pair]) -> Generator[Scored]:
        nonlocal count
        for pair in todo:
            if count == stop_after:
                raise KeyboardInterrupt
            count += 1
            yield from score_files([pair], metrics)

    with open_pairs(table, metrics) as store:
        return list(resumed(pairs, store, work)), count


def same(found: Sequence[Scored], wanted: Sequence[Scored]) -> None:
    assert [repr((s.reference, s.distorted, s.width, s.height, s.problem)) for s in found] == [
        repr((s.reference, s.distorted, s.width, s.height, s.problem)) for s in wanted
    ]
    for one, other in zip(found, wanted, strict=True):
        assert list(one.scores) == list(other.scores)
        for name, wanted_score in other.scores.items():
            assert repr(one.scores[name].value) == repr(wanted_score.value)  # NaN too
            assert one.scores[name].signature == wanted_score.signature
            assert repr(dict(one.scores[name].details)) == repr(dict(wanted_score.details))
        for left, right in zip(one.rows, other.rows, strict=True):
            assert left.keys() == right.keys()
            for key, rows in right.items():
                np.testing.assert_array_equal(left[key], rows)


def test_stopped_pairs_give_the_same_as_no_stop(pairs: list[Pair], tmp_path: Path) -> None:
    table = tmp_path / "out" / "t.csv"
    whole, count = score(pairs, METRICS, table)
    assert count == 3
    assert not list(tmp_path.glob("out/.*")), "gone with the end"
    for stop in (0, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            score(pairs, METRICS, table, stop)
        assert len(list(tmp_path.glob("out/.*"))) == (stop > 0)
        found, count = score(pairs, METRICS, table)
        assert count == 3 - stop
        same(found, whole)


def test_only_what_is_the_same_is_found_again(pairs: list[Pair], small: ImageU8, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    with pytest.raises(KeyboardInterrupt):
        score(pairs, METRICS, table, 2)
    with pytest.raises(KeyboardInterrupt):
        score(pairs, "mse", table, 2)
    write_png(pairs[1][1], np.ascontiguousarray(small[:40, :40] // 5))
    whole = score(pairs, METRICS, tmp_path / "other.csv")[0]
    found, count = score(pairs, METRICS, table)
    assert count == 2, "the pair that changed, and the one that was not done"
    same(found, whole)


def test_values_are_kept_with_why_one_is_undefined_but_none_that_another_try_may_give(tmp_path: Path) -> None:
    reasons: dict[str, dict[str, object]] = {
        "failed": {"undefined": "metric m failed (MemoryError)", "failed": True},
        "unavailable": {"undefined": "no program", "unavailable": True},
        "flat": {"undefined": "a flat image", "shared_labels": ["a"] * 1000},
    }
    scores = {name: Score(math.nan, f"{name}|v1", details) for name, details in reasons.items()}
    scores["mse"] = Score(2.0, "mse|v1", {"failed": 3})
    signatures = {name: score.signature for name, score in scores.items()}
    kept = KeptValues(tmp_path, signatures)
    kept.add("k", Scored(Path("a"), Path("b"), scores=scores))
    # as written before, when all were kept
    kept.put(score_row("old", name, score.signature, score) for name, score in scores.items())
    kept.flush()
    found = KeptValues(tmp_path, signatures).read()
    assert found.keys() == {"k", "old"}
    for own in found.values():
        assert own.keys() == {"flat", "mse"}
        assert own["mse"] == Score(2.0, "mse|v1")
        assert math.isnan(own["flat"].value)
        assert own["flat"].details == {"undefined": "a flat image"}


def test_a_broken_pair_is_tried_again(pairs: list[Pair], tmp_path: Path) -> None:
    table, content = tmp_path / "t.csv", pairs[0][1].read_bytes()
    pairs[0][1].write_bytes(b"")
    with pytest.raises(KeyboardInterrupt):
        score(pairs, METRICS, table, 2)
    pairs[0][1].write_bytes(content)
    found, count = score(pairs, METRICS, table)
    assert count == 2
    assert [one.problem for one in found] == [None] * 3


def test_a_run_with_broken_pairs_leaves_only_those_to_do(pairs: list[Pair], tmp_path: Path) -> None:
    table, content = tmp_path / "out" / "t.csv", pairs[1][1].read_bytes()
    pairs[1][1].write_bytes(b"")
    found, count = score(pairs, METRICS, table)
    assert count == 3
    assert [one.problem is None for one in found] == [True, False, True]
    pairs[1][1].write_bytes(content)
    found, count = score(pairs, METRICS, table)
    assert count == 1
    assert [one.problem for one in found] == [None] * 3
    assert not list(tmp_path.glob("out/.*"))
