"""Files through a codec: image files to compressed files, and back.

No file is replaced unless asked, an input never.

Example:
    >>> from vitiq.codecs.files import decode_file, encode_file
    >>> encoded = encode_file(Path("photo.png"), codec=make_codec("jpeg"))  # doctest: +SKIP
    >>> decode_file(encoded.path, Path("again.png")).width  # doctest: +SKIP
    768
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from PIL import Image

from vitiq.codecs.base import Codec, notes_of
from vitiq.codecs.batch import default_output
from vitiq.codecs.detect import codec_of
from vitiq.codecs.journal import Journal
from vitiq.codecs.noted import gathered
from vitiq.codecs.rate_target import above_target, encode_within
from vitiq.codecs.spec import RateSpec, make_codec
from vitiq.errors import BitstreamError, InputError, PluginError, TaskError, VitiqError
from vitiq.files import check_output, write_bytes
from vitiq.image.io import decode_image as read_image_bytes
from vitiq.image.io import png_bytes
from vitiq.image.limits import read_bounded
from vitiq.types import ImageU8, ProgressCallback, Quality

D = TypeVar("D", bound="DecodedFile")

LOSSLESS = {".png": "PNG", ".bmp": "BMP", ".ppm": "PPM", ".tif": "TIFF", ".tiff": "TIFF"}
"""Suffixes that a decoded image may have; others get a PNG."""


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """An image file that was compressed.

    Attributes:
        source: the image.
        path: the compressed file.
        codec: registered name.
        quality: that the file was made with.
        target_bytes: what the file had to fit in; None where a quality was asked for.
        reached: False where it does not fit.
        bytes: of the whole file.
        width, height: pixels.
        seconds: of encoding alone, once the codec has loaded its networks.
        notes: what was done to the image, and what was not kept.
    """

    source: Path
    path: Path
    codec: str
    quality: float
    target_bytes: int | None
    reached: bool
    bytes: int
    width: int
    height: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def bpp(self) -> float:
        """Bits per pixel of the whole file."""
        return 8 * self.bytes / (self.width * self.height)

    @property
    def problem(self) -> str | None:
        """The note that the file does not fit in what was asked for, where it does not."""
        if self.reached or self.target_bytes is None:
            return None
        return above_target(self.bytes, self.target_bytes)

    def __str__(self) -> str:
        """One line for people."""
        size = f"{self.path}: {self.bytes} bytes, {self.bpp:.4f} bits per pixel, {self.seconds:.2f} s"
        return f"{size} ({self.codec}, quality {self.quality:.10g})"

    def as_json(self) -> dict[str, object]:
        """The same as JSON values."""
        return {**_json(self), "bpp": self.bpp, "file": str(self.path)}


@dataclass(frozen=True, slots=True)
class DecodedFile:
    """A compressed file that was decoded.

    Attributes:
        source: the compressed file.
        path: the image.
        codec: registered name.
        width, height: pixels.
        seconds: of decoding alone, once the codec has loaded its networks.
        notes: what was done to the image.
    """

    source: Path
    path: Path
    codec: str
    width: int
    height: int
    seconds: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.path}: {self.width}×{self.height} pixels, {self.seconds:.2f} s ({self.codec})"

    def as_json(self) -> dict[str, object]:
        """The same as JSON values."""
        return {**_json(self), "file": str(self.path)}


def encode_file(
    source: Path,
    output: Path | None = None,
    *,
    codec: Codec,
    rate: RateSpec | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    journal: Journal | None = None,
) -> EncodedFile:
    """Compress an image file.

    Args:
        source: image.
        output: file to write; `source` with the codec's suffix if not given.
        codec: what writes it.
        rate: quality, most bytes, or bits per pixel; the codec's default if not given.
        overwrite: replace an existing file.
        progress: called by codecs that optimise.
        journal: where to note what the file was made from.

    Raises:
        InputError: the image cannot be read, the rate is illegal, or the output exists or cannot be written.
    """
    target = output if output is not None else default_output(source, codec.extension, codec.name)
    check_suffix(target, codec)
    check_output(target, [source], overwrite=overwrite)
    raw = read_bounded(source)
    image, notes = read_image_bytes(raw, str(source))
    data, done = encode_image(image, source, target, codec=codec, rate=rate, progress=progress, notes=notes)
    if journal is not None:
        journal.note(target, raw, data, done.problem)
    write_bytes(target, data, overwrite=overwrite, source=source)
    return done


def encode_image(
    image: ImageU8,
    source: Path,
    target: Path,
    *,
    codec: Codec,
    rate: RateSpec | None,
    progress: ProgressCallback | None = None,
    notes: Sequence[str] = (),
) -> tuple[bytes, EncodedFile]:
    """The compressed file of an image that was read from `source`, and what is to be said about it; writes nothing."""
    height, width, _ = image.shape
    try:
        codec.load()
        begun = time.perf_counter()
        with gathered() as during:
            found = encode_within(codec, image, None if rate is None else rate.at(width, height), progress)
    except (InputError, BitstreamError, TaskError, PluginError) as error:
        raise type(error)(f"{source}: {error}") from error
    seconds = time.perf_counter() - begun
    data = found.data
    said = (*notes, *found.notes, *during, *notes_of(codec, data))
    return data, EncodedFile(
        source,
        target,
        codec.name,
        found.quality,
        found.target_bytes,
        found.reached,
        len(data),
        width,
        height,
        seconds,
        tuple(dict.fromkeys(said)),
    )


def decode_file(
    source: Path,
    output: Path | None = None,
    *,
    options: Mapping[str, object] | None = None,
    overwrite: bool = False,
    device: str = "cpu",
    journal: Journal | None = None,
) -> DecodedFile:
    """Rebuild the image in a compressed file, whatever codec wrote it.

    Args:
        source: compressed file.
        output: image to write (PNG, BMP, PPM or TIFF by its suffix); `source` with .png if not given.
        options: of the codec.
        overwrite: replace an existing file.
        device: for networks.
        journal: where to note what the image was made from.

    Raises:
        InputError: the file cannot be read, or the output exists or cannot be written.
        BitstreamError: it is damaged, or no codec knows it.
    """
    rebuild = partial(decode_image, options=options, device=device)
    return rebuild_file(source, output, rebuild, word="decoded", read=read_file, overwrite=overwrite, journal=journal)


def rebuild_file(
    source: Path,
    output: Path | None,
    rebuild: Callable[[bytes, Path, Path], tuple[ImageU8, D]],
    *,
    word: str,
    read: Callable[[Path], bytes],
    overwrite: bool,
    journal: Journal | None,
) -> D:
    """An image file from another file; what `decode_file` and `restore_file` share.

    Args:
        source, output, overwrite, journal: as for `decode_file`.
        rebuild: the image, and what is to be said about it, from the file's bytes, its name and the image's.
        word: stands in the image's name where that would be the input's.
        read: the bytes of a file.
    """
    target = output if output is not None else default_output(source, ".png", word)
    form = image_format(target)
    check_output(target, [source], overwrite=overwrite)
    raw = read(source)
    image, done = rebuild(raw, source, target)
    data = image_bytes(image, form)
    if journal is not None:
        journal.note(target, raw, data)
    write_bytes(target, data, overwrite=overwrite, source=source)
    return done


def decode_image(
    data: bytes, source: Path, target: Path, *, options: Mapping[str, object] | None = None, device: str = "cpu"
) -> tuple[ImageU8, DecodedFile]:
    """The image in the bytes of `source`, and what is to be said about it; writes nothing."""
    try:
        codec = make_codec(codec_of(data, source.name), options, device)
        codec.load(data)
        begun = time.perf_counter()
        image, notes = codec.decode_noted(data)
    except VitiqError as error:  # weights and programs that are missing, too: the file asks for them
        raise type(error)(f"{source}: {error}") from error
    height, width, _ = image.shape
    return image, DecodedFile(source, target, codec.name, width, height, time.perf_counter() - begun, notes)


def check_rate(codec: Codec, rate: RateSpec | None) -> None:
    """Refuse a rate before any work.

    Raises:
        InputError: a quality outside the codec's range, less than a byte, no bits per pixel.
    """
    asked = None if rate is None else rate.at(1024, 1024)
    if isinstance(asked, Quality):
        codec.check_quality(asked.value)


def read_file(path: Path) -> bytes:
    """Bytes of a compressed file.

    Raises:
        InputError: it cannot be read.
    """
    return read_bounded(path, "a compressed file")


def check_suffix(path: Path, codec: Codec) -> None:
    """Refuse a name that says another image format than the codec writes.

    Raises:
        InputError: such a name.
    """
    known = Image.registered_extensions()
    form, own = known.get(path.suffix.lower()), known.get(codec.extension)
    viq = path.suffix.lower() == ".viq" != codec.extension
    if viq or (form is not None and form != own):
        raise InputError(
            f"{path}: codec {codec.name} writes {codec.extension} files; give a name that ends so, or another codec"
        )


def image_format(path: Path) -> str:
    """Format of a decoded image by the name of its file: lossless, PNG where the suffix says nothing.

    Raises:
        InputError: the suffix of another format.
    """
    suffix = path.suffix.lower()
    if suffix not in LOSSLESS and (suffix in Image.registered_extensions() or suffix == ".viq"):
        raise InputError(f"{path}: decoded images are written as {', '.join(LOSSLESS)}; give a name that ends so")
    return LOSSLESS.get(suffix, "PNG")


def image_bytes(image: ImageU8, form: str = "PNG") -> bytes:
    """The image as a file of a lossless format."""
    if form == "PNG":
        return png_bytes(image)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, form)
    return buffer.getvalue()


def has_checksum(codec: str) -> bool:
    """Whether files of a codec carry a checksum of the decoded symbols, which decoding has checked."""
    return make_codec(codec).extension == ".viq"


def _json(done: EncodedFile | DecodedFile) -> dict[str, object]:
    values: dict[str, object] = asdict(done)
    return values | {"source": str(done.source), "path": str(done.path)}
