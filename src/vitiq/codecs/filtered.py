"""A codec whose decoded images pass through filters: `jpeg+NAME`. Its files are the codec's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vitiq import registry
from vitiq.codecs.base import Codec, FileInfo
from vitiq.errors import PluginError
from vitiq.filters.base import Filter
from vitiq.foreign import guarded
from vitiq.types import ImageU8, ProgressCallback, Rate


class FilteredCodec(Codec):
    """A codec and what its images pass through.

    Args:
        codec: writes and reads the files.
        filters: applied to the decoded image in their order.
    """

    def __init__(self, codec: Codec, filters: Sequence[Filter]) -> None:
        self._codec, self._filters = codec, tuple(filters)
        self.options = codec.options
        self.name = "+".join([codec.name, *(item.name for item in filters)])  # type: ignore[misc]
        self.title = " + ".join([codec.title, *(item.title for item in filters)])  # type: ignore[misc]
        for name in ("Options", "extension", "qualities", "default_quality", "min_bytes", "usual_sizes"):
            setattr(self, name, getattr(codec, name))
        for name in ("quality_help", "quality_range", "quality_falls"):
            setattr(self, name, getattr(codec, name))
        self.optimises = codec.optimises  # type: ignore[misc]

    @property
    def filters(self) -> tuple[Filter, ...]:
        """What images pass through, in this order."""
        return self._filters

    def encode(self, image: ImageU8, rate: Rate | None = None, *, progress: ProgressCallback | None = None) -> bytes:
        """The codec's file."""
        return self._codec.encode(image, rate, progress=progress)

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """The codec's file."""
        return self._codec.compress(image, quality, progress)

    def check_quality(self, quality: float) -> None:
        """As the codec's."""
        self._codec.check_quality(quality)

    def check_ready(self, qualities: Sequence[float]) -> None:
        """As the codec's."""
        self._codec.check_ready(qualities)

    def load(self, data: bytes | None = None) -> None:
        """What the codec needs, and the filters, which work on what is decoded."""
        self._codec.load(data)
        for item in self._filters:
            item.load()

    def decompress(self, data: bytes) -> ImageU8:
        """The codec's image, filtered.

        Raises:
            PluginError: a filter gave something else than an image of the same size.
        """
        image = self._codec.decode(data)
        for item in self._filters:
            shape = image.shape
            with guarded(type(item).__module__):
                image = item.apply(image, data)
            if getattr(image, "shape", None) != shape or str(image.dtype) != "uint8":
                raise PluginError(f"filter {item.name} did not give an image of {shape[1]}×{shape[0]} pixels of uint8")
        return image

    def inspect(self, data: bytes, *, symbols: bool = False) -> FileInfo:
        """As the codec's."""
        return self._codec.inspect(data, symbols=symbols)

    def identity(self) -> Mapping[str, object]:
        """The codec's, and the filters'."""
        return {**self._codec.identity(), "filters": [dict(item.identity()) for item in self._filters]}

    def label(self) -> str:
        """The codec's and the filters' labels."""
        return " + ".join([self._codec.label(), *(item.label() for item in self._filters)])

    def shared_bytes(self) -> int:
        """Weights of the codec and of the filters."""
        return self._codec.shared_bytes() + sum(item.shared_bytes() for item in self._filters)

    def optimised_against(self) -> tuple[str, ...]:
        """Of the codec and of the filters."""
        found = [
            *self._codec.optimised_against(),
            *(name for item in self._filters for name in item.optimised_against()),
        ]
        return tuple(dict.fromkeys(found))


def load_filter(name: str, options: Mapping[str, object]) -> Filter:
    """A registered filter.

    Raises:
        UnknownNameError: no such filter.
        InputError: it does not take one of the options.
    """
    factory: type[Filter] = registry.load("filters", name)
    return factory(**options)
