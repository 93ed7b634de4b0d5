"""What codecs with .viq files share: the container, the prefix of the weights' hash, the checksum of the symbols.

A built-in codec stands in a file by its number (`viq_id`), a plugin by its name.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Integer

from vitiq.bitstream import container as viq
from vitiq.codecs.base import Codec, FileInfo
from vitiq.errors import BitstreamError, WeightsError
from vitiq.weights.store import resolve

if TYPE_CHECKING:
    from vitiq.codecs.labels import LabelReader

WEIGHTS_PREFIX = 8
"""Bytes of the weights' sha256 that a file of version 1 carries; the compact form carries `viq.COMPACT_WEIGHTS`."""

Symbols = Integer[np.ndarray, "..."]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a codec reads in its container, for `inspect`.

    Attributes:
        quality: None where the file does not say.
        notes, details: as in `FileInfo`.
        symbols, latents: as in `FileInfo`; None where they were not asked for.
    """

    quality: float | None = None
    notes: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    symbols: tuple[np.ndarray, ...] | None = None
    latents: tuple[np.ndarray, ...] | None = None


class ViqCodec(Codec):
    """A codec with files in the .viq container.

    Attributes:
        viq_id: one-byte number in the file, 1 to 255, of a codec that ships with vitiq; None for the name.
        viq_version: of the container in which it writes files of one section that need weights; it reads both.
        reads: numbers and names of other codecs whose files it reads too.
        section_names: names of the sections that are not header, by kind; several kinds may share one.
        repeated_kinds: kinds that a file may have several sections of.
    """

    extension = ".viq"
    viq_id: ClassVar[int | None] = None
    viq_version: ClassVar[int] = viq.VERSION
    reads: ClassVar[frozenset[int | str]] = frozenset()
    section_names: ClassVar[Mapping[int, str]] = {}
    repeated_kinds: ClassVar[frozenset[int]] = frozenset()

    @classmethod
    def detect(cls, data: bytes) -> bool:
        """Whether this is a whole .viq file of the codec."""
        try:
            return viq.unpack(data).codec == cls._key()
        except BitstreamError:
            return False

    @classmethod
    def _key(cls) -> int | str:
        return cls.name if cls.viq_id is None else cls.viq_id

    def pack(
        self, width: int, height: int, sections: Mapping[int, bytes], *, crc: int, weights_sha256: str = ""
    ) -> bytes:
        """A whole file.

        Args:
            width, height: of the image.
            sections: data by kind, in the file's order.
            crc: of the symbols (`symbols_crc`), or of whatever the decoder can check.
            weights_sha256: of the weights that decoding needs; empty for none.
        """
        whole, parts = bytes.fromhex(weights_sha256), tuple(viq.Section(kind, data) for kind, data in sections.items())
        version = self.viq_version if len(parts) == 1 and whole else viq.VERSION
        if version == viq.COMPACT:
            prefix, check = whole[: viq.COMPACT_WEIGHTS], crc & 0xFFFF
        else:
            prefix, check = whole[:WEIGHTS_PREFIX], crc
        return viq.pack(viq.Container(self._key(), width, height, prefix, check, parts, version))

    def unpack(self, data: bytes) -> viq.Container:
        """The container of a file of this codec.

        Raises:
            BitstreamError: damaged, or another codec's.
        """
        file = viq.unpack(data)
        if file.codec not in {self._key(), *self.reads}:
            from vitiq.codecs.detect import codec_of  # noqa: PLC0415 - which needs the registered codecs

            raise BitstreamError(f"a file of codec {codec_of(data)} given to the {self.name} decoder; use that codec")
        kinds = [section.kind for section in file.sections if section.kind not in self.repeated_kinds]
        if len(set(kinds)) < len(kinds):
            twice = next(kind for kind in kinds if kinds.count(kind) > 1)
            raise BitstreamError(f"section {twice} is in the {self.name} file more than once; it is damaged")
        return file

    def inspect(self, data: bytes, *, symbols: bool = False) -> FileInfo:
        """What is in a file; without symbols nothing is decoded and no weights are needed."""
        file = self.unpack(data)
        found = self.contents(file, symbols=symbols)
        sections = {"header": len(data)}
        for section in file.sections:
            if section.kind in self.section_names:
                name = self.section_names[section.kind]
                sections[name] = sections.get(name, 0) + len(section.data)
                sections["header"] -= len(section.data)
        return FileInfo(
            self.name,
            file.width,
            file.height,
            len(data),
            found.quality,
            sections,
            found.notes,
            file.weights.hex() or None,
            {"format": "viq", "version": file.version, **_checksum(file), **found.details},
            (found.symbols or ()) if symbols else None,
            (found.latents or ()) if symbols else None,
        )

    def label_reader(self, data: bytes) -> LabelReader | None:  # noqa: ARG002
        """What reads labels in the latents of a file of the codec; None where nothing does.

        Raises:
            BitstreamError, WeightsError: as `decode`; or there are no weights that read the file's latents.
        """
        return None

    def contents(self, file: viq.Container, *, symbols: bool) -> Contents:  # noqa: ARG002
        """What the codec's own sections say; a subclass adds to it."""
        return Contents()


def symbols_crc(symbols: Sequence[Symbols], crc: int = 0) -> int:
    """CRC-32 of all symbols as 16-bit numbers, layer by layer, channel by channel, row by row.

    Big-endian; those of a layer of one dimension, a vector, little-endian, as all files of vectors have them.

    Args:
        crc: of symbols before these.
    """
    for values in symbols:
        if values.ndim == 1:
            crc = zlib.crc32(values.astype("<i2").tobytes(), crc)
            continue
        for channel in values:  # one at a time: images may be large
            crc = zlib.crc32(channel.astype(">i2").tobytes(), crc)
    return crc


def _checksum(file: viq.Container) -> dict[str, object]:
    """The checksum of the symbols, for `inspect`."""
    if file.version == viq.COMPACT:
        return {"symbols_crc16": f"{file.symbols_crc:04x}"}
    return {"symbols_crc32": f"{file.symbols_crc:08x}"}


def check_symbols(file: viq.Container, symbols: Sequence[Symbols]) -> None:
    """Raises BitstreamError where decoded symbols differ from those encoded."""
    found = symbols_crc(symbols)
    if (found & 0xFFFF if file.version == viq.COMPACT else found) != file.symbols_crc:
        raise BitstreamError("decoded symbols do not match their checksum; the file is damaged")


def _prefix_length(file: viq.Container) -> int:
    return viq.COMPACT_WEIGHTS if file.version == viq.COMPACT else WEIGHTS_PREFIX


def made_with(file: viq.Container, *weights_sha256: str) -> bool:
    """Whether the file names one of these weights."""
    known = any(bytes.fromhex(sha256).startswith(file.weights) for sha256 in weights_sha256)
    return known and len(file.weights) == _prefix_length(file)


def named_weights(file: viq.Container, what: str) -> Path:
    """The weights file that the file names, found by its hash: shipped, in the cache, or in a folder of the user.

    Raises:
        WeightsError: it is not found; the message says how to get it.
    """
    named = file.weights.hex()
    if len(file.weights) != _prefix_length(file):
        raise WeightsError(f"the file names no {what} weights ({named or 'nothing'} given); it is damaged")
    try:
        return resolve(named)
    except WeightsError as error:
        raise WeightsError(f"the file's {what} {error}") from error


def check_weights(
    file: viq.Container, weights_sha256: str, what: str, remedy: str, stands_for: Sequence[str] = ()
) -> None:
    """Refuse weights that the file was not made with.

    Args:
        stands_for: hashes of earlier weights whose files these decode too.
        what: the kind of weights ("generator").
        remedy: what the user can do.

    Raises:
        WeightsError: other weights.
    """
    if not made_with(file, weights_sha256, *stands_for):
        raise WeightsError(
            f"the file needs {what} weights with sha256 {file.weights.hex()}…, those found are "
            f"{weights_sha256[: 2 * WEIGHTS_PREFIX]}…; {remedy}"
        )
