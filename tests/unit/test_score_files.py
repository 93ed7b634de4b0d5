"""Pairs of files: who belongs to whom, streaming, tables. Truth: the rules in evaluation/pairs.py and by hand."""

from __future__ import annotations

import csv
import json
import weakref
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import vitiq
from read_tables import parquet_rows
from vitiq.codecs.batch import output_names
from vitiq.errors import InputError
from vitiq.evaluation import scoring
from vitiq.evaluation.aggregate import Aggregate
from vitiq.evaluation.image_files import ImageFiles
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.pairs import pair_up
from vitiq.evaluation.scoring import LARGEST_BATCH, Scored, score_pairs
from vitiq.evaluation.table import check_table, open_table
from vitiq.image.io import write_png
from vitiq.metrics.base import SetMetric
from vitiq.metrics.scoring import resolve_metrics
from vitiq.types import ImageU8, Score


def folder(root: Path, *names: str) -> Path:
    root.mkdir()
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def named(root: Path, pairs: list[tuple[Path, Path]]) -> list[tuple[str, str]]:
    return [(a.relative_to(root / "a").as_posix(), b.relative_to(root / "b").as_posix()) for a, b in pairs]


def test_pairs_by_path_then_by_stem(tmp_path: Path) -> None:
    a = folder(tmp_path / "a", "1.png", "sub/1.png", "2.png", "2.jpg", "3.png", "4.png", "notes.txt")
    b = folder(tmp_path / "b", "1.jpg", "sub/1.webp", "2.jpg", "3.jpg", "3.webp", "sub/4.png")
    found = pair_up(a, b)
    assert named(tmp_path, found.pairs) == [("1.png", "1.jpg"), ("2.jpg", "2.jpg"), ("sub/1.png", "sub/1.webp")]
    said = "\n".join(found.problems)
    assert len(found.problems) == 4
    for alone in (a / "2.png", a / "4.png", b / "sub" / "4.png"):
        assert f"{alone}: no image of that name" in said
    assert "3.png" in said
    assert f"{b / '3.jpg'}, {b / '3.webp'}: not paired" in said


def test_pairs_names_that_a_suffix_was_added_to(tmp_path: Path) -> None:
    """As `encode` and `decode` call what they make of x.png and x.jpg in one folder."""
    a = folder(tmp_path / "a", "x.png", "X.jpg", "y.png", "z.png", "v.jpg.png")
    b = folder(tmp_path / "b", "x.png.png", "x.jpg.png", "y.png.jpg", "y.png.webp", "z.jpg", "v.jpg")
    found = pair_up(a, b)
    assert named(tmp_path, found.pairs) == [
        ("v.jpg.png", "v.jpg"),
        ("X.jpg", "x.jpg.png"),
        ("x.png", "x.png.png"),
        ("z.png", "z.jpg"),
    ]
    assert len(found.problems) == 3  # two files could be y.png's


@pytest.mark.parametrize(
    ("left", "right", "pairs"),
    [
        (["X.png", "x.png"], ["x.png"], [("x.png", "x.png")]),
        (["X.png", "x.png"], ["x.jpg"], [("x.png", "x.jpg")]),
        (["x.png"], ["X.jpg", "x.jpg"], [("x.png", "x.jpg")]),
        (["IMG.PNG", "img.png"], ["IMG.PNG", "Img.png", "img.png"], [("IMG.PNG", "IMG.PNG"), ("img.png", "img.png")]),
        (["caf\u00e9.png", "cafe\u0301.png"], ["caf\u00e9.png"], [("caf\u00e9.png", "caf\u00e9.png")]),
        (["caf\u00e9.png", "cafe\u0301.png"], ["cafe\u0301.png"], [("cafe\u0301.png", "cafe\u0301.png")]),
        (["X.png", "x.png"], ["X.viq", "x-2.viq"], [("X.png", "X.viq"), ("x.png", "x-2.viq")]),
        (["X.png", "x.png"], ["X.png.jpg", "x.png.jpg"], [("X.png", "X.png.jpg"), ("x.png", "x.png.jpg")]),
        (["X.png", "x.png"], ["x-2.png", "x.png"], [("x.png", "x.png")]),
        (["Sub/x.png", "sub/x.png"], ["sub/x.png"], [("sub/x.png", "sub/x.png")]),
    ],
)
def test_a_name_that_is_the_same_to_the_letter_goes_first(
    left: list[str], right: list[str], pairs: list[tuple[str, str]], tmp_path: Path
) -> None:
    """Though names that differ in case or Unicode form alone are one name on other file systems."""
    a, b = folder(tmp_path / "a", *left), folder(tmp_path / "b", *right)
    for path in b.rglob("*.viq"):
        path.write_bytes(bytes([0x89, 0x56, 0x51, 1]))
    if sum(path.is_file() for path in tmp_path.rglob("*")) < len(left + right):
        pytest.skip("this file system takes these names for one")
    found = pair_up(a, b)
    assert named(tmp_path, found.pairs) == pairs
    alone = {*map(str, found.images)} - {str(path) for pair in found.pairs for path in pair}
    assert {line.partition(": no image of that name")[0] for line in found.problems} == alone


@pytest.mark.parametrize(
    ("left", "right", "pairs"),
    [
        # As tools call them that replace the suffix, those that add one, and the way back of either.
        (["p.jpg", "p.jpg.png"], ["p.webp", "p.jpg.webp"], ["p.webp", "p.jpg.webp"]),
        (["p.png", "p.png.png"], ["p.webp", "p.png.webp"], ["p.webp", "p.png.webp"]),
        (["p.jpg", "p.jpg.png"], ["p.jpg.webp", "p.jpg.png.webp"], ["p.jpg.webp", "p.jpg.png.webp"]),
        (["p.webp", "p.jpg.webp"], ["p.jpg", "p.jpg.png"], ["p.jpg", "p.jpg.png"]),
        (["p.jpg.webp", "p.jpg.png.webp"], ["p.jpg", "p.jpg.png"], ["p.jpg", "p.jpg.png"]),
        (["p.jpg", "p.jpg.png", "p.jpg.png.gif"], ["p.tif", "p.jpg.tif", "p.jpg.png.tif"], []),
        # Either could be meant.
        (["p.jpg", "p.jpg.png"], ["p.jpg.webp"], None),
        (["p.jpg.webp"], ["p.jpg", "p.jpg.png"], None),
    ],
)
def test_a_name_that_may_be_of_either_of_two_images_is_no_guess(
    left: list[str], right: list[str], pairs: list[str] | None, tmp_path: Path
) -> None:
    a, b = folder(tmp_path / "a", *left), folder(tmp_path / "b", *right)
    found = pair_up(a, b)
    expected = [] if pairs is None else list(zip(left, pairs or right, strict=True))
    assert sorted(named(tmp_path, found.pairs)) == sorted(expected)
    assert bool(found.problems) == (pairs is None)
    if pairs is None:
        assert "not paired, another image is called p.jpg; give it another name" in "".join(found.problems)


def test_what_encode_calls_the_images_of_a_folder_is_paired_with_them(tmp_path: Path) -> None:
    """Truth: the order of the names, one for each image."""
    for number, names in enumerate(combinations(["P.jpg", "p", "p.jpg", "p.jpg.png", "p.png", "p.png.png"], 4)):
        listed = list(names)
        coded = output_names(listed, ".webp")
        (tmp_path / str(number)).mkdir()
        a, b = folder(tmp_path / str(number) / "a", *listed), folder(tmp_path / str(number) / "b", *coded)
        for path in a.iterdir():
            path.write_bytes(b"\x89PNG\r\n\x1a\n")  # what has no suffix is known by its content
        pairs = named(tmp_path / str(number), pair_up(a, b).pairs)
        assert sorted(pairs) == sorted(zip(listed, coded, strict=True))


def test_empty_missing_and_mixed_sides_are_reported(tmp_path: Path) -> None:
    a, b = folder(tmp_path / "a", "1.png"), folder(tmp_path / "b")
    assert pair_up(a, b).pairs == []
    assert pair_up(a, b).problems[0].startswith(f"{b}: no images")
    with pytest.raises(InputError, match="one is a folder"):
        pair_up(a, a / "1.png")
    with pytest.raises(InputError, match="no such file"):
        pair_up(a, tmp_path / "c")


def test_a_link_that_leads_nowhere_is_listed_once_where_both_sides_are_one_folder(tmp_path: Path) -> None:
    a = folder(tmp_path / "a", "1.png")
    (a / "gone.png").symlink_to(tmp_path / "nothing.png")
    (line,) = pair_up(a, a).problems
    assert line.startswith(f"{a / 'gone.png'}: a link that leads to no file")


@pytest.fixture
def images(tmp_path: Path) -> list[tuple[Path, Path]]:
    rng = np.random.default_rng(0)
    pairs = [(tmp_path / "a" / f"{i:02}.png", tmp_path / "b" / f"{i:02}.png") for i in range(9)]
    for path in (path for pair in pairs for path in pair):
        write_png(path, rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    pairs[5][1].write_bytes(b"\x89PNG broken")
    return pairs


def test_values_do_not_depend_on_the_number_of_workers(images: list[tuple[Path, Path]]) -> None:
    spec = MetricSpec("mse,ssim,vit-topk-area")
    one, two = ([*score_pairs(images, spec, jobs=jobs)] for jobs in (1, 2))
    assert [(s.reference, s.problem) for s in one] == [(s.reference, s.problem) for s in two]
    assert [s.reference for s in one] == [pair[0] for pair in images]
    assert [{k: v.value for k, v in s.scores.items()} for s in one] == [
        {k: v.value for k, v in s.scores.items()} for s in two
    ]
    assert [str(images[5][1]) in (s.problem or "") for s in one] == [i == 5 for i in range(9)]


def test_images_are_let_go(images: list[tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pairs, few are in memory."""
    alive, most = 0, 0

    class Counted(np.ndarray):
        pass

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def read(path: Path) -> tuple[ImageU8, tuple[str, ...]]:
        nonlocal alive, most
        image = np.zeros((16, 16, 3), np.uint8).view(Counted)
        weakref.finalize(image, gone)
        alive += 1
        most = max(most, alive)
        return image, ()

    monkeypatch.setattr(scoring, "read_noted", read)
    aggregate = Aggregate(resolve_metrics("mse,psnr-rgb"))
    for scored in score_pairs(images * 20, MetricSpec("mse,psnr-rgb"), jobs=1):
        aggregate.add(scored)
    assert aggregate.summaries()["mse"].count == 180
    assert most <= 2 * LARGEST_BATCH


def test_metrics_of_sets_that_read_images_get_them_from_the_files(images: list[tuple[Path, Path]]) -> None:
    class Count(SetMetric):
        name = "count"

        def signature(self) -> str:
            return "count"

        def __call__(self, reference: object, distorted: object) -> Score:
            assert isinstance(reference, ImageFiles)
            assert reference[1:3][0].shape == (24, 24, 3)
            return Score(float(sum(image.shape[0] for image in reference)), "count")

    aggregate = Aggregate([*resolve_metrics("mse"), Count()])
    for scored in score_pairs(images, MetricSpec("mse"), jobs=1):
        if scored.problem is None:
            aggregate.add(scored)
    assert aggregate.sets()["count"].value == 8 * 24


def records() -> Iterator[Scored]:
    for i in range(3):
        yield Scored(Path(f"a/{i}.png"), Path(f"b/{i}.png"), 5, 4, {"mse": Score(i / 3, "mse")})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitiq.evaluation.table.ROWS", 2)
    path = tmp_path / "new" / f"t{suffix}"
    with open_table(path, ["mse", "ssim"]) as add:
        for scored in records():
            add(scored)
        assert not path.exists()
    rows = read_table(path)
    assert [row["distorted"] for row in rows] == ["b/0.png", "b/1.png", "b/2.png"]
    assert [float(row["mse"]) for row in rows] == [0, 1 / 3, 2 / 3]
    assert np.isnan([float(row["ssim"]) for row in rows]).all()
    assert list(rows[0]) == ["reference", "distorted", "width", "height", "mse", "ssim", "signatures", "versions"]
    assert [json.loads(row["signatures"]) for row in rows] == [{"mse": "mse"}] * 3
    assert json.loads(rows[0]["versions"])["vitiq"] == vitiq.__version__
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_table_of_before_signatures_were_recorded_is_replaced(tmp_path: Path) -> None:
    path, pairs = tmp_path / "t.csv", [(Path("a/0.png"), Path("b/0.png"))]
    path.write_text("reference,distorted,width,height,mse\na/0.png,b/0.png,5,4,0.0\n", encoding="utf-8")
    check_table(path, ["mse"], pairs, force=False)
    with pytest.raises(InputError, match="of other metrics"):
        check_table(path, ["ssim"], pairs, force=False)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_stopped_table_keeps_its_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"

    def stopped() -> None:
        with open_table(path, ["mse"]) as add:
            add(next(records()))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert len(read_table(path)) == 1


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("other", [False, True])
def test_a_stopped_table_replaces_no_longer_one(tmp_path: Path, suffix: str, other: bool) -> None:
    path = tmp_path / f"t{suffix}"
    with open_table(path, ["ssim"] if other else ["mse"]) as add:
        for scored in records():
            add(scored)
    before = path.read_bytes()

    def stopped(count: int) -> None:
        with open_table(path, ["mse"]) as add:
            for scored in [*records()][:count]:
                add(scored)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped(2)
    assert path.read_bytes() == before
    with pytest.raises(KeyboardInterrupt):
        stopped(3)
    assert len(read_table(path)) == 3
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_tables_that_cannot_be_written_are_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.csv or \.parquet"), open_table(tmp_path / "t.xlsx", []):
        pass
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written"), open_table(tmp_path / "file" / "t.csv", []):
        pass


def read_table(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".parquet":
        return parquet_rows(path)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_what_is_scored_at_once_depends_on_the_folder_alone() -> None:
    assert [scoring.batch_size(count) for count in (0, 1, 9, 63, 64, 200, 10_000)] == [1, 1, 1, 1, 2, 6, LARGEST_BATCH]
