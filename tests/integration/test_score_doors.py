"""Doors of `vitiq score`: files it may not replace, names that are one name elsewhere, what it passes over.

Truth: the files before and after; the scores of identical images (MSE 0).
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from vitiq.cli.encode import command as encode
from vitiq.cli.score import command as score
from vitiq.errors import InputError


def draw(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(path)
    return path


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(score, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_foreign_file_is_not_replaced_by_a_table_but_an_earlier_table_is(tmp_path: Path, name: str) -> None:
    a, b, table = draw(tmp_path / "a" / "x.png"), draw(tmp_path / "b" / "x.png"), tmp_path / name
    table.write_bytes(b"my own notes\n")
    with pytest.raises(InputError, match="--force"):
        run(a.parent, b.parent, "-m", "mse", "--out", table)
    assert table.read_bytes() == b"my own notes\n"
    run(a.parent, b.parent, "-m", "mse", "--out", table, "--force", "--quiet")
    written = table.read_bytes()
    run(a.parent, b.parent, "-m", "mse", "--out", table, "--quiet")
    assert len(table.read_bytes()) == len(written)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_of_another_command_is_replaced_only_with_force(tmp_path: Path, suffix: str) -> None:
    a, b, table = tmp_path / "a", tmp_path / "b", tmp_path / f"t{suffix}"
    for name in ("x.png", "y.png"):
        draw(a / name)
        draw(b / name, 1)
    run(a, b, "-m", "mse", "--out", table, "--quiet")
    both = table.read_bytes()
    for words, said in (((a, b, "-m", "psnr-rgb"), "other metrics"), ((a, a, "-m", "mse"), "other pairs")):
        with pytest.raises(InputError, match=f"{said}; give --force, or another name to --out"):
            run(*words, "--out", table, "--quiet")
    (b / "y.png").rename(tmp_path / "y.png")
    with pytest.raises(InputError, match="other pairs"):
        run(a, b, "-m", "mse", "--out", table, "--quiet", code=1)
    assert table.read_bytes() == both
    run(a, b, "-m", "mse", "--out", table, "--quiet", "--force", code=1)
    assert table.read_bytes() != both
    (tmp_path / "y.png").rename(b / "y.png")
    run(a, b, "-m", "mse", "--out", table, "--quiet")
    assert table.read_bytes() == both


@pytest.mark.parametrize("name", [".", "..", "t.txt"])
def test_a_table_needs_a_name_of_its_own(tmp_path: Path, name: str) -> None:
    a = draw(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"ends with \.csv or \.parquet"):
        run(a, a, "-m", "mse", "--out", name)


def test_the_same_command_keeps_its_maps(tmp_path: Path) -> None:
    a, b, maps = tmp_path / "a", tmp_path / "b", tmp_path / "maps"
    for name in ("x.png", "y.png"):
        draw(a / name)
        draw(b / name, 1)
    words = (a, b, "-m", "mse", "--out", tmp_path / "t.csv", "--map", maps, "-j", 1, "--quiet")
    run(*words)
    made = {path: path.stat().st_mtime_ns for path in maps.iterdir()}
    assert len(made) == 2
    run(*words)
    assert {path: path.stat().st_mtime_ns for path in maps.iterdir()} == made
    draw(b / "x.png", 2)
    said = CliRunner().invoke(score, [str(word) for word in words])
    assert said.exit_code == 1
    assert "give --force, or another output with --map" in said.stderr
    assert {path: path.stat().st_mtime_ns for path in maps.iterdir()} == made
    run(*words, "--force")
    assert {path for path in made if path.stat().st_mtime_ns != made[path]} == set(made)


def test_a_map_replaces_no_file_and_two_of_one_stem_keep_apart(tmp_path: Path) -> None:
    for name in ("x.png", "x.bmp"):
        draw(tmp_path / "a" / name)
        draw(tmp_path / "b" / name, 1)
    maps = tmp_path / "maps"
    run(tmp_path / "a", tmp_path / "b", "-m", "mse", "--map", maps, "-j", 1, "--quiet")
    assert sorted(p.name for p in maps.iterdir()) == ["x.png", "x.png.png"]
    precious = tmp_path / "precious.png"
    precious.write_bytes(b"precious")
    run(tmp_path / "a" / "x.png", tmp_path / "b" / "x.png", "-m", "mse", "--map", precious, code=1)
    assert precious.read_bytes() == b"precious"


def test_names_that_differ_in_case_or_unicode_form_are_partners(tmp_path: Path) -> None:
    draw(tmp_path / "a" / unicodedata.normalize("NFC", "é.png"))
    draw(tmp_path / "b" / unicodedata.normalize("NFD", "é.png"))
    draw(tmp_path / "a" / "Kodim01.PNG", 1)
    draw(tmp_path / "b" / "kodim01.png", 1)
    found = json.loads(run(tmp_path / "a", tmp_path / "b", "-m", "mse", "--json", "--quiet"))
    assert [pair["scores"]["mse"]["value"] for pair in found["pairs"]] == [0, 0]
    assert "problems" not in found


def test_compressed_files_in_a_folder_are_scored_and_others_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    original = draw(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "a" / "._x.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "b").mkdir()
    result = CliRunner().invoke(encode, [str(original), "-o", str(tmp_path / "b" / "x.viq"), "--quiet"])
    assert result.exit_code == 0, result.output
    found = json.loads(run(tmp_path / "a", tmp_path / "b", "-m", "mse", "--json", "--quiet"))
    assert len(found["pairs"]) == 1
    assert found["pairs"][0]["scores"]["mse"]["value"] > 0
    assert sum("other file" in record.getMessage() for record in caplog.records) == 1


def test_a_map_never_takes_the_place_of_an_image(tmp_path: Path) -> None:
    a, b = draw(tmp_path / "a" / "x.png"), draw(tmp_path / "b" / "x.png", 1)
    link = tmp_path / "link.png"
    link.hardlink_to(b)
    before = a.read_bytes(), b.read_bytes()
    for target in (a, b, link, a.parent / ".." / "a" / "x.png"):
        with pytest.raises(InputError, match="is the input"):
            run(a, b, "-m", "mse", "--map", target, "--force")
    with pytest.raises(InputError, match="is the input"):
        run(a.parent, b.parent, "-m", "mse", "--map", a.parent, "--force")
    copies = tmp_path / "copies"
    copies.mkdir()
    (copies / "x.png").symlink_to(b)
    run(a.parent, b.parent, "-m", "mse", "--map", copies, "--force", "-j", 1, "--quiet", code=1)
    assert (a.read_bytes(), b.read_bytes()) == before


def test_a_map_takes_the_place_of_no_other_image_of_the_folders(tmp_path: Path) -> None:
    """A folder of maps inside a folder of images, with images that have a partner and one that has none."""
    a, b = tmp_path / "a", tmp_path / "b"
    for name in ("x", "y", "sub/x"):
        draw(a / f"{name}.png")
        draw(b / f"{name}.bmp", 1)
    alone = draw(a / "sub" / "y.png", 2)
    before = {path: path.read_bytes() for path in a.rglob("*.png")}
    result = CliRunner().invoke(score, [*map(str, (a, b)), "-m", "mse", "--map", str(a / "sub"), "--force", "--quiet"])
    assert result.exit_code == 1
    assert f"its map {a / 'sub' / 'x.png'} is the input {a / 'sub' / 'x.png'}" in result.stderr
    assert f"its map {alone} is the input {alone}" in result.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert (a / "sub" / "sub" / "x.png").is_file()
