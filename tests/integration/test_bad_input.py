"""Every command on every kind of bad or unusual input: the right result, or one line that names the file.

Truth: pixels worked out here with numpy from the arrays that were saved; the limits of the formats are libwebp's
WEBP_MAX_DIMENSION (16383), libjpeg-turbo's JPEG_MAX_DIMENSION (65500) and libavif's AVIF_DEFAULT_IMAGE_DIMENSION_LIMIT
(32768). The program runs in this process, as `vitiq` starts it.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from program import Answer, Vitiq
from vitiq import encode, inspect, load_image, score
from vitiq.codecs.base import Codec
from vitiq.codecs.classical.downscaled import DownscaledWebP
from vitiq.codecs.classical.pillow import Avif, Jpeg, WebP
from vitiq.codecs.inversion.codec import Inversion
from vitiq.codecs.inversion.vector import InversionVector
from vitiq.codecs.transform.codec import Generative
from vitiq.errors import InputError
from vitiq.evaluation.store import Store
from vitiq.image.io import read_image, write_png
from vitiq.types import ImageU8, Quality


def check_one_line(answer: Answer, *names: object, code: int = 1) -> None:
    """Exactly one line on stderr, with each name once; nothing on stdout that could be taken for a result."""
    assert answer.code == code, answer
    assert len(answer.lines) == 1, answer.err
    assert answer.err.startswith("vitiq: ")
    for name in names:
        assert answer.err.count(str(name)) == 1, answer.err


# Images


def gradient(width: int = 24, height: int = 16) -> ImageU8:
    return np.linspace(0, 255, width * height * 3).reshape(height, width, 3).astype(np.uint8)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def halved(form: str) -> bytes:
    data = saved(Image.fromarray(gradient(200, 200)), form)
    return data[: len(data) // 2]


def bomb() -> bytes:
    """A PNG of 67 bytes whose header claims 100,000×100,000 pixels."""
    data = bytearray(saved(Image.new("1", (10, 10)), "PNG"))
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def grey(image: ImageU8) -> ImageU8:
    return np.repeat(image[:, :, :1], 3, axis=2)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    return saved(Image.fromarray(gradient()), "PNG", exif=exif)


def see_through() -> bytes:
    image = Image.fromarray(gradient()).convert("RGBA")
    image.putalpha(128)
    return saved(image, "PNG")


def animated(form: str) -> bytes:
    second = Image.new("RGB", (24, 16), (9, 0, 200))
    return saved(
        Image.fromarray(gradient()), form, save_all=True, append_images=[second], duration=9, **LOSSLESS.get(form, {})
    )


LOSSLESS: dict[str, dict[str, object]] = {"WEBP": {"lossless": True}, "PNG": {}}
PALETTE = np.array([(10, 20, 30), (200, 100, 0), (0, 255, 90)], np.uint8)


def palette() -> bytes:
    image = Image.fromarray((np.arange(24 * 16).reshape(16, 24) % 3).astype(np.uint8), "P")
    image.putpalette(PALETTE.tobytes())
    return saved(image, "PNG")


BROKEN: dict[str, tuple[bytes | None, str]] = {
    "gone.png": (None, "no such file"),
    "empty.png": (b"", "empty"),
    "text.png": (b"hello, not an image", "not an image"),
    "cut.png": (halved("PNG"), "truncated"),
    "cut.jpg": (halved("JPEG"), "truncated"),
    "bomb.png": (bomb(), "shrink it"),
}
"""File -> content (None for a missing one) and a part of what must be said about it."""

CMYK = np.random.default_rng(1).integers(0, 256, (16, 24, 4), dtype=np.uint8)
GOOD: dict[str, tuple[bytes, ImageU8, str]] = {
    "plain.png": (saved(Image.fromarray(gradient()), "PNG"), gradient(), ""),
    "animated.png": (animated("PNG"), gradient(), "first of 2 frames"),
    "animated.webp": (animated("WEBP"), gradient(), "first of 2 frames"),
    "deep.png": (
        saved(Image.fromarray(gradient()[:, :, 0].astype(np.uint16) * 257), "PNG"),
        grey(gradient()),
        "16 bits rounded to 8",
    ),
    "grey.png": (saved(Image.fromarray(gradient()[:, :, 0]), "PNG"), grey(gradient()), "grey repeated"),
    "palette.png": (palette(), PALETTE[np.arange(24 * 16).reshape(16, 24) % 3], ""),
    "alpha.png": (
        see_through(),
        np.rint(gradient() * (128 / 255) + 255 * (127 / 255)).astype(np.uint8),
        "transparency laid on white",
    ),
    "cmyk.tif": (
        saved(Image.fromarray(CMYK, "CMYK"), "TIFF"),
        np.rint((255.0 - CMYK[:, :, :3]) * (255.0 - CMYK[:, :, 3:]) / 255).astype(np.uint8),
        "CMYK converted",
    ),
    "turned.png": (turned(), np.rot90(gradient(), -1), "turned by its stated"),
    "one.png": (saved(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG"), np.array([[[9, 8, 7]]], np.uint8), ""),
    "long.png": (saved(Image.fromarray(gradient(30_000, 2)), "PNG"), gradient(30_000, 2), ""),
}
"""File -> content, the pixels it must be read as, and a part of the note about it."""


def broken(name: str, folder: Path) -> Path:
    data = BROKEN[name][0]
    folder.mkdir(exist_ok=True)
    if data is not None:
        (folder / name).write_bytes(data)
    return folder / name


def plain(path: Path, width: int = 24, height: int = 16) -> Path:
    write_png(path, gradient(width, height))
    return path


# Broken images


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_is_named_in_one_line(name: str, vitiq: Vitiq, tmp_path: Path) -> None:
    path, other, out = broken(name, tmp_path / "in"), plain(tmp_path / "other.png"), tmp_path / "out"
    for arguments in (
        ("encode", path, "-c", "jpeg", "-o", out),
        ("encode", path, "-o", out),
        ("score", path, other, "-m", "mse"),
        ("score", other, path, "-m", "mse", "--json"),
        ("run", path, "-c", "jpeg", "--metrics", "mse", "-o", tmp_path / "run", "--quiet"),
    ):
        answer = vitiq(*arguments)
        check_one_line(answer, path)
        assert BROKEN[name][1] in answer.err
        if "--json" in arguments:
            stated = json.loads(answer.out or "{}")
            assert stated.get("pairs", []) == []
            assert all(str(path) in problem for problem in stated.get("problems", []))
        else:
            assert answer.out == ""
    assert not out.exists()
    for command in ("info", "decode", "classify"):
        answer = vitiq(command, path, *(("-o", out) if command == "decode" else ()))
        check_one_line(answer, path)
        assert answer.out == ""
    assert not out.exists()


@pytest.mark.parametrize("name", [name for name in BROKEN if name != "gone.png"])
def test_the_rest_of_a_folder_goes_on(name: str, vitiq: Vitiq, tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    bad = broken(name, a)
    for folder in (a, b):
        plain(folder / "one.png")
        plain(folder / "two.png", 40, 30)
    plain(b / name.replace("jpg", "png"))
    answer = vitiq("score", a, b, "-m", "mse", "--json", "--quiet")
    check_one_line(answer, bad)
    assert [pair["scores"]["mse"]["value"] for pair in json.loads(answer.out)["pairs"]] == [0, 0]
    answer = vitiq("score", b, a, "-m", "patch-kid-pixel", "--json", "--quiet")
    check_one_line(answer, bad)
    assert json.loads(answer.out)["sets"]["patch-kid-pixel"]["samples"] == [4, 3]
    answer = vitiq("stats", a, "-m", "patch-fid-pixel", "-o", tmp_path / "a.npz", "--json", "--quiet")
    check_one_line(answer, bad)
    assert json.loads(answer.out)["count"] == 3
    rows = "".join(f"{i}.png,one.png,{i}\n" for i in range(6))
    for i in range(6):
        plain(a / f"{i}.png")
    (a / "mos.csv").write_text(f"distorted,reference,mos\n{rows}{name},one.png,3\none.png,{name},4\n")
    answer = vitiq("validate", a, "-m", "mse", "--json", "--resamples", 40, "--quiet")
    check_one_line(answer, bad)
    stated = json.loads(answer.out)
    assert [image["values"]["mse"] for image in stated["images"]] == [0] * 6 + [None] * 2
    assert [(line["n"], line["left_out"]) for line in stated["agreement"]] == [(6, 2)]
    text = vitiq("validate", a, "-m", "mse", "--resamples", 40, "--quiet").out
    assert text.startswith("plain: 6 images")


def test_what_reading_images_with_opinions_changed_is_counted(vitiq: Vitiq, tmp_path: Path) -> None:
    """A reference of many images is one."""
    clear = plain(tmp_path / "ref.png")
    with Image.open(clear) as image:
        see_through = image.convert("RGBA")
    see_through.putalpha(99)
    see_through.save(clear)
    rows = "".join(f"{plain(tmp_path / f'{i}.png').name},ref.png,{i}\n" for i in range(5))
    (tmp_path / "mos.csv").write_text(f"distorted,reference,mos\n{rows}")
    answer = vitiq("validate", tmp_path, "-m", "mse", "--resamples", 40)
    assert answer.code == 0
    assert answer.err.splitlines() == [f"{tmp_path}: 1 image: transparency laid on white"]
    assert vitiq("validate", tmp_path, "-m", "mse", "--resamples", 40, "--quiet").err == ""


def test_images_of_two_sizes_are_both_named(vitiq: Vitiq, tmp_path: Path) -> None:
    wide, small = plain(tmp_path / "wide.png", 30, 16), plain(tmp_path / "small.png")
    answer = vitiq("score", wide, small, "-m", "mse")
    check_one_line(answer, wide, small, "30×16", "24×16")
    rows = "".join(f"{plain(tmp_path / f'{i}.png').name},small.png,{i}\n" for i in range(5))
    (tmp_path / "mos.csv").write_text(f"distorted,reference,mos\n{rows}wide.png,small.png,3\n")
    answer = vitiq("validate", tmp_path, "-m", "mse", "--resamples", 40, "--quiet")
    check_one_line(answer, wide, small, "30×16", "24×16")
    assert "| mse | 5 |" in answer.out


def test_folders_in_the_place_of_files_and_empty_ones(vitiq: Vitiq, tmp_path: Path) -> None:
    empty, other = tmp_path / "empty", plain(tmp_path / "other.png")
    empty.mkdir()
    out = tmp_path / "out"
    for arguments in (
        ("encode", empty, "-o", out),
        ("decode", empty, "-o", out),
        ("info", empty),
        ("classify", empty),
        ("score", other, empty, "-m", "mse"),
        ("run", empty, "-c", "jpeg", "-o", out, "--quiet"),
        ("stats", other, "-m", "fid-pixel", "-o", tmp_path / "s.npz", "--quiet"),
        ("validate", empty, "-m", "mse"),
        ("validate", other, "-m", "mse"),
        ("report", empty),
        ("train", "generator", "--data", empty, "-o", tmp_path / "t", "--smoke", "--quiet"),
        ("train", "codec", "--data", other, "-o", tmp_path / "t", "--smoke", "--quiet"),
    ):
        answer = vitiq(*arguments)
        check_one_line(answer, other if other in arguments[:2] or other in arguments[3:4] else empty)


# Unusual images


@pytest.mark.parametrize("name", GOOD)
def test_unusual_images_are_read_right(name: str, vitiq: Vitiq, tmp_path: Path) -> None:
    data, wanted, note = GOOD[name]
    path, exact, file = tmp_path / name, tmp_path / "exact" / "x.png", tmp_path / "x.bin"
    path.write_bytes(data)
    write_png(exact, np.ascontiguousarray(wanted))
    answer = vitiq("score", exact, path, "-m", "mse,psnr-rgb", "--json")
    assert answer.code == 0
    assert note in answer.err if note else answer.err == ""
    # of alpha and CMYK the last bit is a matter of rounding
    assert json.loads(answer.out)["pairs"][0]["scores"]["mse"]["value"] <= (1 if name[:2] in {"al", "cm"} else 0)
    for codec in ("jpeg2000", "jpeg", "generative-mse"):
        answer = vitiq("encode", path, "-c", codec, "-o", file, "--json", "--quiet", "--force")
        assert answer.code == 0, answer.err
        stated = json.loads(answer.out)
        assert (stated["height"], stated["width"]) == wanted.shape[:2]
        assert any(note in said for said in (*stated["notes"], "" if not note else "no note"))
        assert vitiq("info", file).code == 0
        assert vitiq("decode", file, "-o", tmp_path / "y.png", "--force").code == 0
        rebuilt = read_image(tmp_path / "y.png")
        assert rebuilt.shape == wanted.shape
        limit = 75 if name in {"palette.png", "cmyk.tif"} else 8  # noise to these codecs
        assert np.abs(rebuilt.astype(int) - wanted).mean() < limit, codec


def test_one_run_of_everything(vitiq: Vitiq, tmp_path: Path) -> None:
    """Good images have records, each broken one a line, and so has each file a format cannot hold."""
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in BROKEN:
        broken(name, folder)
    for name, (data, _, _) in GOOD.items():
        (folder / name).write_bytes(data)
    answer = vitiq(
        "run", folder, "-c", "jpeg", "--comparators", "webp,webp-shrunk", "--metrics", "mse", "-o", out, "--quiet"
    )
    assert answer.code == 1
    assert "Traceback" not in answer.err
    wrong = [folder / name for name in BROKEN if name != "gone.png"] + [folder / "long.png"] * 2
    assert len(answer.lines) == len(wrong)
    for path in wrong:
        assert any(str(path) in line for line in answer.lines), path
    refused = [line for line in answer.lines if "long.png" in line]
    assert all("16383" in line and "shrink it" in line for line in refused)
    store = Store(out)
    records = [record for record in store.records() if record.error is None]
    assert {record.image for record in records} == set(GOOD)
    assert {record.codec for record in records if record.image == "long.png"} == {"jpeg"}
    for record in records:
        rebuilt, original = store.reconstruction(record), store.original(record)
        assert rebuilt is not None
        assert original is not None
        assert read_image(rebuilt).shape[:2] == (record.height, record.width)
        assert read_image(original).shape == GOOD[record.image][1].shape
    for text in (answer.out, (out / "table.md").read_text(encoding="utf-8")):
        assert "Not in the means: " in text
        assert "webp-shrunk: WebP cannot hold an image of 30000×2 pixels" in text
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "WebP cannot hold" in page
    assert all(name in page for name in BROKEN if name != "gone.png")


@pytest.mark.parametrize(
    ("metrics", "columns"),
    [
        ("mse", ["MSE ↓"]),
        ("mae,mse,ssim", ["MAE ↓", "MSE ↓", "SSIM ↑"]),
        ("brisque", ["BRISQUE ↓"]),
        ("vit-topk", ["ViT-Score ↑"]),
        ("psnr-rgb", ["PSNR, dB ↑"]),
        ("patch-kid-pixel", []),
    ],
)
def test_the_metrics_asked_for_are_shown_and_no_other(
    metrics: str, columns: list[str], vitiq: Vitiq, tmp_path: Path
) -> None:
    # SSIM is not defined below 11 pixels
    path = plain(tmp_path / "x.png", 40, 8 if "ssim" in metrics else 30)
    arguments = ("-c", "jpeg", "--comparators", "webp", "--metrics", metrics, "-o", tmp_path / "out", "--quiet")
    answer = vitiq("run", path, *arguments)
    assert (answer.code, answer.err) == (0, "")
    assert " | ".join(["| codec | bytes", *columns, "encode"]) + " |" in answer.out.splitlines()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    shown = [metric["key"] for metric in data["metrics"]]
    assert shown == ([] if metrics == "patch-kid-pixel" else metrics.split(","))


# The limits of formats


@pytest.mark.parametrize(("codec", "longest"), [(Jpeg, 65_500), (WebP, 16_383), (Avif, 32_768)])
def test_limits_of_formats(codec: Callable[[], Codec], longest: int) -> None:
    largest = np.zeros((1, longest, 3), np.uint8)
    assert codec().decode(codec().encode(largest, Quality(1))).shape == largest.shape
    for shape in ((1, longest + 1, 3), (longest + 1, 1, 3)):
        with pytest.raises(InputError, match=f"sides are at most {longest}; shrink it"):
            codec().encode(np.zeros(shape, np.uint8), Quality(1))


def test_what_a_format_cannot_hold_whole_is_downscaled() -> None:
    image = np.zeros((12, 16_400, 3), np.uint8)
    data = DownscaledWebP().encode(image, Quality(2000))
    assert DownscaledWebP().decode(data).shape == image.shape
    assert DownscaledWebP().inspect(data).notes == ("coded at 10933×8 and enlarged to 16400×12",)


@pytest.mark.parametrize("codec", ["webp", "webp-shrunk", "generative", "inversion"])
def test_a_image_beyond_a_codec_is_named_with_the_fix(codec: str, vitiq: Vitiq, tmp_path: Path) -> None:
    path = plain(tmp_path / "long.png", 70_000, 2)
    answer = vitiq("encode", path, "-c", codec, "-o", tmp_path / "x", "--quiet")
    check_one_line(answer, path, "70000×2")
    assert "shrink" in answer.err
    assert not (tmp_path / "x").exists()
    if codec == "webp":
        answer = vitiq("run", path, "-c", codec, "--metrics", "mse", "-o", tmp_path / "out", "--quiet")
        assert answer.code == 1
        assert len(answer.lines) == 1
        assert "no image could be compressed with webp" in answer.err
        assert f"{path}: webp: WebP cannot hold an image of 70000×2 pixels" in answer.err


# Outputs that cannot be written


def test_unwritable_outputs_are_named(vitiq: Vitiq, tmp_path: Path) -> None:
    image, taken, folder = plain(tmp_path / "x.png"), tmp_path / "taken", tmp_path / "folder"
    taken.write_bytes(b"a file where a folder should be")
    folder.mkdir()
    file = tmp_path / "x.jpg"
    assert vitiq("encode", image, "-c", "jpeg", "-o", file).code == 0
    for arguments, target in (
        (("encode", image, "-c", "jpeg", "-o"), taken / "x.jpg"),
        (("decode", file, "-o"), taken / "x.png"),
        (("score", image, image, "-m", "mse", "--out"), taken / "t.csv"),
        (("score", image, image, "-m", "mse", "--out"), folder / "t.txt"),
        (("score", image, image, "-m", "mse", "--quiet", "--map"), taken / "m.png"),
        (("stats", folder, "-m", "fid-pixel", "-o"), tmp_path / "t.csv"),
        (("run", image, "-c", "jpeg", "--comparators", "", "--metrics", "mse", "--quiet", "-o"), taken),
        (("run", image, "-c", "jpeg", "--comparators", "", "--metrics", "mse", "--quiet", "-o"), taken / "out"),
        (("report",), taken),
    ):
        answer = vitiq(*arguments, target)
        check_one_line(answer, target)
        if "-o" not in arguments and arguments != ("report",):
            assert " -o" not in answer.err
    assert taken.read_bytes() == b"a file where a folder should be"
    assert not any(folder.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"x.png", "x.jpg", "taken", "folder"}, "no half-made files"


# Damaged compressed files


@pytest.fixture(scope="module")
def coded() -> dict[str, bytes]:
    codecs: list[Codec] = [Generative(), Inversion(iterations=1), InversionVector(iterations=1)]
    return {codec.name: codec.encode(gradient()) for codec in codecs}


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "head": lambda data: data[:8],
    "a bit": lambda data: data[:-9] + bytes([data[-9] ^ 4]) + data[-8:],
    "a byte of the head": lambda data: data[:9] + bytes([data[9] ^ 255]) + data[10:],
    "longer": lambda data: data + b"xx",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["generative", "inversion", "inversion-vector"])
def test_damaged_files_are_named(name: str, damage: str, coded: dict[str, bytes], vitiq: Vitiq, tmp_path: Path) -> None:
    path = tmp_path / "x.viq"
    path.write_bytes(DAMAGE[damage](coded[name]))
    for arguments in (("info", path), ("classify", path), ("decode", path, "-o", tmp_path / "y.png")):
        answer = vitiq(*arguments)
        check_one_line(answer, path)
        assert answer.out == ""
    assert not (tmp_path / "y.png").exists()


def test_why_a_damaged_compressed_file_gives_no_image_is_said(
    coded: dict[str, bytes], vitiq: Vitiq, tmp_path: Path
) -> None:
    """And of a whole one, where an image is expected, what it is."""
    image, damaged, whole = plain(tmp_path / "x.png"), tmp_path / "damaged.viq", tmp_path / "whole.viq"
    damaged.write_bytes(coded["generative"][:-5])
    whole.write_bytes(coded["generative"])
    answer = vitiq("score", image, damaged, "-m", "mse")
    check_one_line(answer, damaged)
    assert "CRC-32 does not match" in answer.err
    for door in (load_image, partial(encode, codec="jpeg"), partial(score, image, metrics="mse")):
        with pytest.raises(InputError, match=r"damaged\.viq: .*CRC-32 does not match"):
            door(damaged)
    for arguments in (("encode", whole, "-c", "jpeg"), ("run", whole, "-o", tmp_path / "out")):
        answer = vitiq(*arguments)
        check_one_line(answer, whole)
        assert (
            "this is a .viq file, which is compressed already; `vitiq decode FILE` makes an image of it" in answer.err
        )
    for other in (("encode", damaged, "-c", "jpeg"), ("run", damaged, "-o", tmp_path / "out"), ("restore", damaged)):
        answer = vitiq(*other)
        check_one_line(answer, damaged)
        assert "this is a .viq file, but damaged: its CRC-32 does not match; copy it again" in answer.err


@pytest.mark.parametrize("command", ["encode", "decode", "restore", "score", "info", "classify"])
@pytest.mark.parametrize(
    ("content", "said", "cure"),
    [
        (b"", "empty", "get it again"),
        (b"PK\x03\x04" + bytes(60), "a zip archive", "unpack it first"),
        (b"%PDF-1.4\n", "a PDF document", "export the page as PNG"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC", "convert it to PNG"),
    ],
    ids=["empty", "zip", "pdf", "heic"],
)
def test_each_command_names_a_file_of_another_kind_and_the_cure(
    vitiq: Vitiq, tmp_path: Path, command: str, content: bytes, said: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("e").write_bytes(content)  # a name that stands in every message as a letter
    answer = vitiq(command, "e")
    assert answer.code == 1
    lines = [line for line in answer.err.splitlines() if line.startswith(("vitiq: error: e: ", "vitiq: e: "))]
    assert len(lines) == 1
    assert said in lines[0]
    assert cure in lines[0]


def test_a_file_whose_weights_are_missing_is_named(coded: dict[str, bytes], vitiq: Vitiq, tmp_path: Path) -> None:
    body = bytearray(coded["generative"][:-4])
    weights = bytes.fromhex(inspect(coded["generative"]).weights or "")
    at = bytes(body).index(weights)
    body[at] ^= 255
    path = tmp_path / "x.viq"
    path.write_bytes(bytes(body) + zlib.crc32(body).to_bytes(4, "big"))
    for arguments in (("decode", path, "-o", tmp_path / "y.png"), ("classify", path)):
        answer = vitiq(*arguments)
        check_one_line(answer, path)
        assert answer.err.startswith(f"vitiq: error: {path}: ")
        assert "not found" in answer.err


@pytest.mark.parametrize("command", ["encode", "info", "decode", "score x.png", "classify"])
def test_an_address_is_not_looked_for_among_the_files(command: str, vitiq: Vitiq, tmp_path: Path) -> None:
    plain(tmp_path / "x.png")
    words = [str(tmp_path / word) if word == "x.png" else word for word in command.split()]
    answer = vitiq(*words, "https://example.org/a.viq")
    assert answer.code == 1
    assert "the address https://example.org/a.viq given; nothing is downloaded" in answer.err


@pytest.mark.parametrize("name", ["generative", "inversion", "inversion-vector"])
def test_wrong_weights_are_named(name: str, coded: dict[str, bytes], vitiq: Vitiq, tmp_path: Path) -> None:
    path, weights = tmp_path / "x.viq", tmp_path / "weights.pth"
    path.write_bytes(coded[name])
    for content in (None, b"", b"hello, not a checkpoint"):
        if content is not None:
            weights.write_bytes(content)
        answer = vitiq("decode", path, "-o", tmp_path / "y.png", "--generator", weights)
        check_one_line(answer, weights)
        assert "(101)" not in answer.err
    image = plain(tmp_path / "x.png")
    answer = vitiq("score", image, image, "-m", "vit-topk", "--weights", weights)
    check_one_line(answer, weights)
    assert "(101)" not in answer.err


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "expected a table with rows"),
        ("distorted,reference,mos\none.png,one.png,x\n", "line 2: mos is 'x', a finite number is expected"),
        (
            "distorted,reference,mos\none.png,one.png,3\none.png,one.png,4\n",
            "line 3: one.png is rated in line 2 already",
        ),
        ("distorted,reference,mos\ngone.png,one.png,3\n", "no image is there"),
    ],
)
def test_damaged_tables_of_opinions_are_named(table: str, said: str, vitiq: Vitiq, tmp_path: Path) -> None:
    plain(tmp_path / "one.png")
    (tmp_path / "mos.csv").write_text(table)
    answer = vitiq("validate", tmp_path, "-m", "mse", "--quiet")
    check_one_line(answer, said)
    assert str(tmp_path) in answer.err


def test_damaged_statistics_and_configurations_are_named(
    vitiq: Vitiq, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, bad = tmp_path / "in", tmp_path / "bad.npz"
    plain(folder / "one.png")
    bad.write_bytes(b"PK nonsense")
    check_one_line(vitiq("score", bad, folder, "--quiet"), bad)
    config = tmp_path / "config.toml"
    config.write_text("hello, no configuration")
    train = ("train", "generator", "--data", folder, "-o", tmp_path / "t", "--smoke", "--quiet")
    check_one_line(vitiq(*train, "--config", config), config)
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path / "cache"))
    check_one_line(vitiq("models", "fetch", "DTD", "--from", tmp_path / "gone.pth"), tmp_path / "gone.pth")
    answer = vitiq("models", "fetch", "DTD", "--from", config)
    check_one_line(answer, "DTD")
    assert "04efa39f expected; it was not kept" in answer.err
