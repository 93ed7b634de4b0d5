"""The program as a user meets it.

Truth: the command contract in docs/reference/cli.md (exit codes, what goes to stdout, JSON layout).
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from read_tables import parquet_rows
from vitiq.cli.main import main
from vitiq.image.io import read_image, write_png
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.types import ImageU8
from vitiq.weights.file import write_weights


def vitiq(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vitiq", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['vitiq', '--help']\n"
        "from vitiq.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'matplotlib', 'scipy'} & set(sys.modules), 'heavy import'"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("given", "kept"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_without_spinning_unless_asked_to(
    monkeypatch: pytest.MonkeyPatch, given: str | None, kept: str
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(sys, "argv", ["vitiq", "codecs", "list"])
    main()
    assert os.environ["OMP_WAIT_POLICY"] == kept


@pytest.mark.parametrize("group", ["codecs", "metrics", "models"])
def test_lists(group: str) -> None:
    entries = json.loads(vitiq(group, "list", "--json").stdout)
    assert len({entry["name"] for entry in entries}) == len(entries) > 3


def test_usage_errors_are_two_and_name_near_matches(tmp_path: Path) -> None:
    assert "did you mean" in vitiq("scroe", code=2).stderr
    write_png(tmp_path / "x.png", np.zeros((8, 8, 3), np.uint8))
    assert "jpeg" in vitiq("encode", tmp_path / "x.png", "-c", "jpge", code=2).stderr


def test_a_wrong_command_line_names_what_is_wrong(tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", np.zeros((8, 8, 3), np.uint8))
    encode = ("encode", tmp_path / "x.png", "-o", tmp_path / "x.jpg")
    assert "No such option '--nope'" in vitiq("encode", "--nope", tmp_path / "x.png", code=2).stderr
    assert "Missing argument" in vitiq("encode", "--iterations", "3", code=2).stderr
    assert "'' given, a name expected" in vitiq(*encode, "-c", "", code=2).stderr
    assert "'1e3' is not a whole number" in vitiq(*encode, "-c", "jpeg", "--bytes", "1e3", code=2).stderr
    assert "'x' is not a number" in vitiq(*encode, "-c", "jpeg", "-q", "x", code=2).stderr
    assert not (tmp_path / "x.jpg").exists()


def test_python_without_docstrings_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "x.png", np.zeros((24, 24, 3), np.uint8))
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    vitiq("encode", tmp_path / "x.png", "-o", tmp_path / "x.viq")
    vitiq("decode", tmp_path / "x.viq", "-o", tmp_path / "y.png")
    vitiq("score", tmp_path / "x.png", tmp_path / "y.png", "-m", "all")
    vitiq("bench", tmp_path / "x.png", "-c", "jpeg@50", "-m", "mse,vit-topk", "-o", tmp_path / "out")


def test_models_info_describes_a_weights_file_of_ones_own(tmp_path: Path) -> None:
    """Truth: what is written here, and the file's hash."""
    path, other = tmp_path / "mine.safetensors", tmp_path / "other.pth"
    about = {"format": "vitiq-transform-codec-2", "steps": 6, "classifier_sha256": "ab" * 32, "stands_for": ["x", "y"]}
    write_weights(path, {"a": torch.zeros(2)}, about)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    found = json.loads(vitiq("models", "info", path, "--json").stdout)
    stated = {"path": str(path), "format": about.pop("format"), "sha256": sha256, "bytes": path.stat().st_size}
    assert found == {**stated, "metadata": about}
    lines = dict(line.split(maxsplit=1) for line in vitiq("models", "info", path).stdout.splitlines())
    assert lines == {**{k: str(v) for k, v in (stated | about).items()}, "stands_for": "x, y"}
    torch.save({}, other)
    found = json.loads(vitiq("models", "info", other, "--json").stdout)
    assert (found["format"], found["metadata"]) == (None, {})
    assert found["sha256"] == hashlib.sha256(other.read_bytes()).hexdigest()
    assert "or give the path of a weights file" in vitiq("models", "info", tmp_path / "gone.pth", code=2).stderr
    path.write_bytes(path.read_bytes()[:40])
    refused = vitiq("models", "info", path, code=1).stderr
    assert str(path) in refused
    assert refused.count("\n") == 1


@pytest.mark.parametrize("group", [(), ("bench",), ("codecs",), ("metrics",), ("models",)])
def test_a_group_alone_shows_its_help(group: tuple[str, ...]) -> None:
    shown, asked = vitiq(*group, code=2).stderr, vitiq(*group, "--help").stdout
    assert shown.strip() == asked.strip()


def test_failures_are_one_line(tmp_path: Path) -> None:
    done = vitiq("encode", tmp_path / "gone.png", code=1)
    assert done.stderr.startswith("vitiq: error:")
    assert len(done.stderr.splitlines()) == 1
    (tmp_path / "bad.viq").write_bytes(b"\x89VQ nonsense")
    assert "bad.viq" in vitiq("decode", tmp_path / "bad.viq", code=1).stderr
    assert "bad.viq" in vitiq("info", tmp_path / "bad.viq", code=1).stderr


def test_encode_info_decode(small: ImageU8, tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", small)
    search = ("-c", "inversion", "--iterations", 2)
    result = json.loads(vitiq("encode", tmp_path / "x.png", *search, "--json", "--quiet").stdout)
    assert result["bytes"] == (tmp_path / "x.viq").stat().st_size <= 1540
    shown = json.loads(vitiq("info", tmp_path / "x.viq", "--json").stdout)
    assert (shown["codec"], shown["width"], shown["height"]) == ("inversion", 96, 80)
    vitiq("decode", tmp_path / "x.viq", "-o", tmp_path / "y.png")
    assert read_image(tmp_path / "y.png").shape == small.shape
    near = json.loads(vitiq("encode", tmp_path / "x.png", "-c", "webp", "--at-bytes", 900, "--json").stdout)
    assert abs(near["bytes"] - 900) < 200


def test_score_of_a_image_against_itself(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", bundled["building"])
    answer = json.loads(vitiq("score", tmp_path / "x.png", tmp_path / "x.png", "--json").stdout)
    scores = answer["pairs"][0]["scores"]
    assert (scores["vit-topk"]["value"], scores["ssim"]["value"], scores["mse"]["value"]) == (1, 1, 0)
    assert scores["psnr-rgb"]["value"] == "inf"
    assert all(score["signature"] for score in scores.values())


def test_score_of_folders(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for name, image in bundled.items():
        write_png(a / "sub" / f"{name}.png", image[:200, :200])
        (b / "sub").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[:200, :200]).save(b / "sub" / f"{name}.jpg", quality=30)
    write_png(a / "alone.png", bundled["animal"][:9])
    write_png(a / "broken.png", bundled["animal"][:9])
    (b / "broken.png").write_bytes(b"\x89PNG broken")
    arguments = ("score", a, b, "-m", "mse,psnr-rgb,patch-kid-vit,vit-topk-null", "--out", tmp_path / "t.csv")
    done = vitiq(*arguments, "--json", "--quiet", code=1)
    answer = json.loads(done.stdout)
    assert len(answer["pairs"]) == 4
    assert {"alone.png", "broken.png"} <= set(re.findall(r"\w+\.png", done.stderr))
    assert len(answer["problems"]) == len(done.stderr.splitlines()) == 2
    values = [pair["scores"]["mse"]["value"] for pair in answer["pairs"]]
    summary = answer["summary"]["mse"]
    assert summary["n"] == 4
    assert summary["mean"] == pytest.approx(np.mean(values))
    low, high = summary["interval_95"]
    assert low < summary["mean"] < high
    assert set(answer["sets"]) == {"patch-kid-vit", "vit-topk-null"}
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mse"]) for row in rows] == values
    assert Path(rows[0]["reference"]) == a / "sub" / "animal.png"
    text = vitiq("score", a, b, "-m", "mse", "--quiet", code=1).stdout
    assert f"{summary['mean']:.4f}" in text
    assert "95 %" in text


def test_score_asks_a_panel(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    image, weights = tmp_path / "a.png", tmp_path / "small.safetensors"
    write_png(image, bundled["animal"])
    save_file(VisionTransformer(ViTConfig(image_size=32, width=64, depth=1, heads=1)).state_dict(), weights)
    found = []
    for panel in ((), ("--panel", weights)):
        answer = json.loads(vitiq("score", image, image, "-m", "vit-panel", "--json", *panel).stdout)
        found.append(answer["pairs"][0]["scores"]["vit-panel"])
    assert [score["backbones"] for score in found] == [1, 2]
    assert [score["value"] for score in found] == [1, 1]


def test_score_of_nothing_fails(tmp_path: Path, small: ImageU8) -> None:
    write_png(tmp_path / "a" / "x.png", small)
    (tmp_path / "b").mkdir()
    assert json.loads(vitiq("score", tmp_path / "a", tmp_path / "b", "--json", code=1).stdout)["pairs"] == []
    assert "one is a folder" in vitiq("score", tmp_path / "a", tmp_path / "a" / "x.png", code=1).stderr


def test_statistics_in_the_place_of_a_folder(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    for i, image in enumerate(bundled.values()):
        write_png(tmp_path / "a" / f"{i}.png", image[:160, :160])
        write_png(tmp_path / "b" / f"other-{i}.png", image[100:260, 100:260])
    a, b, file = tmp_path / "a", tmp_path / "b", tmp_path / "a.npz"
    result = json.loads(vitiq("stats", a, "-o", file, "-m", "patch-fid-pixel", "--json", "--quiet").stdout)
    assert (result["count"], result["dimensions"]) == (144, 192)
    assert "more than 192" in vitiq("stats", a, "-o", file, "-m", "patch-fid-pixel", "--quiet", "--force").stderr
    assert "exists already" in vitiq("stats", a, "-o", file, "-m", "patch-fid-pixel", code=1).stderr
    answer = json.loads(vitiq("score", file, b, "--json", "--quiet").stdout)
    assert answer["pairs"] == []
    assert "more than 192 expected" in answer["sets"]["patch-fid-pixel"]["undefined"]
    answer = json.loads(vitiq("score", a, b, "-m", "patch-kid-pixel", "--json", "--quiet").stdout)
    assert answer["sets"]["patch-kid-pixel"]["samples"] == [144, 144]
    assert "give two folders" in vitiq("score", a / "0.png", a / "1.png", "-m", "kid-pixel", code=1).stderr
    assert "holds no images" in vitiq("score", file, b, "-m", "ssim", code=1).stderr
    assert ".npz" in vitiq("stats", a, "-o", tmp_path / "a.txt", code=1).stderr


def test_score_stopped_by_ctrl_c_keeps_what_is_done(tmp_path: Path, small: ImageU8) -> None:
    for i in range(400):
        write_png(tmp_path / "a" / f"{i}.png", small)
    folder = str(tmp_path / "a")
    command = [sys.executable, "-m", "vitiq", "score", folder, folder, "-m", "brisque", "-j", "1", "--json", "--quiet"]
    command += ["--out", str(tmp_path / "t.csv")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - also where SIGINT is ignored here
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout, process.stderr:
        lines = [process.stdout.readline() for _ in range(8)]
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130
    assert err.strip().startswith("vitiq: error: stopped")
    pairs = json.loads("".join(lines) + out)["pairs"]
    assert 0 < len(pairs) < 400
    assert len((tmp_path / "t.csv").read_text().splitlines()) >= len(pairs)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_killed_program(tmp_path: Path, small: ImageU8) -> None:
    for i in range(200):
        write_png(tmp_path / "a" / f"{i}.png", small)
    folder = str(tmp_path / "a")
    command = [sys.executable, "-m", "vitiq", "score", folder, folder, "-m", "brisque", "-j", "2", "--json", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        process.stdout.readline()
        workers = [pid for pid in processes() if parent_of(pid) == process.pid]
        process.kill()
    assert len(workers) >= 2
    end = time.monotonic() + 90
    while alive := [pid for pid in workers if pid in processes() and b"spawn_main" in command_of(pid)]:
        assert time.monotonic() < end, alive
        time.sleep(0.1)


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def parent_of(pid: int) -> int:
    try:
        return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def command_of(pid: int) -> bytes:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def test_run_and_resume(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    write_png(images / "one.png", bundled["graphic"][:300, :400])
    (images / "broken.png").write_bytes(b"\x89PNG broken")
    Image.new("L", (40, 30), 90).save(images / "grey.png")
    settings = ("--preset", "thesis", "--iterations", 3, "--comparators", "jpeg,webp", "--quiet")
    arguments = ("run", images, "-o", out, *settings)
    done = vitiq(*arguments, code=1)
    assert "broken.png" in done.stderr
    page = Path(done.stdout.strip().splitlines()[-1])
    assert page == out / "report.html"
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"""<(?:img|script|link|iframe|source|video)\b[^>]*?(?:src|href)=["']?https?://""", html)
    assert "chance" in html
    table = parquet_rows(out / "records.parquet")
    with (out / "records.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(table) == 2 * (1 + 2 + 8)
    columns = ["image", "codec", "quality", "width", "height", "bytes", "bpp", "encode_seconds", "decode_seconds"]
    assert list(rows[0])[:9] == columns
    assert {"vit-topk", "ssim", "mse", "psnr-rgb", "brisque"} <= set(rows[0])
    for row, record in zip(rows, table, strict=True):
        assert (out / row["bitstream"]).stat().st_size == int(row["bytes"]) == record["bytes"]
        assert read_image(out / row["reconstruction"]).shape == (record["height"], record["width"], 3)
    for name in ("table.md", "table.tex", "report.html"):
        assert (out / name).stat().st_size > 200
    # A killed run: one task is lost, the rest stays.
    stamps = {p: p.stat().st_mtime_ns for p in (out / "bitstreams").glob("*/*")}
    lost = sorted(out.glob("store/*/encodes/*/*.parquet"))[0]
    keys = {row["encode_key"] for row in parquet_rows(lost)}
    lost.unlink()
    vitiq(*arguments, code=1)
    after = {p: p.stat().st_mtime_ns for p in (out / "bitstreams").glob("*/*")}
    assert set(after) == set(stamps)
    assert {p.stem for p in stamps if after[p] != stamps[p]} == keys
    vitiq("report", out)


def test_a_file_where_a_run_folder_or_the_cache_should_be_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tmp_path / "taken"
    taken.write_bytes(b"")
    monkeypatch.setenv("VITIQ_CACHE", str(taken))
    for arguments in (
        ("train", "generator", "--data", str(tmp_path), "-o", str(taken), "--smoke", "--quiet"),
        ("models", "fetch", "dists"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "vitiq", *arguments], capture_output=True, text=True, check=False, timeout=100
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"vitiq: error: {taken}")
        assert done.stderr.endswith("choose another output or cache folder\n")
        assert done.stderr.count("\n") == 1


def test_the_classifier_takes_one_teacher(tmp_path: Path) -> None:
    done = vitiq("train", "classifier", "--data", tmp_path, "-o", tmp_path, "--teacher", "a", "--teacher", "b", code=2)
    assert "one teacher, 2 were given" in done.stderr
