"""Compressing and rebuilding images from Python: `vitiq.encode`, `decode`, `inspect`, `codec`, `list_codecs`."""

from __future__ import annotations

import builtins
import os
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import TypeAlias, cast

from vitiq import files, registry
from vitiq.api.given import as_path, check_no_class, image_of
from vitiq.api.made_by import MadeBy
from vitiq.api.progress import SearchProgress
from vitiq.api.types import DeviceLike, File, Number, OneImage, ProgressOption, Whole
from vitiq.codecs import defaults
from vitiq.codecs.base import Codec, FileInfo, notes_of
from vitiq.codecs.detect import codec_of
from vitiq.codecs.files import read_file
from vitiq.codecs.rate_target import encode_within
from vitiq.codecs.spec import make_codec, parse_codec
from vitiq.errors import InputError
from vitiq.image.arrays import own
from vitiq.models.device import device_name
from vitiq.types import Bytes, ImageU8, Quality, Rate

Encoded: TypeAlias = "builtins.bytes | bytearray | memoryview | File | EncodedImage"


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A compressed image: the bytes of a whole file, and their description.

    Attributes:
        data: the bytes of the file that `vitiq encode` writes.
        codec: name of the codec.
        width, height: pixels of the image.
        quality: the quality used.
        reached: False if a size was requested and the codec's smallest file is larger.
        notes: what was changed to convert the image to 8-bit sRGB, and what could not be kept.
    """

    data: builtins.bytes
    codec: str
    width: int
    height: int
    quality: float
    reached: bool = True
    notes: tuple[str, ...] = ()
    _made_by: MadeBy | None = field(default=None, repr=False, compare=False, kw_only=True)

    @property
    def bytes(self) -> int:
        """Size of the file in bytes."""
        return len(self.data)

    @property
    def bpp(self) -> float:
        """Bits per pixel of the whole file."""
        return 8 * len(self.data) / (self.width * self.height)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
        """Write the file atomically; returns its path.

        Raises:
            InputError: it cannot be written, or exists and `overwrite` is False.
        """
        target = as_path(path, "path")
        files.write_bytes(target, self.data, overwrite=overwrite)
        return target

    def decode(self) -> ImageU8:
        """The image as the codec that made it decodes it, filters included: H×W×3 uint8."""
        return decode(self)

    def __repr__(self) -> str:
        size = f"{self.bytes} bytes, {self.bpp:.3f} bits per pixel"
        return f"EncodedImage({self.codec}, quality {self.quality:.10g}, {self.width}×{self.height}, {size})"


def encode(
    image: OneImage,
    codec: str | Codec = defaults.ENCODE,
    *,
    quality: Number | None = None,
    bytes: Whole | None = None,
    bpp: Number | None = None,
    device: DeviceLike | None = None,
    progress: ProgressOption = None,
) -> EncodedImage:
    """Compress one image.

    Args:
        image: a path, a Pillow image, NumPy uint8 H×W×3, or floating point in [0, 1] (NumPy or torch, H×W×3 or 3×H×W).
        codec: a name as on the command line (`"avif"`, `"avif[speed=8]"`, `"avif@50"`), or a codec from `vitiq.codec`.
        quality: on the codec's own scale; its default if no rate is given.
        bytes: the best file of at most this size.
        bpp: the same in bits per pixel.
        device: "cuda" or "auto" for the networks of a neural codec given by name.
        progress: True for a progress bar, False for none, or a function called with each `Progress`; None shows a bar
            in notebooks and terminals if the codec searches.

    Raises:
        InputError: the image, the quality, an option or the device cannot be used.
        UnknownNameError: no such codec.
        WeightsError, MissingDependencyError: weights or a program that the codec needs are not found.

    Example:
        >>> import numpy as np, vitiq
        >>> image = np.zeros((64, 96, 3), np.uint8)
        >>> encoded = vitiq.encode(image, codec="jpeg", quality=30)
        >>> encoded.width, encoded.height, encoded.bytes == len(encoded.data)
        (96, 64, True)
        >>> vitiq.decode(encoded.data).shape
        (64, 96, 3)
    """
    made = codec_named(codec, device)
    pixels, notes = image_of(image)
    height, width, _ = pixels.shape
    rate = _rate(quality, bytes, bpp, width, height)
    if named := parse_codec(codec).rates if isinstance(codec, str) else ():
        if len(named) + (rate is not None) > 1:
            raise InputError(f"codec {codec!r} and the arguments name several rates, one expected")
        rate = named[0].at(width, height)
    with SearchProgress(progress, shown=made.optimises, title=made.name) as callback:
        found = encode_within(made, pixels, rate, callback)
    said = (*notes, *found.notes, *notes_of(made, found.data))
    unique = tuple(dict.fromkeys(said))
    return EncodedImage(
        found.data, made.name, width, height, found.quality, found.reached, unique, _made_by=MadeBy(codec)
    )


def decode(
    data: Encoded,
    codec: str | Codec | None = None,
    *,
    device: DeviceLike | None = None,
) -> ImageU8:
    """Decode a compressed file of any codec to an image: H×W×3 uint8, sRGB.

    Args:
        data: the bytes of a file, its path, or a result of `vitiq.encode`.
        codec: None for the one that made a result of `vitiq.encode`, and to recognise that of a file by its first
            bytes; otherwise as in `vitiq.encode`, for instance with the weights that the file was made with.
        device: as for `vitiq.encode`; entropy decoding stays on the CPU and is exact.

    Raises:
        InputError: the file cannot be read.
        BitstreamError: the file is damaged, or of an unknown format.
        WeightsError: the weights that the file names are not found.

    Example:
        >>> import numpy as np, vitiq
        >>> grey = np.full((32, 32, 3), 128, np.uint8)
        >>> int(vitiq.decode(vitiq.encode(grey, "webp", quality=80)).max())
        128
    """
    content = content_of(data)
    made = _maker(data, content, device) if codec is None else codec_named(_without_rates(codec), device)
    return own(made.decode(content))


def inspect(data: Encoded, *, symbols: bool = False) -> FileInfo:
    """Describe a compressed file: codec, size, quality, sections, notes.

    Args:
        data: as for `vitiq.decode`.
        symbols: also decode the symbols and their latents.

    Raises:
        InputError: the file cannot be read.
        BitstreamError: the file is damaged, or of an unknown format.

    Example:
        >>> import numpy as np, vitiq
        >>> info = vitiq.inspect(vitiq.encode(np.zeros((40, 50, 3), np.uint8), "jpeg", quality=75))
        >>> info.codec, info.width, info.height
        ('jpeg', 50, 40)
    """
    content = content_of(data)
    return _maker(data, content, None).inspect(content, symbols=symbols)


def codec(name: str, **options: object) -> Codec:
    """A codec with its options, to use for many images; `vitiq codecs info NAME` lists the options.

    Args:
        name: as on the command line, for instance `"avif"` or `"jpeg+deblock"`.
        **options: the codec's own options, for neural codecs also `device="cuda"`.

    Raises:
        UnknownNameError: no such codec.
        InputError: an option that the codec does not take, or a device that torch does not find.

    Example:
        >>> import vitiq
        >>> vitiq.codec("jpeg").quality_help
        '1 to 100, higher is better'
    """
    if not isinstance(name, str):
        raise InputError(f"codec: {type(name).__name__} given, a name expected")
    _without_rates(name)
    return make_codec(name, options)


def list_codecs() -> list[str]:
    """Names of all installed codecs, including plug-ins.

    Example:
        >>> import vitiq
        >>> "generative" in vitiq.list_codecs()
        True
    """
    return list(registry.names("codecs"))


def _maker(data: object, content: builtins.bytes, device: DeviceLike | None) -> Codec:
    """The codec that made a file: the one that a result of `vitiq.encode` names, else as the first bytes say."""
    made_by = data._made_by if isinstance(data, EncodedImage) else None
    if made_by is None:
        return codec_named(codec_of(content), device)
    return made_by.codec(None if device is None else device_name(device))


def _without_rates(given: str | Codec) -> str | Codec:
    if isinstance(given, str) and parse_codec(given).rates:
        raise InputError(f"codec {given!r}: a rate given, a codec alone expected here; give the rate to vitiq.encode")
    return given


def codec_named(given: str | Codec, device: DeviceLike | None = None) -> Codec:
    """The codec, made where a name is given.

    Raises:
        InputError: neither a name nor a codec; or a device beside a codec.
    """
    if isinstance(given, Codec):
        if device is not None:
            raise InputError("device: given beside a codec that is made already; give it to vitiq.codec instead")
        return given
    if isinstance(given, str):
        return make_codec(given, device=device_name(device))
    check_no_class(given, Codec, "codec")
    raise InputError(f"codec: {type(given).__name__} given, a name or what vitiq.codec() gave expected")


def _rate(quality: Number | None, count: Whole | None, bpp: Number | None, width: int, height: int) -> Rate | None:
    named = {"quality": quality, "bytes": count, "bpp": bpp}
    given = {name: value for name, value in named.items() if value is not None}
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} given, one of quality, bytes and bpp expected")
    for name, value in given.items():
        # NumPy's numbers count, as those of a loop over np.arange.
        if isinstance(value, bool) or not isinstance(value, Real):
            raise InputError(f"{name}: {type(value).__name__} given, a number expected")
    if quality is not None:
        return Quality(_float(quality, "quality"))
    if count is not None:
        return Bytes(cast("int", count))
    return None if bpp is None else Bytes.per_pixel(_float(bpp, "bpp"), width, height)


def _float(value: Number, name: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InputError(f"{name}: a number beyond all floating point given, a finite one expected") from None


def content_of(data: object) -> builtins.bytes:
    """The bytes of a file, however they are given."""
    if isinstance(data, EncodedImage):
        return data.data
    if isinstance(data, builtins.bytes | bytearray | memoryview):
        return builtins.bytes(data)
    if isinstance(data, str | os.PathLike):
        return read_file(as_path(data, "data"))
    raise InputError(f"data: {type(data).__name__} given, bytes, a path or what vitiq.encode() gave expected")
