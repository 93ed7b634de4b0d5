"""What every codec, a plugin's too, gets from the base class: checks, options, files of a number of bytes.

Truth: counted here, with a codec whose files are as long as it is asked for.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from PIL import Image, ImageFile

from vitiq.codecs.base import Codec
from vitiq.codecs.classical.pillow import Avif, Jpeg
from vitiq.codecs.rate_target import encode_nearest, encode_within
from vitiq.codecs.spec import CodecSpec, FilterSpec, RateSpec, make_codec, parse_codec, parse_codecs
from vitiq.errors import InputError, UnknownNameError
from vitiq.image.io import png_bytes
from vitiq.options import changed_options, make_options, option
from vitiq.types import Bytes, ImageU8, ProgressCallback, Quality

IMAGE = np.zeros((4, 5, 3), np.uint8)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Of every kind."""

    unit: int = option(10, "bytes a quality", low=1, high=100)
    share: float = option(0.5, "a number")
    mode: Literal["a", "b"] | None = option(None, "a choice")
    fast: bool = option(False, "a switch")
    text: str = option("", "words")


class Sized(Codec):
    """Quality q gives q · unit bytes."""

    name = "sized"
    title = "Sized"
    extension = ".sized"
    qualities = (1, 5)
    default_quality = 5
    quality_help = "1 to 9"
    quality_range = (1, 9, 1)
    Options = Options
    made: ClassVar[list[float]] = []

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """So many bytes."""
        self.made.append(quality)
        return bytes(int(quality) * self.options.unit)

    def decompress(self, data: bytes) -> ImageU8:
        """Black."""
        return IMAGE


class Budget(Sized):
    """Quality is a number of bytes, of which it uses all, but never less than 7."""

    quality_range = None  # type: ignore[assignment]
    min_bytes = 7

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """So many bytes."""
        return bytes(int(quality))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 5), np.uint8),
        np.zeros((4, 5, 4), np.uint8),
        np.zeros((3, 4, 5), np.uint8),
        np.zeros((4, 5, 3), np.float32),
        np.zeros((4, 5, 3), np.uint16),
        np.zeros((4, 5, 3), bool),
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((2, 4, 5, 3), np.uint8),
        [[[0, 0, 0]]],
        None,
    ],
)
@pytest.mark.parametrize("codec", [Sized(), Budget(), Jpeg(), Avif()])
def test_what_is_no_image_is_refused_by_every_codec(codec: Codec, image: object) -> None:
    for rate in (None, Bytes(1000)):
        with pytest.raises(InputError, match="H×W×3 of uint8 expected"):
            codec.encode(image, rate)  # type: ignore[arg-type]


def test_views_are_taken_as_they_look() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    assert Jpeg().encode(image[:, ::-1]) == Jpeg().encode(np.ascontiguousarray(image[:, ::-1]))


@pytest.mark.parametrize("quality", [0, 10, 3.5, -1, 1e9])
def test_illegal_qualities_are_refused(quality: float) -> None:
    with pytest.raises(InputError, match="1 to 9"):
        Sized().encode(IMAGE, Quality(quality))


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jxl", "generative", "generative-mse", "inversion-vector"])
def test_codecs_of_whole_numbers_refuse_fractions(name: str) -> None:
    with pytest.raises(InputError, match="a whole number"):
        make_codec(name).encode(IMAGE, Quality(5.5))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_rates_are_finite(value: float) -> None:
    with pytest.raises(InputError, match="finite"):
        Quality(value)
    with pytest.raises(InputError, match="finite"):
        Bytes.per_pixel(value, 10, 10)


def test_bytes_are_whole_and_positive() -> None:
    for count in (0, -5, 1.5):
        with pytest.raises(InputError, match="from 1"):
            Bytes(count)  # type: ignore[arg-type]
    assert Bytes.per_pixel(0.5, 100, 80) == Bytes(500)
    assert Bytes.per_pixel(1e-9, 1, 1) == Bytes(1)


def test_bits_per_pixel_are_a_most_that_the_file_stays_within() -> None:
    assert Bytes.per_pixel(0.1, 200, 151) == Bytes(377)  # 377.5
    assert Bytes.per_pixel(0.3, 8, 10) == Bytes(3)  # though the float 0.3 is below three tenths
    for count in range(1, 2000):
        for width, height in ((1, 1), (7, 9), (200, 151), (768, 512), (4001, 2999)):
            exact = 8 * count / (width * height)
            assert Bytes.per_pixel(exact, width, height) == Bytes(count)
            assert Bytes.per_pixel(math.nextafter(exact, 0), width, height) == Bytes(max(1, count - 1))


def test_at_most_so_many_bytes() -> None:
    assert len(Sized().encode(IMAGE, Bytes(59))) == 50
    assert len(Sized().encode(IMAGE, Bytes(60))) == 60
    assert len(Sized().encode(IMAGE, Bytes(10_000))) == 90
    found = encode_within(Sized(), IMAGE, Bytes(59))
    assert (found.quality, found.target_bytes, found.reached, found.notes) == (5, 59, True, ())


def test_what_cannot_be_reached_is_said() -> None:
    for find in (encode_within, encode_nearest):
        found = find(Sized(), IMAGE, Bytes(9))
        assert (len(found.data), found.quality, found.reached) == (10, 1, False)
        assert "no file of at most 9 bytes was found" in found.notes[0]
        found = find(Budget(), IMAGE, Bytes(3))
        assert (len(found.data), found.reached) == (7, False)
        found = find(Jpeg(), np.zeros((64, 64, 3), np.uint8), Bytes(1))
        assert not found.reached
        assert "the smallest of those tried" in found.notes[0]


def test_nearest_may_be_above() -> None:
    assert len(encode_nearest(Sized(), IMAGE, Bytes(59)).data) == 60
    assert len(encode_nearest(Sized(), IMAGE, Bytes(55)).data) == 50  # of two as close, the smaller
    assert encode_nearest(Sized(), IMAGE, Bytes(59)).reached


def test_a_file_is_made_once_a_quality() -> None:
    Sized.made.clear()
    encode_nearest(Sized(), IMAGE, Bytes(59))
    assert len(Sized.made) == len(set(Sized.made)) <= 6


def test_a_quality_that_is_a_number_of_bytes() -> None:
    found = encode_within(Budget(), IMAGE, Quality(20))
    assert (len(found.data), found.target_bytes, found.reached) == (20, 20, True)
    for quality in (6, 20.5):
        with pytest.raises(InputError, match="expected"):
            Budget().encode(IMAGE, Quality(quality))


def test_options_are_read_checked_and_shown() -> None:
    codec = Sized(unit="20", share="0.25", mode="b", fast="true", text="x")
    assert codec.options == Options(unit=20, share=0.25, mode="b", fast=True, text="x")
    assert Sized(unit=20).label() == "Sized [unit=20]"
    assert Sized().label() == "Sized"
    assert Sized(mode=None).identity() == {"unit": 10, "share": 0.5, "mode": None, "fast": False, "text": ""}
    assert changed_options(Options(mode="a", fast=True)) == " [mode=a, fast=True]"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"units": 3}, r"does not take the option units \(did you mean unit\?\); it takes unit, share, mode"),
        ({"unit": 0}, "unit is 0, expected a whole number from 1 to 100"),
        ({"unit": 2.5}, "a whole number"),
        ({"unit": "many"}, "a whole number"),
        ({"unit": True}, "a whole number"),
        ({"unit": None}, "a whole number"),
        ({"share": float("nan")}, "a number"),
        ({"mode": "c"}, "one of a, b"),
        ({"fast": "perhaps"}, "true or false"),
    ],
)
def test_illegal_options_say_what_is_legal(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_options(Options, given, "codec sized")


def test_a_codec_without_options_says_so() -> None:
    with pytest.raises(InputError, match="jpeg2000 does not take the option speed; it takes none"):
        make_codec("jpeg2000", {"speed": 3})


def test_one_codec_as_written() -> None:
    assert parse_codec("jpeg") == CodecSpec("jpeg")
    assert parse_codec("avif[tune=psnr, subsampling=4:4:4]@10:30:10") == CodecSpec(
        "avif",
        {"tune": "psnr", "subsampling": "4:4:4"},
        rates=(RateSpec("quality", 10), RateSpec("quality", 20), RateSpec("quality", 30)),
    )
    template = "cjxl {in} {out} -q {q}, [x]@y+z"
    assert parse_codec(f'cmd:"{template}"@1,2') == CodecSpec(
        "cmd", argument=template, rates=(RateSpec("quality", 1), RateSpec("quality", 2))
    )
    assert parse_codec("jpeg[progressive=yes]+deblock[strength=2]+x@5") == CodecSpec(
        "jpeg",
        {"progressive": "yes"},
        filters=(FilterSpec("deblock", {"strength": "2"}), FilterSpec("x")),
        rates=(RateSpec("quality", 5),),
    )


def test_other_names_of_a_codec() -> None:
    assert make_codec("webp-downscaled").name == "webp-shrunk"


def test_several_codecs_as_written() -> None:
    found = parse_codecs("jpeg@10:90:40,avif@bpp=0.1,0.5, generative, webp@bytes=1500,3000,q=5")
    assert [(spec.name, [(rate.kind, rate.value) for rate in spec.rates]) for spec in found] == [
        ("jpeg", [("quality", 10), ("quality", 50), ("quality", 90)]),
        ("avif", [("bpp", 0.1), ("bpp", 0.5)]),
        ("generative", []),
        ("webp", [("bytes", 1500), ("bytes", 3000), ("quality", 5)]),
    ]
    assert found[1].rates[0].at(100, 80) == Bytes(100)
    assert found[3].rates[2].at(100, 80) == Quality(5)


@pytest.mark.parametrize(
    "text",
    ["", " ", "jpeg@", "jpeg@x", "jpeg@1@2", "jpeg[", 'cmd:"x', "jpeg[progressive]", "jpeg@9:1:1", "jpeg@1:9:0", "a b"],
)
def test_what_is_not_of_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_codec(text)


def test_specs_are_checked_before_any_work() -> None:
    with pytest.raises(InputError, match="a whole number"):
        parse_codec("jpeg@10.5").make()
    with pytest.raises(InputError, match="0 to 100"):
        parse_codec("webp@101").make()
    with pytest.raises(InputError, match="takes nothing after a colon"):
        parse_codec("jpeg:x").make()
    with pytest.raises(UnknownNameError, match="jpeg"):
        parse_codec("jpge").make()
    with pytest.raises(UnknownNameError, match="unknown filter"):
        parse_codec("jpeg+nothing").make()


def test_options_of_classical_codecs_change_files_and_labels(small: ImageU8) -> None:
    plain, full = Jpeg(), make_codec("jpeg[subsampling=4:4:4]")
    assert len(full.encode(small)) > len(plain.encode(small))
    assert full.label() == "JPEG [subsampling=4:4:4]"
    assert full.identity() != plain.identity()
    tuned = [len(make_codec("avif", {"tune": tune}).encode(small)) for tune in ("psnr", "ssim", None)]
    assert len(set(tuned)) > 1


@pytest.mark.parametrize("quality", [1, 80, 100])
@pytest.mark.parametrize("options", [{}, {"subsampling": "4:4:4"}, {"subsampling": "4:4:4", "progressive": True}])
def test_a_jpeg_of_noise_is_pillows_own_with_a_buffer_for_it(
    quality: int, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (330, 310, 3), dtype=np.uint8)
    data = Jpeg(**options).encode(image, Quality(quality))
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 8 * image.size)
    expected = io.BytesIO()
    wanted = {"subsampling": "4:2:0", **options}
    Image.fromarray(image).save(expected, "JPEG", quality=quality, optimize=True, **wanted)
    assert data == expected.getvalue()


@pytest.mark.parametrize("name", ["jpeg", "jpeg2000", "webp", "avif"])
def test_an_encode_changes_nothing_in_the_process_that_pngs_depend_on(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 2**16)
    image = np.random.default_rng(0).integers(0, 256, (200, 210, 3), dtype=np.uint8)
    before = png_bytes(image)
    codec = make_codec(name)
    assert codec.decode(codec.encode(image, Quality(codec.qualities[-1]))).shape == image.shape
    assert vars(ImageFile)["MAXBLOCK"] == 2**16
    assert png_bytes(image) == before
