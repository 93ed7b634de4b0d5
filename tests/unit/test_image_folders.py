"""Which files of a folder are images, and under which names.

Truth: the files made here; the names that macOS, Windows and Synology leave in folders, by their documentation;
Unicode normalisation forms from `unicodedata`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tracemalloc
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from vitiq.codecs.folders import encode_files
from vitiq.errors import InputError
from vitiq.evaluation.pairs import coded
from vitiq.image.folders import find_images, pairing_key
from vitiq.image.io import read_image, write_png

IMAGE = Image.fromarray(np.zeros((2, 2, 3), np.uint8))


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    names = {
        "a.jfif": "JPEG",
        "b.mpo": "JPEG",
        "c.tga": "TGA",
        "d.PNG": "PNG",
        "e": "PNG",
        "f.dat": "WEBP",
        "g.jpe": "JPEG",
    }
    for name, form in names.items():
        IMAGE.save(tmp_path / name, form)
    found = find_images([tmp_path])
    assert [image.name for image in found.images] == sorted(names)
    assert found.problems == found.skipped == []


def test_files_of_the_system_and_others_are_passed_over_and_said_once(tmp_path: Path) -> None:
    IMAGE.save(tmp_path / "a.png")
    system = ["._a.png", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/a.png", "__MACOSX/a.png", ".hidden/b.png"]
    for name in [*system, "notes.txt", "more.txt", "table.csv"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\x00\x05\x16\x07 no image")
    found = find_images([tmp_path])
    assert [image.name for image in found.images] == ["a.png"]
    assert found.problems == []
    assert found.skipped == [f"{tmp_path}: 10 other files skipped (7 of the system, 2 .txt, 1 .csv)"]
    for name in ("more.txt", "table.csv", *system):
        (tmp_path / name).unlink()
    assert find_images([tmp_path]).skipped == [f"{tmp_path}: 1 other file skipped (1 .txt)"]


def test_the_journal_of_encode_is_no_news(tmp_path: Path) -> None:
    IMAGE.save(tmp_path / "a.png")
    for _ in encode_files([tmp_path], tmp_path / "made", codec="jpeg", jobs=1):
        pass
    assert [p.name for p in sorted((tmp_path / "made").iterdir())] == [".vitiq-made", "a.jpg"]
    assert find_images([tmp_path / "made"]).skipped == []


def test_what_is_meant_as_an_image_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not an image")
    IMAGE.save(tmp_path / "good.png")
    assert [image.name for image in find_images([tmp_path]).images] == ["broken.png", "good.png"]


def test_own_files_are_images_where_asked(tmp_path: Path) -> None:
    (tmp_path / "a.viq").write_bytes(b"\x89VQ\1\2\3")
    (tmp_path / "compact.viq").write_bytes(b"\x89V\x93\1\2\3")
    (tmp_path / "empty.VIQ").touch()
    (tmp_path / "named.dat").write_bytes(b"\x89VQ\1\2\3")
    IMAGE.save(tmp_path / "b.png")
    found = ["a.viq", "b.png", "compact.viq", "empty.VIQ", "named.dat"]
    assert [i.name for i in find_images([tmp_path]).images] == ["b.png"]
    assert [i.name for i in find_images([tmp_path], also=coded()).images] == found


def test_a_file_that_cannot_be_read_is_a_problem_and_no_other_kind(as_user: Path) -> None:
    for name in ("a.png", "closed.png", "closed"):
        IMAGE.save(as_user / name, "PNG")
    for name in ("closed.png", "closed"):
        (as_user / name).chmod(0o000)
    found = find_images([as_user])
    assert [image.name for image in found.images] == ["a.png", "closed.png"], "the suffix says what it is"
    assert found.problems == [f"{as_user / 'closed'}: cannot be read (Permission denied); check its permissions"]
    assert found.skipped == []


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_pairing_key_is_blind_to_form_and_case(form: Literal["NFC", "NFD"]) -> None:
    for name in ("Café.PNG", "ΜΆΙΟΣ.png", "straße.png", "Ångström.jpg", "가각.png", "İx.png"):
        turned = unicodedata.normalize(form, name)
        assert pairing_key(turned) == pairing_key(name)
        assert pairing_key(turned.swapcase().swapcase()) == pairing_key(name) or "ß" in name or "İ" in name
    assert pairing_key("a/b.png") != pairing_key("a-b.png")


def test_names_that_differ_in_case_or_form_alone_get_numbers(tmp_path: Path) -> None:
    names = ["x.png", "X.png", unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")]
    for name in names:
        IMAGE.save(tmp_path / name)
    found = find_images([tmp_path])
    assert len(found.images) == len(list(tmp_path.iterdir()))
    keys = [pairing_key(image.name) for image in found.images]
    assert len(set(keys)) == len(keys)


def test_many_files_of_one_name_take_linear_time(tmp_path: Path) -> None:
    """Each further file of a name gets the next number without trying all before it."""
    IMAGE.save(tmp_path / "x.png")
    paths = [tmp_path / str(number) / "x.png" for number in range(3000)]
    for path in paths:
        path.parent.mkdir()
        path.symlink_to(tmp_path / "x.png")
    found = find_images(paths)
    assert found.images[-1].name == "x-3000.png"


def test_memory_grows_with_the_number_of_files_alone(tmp_path: Path) -> None:
    def peak(folder: Path) -> int:
        tracemalloc.start()
        find_images([folder])
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    for count in (200, 800):
        (tmp_path / str(count)).mkdir()
        for number in range(count):
            (tmp_path / str(count) / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    # Python's table of interned names, which paths go into, grows at some calls: by 4 MB, whatever the folder.
    few, many = (min(peak(tmp_path / count) for _ in range(4)) for count in ("200", "800"))
    assert many < 6 * few


def test_links_that_lead_nowhere_or_to_folders_and_pipes_are_said(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "real").mkdir(parents=True)
    IMAGE.save(folder / "real" / "a.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "linked").symlink_to("real")
    (folder / "up").symlink_to("..")
    (folder / "old.txt").symlink_to("nowhere.txt")
    os.mkfifo(folder / "pipe.png")
    found = find_images([folder])
    assert [image.name for image in found.images] == ["real/a.png"]
    assert found.problems == [
        f"{folder / name}: a link that leads to no file; mend or remove it" for name in ("gone.png", "loop.png")
    ]
    (line,) = found.skipped
    assert line == f"{folder}: 2 other files skipped (2 neither file nor folder); 2 links to folders not entered"


def test_a_link_named_by_itself_is_said_to_lead_nowhere_or_in_a_circle(tmp_path: Path) -> None:
    gone, loop, deep = (tmp_path / name for name in ("gone.png", "loop.png", "turn/a.png"))
    gone.symlink_to("nowhere.png")
    loop.symlink_to("loop.png")
    deep.parent.symlink_to("turn")
    for path in (gone, loop):
        assert find_images([path]).problems == [f"{path}: a link that leads to no file; mend or remove it"]
    with pytest.raises(InputError, match=r"gone.png: a link that leads to no file; mend or remove it$"):
        read_image(gone)
    for path in (loop, deep):
        with pytest.raises(InputError, match=r"\.png: cannot be read \(.*\); a link leads back to itself, mend or re"):
            read_image(path)
    long = tmp_path / ("a" * 300 + ".png")
    with pytest.raises(InputError, match=r"\.png: cannot be read \(.*\); give it a shorter name$"):
        read_image(long)


@pytest.mark.skipif(sys.platform == "win32", reason="its paths are shorter, and no folder can be made below them")
def test_a_folder_too_deep_for_the_system_is_said_and_the_rest_is_found(tmp_path: Path) -> None:
    IMAGE.save(tmp_path / "a.png")
    levels = 4096 // 201 + 1
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(levels):
            os.mkdir("d" * 200, dir_fd=here)
            deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
    finally:
        os.close(here)
    found = find_images([tmp_path])
    assert [image.name for image in found.images] == ["a.png"]
    (problem,) = found.problems
    assert problem.endswith("cannot be looked into (File name too long); give it a shorter name")
    shutil.rmtree(tmp_path / ("d" * 200))


def test_a_file_that_two_paths_reach_counts_once(tmp_path: Path) -> None:
    for name in ("a.png", "sub/a.png"):
        write_png(tmp_path / name, np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "link.png").symlink_to("a.png")  # a name of its own, wanted as it is
    paths = [tmp_path, tmp_path / "a.png", tmp_path / "sub", tmp_path / "sub" / ".." / "a.png", tmp_path]
    assert [image.name for image in find_images(paths).images] == ["a.png", "link.png", "sub/a.png"]
