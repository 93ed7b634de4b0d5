"""Files that are something else than their name says: named as what they are, with what to do, wherever they are given.

Truth: magic numbers as file(1) 5.44 has them; Git LFS, docs/spec.md.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitiq.codecs.detect import codec_of
from vitiq.errors import BitstreamError, VitiqError
from vitiq.image.read import decode_image
from vitiq.weights.checkpoint import read_checkpoint, read_safetensors


def packed() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", b"x")
    return buffer.getvalue()


def image(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(buffer, form)
    return buffer.getvalue()


OTHERS = [
    (b"<!DOCTYPE html>\n<html><head><title>404</title>", "a web page, .* download it again"),
    (b"\n<!-- made by x -->\n<HTML>", "a web page"),
    (b'{"error": "not found"}', "the answer of a server"),
    (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n",
        "a pointer of Git LFS, not the file itself; run `git lfs pull`",
    ),
    (gzip.compress(b"x" * 100, mtime=0), "a gzip archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c" + bytes(40), "a 7z archive"),
    (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "a video"),
    (b"GGUF\3\0\0\0" + bytes(30), "a GGUF model"),
    (b"\x89HDF\r\n\x1a\n" + bytes(30), "an HDF5 file"),
    (bytes(1000), "a file of zeros"),
]
READERS: dict[str, Callable[[bytes, Path], object]] = {
    "image": lambda data, _: decode_image(data, "x.png"),
    "compressed file": lambda data, _: codec_of(data),
    "checkpoint": lambda _, path: read_checkpoint(path.with_suffix(".pth")),
    "checkpoint in safetensors": lambda _, path: read_checkpoint(path.with_suffix(".safetensors")),
    "weights": lambda _, path: read_safetensors(path.with_suffix(".safetensors")),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(("data", "said"), OTHERS, ids=[said for _, said in OTHERS])
def test_it_is_named_as_what_it_is(
    read: Callable[[bytes, Path], object], data: bytes, said: str, tmp_path: Path
) -> None:
    for suffix in (".pth", ".safetensors"):
        (tmp_path / f"x{suffix}").write_bytes(data)
    with pytest.raises(VitiqError, match=f"this is {said}"):
        read(data, tmp_path / "x")


def test_a_zip_archive_is_no_image_and_no_compressed_one() -> None:
    for read in list(READERS.values())[:2]:
        with pytest.raises(VitiqError, match="this is a zip archive; unpack it first"):
            read(packed(), Path("x"))


def test_a_png_copied_as_text_is_recognised_beside_other_files() -> None:
    with pytest.raises(VitiqError, match="this is a PNG that was copied as text"):
        decode_image(image("PNG").replace(b"\r\n", b"\n"), "x.png")


@pytest.mark.parametrize(("form", "said"), [("PNG", "PNG"), ("TIFF", "TIFF"), ("BMP", "BMP"), ("GIF", "GIF")])
def test_an_image_is_no_compressed_file_and_no_weights(form: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BitstreamError, match=f"this is a {said} image, not a compressed file; use `vitiq encode`"):
        codec_of(image(form))
    (tmp_path / "w.pth").write_bytes(image(form))
    with pytest.raises(VitiqError, match=f"weights are expected, this is a {said} image"):
        read_checkpoint(tmp_path / "w.pth")


@pytest.mark.parametrize("length", [0x5A4D, 0x0A3650, 0x464D42])
def test_weights_whose_length_has_the_bytes_of_another_format_are_read(length: int, tmp_path: Path) -> None:
    """A safetensors file begins with the length of its header: here "MZ" of programs, "P6" of PPM, "BMF" of BMP."""
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length)
    path = tmp_path / "w.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header + np.float32(3).tobytes())
    assert read_checkpoint(path)["a"].tolist() == [3]
