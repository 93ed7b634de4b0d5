"""`encode`, `decode` and `info` on files, folders, devices and pipes: nothing is lost, nothing collides.

Truth: Pillow reads what they write; the bytes of every file that must be kept, before and after.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from program import Vitiq
from vitiq.codecs.batch import default_output, output_names
from vitiq.evaluation.pairs import pair_up
from vitiq.image.folders import pairing_key
from vitiq.image.io import read_image
from vitiq.types import ImageU8


def program(*arguments: object, **settings: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "vitiq", *map(str, arguments)], capture_output=True, check=False, **settings
    )


def form(source: Path | io.BytesIO) -> str | None:
    with Image.open(source) as image:
        return image.format


def size(source: Path) -> tuple[int, int]:
    with Image.open(source) as image:
        return image.size


def convert(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        image.save(target)


@pytest.fixture
def photo(small: ImageU8, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(small).save(path)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the journal of what was made."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".vitiq-made"]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_the_original_survives_its_own_round_trip(vitiq: Vitiq, photo: Path) -> None:
    before = photo.read_bytes()
    assert vitiq("encode", photo).code == 0
    coded = photo.with_suffix(".viq")
    answer = vitiq("decode", coded)
    assert answer.code == 1
    assert str(photo) in answer.err
    assert str(coded) in answer.err
    assert photo.read_bytes() == before
    assert vitiq("decode", coded, "-o", photo.with_name("again.png")).code == 0
    assert size(photo.with_name("again.png")) == size(photo)
    assert vitiq("decode", coded, "--force").code == 0
    assert photo.read_bytes() != before


def test_default_names_never_meet_an_input(vitiq: Vitiq, photo: Path) -> None:
    jpeg = photo.with_suffix(".jpg")
    convert(photo, jpeg)
    before = contents(photo.parent)
    assert vitiq("encode", jpeg, "-c", "jpeg", "--force").code == 0
    after = contents(photo.parent)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"photo.jpeg.jpg"}
    odd = photo.with_name("really-a-jpeg.png")
    odd.write_bytes(jpeg.read_bytes())
    assert vitiq("decode", odd).code == 0
    assert odd.read_bytes() == jpeg.read_bytes()
    assert form(photo.with_name("really-a-jpeg.decoded.png")) == "PNG"
    assert default_output(photo, ".viq", "generative") == photo.with_suffix(".viq")


@pytest.mark.parametrize("kind", ["itself", "hard link", "symbolic link", "through a linked folder"])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_an_output_that_is_the_input_is_refused(
    kind: str, force: tuple[str, ...], vitiq: Vitiq, photo: Path, tmp_path: Path
) -> None:
    jpeg = tmp_path / "real" / "photo.jpg"
    jpeg.parent.mkdir()
    convert(photo, jpeg)
    names = {
        "itself": jpeg,
        "hard link": tmp_path / "hard.jpg",
        "symbolic link": tmp_path / "soft.jpg",
        "through a linked folder": tmp_path / "link" / "photo.jpg",
    }
    (tmp_path / "hard.jpg").hardlink_to(jpeg)
    (tmp_path / "soft.jpg").symlink_to(jpeg)
    (tmp_path / "link").symlink_to("real")
    before = jpeg.read_bytes()
    answer = vitiq("encode", jpeg, "-c", "jpeg", "-q", 3, "-o", names[kind], *force)
    assert answer.code == 1
    assert str(jpeg) in answer.err
    assert str(names[kind]) in answer.err
    assert jpeg.read_bytes() == before


def test_existing_files_are_replaced_only_with_force(vitiq: Vitiq, photo: Path) -> None:
    other = photo.with_name("other.jpg")
    other.write_bytes(b"precious")
    answer = vitiq("encode", photo, "-c", "jpeg", "-o", other)
    assert (answer.code, answer.out, other.read_bytes()) == (1, "", b"precious")
    assert re.search(r"other\.jpg: exists already .*photo\.png.*--force", answer.err)
    assert vitiq("encode", photo, "-c", "jpeg", "-o", other, "--force").code == 0
    assert form(other) == "JPEG"


def test_names_of_other_formats_are_refused(vitiq: Vitiq, photo: Path) -> None:
    before = contents(photo.parent)
    assert "writes .jpg files" in vitiq("encode", photo, "-c", "jpeg", "-o", photo.with_name("x.webp")).err
    assert "writes .viq files" in vitiq("encode", photo, "-o", photo.with_name("x.png")).err
    assert contents(photo.parent) == before
    assert vitiq("encode", photo, "-c", "jpeg", "-o", photo.with_name("x.JPEG")).code == 0
    assert "are written as .png" in vitiq("decode", photo.with_name("x.JPEG"), "-o", photo.with_name("y.jpg")).err
    for suffix, named in ((".bmp", "BMP"), (".ppm", "PPM"), (".tif", "TIFF"), (".png", "PNG")):
        assert vitiq("decode", photo.with_name("x.JPEG"), "-o", photo.with_name("y" + suffix)).code == 0
        found = photo.with_name("y" + suffix)
        assert form(found) == named
        assert np.array_equal(read_image(found), read_image(photo.with_name("x.JPEG")))


def test_dash_is_standard_input_and_output(photo: Path, tmp_path: Path) -> None:
    coded = program("encode", "-", "-c", "jpeg", "-o", "-", input=photo.read_bytes())
    assert coded.returncode == 0, coded.stderr
    assert form(io.BytesIO(coded.stdout)) == "JPEG"
    assert b"bits per pixel" in coded.stderr
    decoded = program("decode", "-", input=coded.stdout)
    assert form(io.BytesIO(decoded.stdout)) == "PNG"
    shown = program("info", "-", "--json", input=coded.stdout)
    assert json.loads(shown.stdout)["bytes"] == len(coded.stdout)
    to_file = program("encode", "-", "-c", "jpeg", "-o", tmp_path / "x.jpg", input=photo.read_bytes())
    assert to_file.returncode == 0
    assert (tmp_path / "x.jpg").read_bytes() == coded.stdout
    assert b"standard output" in program("encode", photo, "-o", "-", "--json").stderr
    empty = program("encode", "-", "-o", "-", input=b"")
    assert (empty.returncode, empty.stdout, empty.stderr.count(b"\n")) == (1, b"", 1)
    assert b"standard input" in empty.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_devices_and_pipes(photo: Path, tmp_path: Path) -> None:
    null = os.lstat("/dev/null")
    assert program("encode", photo, "-c", "jpeg", "-o", "/dev/null").returncode == 0
    for target in ("/dev/full", "-"):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "vitiq", "encode", str(photo), "-c", "jpeg", "-o", target],
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert done.returncode == 1
        assert done.stderr.startswith(b"vitiq: error: ")
        assert b"No space left on device" in done.stderr
        assert done.stderr.count(b"\n") == 1
    assert (null.st_ino, null.st_mode) == (os.lstat("/dev/null").st_ino, os.lstat("/dev/null").st_mode)
    out = tmp_path / "out"
    with out.open("wb") as file:
        file.write(b"before")
        file.flush()
        subprocess.run(
            [sys.executable, "-m", "vitiq", "encode", str(photo), "-c", "jpeg", "-o", "/dev/stdout"],
            stdout=file,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    assert out.read_bytes().startswith(b"before\xff\xd8\xff")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd")
def test_a_closed_pipe_that_is_not_standard_output_is_an_error(photo: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = program("encode", photo, "-c", "jpeg", "-o", f"/dev/fd/{writer}", pass_fds=(writer,))
    finally:
        os.close(writer)
    said = f"vitiq: error: /dev/fd/{writer}: cannot be written (Broken pipe); choose another output\n"
    assert (done.returncode, done.stdout, done.stderr.decode()) == (1, b"", said)


def test_a_closed_pipe_ends_quietly(photo: Path) -> None:
    for command in ("metrics list", *(f"encode {photo} -c jpeg -o {out}" for out in ("-", "/dev/stdout")), "--help"):
        done = subprocess.run(
            ["bash", "-c", f"'{sys.executable}' -m vitiq {command} | true; echo ${{PIPESTATUS[0]}}"],
            capture_output=True,
            check=False,
        )
        assert done.stdout == b"0\n"
        assert b"rror" not in done.stderr


NAMES = ["x.png", "x.jpg", "X.PNG", "sub/x.png", "e\u0301.png", "é.jpg", "plain.png", "café/a.png", "cafe\u0301/a.jpg"]


def fill(folder: Path, small: ImageU8) -> list[str]:
    for i, name in enumerate(NAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(small[: 16 + i])).save(path)
    return sorted(NAMES)


@pytest.mark.parametrize("jobs", [1, 2])
def test_folders_there_and_back(jobs: int, vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    """Heights distinguish the images; every one must come back under a name of its own."""
    source, coded, back = tmp_path / "in", tmp_path / "coded", tmp_path / "back"
    fill(source, small)
    before = contents(source)
    (source / "notes.txt").write_text("no image")
    answer = vitiq("encode", source, "-c", "webp", "-o", coded, "--jobs", jobs, "--json")
    assert answer.code == 0, answer.err
    values = json.loads(answer.out)
    assert len(values["files"]) == len(NAMES)
    assert {Path(one["file"]).relative_to(coded).as_posix() for one in values["files"]} == set(contents(coded))
    assert len({pairing_key(name) for name in contents(coded)}) == len(NAMES), "they fit on any file system"
    assert (coded / "plain.webp").is_file()
    assert (coded / "sub" / "x.webp").is_file()
    answer = vitiq("decode", coded, "-o", back, "--jobs", jobs)
    assert (answer.code, "skipped" in answer.err) == (0, False), "the journal of what was made is no file of anyone's"
    assert sorted(size(back / name)[1] for name in contents(back)) == list(range(16, 16 + len(NAMES)))
    assert {name: contents(source)[name] for name in before} == before
    for made in (coded, back):
        pairing = pair_up(source, made)
        assert not pairing.problems
        assert [size(a) for a, _ in pairing.pairs] == [size(b) for _, b in pairing.pairs]
        assert len(pairing.pairs) == len(NAMES)


@pytest.mark.parametrize("command", ["decode", "restore", "score"])
def test_a_broken_file_in_a_folder_is_a_problem_of_its_own(
    command: str, vitiq: Vitiq, small: ImageU8, tmp_path: Path
) -> None:
    """Its suffix says what it should be; only files of other kinds are counted together."""
    source, good = tmp_path / "in", "good.jpg"
    source.mkdir()
    Image.fromarray(small).save(source / good)
    suffixes = {"decode": (".viq", ".JPG", ".avif", ".jxl"), "restore": (".jpg", ".jpeg"), "score": (".viq", ".png")}
    broken = [source / f"{kind}{suffix}" for suffix in suffixes[command] for kind in ("empty", "junk", "dangling")]
    for path in broken:
        if path.stem == "dangling":
            path.symlink_to("nowhere")
        else:
            path.write_bytes(b"" if path.stem == "empty" else b"no image at all")
    (source / "notes.txt").write_text("no image")
    words = (source, "-m", "mse") if command == "score" else ("-o", tmp_path / "out", "--jobs", 1)
    answer = vitiq(command, source, *words)
    assert answer.code == 1
    assert [str(path) for path in broken if f"{path}: " not in answer.err] == []
    assert "1 other file skipped (1 .txt)" in answer.err
    if command != "score":
        assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["good.png"]


def test_a_file_without_permission_in_a_folder_is_a_problem(vitiq: Vitiq, small: ImageU8, as_user: Path) -> None:
    source = as_user / "in"
    source.mkdir()
    for name in ("good.jpg", "closed.webp", "closed"):
        Image.fromarray(small).save(source / name, "WEBP")
    for name in ("closed.webp", "closed"):
        (source / name).chmod(0o000)
    answer = vitiq("decode", source, "-o", as_user / "out", "--jobs", 1)
    assert answer.code == 1
    for name in ("closed.webp", "closed"):
        assert f"{source / name}: cannot be read (Permission denied); check its permissions" in answer.err
    assert "skipped" not in answer.err
    assert [path.name for path in (as_user / "out").glob("*.png")] == ["good.png"]


def test_the_same_command_makes_what_is_missing(vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    fill(source, small)
    command = ("encode", source, "-c", "jpeg", "-o", out, "--jobs", 1)
    assert "9 images done" in vitiq(*command).out
    first = contents(out)
    stamps = {name: (out / name).stat().st_mtime_ns for name in first}
    lost = sorted(first)[3]
    (out / lost).unlink()
    answer = vitiq(*command)
    assert "1 image done" in answer.out
    assert "8 there already (--force makes them again)" in answer.out
    after = contents(out)
    assert set(after) == set(first)
    assert [n for n in first if (out / n).stat().st_mtime_ns != stamps[n]] == [lost]
    assert "9 images done" in vitiq(*command, "-q", 5, "--force").out
    assert all(len(contents(out)[name]) < len(first[name]) for name in first if name != lost)


@pytest.mark.parametrize("other", [("-q", 5), ("--bytes", 2000), ("-O", "subsampling=4:4:4")])
def test_files_made_with_other_settings_are_never_taken_for_these(
    other: tuple[object, ...], vitiq: Vitiq, small: ImageU8, tmp_path: Path
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    fill(source, small)
    command = ("encode", source, "-c", "jpeg", "-o", out, "--jobs", 1)
    vitiq(*command)
    first = contents(out)
    (out / "plain.jpg").unlink()
    answer = vitiq(*command, *other)
    assert answer.code == 1
    assert "8 files exist already" in answer.err
    assert "made with other settings" in answer.err
    assert answer.err.count("\n") == 1
    assert set(contents(out)) == set(first) - {"plain.jpg"}, "a folder is never a mixture"
    assert vitiq(*command, *other, "--force").code == 0
    assert "9 there already" in vitiq(*command, *other).out


def test_an_output_folder_below_a_file_is_one_line(vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    source = tmp_path / "in"
    fill(source, small)
    (tmp_path / "file").write_bytes(b"")
    answer = vitiq("encode", source, "-c", "jpeg", "-o", tmp_path / "file" / "out", "--jobs", 1)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "cannot be written" in answer.err


def test_existing_files_of_another_hand_are_named_and_left(vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    fill(source, small)
    command = ("encode", source, "-c", "jpeg", "-o", out, "--jobs", 1)
    vitiq(*command)
    (out / "plain.jpg").write_bytes(b"mine")
    Image.fromarray(255 - small[:22]).save(source / "plain.png")
    Image.fromarray(255 - small[:20]).save(source / "sub" / "x.png")
    (source / "new.png").write_bytes((source / "plain.png").read_bytes())
    answer = vitiq(*command)
    assert answer.code == 1
    assert "1 image done" in answer.out
    assert "7 there already" in answer.out
    assert "plain.jpg; not made by vitiq, or changed since" in answer.err
    assert "sub/x.jpg; its input has changed since" in answer.err
    assert (out / "plain.jpg").read_bytes() == b"mine"


def test_a_journal_that_is_damaged_or_ahead_of_its_file(vitiq: Vitiq, photo: Path, tmp_path: Path) -> None:
    """A process killed between the journal's line and the file leaves the line alone."""
    out = tmp_path / "out"
    command = ("encode", photo, "-c", "jpeg", "-o", f"{out}/")
    vitiq(*command)
    first = contents(out)
    (out / "photo.jpg").unlink()
    with (out / ".vitiq-made").open("ab") as journal:
        journal.write(b"\xff[[[\n{}\n" + b"[" * 9999 + b"\n")
    assert "1 image done" in vitiq(*command).out
    assert contents(out) == first
    assert "1 there already" in vitiq(*command).out
    assert vitiq(*command, "-q", 5).code == 1


def test_outputs_in_another_unicode_form_are_found(vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    Image.fromarray(small).save(source / "é.png")
    vitiq("encode", source, "-c", "jpeg", "-o", out)
    (made,) = out.glob("*.jpg")
    made.rename(out / unicodedata.normalize("NFD", "é.jpg"))
    assert "0 images done" in vitiq("encode", source, "-c", "jpeg", "-o", out).out
    assert len(contents(out)) == 1


def test_an_output_folder_inside_the_input_is_not_fed_back(vitiq: Vitiq, small: ImageU8, tmp_path: Path) -> None:
    fill(tmp_path / "in", small)
    command = ("encode", tmp_path / "in", "-c", "jpeg", "-o", tmp_path / "in" / "out")
    assert "9 images done" in vitiq(*command).out
    assert "0 images done" in vitiq(*command).out
    assert vitiq("encode", tmp_path / "in", "-c", "jpeg", "-o", tmp_path / "in").code == 1


def test_broken_files_are_named_and_the_others_done(vitiq: Vitiq, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    photo.rename(folder / "photo.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    answer = vitiq("encode", folder, tmp_path / "gone.png", "-c", "jpeg", "-o", tmp_path / "out")
    assert answer.code == 1
    assert {"broken.png", "gone.png"} <= set(re.findall(r"\w+\.png", answer.err))
    assert "1 image done" in answer.out
    assert "2 failed" in answer.out
    (tmp_path / "out" / "damaged.jpg").write_bytes(b"\xff\xd8\xff damaged")
    (tmp_path / "out" / "other.txt").write_text("text")
    answer = vitiq("decode", tmp_path / "out", "-o", tmp_path / "back")
    assert answer.code == 1
    assert "damaged.jpg" in answer.err
    assert "other.txt" not in answer.err
    assert set(contents(tmp_path / "back")) == {"photo.png"}


def test_several_files_need_a_folder(vitiq: Vitiq, photo: Path) -> None:
    assert vitiq("encode", photo, photo, "-c", "jpeg").code == 2
    assert vitiq("encode", photo.parent, "-c", "jpeg").code == 2
    assert vitiq("decode", photo.parent).code == 2
    assert vitiq("encode", photo, "-c", "jpeg", "-o", photo.parent).code == 0
    assert photo.with_suffix(".jpg").is_file()
    assert vitiq("encode", photo, "-c", "jpeg", "-o", f"{photo.parent / 'new'}/").code == 0
    assert (photo.parent / "new" / "photo.jpg").is_file()
    assert vitiq("encode", photo, "-c", "jpeg", "-o", photo.with_suffix(".jpg") / "x.jpg").code == 1


def test_odd_names(vitiq: Vitiq, photo: Path, tmp_path: Path) -> None:
    data = photo.read_bytes()
    deep = tmp_path.joinpath(*["d" * 100] * 4)
    deep.mkdir(parents=True)
    for name in (b"n" * 246 + b".png", b"caf\xe9.png", b"-dash.png", b"line\nbreak.png", b" .png", "猫.png".encode()):
        source = deep / os.fsdecode(name)
        source.write_bytes(data)
        answer = vitiq("encode", source, "-c", "jpeg")
        assert answer.code == 0, answer.err
        coded = source.with_suffix(".jpg")
        assert form(coded) == "JPEG"
        assert vitiq("decode", coded, "--force").code == 0
        assert json.loads(vitiq("info", coded, "--json").out)["file"] == str(coded)
    assert "cannot be written" in vitiq("encode", photo, "-c", "jpeg", "-o", tmp_path / ("n" * 256)).err


def test_rates(vitiq: Vitiq, photo: Path) -> None:
    def encode(*arguments: object) -> dict[str, float]:
        answer = vitiq("encode", photo, "--json", "--force", *arguments)
        assert answer.code == 0, answer.err
        values: dict[str, float] = json.loads(answer.out)
        return values

    for codec in ("jpeg", "generative"):
        budget = encode("-c", codec, "--bytes", 1500)
        assert budget["bytes"] <= budget["target_bytes"] == 1500
        assert encode("-c", codec, "--at-bytes", 1500)["bytes"] == budget["bytes"]
        assert encode("-c", codec, "--bpp", 1500 * 8 / (96 * 80))["bytes"] == budget["bytes"]
        for same in (("-c", codec, "-q", budget["quality"]), ("-c", f"{codec}@{budget['quality']}")):
            assert encode(*same)["bytes"] == budget["bytes"]


def test_what_a_further_input_leaves_over_is_named(vitiq: Vitiq, photo: Path, tmp_path: Path) -> None:
    """x.png becomes x.jpg alone, and x.png.jpg beside x.bmp; and the other way where that goes."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    shutil.copy(photo, source / "x.png")
    shutil.copy(photo, source / "y.png")
    command = ("encode", source, "-c", "jpeg", "-o", out)
    assert "left over" not in vitiq(*command).err
    Image.new("RGB", (8, 8)).save(source / "x.bmp")
    for _ in range(2):  # at first, and when repeated
        answer = vitiq(*command)
        assert answer.code == 0
        assert f"{out}: 1 file left over under a former name: x.jpg (now x.png.jpg); remove" in answer.err
    assert (out / "x.jpg").exists()
    (out / "x.jpg").unlink()
    (source / "x.bmp").unlink()
    assert "1 file left over under a former name: x.png.jpg (now x.jpg)" in vitiq(*command).err


def test_a_size_that_no_file_reaches_is_a_problem(vitiq: Vitiq, photo: Path, tmp_path: Path) -> None:
    """What was asked for did not happen: the smallest file is there, and the exit code says so, repeated too."""
    out = tmp_path / "small.jpg"
    answer = vitiq("encode", photo, "-c", "jpeg", "--bytes", 1, "--json", "--quiet", "-o", out)
    made = json.loads(answer.out)
    said = f"{photo}: no file of at most 1 byte was found: the smallest of those tried has {made['bytes']}, written"
    assert (answer.code, made["reached"], made["bytes"]) == (1, False, out.stat().st_size)
    assert answer.err.startswith(f"vitiq: {said} to {out}; ")
    assert answer.err.count("was found") == 1
    folder = tmp_path / "coded"
    for count in ("1 above the size asked for", "1 there already"):
        answer = vitiq("encode", photo, "-c", "jpeg", "--bytes", 1, "-o", f"{folder}/")
        assert answer.code == 1
        assert f"vitiq: {said}" in answer.err
        assert count in answer.out
        assert "failed" not in answer.out
    answer = vitiq("encode", photo, "-c", "jpeg", "--bytes", 1, "-o", f"{folder}/", "--json")
    assert json.loads(answer.out)["problems"][0].startswith(said)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-c", "jpge"), 2, "did you mean jpeg"),
        (("-c", "jpeg", "-q", "30.7"), 2, "whole number"),
        (("-c", "jpeg", "-q", "101"), 2, "1 to 100"),
        (("-c", "jpeg", "-q", "nan"), 2, "finite"),
        (("-c", "jpeg", "--bytes", "0"), 2, "0"),
        (("-c", "jpeg", "--bpp", "-1"), 2, "above 0"),
        (("-c", "jpeg", "-q", "3", "--bytes", "900"), 2, "--quality and --bytes"),
        (("-c", "jpeg", "-q", "3", "--at-bytes", "900"), 2, "not --quality and --at-bytes"),
        (("-c", "jpeg@30", "-q", "3"), 2, "several rates"),
        (("-c", "jpeg@30,40"), 2, "several rates"),
        (("-c", "jpeg", "--iterations", "3"), 2, "it takes subsampling"),
        (("-c", "jpeg", "-O", "subsampling=9"), 2, "4:2:0"),
        (("-c", "jpeg[subsampling=4:2:2]", "-O", "subsampling=4:4:4"), 2, "given twice, as 4:2:2 and as 4:4:4"),
        (("-c", "jpeg", "-O", "subsampling=4:2:2", "--subsampling", "4:4:4"), 2, "as 4:2:2 and as 4:4:4"),
        (
            (
                "-c",
                "jpeg[subsampling=4:2:2,subsampling=4:4:4]",
            ),
            2,
            "as 4:2:2 and as 4:4:4",
        ),
        (("-c", "jpeg", "-O", "nonsense"), 2, "-O nonsense=VALUE"),
        (("-c", "jpeg", "--subsampling"), 2, "given without a value, expected one of 4:2:0"),
    ],
)
def test_wrong_settings_fail_before_any_work(
    arguments: tuple[str, ...], code: int, said: str, vitiq: Vitiq, tmp_path: Path
) -> None:
    answer = vitiq("encode", tmp_path / "gone.png", "-o", tmp_path / "new" / "x", *arguments)
    assert answer.code == code
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_a_million_are_written_out_and_an_empty_default_is_none(vitiq: Vitiq, photo: Path) -> None:
    assert "quality 1000000)" in vitiq("encode", photo, "-c", "webp-shrunk", "--bytes", 1_000_000, "--force").out
    shown = vitiq("codecs", "info", "cmd").out
    assert "(text; default not set)" in shown
    assert "default )" not in shown


def test_options_of_a_codec_in_both_spellings(vitiq: Vitiq, photo: Path) -> None:
    sizes = [
        json.loads(vitiq("encode", photo, "-c", "jpeg", "--json", "--force", *option).out)["bytes"]
        for option in ((), ("-O", "subsampling=4:4:4"), ("--subsampling", "4:4:4"), ("--subsampling=4:4:4",))
    ]
    assert sizes[0] < sizes[1] == sizes[2] == sizes[3]


def test_info_is_for_people_and_machines(vitiq: Vitiq, photo: Path) -> None:
    vitiq("encode", photo, "-q", 20)
    coded = photo.with_suffix(".viq")
    shown = vitiq("info", coded).out
    assert re.search(r"codec +generative", shown)
    assert re.search(r"quality +20", shown)
    assert re.search(r"image +96×80 pixels", shown)
    assert json.loads(vitiq("info", coded, "--json").out)["quality"] == 20
    two = vitiq("info", coded, coded, "--json")
    assert len(json.loads(two.out)) == 2
    bad = vitiq("info", coded, photo)
    assert bad.code == 1
    assert "generative" in bad.out
    assert str(photo) in bad.err


def test_info_leaves_out_what_a_file_does_not_state(vitiq: Vitiq, photo: Path) -> None:
    vitiq("encode", photo, "-c", "inversion-vector", "--iterations", 1)
    coded = photo.with_suffix(".viq")
    assert json.loads(vitiq("info", coded, "--json").out)["compat"] is None
    shown = vitiq("info", coded).out
    assert re.search(r"coder +range", shown)
    assert "None" not in shown


def test_output_names_collide_in_no_file_system() -> None:
    names = output_names(["a/x.png", "y.png", "y.jpg", "Y.png", "y.png.png", "é.png", "e\u0301.png"], ".viq")
    assert names[:2] == ["a/x.viq", "y.png.viq"]
    assert len({pairing_key(name) for name in names}) == len(names)
    assert output_names(["x.png", "x.jpg"], ".viq") == ["x.png.viq", "x.jpg.viq"]
    assert output_names(["X.png", "x.png"], ".jpg") == ["X.jpg", "x-2.jpg"]
    assert output_names(["X.viq", "x.viq", "x-2.viq"], ".png") == ["X.png", "x-2.png", "x-2-2.png"]
