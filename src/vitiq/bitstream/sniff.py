"""Which codec wrote a file: told by its first bytes, whatever its name."""

from __future__ import annotations

from vitiq.bitstream.container import MAGIC, unpack
from vitiq.errors import BitstreamError

_AVIF_BRANDS = {b"avif", b"avis"}


def sniff(data: bytes) -> str:
    """Registered name of the codec that can decode `data`.

    Raises:
        BitstreamError: no known compressed format; says what the file looks like instead.
    """
    if data.startswith(MAGIC):
        return unpack(data).codec
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return "jpeg2000"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")):
        return "jxl"
    if data[4:8] == b"ftyp":
        length = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12]} | {data[i : i + 4] for i in range(16, length, 4)}
        if brands & _AVIF_BRANDS:
            return "avif"
    if not data:
        raise BitstreamError("the file is empty; a compressed image is expected")
    if data.startswith(b"\x89PNG"):
        raise BitstreamError("this is a PNG image, not a compressed file; use `vitiq encode` on it first")
    raise BitstreamError(
        f"not a compressed image that vitiq knows: it starts with {data[:8].hex(' ')}; "
        f"expected .viq, JPEG, JPEG 2000, WebP, AVIF or JPEG XL"
    )
