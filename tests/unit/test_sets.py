"""Sets without partners and statistics files in their place.

Truth: the same metric on images in memory, and numpy's covariance of all rows at once.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from vitiq.errors import InputError, WeightsError
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.sets import metric_of_statistics, need_no_pairs, score_sets_of, statistics_of
from vitiq.image.io import read_image, write_png
from vitiq.metrics.scoring import resolve_metrics, score_sets
from vitiq.metrics.sets.moments import Statistics, save_statistics
from vitiq.metrics.sets.pixel import PatchFidPixel
from vitiq.types import ImageU8


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, bundled: dict[str, ImageU8]) -> tuple[Path, Path]:
    """Nine and eleven images of 160×160 under different names; 54 and 66 patches of 8×8 (36 each)."""
    root = tmp_path_factory.mktemp("sets")
    for folder, count, names in (("a", 9, ("animal", "building")), ("b", 11, ("portrait", "graphic"))):
        for i in range(count):
            image = bundled[names[i % 2]][10 * i : 10 * i + 160, 20 * i : 20 * i + 160]
            write_png(root / folder / f"{folder}-{i:02}.png", image)
    return root / "a", root / "b"


def images(folder: Path) -> list[ImageU8]:
    return [read_image(path) for path in sorted(folder.glob("*.png"))]


def test_all_images_count_whatever_their_names(folders: tuple[Path, Path]) -> None:
    spec = MetricSpec("patch-fid-pixel,kid-pixel,recall-pixel")
    calls: list[int] = []
    found = score_sets_of(*folders, spec, jobs=1, step=calls.append)
    again = score_sets_of(*folders, spec, jobs=2)
    assert calls == [20] * 21
    assert found.problems == []
    for metric in spec.make():
        expected = metric(*map(images, folders))  # type: ignore[operator]
        assert found.scores[metric.name] == again.scores[metric.name] == expected


def test_statistics_stand_for_a_folder(folders: tuple[Path, Path], tmp_path: Path) -> None:
    spec = MetricSpec("patch-fid-pixel")
    statistics, problems = statistics_of(folders[0], spec, jobs=1)
    assert problems == []
    rows = np.concatenate([PatchFidPixel().rows(image) for image in images(folders[0])]).astype(np.float64)
    assert statistics.moments.count == len(rows) == 324
    assert statistics.moments.covariance == pytest.approx(np.cov(rows.T), rel=1e-9, abs=1e-12)
    file = tmp_path / "a.npz"
    save_statistics(file, statistics)
    expected = score_sets_of(*folders, spec).scores["patch-fid-pixel"].value
    for sides in ((file, folders[1]), (folders[1], file)):
        assert metric_of_statistics(sides) == "patch-fid-pixel"
        assert score_sets_of(*sides, spec).scores["patch-fid-pixel"].value == pytest.approx(expected, rel=1e-9)
    assert score_sets_of(file, file, spec).scores["patch-fid-pixel"].value == 0
    with pytest.raises(InputError, match="fid-pixel needs features"):
        score_sets_of(file, folders[1], MetricSpec("fid-pixel"))
    with pytest.raises(InputError, match="one Fréchet distance"):
        score_sets_of(file, folders[1], MetricSpec("kid-pixel"))


def test_statistics_of_other_tools_are_taken_and_flagged(folders: tuple[Path, Path], tmp_path: Path) -> None:
    spec = MetricSpec("patch-fid-pixel")
    moments = statistics_of(folders[0], spec)[0].moments
    np.savez(tmp_path / "theirs.npz", mu=moments.mean, sigma=moments.covariance)
    assert metric_of_statistics([tmp_path / "theirs.npz", folders[1]]) == "fid"
    score = score_sets_of(tmp_path / "theirs.npz", folders[1], spec).scores["patch-fid-pixel"]
    assert score.value == pytest.approx(score_sets_of(*folders, spec).scores["patch-fid-pixel"].value, rel=1e-9)
    assert "does not state" in str(score.details["note"])
    few = statistics_of(folders[0], MetricSpec("fid-pixel"))[0]
    save_statistics(tmp_path / "few.npz", Statistics(few.moments))
    undefined = score_sets_of(tmp_path / "few.npz", tmp_path / "few.npz", MetricSpec("fid-pixel")).scores["fid-pixel"]
    assert "more than 192 expected" in str(undefined.details["undefined"])
    assert "kid-pixel" in str(undefined.details["undefined"])


def test_too_few_samples_are_counted_reference_first_with_the_number_needed(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    five, one = images(folders[0])[:5], images(folders[1])[:1]
    spec = MetricSpec("kid-pixel,precision-pixel,recall-pixel,fid-pixel")
    for name, score in score_sets(five, one, spec.make()).items():
        assert "5 and 1 images given" in str(score.details["undefined"]), name
    found = score_sets(five, images(folders[1])[:4], resolve_metrics("precision-pixel,recall-pixel"))
    assert [score.details["samples"] for score in found.values()] == [[5, 4], [5, 4]]
    small = [np.zeros((5, 5, 3), np.uint8)] * 2
    # Widths as published: 8×8 RGB pixels, DeiT-tiny's class token (Touvron et al. 2021, table 1).
    for name, needed in (("patch-fid-pixel", 192), ("patch-fid-vit", 192)):
        said = str(score_sets(small, small, resolve_metrics(name))[name].details["undefined"])
        assert "0 and 0 patches" in said
        assert f"more than {needed} expected" in said
    for name, side in (("nine.npz", folders[0]), ("eleven.npz", folders[1])):
        save_statistics(tmp_path / name, statistics_of(side, MetricSpec("fid-pixel"))[0])
    sides = (tmp_path / "eleven.npz", tmp_path / "nine.npz")
    said = str(score_sets_of(*sides, MetricSpec("fid-pixel")).scores["fid-pixel"].details["undefined"])
    assert "11 and 9 images given" in said


def test_what_cannot_be_read_is_reported(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "some"
    write_png(folder / "good.png", images(folders[0])[0])
    (folder / "bad.png").write_bytes(b"\x89PNG broken")
    found = score_sets_of(folder, folders[1], MetricSpec("patch-kid-pixel"))
    assert len(found.problems) == 1
    assert "bad.png" in found.problems[0]
    assert np.isfinite(found.scores["patch-kid-pixel"].value)
    with pytest.raises(InputError, match=r"some: 1 samples.*bad\.png"):
        statistics_of(folder, MetricSpec("fid-pixel"))
    with pytest.raises(InputError, match="no such folder"):
        score_sets_of(folder, tmp_path / "gone", MetricSpec("kid-pixel"))
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="vitiq models fetch"):
        score_sets_of(*folders, MetricSpec("fid,kid"))


def test_which_metrics_need_pairs() -> None:
    assert need_no_pairs(resolve_metrics("fid-vit,kid"))
    assert not need_no_pairs(resolve_metrics("fid-vit,ssim"))
    assert not need_no_pairs(resolve_metrics("vit-topk-null"))
    assert not need_no_pairs([])


def test_memory_does_not_grow_with_the_set(folders: tuple[Path, Path], tmp_path: Path) -> None:
    peaks = []
    for count in (60, 240):
        folder = tmp_path / str(count)
        folder.mkdir()
        for i in range(count):
            (folder / f"{i}.png").symlink_to(folders[0] / "a-00.png")
        tracemalloc.start()
        score_sets_of(folder, folder, MetricSpec("patch-fid-pixel"), jobs=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]  # 360 further images of 77 kB, 36 rows of 768 bytes each
