"""The contract of a codec.

`encode` returns the bytes of a whole file, `decode` needs nothing but those bytes (and the shared
weights that the file names). Rate is the length of those bytes, never an entropy estimate.

A codec is a subclass with a handful of class attributes, `compress` and `decompress`; checks of images, qualities and
options, and files of a given number of bytes, come with this class:

    class Raw(Codec):
        name, title, extension = "raw", "Raw pixels", ".raw"
        qualities, default_quality = (1,), 1
        quality_help, quality_range = "always 1", (1, 1, 1)

        def compress(self, image, quality, progress=None):
            return b"RAW" + struct.pack(">HH", *image.shape[:2]) + image.tobytes()

        def decompress(self, data):
            height, width = struct.unpack(">HH", data[3:7])
            return np.frombuffer(data[7:], np.uint8).reshape(height, width, 3)

        @classmethod
        def detect(cls, data):
            return data.startswith(b"RAW")
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import wraps
from typing import Any, ClassVar

import numpy as np

from vitiq.codecs.noted import gathered
from vitiq.errors import BitstreamError, InputError, PluginError, SettingError, VitiqError, described
from vitiq.foreign import RAISED, guarded, is_ours
from vitiq.models.device import check_device, shield
from vitiq.options import NoOptions, changed_options, device_of, make_options, settings
from vitiq.text import plain
from vitiq.types import Bytes, ImageU8, Progress, ProgressCallback, Quality, Rate, check_image, read_only


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What is in a compressed file.

    Attributes:
        codec: registered name of the codec that reads it.
        width, height: pixels of the image.
        bytes: of the whole file.
        quality: the quality it was made with, where the file says so; else None.
        sections: bytes of each part (header, latents, …); they sum to `bytes`.
        notes: what a reader of results should know about how the file was made (a change of size, …), or is read.
        weights: first bytes of the sha256 of the shared weights it needs, hexadecimal; None for none.
        details: what else the file says, JSON-serialisable.
        symbols: the whole numbers that are coded, one C×H×W array a layer; None unless asked for, () where there are
            none.
        latents: what those stand for, float32; as `symbols`.
    """

    codec: str
    width: int
    height: int
    bytes: int
    quality: float | None
    sections: Mapping[str, int]
    notes: tuple[str, ...] = ()
    weights: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    symbols: tuple[np.ndarray, ...] | None = None
    latents: tuple[np.ndarray, ...] | None = None

    @property
    def bpp(self) -> float:
        """Bits per pixel of the whole file."""
        return 8 * self.bytes / (self.width * self.height)


class Codec(ABC):
    """One codec. A subclass can be made without arguments; keyword arguments set its options.

    Attributes:
        name: registered name.
        title: name to show to people.
        extension: suffix of its files, with the dot. `.viq` for neural codecs, else the format's own.
        qualities: ladder for sweeps, from the smallest file to the largest.
        default_quality: used where none is given.
        quality_help: what the number means, with its range ("1-100, higher is better").
        quality_range: smallest, largest and step of legal qualities; files grow with it, unless `quality_falls`. None
            where the quality is itself a number of bytes.
        quality_falls: True where files shrink as the number grows (a quantiser, a distance).
        min_bytes: fewest bytes that can be asked for where the quality is a number of bytes.
        usual_sizes: bits per pixel that the lowest quality usually has, and the factor by which files usually grow a
            step of quality: what a search for a number of bytes starts from, for codecs that take a while. None for
            halving the range.
        cheap: True if a small image takes milliseconds: then a search for a number of bytes tries all qualities of it.
        optimises: True if encoding is an optimisation that calls `progress`.
        Options: frozen dataclass of the options, one field an option (`vitiq.options.option`).
        argument: the option that `NAME:VALUE` sets on the command line; None for none.
        options: the options of this instance.

    Raises:
        InputError: an option that the codec does not take, an illegal value, or a device that torch does not have here.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    extension: ClassVar[str]
    qualities: ClassVar[tuple[float, ...]]
    default_quality: ClassVar[float]
    quality_help: ClassVar[str]
    quality_range: ClassVar[tuple[float, float, float] | None]
    quality_falls: ClassVar[bool] = False
    min_bytes: ClassVar[int] = 1
    usual_sizes: ClassVar[tuple[float, float] | None] = None
    cheap: ClassVar[bool] = False
    optimises: ClassVar[bool] = False
    Options: ClassVar[type[Any]] = NoOptions
    argument: ClassVar[str | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        shield(cls, "compress", "decompress", "inspect")
        if "inspect" in vars(cls) and not is_ours(cls.__module__):
            cls.inspect = _guarded_inspect(vars(cls)["inspect"])  # type: ignore[method-assign]

    def __init__(self, **options: object) -> None:
        self.options: Any = make_options(self.Options, options, f"codec {self.name}")
        check_device(device_of(self.options))

    def encode(self, image: ImageU8, rate: Rate | None = None, *, progress: ProgressCallback | None = None) -> bytes:
        """Compress `image` to the bytes of a whole file.

        Args:
            image: H×W×3 uint8, sRGB.
            rate: a quality, or the most bytes that the file may have (the best such file; where there is none, the
                smallest file: `rate_target.encode_within` also says which). None for the default quality.
            progress: called by codecs that optimise.

        Raises:
            InputError: the image or the rate is not one that the codec takes.
        """
        check_image(image)
        if isinstance(rate, Bytes):
            from vitiq.codecs.rate_target import encode_within  # noqa: PLC0415 - which needs this class

            return encode_within(self, image, rate, progress).data
        if not (rate is None or isinstance(rate, Quality)):
            raise InputError(
                f"rate: {type(rate).__name__} given, Quality(x) or Bytes(n) of vitiq.plugins expected; "
                "or give the codec to vitiq.encode(image, codec, quality=x)"
            )
        quality = self.default_quality if rate is None else rate.value
        self.check_quality(quality)
        own: list[BaseException] = []
        heard = None if progress is None else _remembering(progress, own)
        try:
            with guarded(type(self).__module__):
                data: object = self.compress(read_only(np.ascontiguousarray(image)), quality, heard)
        except RAISED as error:
            if isinstance(error, VitiqError) or self._is_ours() or error in own:
                raise
            raise PluginError(f"codec {self.name} failed to encode ({described(error)}); {self._whose()}") from error
        if not isinstance(data, bytes | bytearray) or not data:
            given = "no bytes" if isinstance(data, bytes | bytearray) else type(data).__name__
            raise PluginError(f"the encoder of codec {self.name} gave {given}, the bytes of a file expected")
        return bytes(data)

    def decode(self, data: bytes) -> ImageU8:
        """Rebuild the image from the bytes of a file.

        Raises:
            BitstreamError: the bytes are damaged, foreign or ask for too much memory.
            WeightsError: the shared weights that the file names are not found.
        """
        try:
            with guarded(type(self).__module__):
                image = self.decompress(data)
        except RAISED as error:
            if isinstance(error, VitiqError) or self._is_ours():
                raise
            raise BitstreamError(
                f"codec {self.name} cannot read the file ({described(error)}); {self._whose()}"
            ) from error
        check_decoded(image, self.name)
        return image

    def decode_noted(self, data: bytes) -> tuple[ImageU8, tuple[str, ...]]:
        """As `decode`, with a note for each thing that reading the file changed (transparency, orientation, …)."""
        with gathered() as notes:
            image = self.decode(data)
        return image, tuple(notes)

    def __repr__(self) -> str:
        """The name, with the options that differ from the default."""
        return f"<vitiq codec {written(self)}>"

    def _is_ours(self) -> bool:
        """Whether the codec ships with vitiq: then an unexpected error is a fault to be seen whole."""
        return is_ours(type(self).__module__)

    def _whose(self) -> str:
        return f"it comes from the plug-in {type(self).__module__}"

    @property
    def quick(self) -> Codec | None:
        """A codec whose files are about as large at the same quality, and made much faster; None where there is none.

        What a search for a number of bytes asks first.
        """
        return None

    @abstractmethod
    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """Bytes of a whole file at a legal quality of a checked image, which is read-only; what `encode` calls."""

    @abstractmethod
    def decompress(self, data: bytes) -> ImageU8:
        """The image in a file; what `decode` calls. Raises as `decode` does."""

    def load(self, data: bytes | None = None) -> None:  # noqa: B027 - most have nothing to load
        """Load networks and modules, so that the first `encode` or `decode` takes no longer than those that follow.

        Whoever states seconds calls it before; nobody has to.

        Args:
            data: a file that is to be decoded; None for what `encode` needs.

        Raises:
            BitstreamError, WeightsError: as `encode` or `decode` would.
        """

    @classmethod
    def detect(cls, data: bytes) -> bool:  # noqa: ARG003
        """Whether these are the first bytes of a file of this codec. Cheap, and never raises."""
        return False

    def inspect(self, data: bytes, *, symbols: bool = False) -> FileInfo:
        """What is in a file. This default decodes the image for its size.

        Args:
            symbols: also the coded symbols and what they stand for.

        Raises:
            BitstreamError: the bytes are damaged or foreign.
            WeightsError: symbols are asked for, and the weights they need are not found.
        """
        image, notes = self.decode_noted(data)
        height, width, _ = image.shape
        nothing: tuple[np.ndarray, ...] | None = () if symbols else None
        return FileInfo(
            self.name, width, height, len(data), None, {"file": len(data)}, notes, symbols=nothing, latents=nothing
        )

    def identity(self) -> Mapping[str, object]:
        """Everything that changes what `encode` writes or `decode` rebuilds: options, versions, sha256 of weights.

        JSON-serialisable; results are stored under it.
        """
        return settings(self.options)

    def label(self) -> str:
        """Title, with the options that differ from the default: for curves and tables."""
        return self.title + changed_options(self.options)

    def shared_bytes(self) -> int:
        """Bytes of shared weights the decoder must already own (0 for ordinary formats)."""
        return 0

    def optimised_against(self) -> tuple[str, ...]:
        """Networks that trained or tuned what the codec writes: names of the manifest, or sha256 of weights files."""
        return ()

    def check_quality(self, quality: float) -> None:
        """Refuse a quality that the codec does not take.

        Raises:
            SettingError: outside the range, or a fraction where whole numbers are expected.
        """
        if self.quality_range is None:
            low, high, step = float(self.min_bytes), float("inf"), 1.0
        else:
            low, high, step = self.quality_range
        whole = step == int(step)
        if not low <= quality <= high or (whole and quality != int(quality)):
            kind = "a whole number, " if whole and quality != int(quality) else ""
            raise SettingError(f"quality {quality:.10g} given for {self.name}, expected {kind}{self.quality_help}")

    def check_ready(self, qualities: Sequence[float]) -> None:  # noqa: B027 - most have all that they need
        """Refuse, before any work, what `encode` and `decode` would lack at these qualities.

        Args:
            qualities: that will be asked for; those of a search for a number of bytes are not known yet.

        Raises:
            MissingDependencyError: a program or package is not installed.
            WeightsError: weights that an option names are not there.
            InputError: an option that is needed is not given, or names what there is not.
        """


def _remembering(progress: ProgressCallback, own: list[BaseException]) -> ProgressCallback:
    """The caller's callback; what it raises is kept in `own`, as no codec is to blame for it."""

    def called(state: Progress) -> None:
        try:
            progress(state)
        except RAISED as error:
            own.append(error)
            raise

    return called


def _guarded_inspect(work: Callable[..., object]) -> Callable[..., FileInfo]:
    """A plug-in's `inspect`, whose faults are named as its own.

    Raises:
        BitstreamError: it failed.
        PluginError: it gave no FileInfo, or details that JSON cannot hold.
    """

    @wraps(work)
    def checked(self: Codec, data: bytes, *, symbols: bool = False) -> FileInfo:
        try:
            with guarded(type(self).__module__):
                info = work(self, data, symbols=symbols) if symbols else work(self, data)
        except RAISED as error:
            if isinstance(error, VitiqError):
                raise
            raise BitstreamError(
                f"codec {self.name} cannot inspect the file ({described(error)}); {self._whose()}"
            ) from error
        if not isinstance(info, FileInfo):
            raise PluginError(
                f"codec {self.name}: inspect gave {type(info).__name__}, a vitiq.plugins.FileInfo expected; "
                f"{self._whose()}"
            )
        try:
            return replace(info, sections=plain(dict(info.sections)), details=plain(dict(info.details)))
        except (TypeError, ValueError) as error:
            raise PluginError(
                f"codec {self.name}: inspect gave details that JSON cannot hold ({error}), text, numbers, lists and "
                f"dicts expected; {self._whose()}"
            ) from error

    return checked


def notes_of(codec: Codec, data: bytes) -> tuple[str, ...]:
    """What a file that was just written says to readers of results; where a plug-in cannot say it, that it cannot.

    The file is there all the same, and its bytes are good as far as anyone knows.
    """
    try:
        return codec.inspect(data).notes
    except (BitstreamError, PluginError) as error:
        return (str(error),)


def written(part: Any) -> str:
    """The name of a codec or a filter with its changed options; a plug-in's may lack what its base class sets."""
    options = getattr(part, "options", None)
    changed = changed_options(options) if is_dataclass(options) else ""
    return f"{getattr(part, 'name', type(part).__name__)}{changed.replace(' [', '[', 1)}"


def check_decoded(image: object, codec: str) -> None:
    """Refuse what a plugin's decoder gives that is no image.

    Raises:
        PluginError: not H×W×3 uint8.
    """
    try:
        check_image(image)
    except InputError as error:
        raise PluginError(f"the decoder of codec {codec} is faulty: {error}") from error


def metadata(codec: Codec | type[Codec]) -> dict[str, object]:
    """What a codec states about itself, JSON-serialisable; one that is made also says what its options changed."""
    return {
        "name": codec.name,
        "title": codec.title,
        "extension": codec.extension,
        "quality": codec.quality_help,
        "default_quality": codec.default_quality,
        "qualities": list(codec.qualities),
        "optimises": codec.optimises,
        "options": {item.name: item.metadata.get("help", "") for item in fields(codec.Options)},
    }
