"""The contract of a codec.

`encode` returns the bytes of a whole file, `decode` needs nothing but those bytes (and the shared
weights that the file names). Rate is the length of those bytes, never an entropy estimate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from vitiq.types import ImageU8, ProgressCallback


class Codec(ABC):
    """One codec. A subclass can be made without arguments; keyword arguments set its options.

    Attributes:
        name: registered name.
        title: name to show to people.
        extension: suffix of its files, with the dot. `.viq` for neural codecs, else the format's own.
        qualities: ladder for sweeps, from the smallest file to the largest.
        default_quality: used where none is given.
        quality_help: what the number means, with its range ("1-100, higher is better").
        quality_range: smallest, largest and step of legal qualities; files grow with it. None where the quality
            is itself a number of bytes.
        optimises: True if encoding is an optimisation that calls `progress`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    extension: ClassVar[str]
    qualities: ClassVar[tuple[float, ...]]
    default_quality: ClassVar[float]
    quality_help: ClassVar[str]
    quality_range: ClassVar[tuple[float, float, float] | None]
    optimises: ClassVar[bool] = False

    @abstractmethod
    def encode(
        self,
        image: ImageU8,
        *,
        quality: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> bytes:
        """Compress `image` (H×W×3 uint8 sRGB) to the bytes of a whole file.

        Raises:
            InputError: the quality is outside the codec's range, or the image is one it cannot take.
        """

    @abstractmethod
    def decode(self, data: bytes) -> ImageU8:
        """Rebuild the image from the bytes of a file.

        Raises:
            BitstreamError: the bytes are damaged, foreign or ask for too much memory.
            WeightsError: the shared weights that the file names are not at hand.
        """

    def settings(self) -> Mapping[str, object]:
        """Everything that changes what `encode` writes, JSON-serialisable, for the record."""
        return {}

    def shared_bytes(self) -> int:
        """Bytes of shared weights the decoder must already own (0 for ordinary formats)."""
        return 0

    def sections(self, data: bytes) -> Mapping[str, int]:
        """Bytes of each part of a file (header, latents, …); they sum to `len(data)`."""
        return {"file": len(data)}

    def notes(self, data: bytes) -> list[str]:  # noqa: ARG002
        """What a reader of results should know about how a file was made (a change of size, …)."""
        return []

    def latents(self, data: bytes) -> list[np.ndarray]:  # noqa: ARG002
        """Dequantised latents in the file, one float32 array C×H×W a layer; [] where there are none."""
        return []


def facts(codec: type[Codec]) -> dict[str, object]:
    """What a codec states about itself, JSON-serialisable."""
    return {
        "name": codec.name,
        "title": codec.title,
        "extension": codec.extension,
        "quality": codec.quality_help,
        "default_quality": codec.default_quality,
        "qualities": list(codec.qualities),
        "optimises": codec.optimises,
    }
