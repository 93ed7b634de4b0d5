"""The .viq container and the recognition of files by their first bytes.

Truth: docs/reference/viq-format.md, from which the bytes below are written out by hand; the CRC-32 of zlib;
signatures from the formats' standards (JPEG: T.81 B.1.1.3; JPEG 2000: T.800 A.4.1 and I.5.1; WebP: RFC 9649 2.4;
AVIF: ISO/IEC 23000-22 brands; JPEG XL: ISO/IEC 18181-1 and -2; PNG: W3C PNG 5.2) and files that Pillow writes.
"""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, features

from vitiq import registry
from vitiq.bitstream.container import (
    MAX_SIDE,
    Container,
    Section,
    pack,
    unpack,
)
from vitiq.codecs import detect
from vitiq.codecs.detect import codec_of
from vitiq.errors import BitstreamError
from vitiq.image.limits import MAX_PIXELS

PLAIN = Container(1, 512, 300, bytes(range(8)), 0xDEADBEEF, (Section(1, b"latents"),))
COMPACT = Container(4, 512, 300, bytes(range(4)), 0xBEEF, (Section(2, b"latents"),), 2)
PLUGIN = Container("my-codec.2", 1, 65535, b"", 0, (Section(7, b""), Section(255, b"x" * 200), Section(7, b"end")))


def sealed(body: str) -> bytes:
    """Bytes with their CRC-32."""
    data = bytes.fromhex(body)
    return data + zlib.crc32(data).to_bytes(4, "big")


def test_bytes_written_out_by_hand() -> None:
    assert pack(PLAIN) == sealed(
        "89 56 51  01  01  80 04  ac 02  08 00 01 02 03 04 05 06 07  de ad be ef  01  01 6c 61 74 65 6e 74 73"
    )
    assert pack(COMPACT) == sealed("89 56 a4  80 04  ac 02  00 01 02 03  be ef  6c 61 74 65 6e 74 73")
    name = b"my-codec.2".hex()
    assert pack(PLUGIN) == sealed(
        f"895651 01 00 0a {name} 01 ffff03 00 00000000 03  07 00  ff c801 {'78' * 200}  07 656e64"
    )


@pytest.mark.parametrize("container", [PLAIN, COMPACT, PLUGIN])
def test_round_trip(container: Container) -> None:
    assert unpack(pack(container)) == container
    names: dict[int | str, str] = {1: "inversion", 4: "generative-mse"}
    assert codec_of(pack(container)) == names.get(container.codec, container.codec)


def test_headers_are_short() -> None:
    assert len(pack(PLAIN)) - len(b"latents") == 28
    assert len(pack(COMPACT)) - len(b"latents") == 17


def test_sections_by_kind() -> None:
    assert PLUGIN.section(255) == b"x" * 200
    assert PLUGIN.section(7) == b""
    with pytest.raises(BitstreamError, match=r"section 3 is missing from the file of codec my-codec\.2;"):
        PLUGIN.section(3)
    with pytest.raises(BitstreamError, match="section 3 is missing from the file of codec number 1;"):
        PLAIN.section(3)


@pytest.mark.parametrize("container", [PLAIN, COMPACT, PLUGIN])
def test_every_truncation_and_every_flipped_bit_is_refused(container: Container) -> None:
    data = pack(container)
    for length in range(len(data)):
        with pytest.raises(BitstreamError):
            unpack(data[:length])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            unpack(bytes(damaged))
    with pytest.raises(BitstreamError):
        unpack(data + b"\0")


HEAD = "895651 01 01"
TAIL = "00 00000000 01 01"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f"895651 02 01 01 01 {TAIL}", "version 2"),
        ("8956 90 01 01 00000000 0000 00000000", "codec number 0"),
        ("8956 91 01 00 00000000 0000 00000000", "1×0"),
        ("8956 91 8100 01 00000000 0000 00000000", "longer than necessary"),
        ("8956 91 ffff03 ffff03 00000000 0000", "65535×65535"),
        ("8956 91 01 01 00000000 00", "truncated"),
        ("8956 11 01 01 00000000 0000 00000000", "not a .viq file"),
        (f"{HEAD} 00 01 {TAIL}", "0×1"),
        (f"{HEAD} 01 00 {TAIL}", "1×0"),
        (f"{HEAD} 808004 01 {TAIL}", "65536×1"),
        (f"{HEAD} ffff03 818002 {TAIL}", "65535×32769"),
        (f"{HEAD} ffffffffffffffff 01 {TAIL}", "above 35 bits"),
        (f"{HEAD} 8100 01 {TAIL}", "longer than necessary"),
        (f"{HEAD} 01 01 21 {'00' * 33} 00000000 01 01", "33 bytes"),
        (f"{HEAD} 01 01 ffffffff0f 00000000 01 01", "weights prefix"),
        (f"{HEAD} 01 01 00 00000000 00", "no section"),
        (f"{HEAD} 01 01 00 00000000 02 01 ff01 00", "ends early"),
        (f"{HEAD} 01 01 00 00000000 8020 01 00", "ends early"),
        (f"{HEAD} 01 01 00 00000000 8120 {'01 00' * 4096} 01", "4097 sections given, at most 4096"),
        (f"{HEAD} 01 01 00 00000000 ffffffff7f 01 00", "34359738367 sections given"),
        (f"{HEAD} 01 01 00 0000", "truncated"),
        (f"895651 01 00 00 01 01 {TAIL}", "codec name"),
        (f"895651 01 00 02 c3a9 01 01 {TAIL}", "codec name"),
        (f"895651 01 00 02 2e2f 01 01 {TAIL}", "codec name"),
        (f"895651 01 00 02 0a41 01 01 {TAIL}", "codec name"),
        (f"895651 01 00 41 {'61' * 65} 01 01 {TAIL}", "codec name"),
        (f"895651 01 00 ffffffff7f 01 01 {TAIL}", "ends early"),
    ],
)
def test_well_sealed_nonsense_is_refused(body: str, message: str) -> None:
    with pytest.raises(BitstreamError, match=re.escape(message)):
        unpack(sealed(body))


def test_the_largest_images_pass() -> None:
    assert MAX_PIXELS == 178_956_970  # as docs/reference/input.md says of every image
    for width, height in ((MAX_SIDE, 1), (1, MAX_SIDE), (65_535, 2_730)):
        assert width * height <= MAX_PIXELS
        container = replace(PLAIN, width=width, height=height)
        assert unpack(pack(container)) == container


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"height": -3},
        {"width": 65536},
        {"width": 65_535, "height": 2_731},
        {"weights": bytes(33)},
        {"symbols_crc": -1},
        {"symbols_crc": 2**32},
        {"sections": ()},
        {"sections": (Section(1, b""),) * 4097},
        {"sections": (Section(256, b""),)},
        {"sections": (Section(-1, b""),)},
        {"codec": 0},
        {"codec": 256},
        {"codec": ""},
        {"codec": "é"},
        {"codec": "a b"},
        {"codec": "a" * 65},
    ],
)
def test_what_the_format_cannot_hold_is_not_written(change: dict[str, object]) -> None:
    with pytest.raises(BitstreamError):
        pack(replace(PLAIN, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"codec": 16},
        {"codec": "my-codec"},
        {"sections": (Section(8, b""),)},
        {"sections": (Section(1, b""), Section(2, b""))},
        {"weights": bytes(8)},
        {"weights": b""},
        {"symbols_crc": 2**16},
        {"version": 3},
    ],
)
def test_what_the_compact_form_cannot_hold_is_not_written(change: dict[str, object]) -> None:
    with pytest.raises(BitstreamError):
        pack(replace(COMPACT, **change))  # type: ignore[arg-type]


def test_codec_numbers_of_built_in_codecs_are_one_byte_distinct_and_promised() -> None:
    classes = [registry.load("codecs", name) for name in registry.names("codecs")]
    numbers: dict[str, int] = {c.name: c.viq_id for c in classes if getattr(c, "viq_id", None) is not None}
    promised = {"inversion": 1, "inversion-vector": 2, "generative": 3, "generative-mse": 4}
    assert promised.items() <= numbers.items()
    assert all(1 <= number <= 255 for number in numbers.values())
    assert len(set(numbers.values())) == len(numbers)


def test_a_number_no_codec_has_and_a_name_that_has_a_number_are_refused() -> None:
    with pytest.raises(BitstreamError, match="number 250 is unknown"):
        codec_of(pack(replace(PLAIN, codec=250)))
    with pytest.raises(BitstreamError, match="which has a number"):
        codec_of(pack(replace(PLAIN, codec="inversion")))


def test_a_plug_in_that_fails_to_look_at_a_file_hides_no_other_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bad(registry.load("codecs", "jpeg")):  # type: ignore[misc]
        name = "bad"

        @classmethod
        def detect(cls, data: bytes) -> bool:
            raise IndexError(f"{len(data)} bytes")

    found, broken = detect._registered(registry.names("codecs"))
    monkeypatch.setattr(detect, "_registered", lambda _: ((Bad, *found), broken))
    assert codec_of(bytes.fromhex("ffd8ffe0") + bytes(32)) == "jpeg"
    with pytest.raises(BitstreamError, match=r"could not be asked: bad, IndexError: 9 bytes"):
        codec_of(b"something")


def test_the_format_page_shows_a_real_file() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/viq-format.md").read_text(encoding="utf-8")
    block = re.search(r"```hex\n(.*?)```", page, re.DOTALL)
    assert block is not None
    data = bytes.fromhex("".join(line.split("#")[0] for line in block[1].splitlines()))
    assert unpack(data) == Container(
        1, 768, 512, bytes.fromhex("0123456789abcdef"), 0x6EEC9B9F, (Section(1, b"\x2a\x00\x07"),)
    )


def test_the_format_page_shows_a_compact_file() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/viq-format.md").read_text(encoding="utf-8")
    found = re.search(r"`(89 56 a4[0-9a-f ]*)`", page)
    assert found is not None
    wanted = Container(4, 768, 512, bytes.fromhex("01234567"), 0x9B9F, (Section(2, b"\x2a\x00\x07"),), 2)
    assert unpack(bytes.fromhex(found[1])) == wanted


SIGNATURES = {
    "jpeg": ["ffd8ffe0", "ffd8ffdb"],
    "jpeg2000": ["0000000c6a5020200d0a870a", "ff4fff51"],
    "webp": [b"RIFF\x10\0\0\0WEBPVP8 ".hex()],
    "avif": [
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf".hex(),
        b"\0\0\0\x18ftypmif1\0\0\0\0miafavif".hex(),
        b"\0\0\0\x18ftypavis\0\0\0\0miafmsf1".hex(),
    ],
    "jxl": ["ff0a", "0000000c4a584c200d0a870a"],
}


@pytest.mark.parametrize(("codec", "head"), [(codec, head) for codec, heads in SIGNATURES.items() for head in heads])
def test_signatures(codec: str, head: str) -> None:
    assert codec_of(bytes.fromhex(head) + bytes(32)) == codec


@pytest.mark.parametrize(
    ("codec", "pillow", "feature"),
    [("jpeg", "JPEG", "jpg"), ("jpeg2000", "JPEG2000", "jpg_2000"), ("webp", "WEBP", "webp"), ("avif", "AVIF", "avif")],
)
def test_files_that_pillow_writes(codec: str, pillow: str, feature: str) -> None:
    if not features.check(feature):
        pytest.skip(f"this Pillow was built without {pillow}")
    file = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(file, pillow)
    assert codec_of(file.getvalue()) == codec


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "PNG image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC, or another HEIF file; convert it to PNG"),
        (
            b"\0\0\0\x14ftypmif1\0\0\0\0miafavif",
            "HEIC, or another HEIF file; convert it to PNG",
        ),  # avif lies behind the box
        (b"hello world", "68 65 6c 6c 6f"),
        (b"\x89VQ\x01\x01", "truncated"),
        (b"\xff\xd8", "not a compressed image"),
    ],
)
def test_other_files_are_refused_with_what_they_are(data: bytes, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        codec_of(data)
