"""The .viq container: what a neural codec writes to disk. Byte by byte in docs/reference/viq-format.md.

    magic 0x89 'V' 'Q'   version   codec id [length name]   width   height
    weights prefix length, bytes   symbol checksum   section count   {kind, length, bytes}…   CRC-32

The compact form, version 2, of files with one section and a codec number:

    magic 0x89 'V'   1 kkk nnnn (kind, codec id)   width   height   weights prefix   symbol checksum   bytes   CRC-32

Whole numbers are LEB128 varints; checksums are 4 bytes (that of the symbols 2 in version 2), big endian. The last
section's length is not stored: it ends where the CRC-32 begins. A reader treats the bytes as hostile: sizes are checked
before use, the CRC-32 before anything is decoded. A container has one form in bytes: what a writer would not write is
refused.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from vitiq.errors import BitstreamError
from vitiq.image.limits import MAX_PIXELS

MAGIC = b"\x89VQ"
VERSION = 1
COMPACT = 2
"""Version of the compact form."""

COMPACT_MAGIC = b"\x89V"
COMPACT_WEIGHTS = 4
"""Bytes of a weights' sha256 in the compact form."""

COMPACT_CODECS, COMPACT_KINDS = 15, 7
"""Largest codec number and kind of a section in the compact form."""

_COMPACT_MARK = 0x80
_LEAST = 15
"""Bytes of the smallest file."""

MAX_SIDE = 65_535
MAX_BYTES = 2**28
MAX_WEIGHTS = 32
"""Bytes of a whole sha256."""
MAX_SECTIONS = 4096
"""Each costs a reader some hundred bytes of memory, though two in the file: a bound on what a small file asks for."""

_PLUGIN_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Section:
    """A named part of a file. `kind` is a number 0 … 255 that the codec defines."""

    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Container:
    """Everything in a .viq file.

    Attributes:
        codec: number 1 to 255 of the built-in codec that wrote it, or a plugin's registered name (number 0 in the
            file, followed by the name).
        width, height: pixels of the image, 1 … 65535, at most `MAX_PIXELS` in all.
        weights: first bytes of the sha256 of the shared weights the decoder needs; b"" for none.
        symbols_crc: CRC-32 of the decoded symbols, as the codec defines it; its low 16 bits in version 2.
        sections: the payload.
        version: 1, or 2 for the compact form: one section of kind 0 to 7, codec number 1 to 15, 4 bytes of weights.
    """

    codec: int | str
    width: int
    height: int
    weights: bytes
    symbols_crc: int
    sections: tuple[Section, ...]
    version: int = VERSION

    def section(self, kind: int) -> bytes:
        """Data of the first section of a kind.

        Raises:
            BitstreamError: there is none.
        """
        for section in self.sections:
            if section.kind == kind:
                return section.data
        codec = self.codec if isinstance(self.codec, str) else f"number {self.codec}"
        raise BitstreamError(f"section {kind} is missing from the file of codec {codec}; it is damaged")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class _Reader:
    """Checked reads from the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise BitstreamError(
                f".viq file ends early: {count} bytes expected at byte {self.at}, "
                f"{len(self.data) - self.at} left; copy the file again"
            )
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise BitstreamError(f".viq number at byte {self.at} is longer than necessary; it is damaged")
                return value
        raise BitstreamError(f".viq file holds a number above 35 bits at byte {self.at}; it is damaged")


def _check_size(width: int, height: int) -> None:
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise BitstreamError(
            f"image size {width}×{height} is outside what .viq allows: sides 1 to {MAX_SIDE}, "
            f"at most {MAX_PIXELS} pixels; shrink the image, or the file is damaged"
        )


def pack(container: Container) -> bytes:
    """Bytes of a whole .viq file.

    Raises:
        BitstreamError: the image's size, the codec's name, the weights prefix, the checksum or a section is
            outside the format's limits.
    """
    _check_size(container.width, container.height)
    _check_parts(container)
    out = _compact_body(container) if container.version == COMPACT else _body(container)
    if len(out) + 4 > MAX_BYTES:
        raise BitstreamError(f"{len(out) + 4} bytes given, a .viq file holds at most {MAX_BYTES}; use a lower quality")
    return bytes(out + zlib.crc32(out).to_bytes(4, "big"))


def _body(container: Container) -> bytearray:
    out = bytearray(MAGIC + bytes([VERSION]))
    if isinstance(container.codec, str):
        name = _checked_name(container.codec.encode("utf-8"))
        out += b"\0" + _varint(len(name)) + name
    else:
        out.append(container.codec)
    out += _varint(container.width) + _varint(container.height)
    out += _varint(len(container.weights)) + container.weights
    out += container.symbols_crc.to_bytes(4, "big")
    out += _varint(len(container.sections))
    for index, section in enumerate(container.sections):
        out.append(section.kind)
        if index < len(container.sections) - 1:
            out += _varint(len(section.data))
        out += section.data
    return out


def _compact_body(container: Container) -> bytearray:
    (section,) = container.sections
    assert isinstance(container.codec, int)
    out = bytearray(COMPACT_MAGIC + bytes([_COMPACT_MARK | section.kind << 4 | container.codec]))
    out += _varint(container.width) + _varint(container.height) + container.weights
    return out + container.symbols_crc.to_bytes(2, "big") + section.data


def _check_parts(container: Container) -> None:
    if not isinstance(container.codec, str) and not 1 <= container.codec <= 255:
        raise BitstreamError(f"codec number {container.codec} given, 1 to 255 or a name expected")
    if len(container.weights) > MAX_WEIGHTS:
        raise BitstreamError(f"weights prefix of {len(container.weights)} bytes given, at most {MAX_WEIGHTS} expected")
    if not 0 <= container.symbols_crc < 2**32:
        raise BitstreamError(f"symbol checksum {container.symbols_crc} given, a number of 32 bits expected")
    if not container.sections:
        raise BitstreamError("a .viq file needs at least one section; none given")
    if len(container.sections) > MAX_SECTIONS:
        raise BitstreamError(f"{len(container.sections)} sections given, a .viq file holds at most {MAX_SECTIONS}")
    for section in container.sections:
        if not 0 <= section.kind <= 255:
            raise BitstreamError(f"section kind {section.kind} given, 0 to 255 expected")
    if container.version not in {VERSION, COMPACT}:
        raise BitstreamError(f".viq version {container.version} given, {VERSION} or {COMPACT} expected")
    if container.version == COMPACT:
        _check_compact(container)


def _check_compact(container: Container) -> None:
    codec, kind = container.codec, container.sections[0].kind
    if isinstance(codec, str) or codec > COMPACT_CODECS or kind > COMPACT_KINDS or len(container.sections) > 1:
        raise BitstreamError(
            f"codec {codec} and {len(container.sections)} section(s), the first of kind {kind}, given for the "
            f"compact .viq form; it holds codec numbers to {COMPACT_CODECS}, one section of kinds to {COMPACT_KINDS}"
        )
    if len(container.weights) != COMPACT_WEIGHTS or container.symbols_crc >= 2**16:
        raise BitstreamError(
            f"weights prefix of {len(container.weights)} bytes and symbol checksum {container.symbols_crc} given "
            f"for the compact .viq form, {COMPACT_WEIGHTS} bytes and a number of 16 bits expected"
        )


def unpack(data: bytes) -> Container:
    """The container of a .viq file.

    Raises:
        BitstreamError: foreign, damaged, of a newer version, or beyond the limits.
    """
    if not is_viq(data):
        raise BitstreamError(f"not a .viq file: it starts with {data[:4].hex()!r}, {MAGIC.hex()!r} expected")
    if len(data) > MAX_BYTES:
        raise BitstreamError(f".viq file of {len(data)} bytes is above the limit of {MAX_BYTES}")
    if len(data) < _LEAST or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        raise BitstreamError(
            f".viq file of {len(data)} bytes is truncated or altered: its CRC-32 does not match; copy it again"
        )
    reader = _Reader(data[:-4])
    return _unpack(reader) if data.startswith(MAGIC) else _unpack_compact(reader)


def is_viq(data: bytes) -> bool:
    """Whether bytes begin as a .viq file does, of whatever version.

    Example:
        >>> is_viq(bytes([0x89, 0x56, 0x51, 1])), is_viq(b"\\x89PNG")
        (True, False)
    """
    compact = data[: len(COMPACT_MAGIC)] == COMPACT_MAGIC and len(data) > 2 and data[2] >= _COMPACT_MARK
    return compact or data[: len(MAGIC)] == MAGIC


def _unpack(reader: _Reader) -> Container:
    reader.take(len(MAGIC))
    version = reader.take(1)[0]
    if version != VERSION:
        raise BitstreamError(f".viq version {version} given, {VERSION} expected; update vitiq")
    number = reader.take(1)[0]
    codec = _codec_name(reader) if number == 0 else number
    width, height = reader.varint(), reader.varint()
    _check_size(width, height)
    length = reader.varint()
    if length > MAX_WEIGHTS:
        raise BitstreamError(f".viq weights prefix of {length} bytes given, at most {MAX_WEIGHTS} expected")
    weights = reader.take(length)
    symbols_crc = int.from_bytes(reader.take(4), "big")
    count = reader.varint()
    if count < 1:
        raise BitstreamError(".viq file has no section; it is damaged")
    if count > MAX_SECTIONS:
        raise BitstreamError(f".viq file of {count} sections given, at most {MAX_SECTIONS} expected; it is damaged")
    sections = []
    for index in range(count):
        kind = reader.take(1)[0]
        length = reader.varint() if index < count - 1 else len(reader.data) - reader.at
        sections.append(Section(kind, reader.take(length)))
    return Container(codec, width, height, weights, symbols_crc, tuple(sections))


def _unpack_compact(reader: _Reader) -> Container:
    mark = reader.take(len(COMPACT_MAGIC) + 1)[-1]
    codec, kind = mark & 0x0F, mark >> 4 & 0x07
    if codec == 0:
        raise BitstreamError("codec number 0 given in a compact .viq file; it is damaged")
    width, height = reader.varint(), reader.varint()
    _check_size(width, height)
    weights = reader.take(COMPACT_WEIGHTS)
    symbols_crc = int.from_bytes(reader.take(2), "big")
    section = Section(kind, reader.take(len(reader.data) - reader.at))
    return Container(codec, width, height, weights, symbols_crc, (section,), COMPACT)


def _codec_name(reader: _Reader) -> str:
    return _checked_name(reader.take(reader.varint())).decode("ascii")


def _checked_name(raw: bytes) -> bytes:
    if not _PLUGIN_NAME.fullmatch(raw):
        raise BitstreamError(
            f"codec name {raw[:80]!r} given for a .viq file; expected a plugin's, 1 to 64 letters, digits, "
            f"dots, dashes or underscores"
        )
    return raw
