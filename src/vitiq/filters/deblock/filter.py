"""`jpeg+deblock`, and the same for a JPEG from anywhere.

Example:
    >>> from vitiq.codecs.spec import make_codec
    >>> codec = make_codec("jpeg+deblock")  # its files are plain JPEGs
    >>> codec.name
    'jpeg+deblock'
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitiq.errors import InputError
from vitiq.filters.base import Filter
from vitiq.image.formats import FORMATS, HEAD_BYTES, detect, what_else
from vitiq.image.jpeg import read_jpeg, without_metadata
from vitiq.image.read import decode_image, to_image
from vitiq.models.device import shielded
from vitiq.options import device_option, option
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from vitiq.filters.deblock.embedded import EmbeddedCorrector

EMBEDDED = "embedded"
"""The weights where none are given."""

START = b"\xff\xd8\xff"
"""First bytes of every JPEG."""


@dataclass(frozen=True, kw_only=True)
class DeblockOptions:
    """Options of the correction."""

    project: bool = option(True, "keep each coefficient within half a step of the file's, as the original's are")
    weights: str = option(EMBEDDED, "'embedded', or the path of a weights file of `vitiq train deblock`")
    device: str = device_option()


class Deblock(Filter):
    """Learned correction of JPEG artefacts; reads the file's quantisation tables and coefficients."""

    name = "deblock"
    title = "deblocked"
    Options = DeblockOptions

    def apply(self, image: ImageU8, data: bytes | None = None) -> ImageU8:
        """The corrected image of the file; see `restore_jpeg`.

        Raises:
            InputError: no JPEG file is available, or another filter has changed the image before.
        """
        if data is None or not data.startswith(START):
            raise InputError("filter deblock reads the coefficients of a JPEG file; use it as jpeg+deblock")
        if not np.array_equal(decode_image(data, "JPEG file")[0], image):
            raise InputError("filter deblock begins from the JPEG file itself; name it first, as in jpeg+deblock+NAME")
        return _restored(data, f"JPEG file of {len(data)} bytes", self.options)[0]

    def load(self) -> None:
        """The corrector's network, and what reads and corrects coefficients."""
        import jpeglib  # noqa: F401, PLC0415 - slow to import

        import vitiq.filters.deblock.coefficients  # noqa: PLC0415
        import vitiq.filters.deblock.correct  # noqa: PLC0415
        import vitiq.models.threads  # noqa: F401, PLC0415

        _corrector(self.options)

    def identity(self) -> Mapping[str, object]:
        """Options, the hash of the weights in place of their path, and a GPU, whose rounding can change pixels."""
        from vitiq.filters.deblock.embedded import load_corrector  # noqa: PLC0415 - loads torch
        from vitiq.models.device import device_identity  # noqa: PLC0415

        placed, weights = device_identity(self.options.device), load_corrector(_weights(self.options))
        return {**super().identity(), **placed, "weights": weights.weights_sha256}

    def shared_bytes(self) -> int:
        """Size of the weights file."""
        return _weights(self.options).stat().st_size


def restore_jpeg(
    data: bytes, name: str, *, project: bool = True, weights: str = EMBEDDED, device: str = "cpu"
) -> tuple[ImageU8, list[str]]:
    """The corrected image of a JPEG file, read as `vitiq.image` reads it, and notes of what was changed.

    Args:
        data: the file.
        name: stands in messages.
        project: keep each coefficient within half a step of the file's. False can mend more where a file was a
            coarser JPEG before.
        weights: as of `DeblockOptions`.
        device: where the networks run.

    Raises:
        InputError: no JPEG, damaged, too large, or of a kind that is not corrected (CMYK).
        WeightsError: the weights are missing, or of another network.
    """
    if not data.startswith(START):
        raise InputError(f"{name}: {_no_jpeg(data, Path(name).suffix)}")
    decode_image(data, name)  # what is damaged or too large is refused as everywhere
    return _restored(data, name, DeblockOptions(project=project, weights=weights, device=device))


def _no_jpeg(data: bytes, suffix: str) -> str:
    """What is said of a file that is no JPEG."""
    if not data:
        return "the file is empty, a JPEG is expected; get it again"
    form = detect(data[:HEAD_BYTES], suffix, data[-26:])
    if form is None and (other := what_else(data)):
        return f"this is {other}; only JPEGs are corrected, as they were received"
    what = "no JPEG file" if form is None else f"this is a {FORMATS[form].title} image, no JPEG"
    return f"{what}, whose artefacts alone are corrected; give a .jpg as it was received"


def _weights(options: DeblockOptions) -> Path:
    """The weights file of the options."""
    from vitiq.filters.deblock.embedded import WEIGHTS  # noqa: PLC0415 - loads torch

    return WEIGHTS if options.weights == EMBEDDED else Path(options.weights)


def _corrector(options: DeblockOptions) -> EmbeddedCorrector:
    """The networks of the options on their device; kept once they are loaded."""
    from vitiq.filters.deblock.embedded import load_corrector  # noqa: PLC0415 - loads torch
    from vitiq.models.device import find_device  # noqa: PLC0415

    found = find_device(options.device)
    return load_corrector(_weights(options), None if found.type == "cpu" else found)


@shielded()
def _restored(data: bytes, name: str, options: DeblockOptions) -> tuple[ImageU8, list[str]]:
    """As `restore_jpeg`, of a file that `decode_image` has read."""
    from vitiq.filters.deblock.coefficients import read_coefficients  # noqa: PLC0415
    from vitiq.filters.deblock.correct import restore  # noqa: PLC0415 - loads torch
    from vitiq.models.device import exact_convolutions, find_device  # noqa: PLC0415
    from vitiq.models.threads import search_threads  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of broken metadata, as in decode_image
        raster = read_jpeg(data, name)
    if raster.model == "cmyk":
        raise InputError(f"{name}: a JPEG of four inks given, grey or colour expected; convert it to RGB")
    coefficients = read_coefficients(without_metadata(data), name)
    device = find_device(options.device)
    # Sums are rounded in an order that may depend on the number of threads.
    with search_threads(), exact_convolutions(device):
        model = _corrector(options).model
        samples = restore(coefficients, model, project=options.project)
    if samples.shape != raster.samples.shape:
        raise InputError(f"{name}: its parts do not agree on the size of the image; save it again as JPEG")
    raster.samples = samples
    return to_image(raster), raster.notes
