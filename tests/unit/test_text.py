"""JSON, TOML and CSV that Python's own parsers answer with other errors than ValueError.

Truth: the standard library's parsers on whole texts; the limits of CPython (recursion, 4300 digits, 128 KiB a cell).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import vitiq.training.config
from vitiq.analysis.anchors import read_anchor
from vitiq.datasets.opinions import load_opinions
from vitiq.errors import InputError
from vitiq.evaluation.bench import read_study_file
from vitiq.evaluation.precomputed import read_precomputed
from vitiq.evaluation.series_sets import read_set_scores
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Series, Study, StudyImage
from vitiq.image.io import write_png
from vitiq.report.source import read_trace
from vitiq.text import parse_csv, parse_json, parse_toml
from vitiq.training.config import read_config
from vitiq.training.recipes.codec import CodecTrainingConfig
from vitiq.types import ImageU8

DEEP = "[" * 100_000
DIGITS = "9" * 5000


def test_whole_texts() -> None:
    assert parse_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    assert parse_toml("a = [1, 2]\n[b]\nc = 'x'\n") == {"a": [1, 2], "b": {"c": "x"}}
    assert parse_csv('a,b\r\n1,"x\ny"\r\n') == [{"a": "1", "b": "x\ny"}]
    assert parse_csv("a\tb\n1\t2\n", "\t") == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, DIGITS, "", "{"])
def test_what_no_parser_takes_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_json(text)
    with pytest.raises(ValueError, match=r"\S"):
        parse_toml(f"a = {text}")


def test_a_huge_cell_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="field limit"):
        parse_csv("a\n" + "x" * 200_000)


@pytest.mark.parametrize("text", [f"a = {DEEP}", f"seed = {DIGITS}", "\udcff"], ids=["deep", "digits", "no UTF-8"])
def test_toml_files_are_refused_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    readers: list[Callable[[Path], object]] = [
        read_study_file,
        lambda path: read_config(path, "codec", CodecTrainingConfig),
    ]
    for read in readers:
        with pytest.raises(InputError, match=r"x\.toml"):
            read(path)


def test_tables_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"results": ' + DEEP)
    (tmp_path / "sizes.csv").write_text("image,bytes\n" + "x" * 200_000 + ",9\n")
    (tmp_path / "mos.csv").write_text("reference,distorted,mos\n" + "x" * 200_000 + ",b.png,1\n")
    with pytest.raises(InputError, match=r"a\.json"):
        read_anchor(tmp_path / "a.json")
    with pytest.raises(InputError, match="field limit"):
        read_precomputed(f"x={tmp_path}")
    with pytest.raises(InputError, match=r"mos\.csv|looks like|no known layout"):
        load_opinions(tmp_path)


def test_reconstructions_made_elsewhere_are_each_of_one_image(small: ImageU8, tmp_path: Path) -> None:
    for name in ("22.5/x.png", "Nan/x.png", "inf/x.png"):
        write_png(tmp_path / name, small)
    (tmp_path / "sizes.csv").write_text("image,rate,bytes\nx,22.5,9\n")
    found = read_precomputed(f"x={tmp_path}")
    assert set(found.files) == {("x", 22.5), ("Nan/x", None), ("inf/x", None)}, "a rate is a finite number"
    (tmp_path / "sizes.csv").write_text("image,rate,bytes\nx,nan,9\n")
    with pytest.raises(InputError, match="line 2: columns image, bytes"):
        read_precomputed(f"x={tmp_path}")
    (tmp_path / "sizes.csv").write_text("image,rate,bytes\nx,22.5,9\n")
    (tmp_path / "22.5" / "x.jpg").write_bytes((tmp_path / "22.5" / "x.png").read_bytes())
    with pytest.raises(InputError, match=r"x\.jpg and .*x\.png: two reconstructions of one image"):
        read_precomputed(f"x={tmp_path}")


def study() -> Study:
    image = StudyImage("a.png", "/a.png", "ab" * 32, 4, 3, 99)
    return Study((image,), (Series("jpeg", "{}", "JPEG", "JPEG", ".jpg", rates=(("quality", 10.0),)),), ("mse",))


@pytest.mark.parametrize(
    "change",
    [
        {"images": 3},
        {"images": [{"name": "a.png"}]},
        {"series": [{**study().to_json()["series"][0], "rates": [["quality", "x"]]}]},
        {"series": [{**study().to_json()["series"][0], "rates": [["quality", float("inf")]]}]},
        {"series": [{**study().to_json()["series"][0], "targets": [1]}]},
        {"keep": {"a": 1}},
    ],
    ids=str,
)
def test_a_damaged_study_is_named(change: dict[str, object], tmp_path: Path) -> None:
    whole = study()
    assert Study.from_json(json.loads(json.dumps(whole.to_json()))) == whole
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "one.json").write_text(json.dumps({**whole.to_json(), **change}))
    with pytest.raises(InputError, match=r"one\.json: damaged .+; run the study's command again"):
        Store(tmp_path).study("one")


@pytest.mark.parametrize(
    "text", ["[1]", '{"s": 1}', '{"s": {"key": "k"}}', '{"s": {"key": "k", "scores": {"kid": {}}}}', DEEP]
)
def test_damaged_scores_of_sets_are_made_anew(text: str, tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / f"{study().name}.sets.json").write_text(text)
    assert read_set_scores(study(), Store(tmp_path)) == {}


@pytest.mark.parametrize("text", ["[1]", '{"loss": ["x"]}', '{"previews": [[1]]}', DEEP, "\udcff"])
def test_a_damaged_trace_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"t\.json: no trace"):
        read_trace(tmp_path / "t.json")
    (tmp_path / "t.json").write_text('{"loss": [1, 0.5], "previews": [[3, "previews/a.png"]], "latents": [[[1]]]}')
    assert read_trace(tmp_path / "t.json")["previews"] == [(3, "previews/a.png")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_settings_are_read_with_the_mark_that_editors_put_first(encoding: str, tmp_path: Path) -> None:
    shipped = Path(vitiq.training.config.__file__).parent / "configs" / "codec.toml"
    (tmp_path / "x.toml").write_bytes(shipped.read_text(encoding="utf-8").encode(encoding))
    own = read_config(tmp_path / "x.toml", "codec", CodecTrainingConfig)
    assert own == read_config(None, "codec", CodecTrainingConfig)
