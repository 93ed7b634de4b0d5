"""A codec whose decoded images pass through filters: `jpeg+NAME`. Its files are the codec's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vitiq import registry
from vitiq.codecs.base import Codec, FileInfo, written
from vitiq.errors import PluginError, VitiqError, described
from vitiq.filters.base import Filter
from vitiq.foreign import RAISED, guarded, is_ours
from vitiq.types import ImageU8, ProgressCallback, Rate, read_only


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
        for name in ("Options", "extension", "qualities", "default_quality", "min_bytes", "usual_sizes", "cheap"):
            setattr(self, name, getattr(codec, name))
        for name in ("quality_help", "quality_range", "quality_falls", "argument", "detect"):
            setattr(self, name, getattr(codec, name))
        self.optimises = codec.optimises  # type: ignore[misc]

    def __repr__(self) -> str:
        """As a codec's, with the options of each filter."""
        return f"<vitiq codec {'+'.join(map(written, (self._codec, *self._filters)))}>"

    @property
    def codec(self) -> Codec:
        """What writes and reads the files."""
        return self._codec

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

    @property
    def quick(self) -> Codec | None:
        """As the codec's: filters change no file."""
        return self._codec.quick

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
            PluginError: a filter failed, or gave something else than an image of the same size.
        """
        image = self._codec.decode(data)
        for item in self._filters:
            image = filtered(item, image, data)
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


def filtered(item: Filter, image: ImageU8, data: bytes) -> ImageU8:
    """What a filter makes of a decoded image.

    Args:
        data: the file that it was decoded from.

    Raises:
        PluginError: a filter of a plug-in failed, or gave something else than an image of the same size.
    """
    module, shape = type(item).__module__, image.shape
    plug_in = f"; it comes from the plug-in {module}" if not is_ours(module) else ""
    try:
        with guarded(module):
            found: object = item.apply(read_only(image), data)
    except RAISED as error:
        if isinstance(error, VitiqError) or is_ours(module):
            raise
        raise PluginError(f"filter {item.name} failed ({described(error)}){plug_in}") from error
    if isinstance(found, np.ndarray) and found.shape == shape and found.dtype == np.uint8:
        return found
    given = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
    raise PluginError(f"filter {item.name} gave {given}, uint8 of shape {shape} as it was given expected{plug_in}")


def load_filter(name: str, options: Mapping[str, object]) -> Filter:
    """A registered filter.

    Raises:
        UnknownNameError: no such filter.
        InputError: it does not take one of the options.
    """
    made: Filter = registry.make("filters", name, **options)
    return made
