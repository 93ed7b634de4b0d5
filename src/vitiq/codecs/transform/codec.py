"""The generative codec: learned transforms, a hyperprior in integers, and two syntheses for one bitstream.

Where the inversion codec searches the latents of an image for many seconds, an analysis transform finds them at once
(Ballé et al. 2018, arXiv 1802.01436). `generative-mse` reconstructs for least squared error, `generative` from the
same latents with a synthesis trained to look like an image (as HiFiC, Mentzer et al. 2020, arXiv 2006.09965).
`effort` searches the latents of one image further, by gradient descent through the frozen synthesis. Text, lines and
flat colours stand in a layer above the latents where that costs less (`mixed`, docs/adr/0024-layer-of-graphics.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, cast

import numpy as np
from jaxtyping import Float32, Int, UInt8

from vitiq.bitstream import container as viq
from vitiq.codecs.base import Codec
from vitiq.codecs.entropy_coding import joined, split_escapes
from vitiq.codecs.noted import note
from vitiq.codecs.transform.options import EMBEDDED, TransformOptions
from vitiq.codecs.transform.sections import (
    GRAPHICS,
    HIGHEST,
    LATENTS,
    LOWEST,
    Kind,
    level_of,
    number_of,
    quality_byte,
    section_of,
)
from vitiq.codecs.viq_codec import (
    Contents,
    ViqCodec,
    check_symbols,
    check_weights,
    made_with,
    named_weights,
    symbols_crc,
)
from vitiq.errors import BitstreamError, InputError
from vitiq.optimise.settings import networks_of
from vitiq.types import ImageU8, ProgressCallback

if TYPE_CHECKING:
    from vitiq.codecs.labels import LabelReader
    from vitiq.codecs.transform.correction import Means
    from vitiq.codecs.transform.decoder import Decoder
    from vitiq.codecs.transform.networks.embedded import SynthesisName, TransformModel
    from vitiq.optimise.settings import SearchSettings

# torch is imported where it is used, so that listing codecs stays quick.
# ruff: noqa: PLC0415

MAX_PIXELS = 2**27
"""Largest image; one of 24 megapixels takes about 1.2 GB to code."""


class TransformViqCodec(ViqCodec):
    """What both syntheses share.

    Attributes:
        synthesis: which synthesis reconstructs the image.
    """

    qualities = (0, 9, 18, 27, 36, 45, 54, 63)
    default_quality = 18
    quality_help = f"{LOWEST} to {HIGHEST}, higher is better; 0 is about 0.04 bits per pixel"
    quality_range = (LOWEST, HIGHEST, 1)
    usual_sizes = (0.0036, 1.052)  # medians of photographs at qualities 0 to 63, continued to the lowest
    optimises = True
    Options = TransformOptions
    section_names = {**dict.fromkeys(LATENTS, "latents"), GRAPHICS: "graphics"}  # noqa: RUF012 - a constant
    viq_version = viq.COMPACT
    synthesis: ClassVar[str]

    @property
    def quick(self) -> Codec | None:
        """The codec without its search."""
        if not self.options.iterations:
            return None
        return type(self)(**self.options.without_search())

    def _decoder(self, file: viq.Container | None = None) -> Decoder:
        """The networks of the option; of a file, those that it names where the option is left alone.

        Raises:
            WeightsError: they are not found, or the option gives others than the file names.
        """
        from vitiq.codecs.transform.decoder import load_decoder
        from vitiq.codecs.transform.networks.embedded import WEIGHTS
        from vitiq.models.device import find_device

        device = None if self.options.device == "cpu" else find_device(self.options.device)
        given = self.options.generator
        decoder = load_decoder(WEIGHTS if given == EMBEDDED else Path(given), device)
        if file is None:
            return decoder
        model = decoder.model
        if given == EMBEDDED and not made_with(file, model.weights_sha256, *model.stands_for):
            return load_decoder(named_weights(file, "codec"), device)
        remedy = "give the right ones with --generator PATH"
        check_weights(file, model.weights_sha256, "codec", remedy, model.stands_for)
        return decoder

    def _model(self, file: viq.Container | None = None) -> TransformModel:
        return self._decoder(file).model

    @property
    def _synthesis(self) -> SynthesisName:
        return cast("SynthesisName", self.synthesis)

    def load(self, data: bytes | None = None) -> None:
        """The networks of the option or of a file, unless that is a layer of graphics alone, and what codes latents."""
        file = None if data is None else self.unpack(data)
        if file is not None and all(section.kind == GRAPHICS for section in file.sections):
            return
        decoder = self._decoder(file)
        if self.synthesis == "perceptual":
            _ = decoder.classifier
        import vitiq.codecs.transform.latent_coding

        if data is None:
            import vitiq.codecs.transform.mixed
            import vitiq.codecs.transform.refine  # noqa: F401

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """Compress an image of any size up to 2**27 pixels.

        Raises:
            InputError: the image is too large.
        """
        level = int(quality)
        height, width, _ = image.shape
        if height * width > MAX_PIXELS:
            raise InputError(f"{width}×{height} pixels given for {self.name}, at most {MAX_PIXELS} in all; shrink it")
        from vitiq.codecs.transform.graphics_layer import unpack as unpack_layer
        from vitiq.codecs.transform.mixed import parts_of
        from vitiq.codecs.transform.refine import Coded, code, corrected, refine
        from vitiq.models.device import exact_convolutions

        decoder = self._decoder()
        model = decoder.model
        self._note_missing(model)

        def coded(pixels: ImageU8) -> Coded:
            if self.options.iterations == 0:
                return code(model, pixels, level)
            return refine(
                decoder,
                pixels,
                level,
                synthesis=self._synthesis,
                loss=self.options.searched_loss,
                settings=self._search(),
                seed=self.options.seed,
                progress=progress,
            )

        sections: dict[int, bytes] = {}
        crc, needed, layer = 0, "", None
        with exact_convolutions(model.device):
            parts = parts_of(decoder, image, level)
            if parts.layer is not None:
                sections[GRAPHICS] = quality_byte(level) + parts.layer
                layer = _planes(unpack_layer(parts.layer, height, width))
            if parts.remainder is not None:
                known = parts.coded if self.options.iterations == 0 else None
                latents, needed = known or coded(parts.remainder), model.weights_sha256
                correction = corrected(decoder, parts.remainder, latents, level, self._synthesis)
                kind = Kind(model.integer_prior.context is not None, latents.leading_sent, correction is not None)
                data, crc = latents.data, latents.crc
                if correction is not None:
                    data, crc = joined(correction.data, data), symbols_crc([correction.symbols], crc)
                sections[number_of(kind)] = quality_byte(level) + data
        crc = crc if layer is None else symbols_crc([layer], crc)
        return self.pack(width, height, sections, crc=crc, weights_sha256=needed)

    def _search(self) -> SearchSettings:
        from vitiq.codecs.transform.refine import step

        settings: SearchSettings = self.options.search(self.options.iterations)
        unset = self.options.learning_rate is None and settings.optimiser == "adam"
        return replace(settings, learning_rate=step(settings.iterations)) if unset else settings

    def decompress(self, data: bytes) -> ImageU8:
        """Rebuild the image; the same on one machine at any number of threads.

        Raises:
            BitstreamError: damaged, foreign, or symbols that do not match their checksum.
            WeightsError: the file was made with other weights.
        """
        return self._image(self.unpack(data))

    def _image(self, file: viq.Container) -> ImageU8:
        read = self._read(file)
        if read.symbols is None:
            assert read.layer is not None
            return np.ascontiguousarray(read.layer[:, :, :3])
        from vitiq.models.device import exact_convolutions

        decoder = self._decoder(file)
        self._note_missing(decoder.model)
        with exact_convolutions(decoder.model.device):
            image = decoder.image(read.symbols, read.level, self._synthesis, (file.height, file.width), read.means)
        return image if read.layer is None else np.where(read.layer[:, :, 3:] > 0, read.layer[:, :, :3], image)

    def _note_missing(self, model: TransformModel) -> None:
        if self.synthesis == "perceptual" and not model.has_perceptual:
            which = f"the codec's weights {model.weights_sha256[:12]}… have no perceptual synthesis"
            note([f"{which}: decoded as by {GenerativeMse.name}; `vitiq train perceptual` makes one"])

    def label_reader(self, data: bytes) -> LabelReader:
        """The classifier of a file's latents; raises WeightsError where none of them or no weights are found."""
        from vitiq.codecs.transform.labels import LatentLabels

        return LatentLabels(self, data)

    def decoder_of(self, data: bytes) -> Decoder:
        """The networks of a file; those of the option for a layer of graphics alone. Raises as `decompress`."""
        file = self.unpack(data)
        return self._decoder(None if all(section.kind == GRAPHICS for section in file.sections) else file)

    def networks(self) -> TransformModel:
        """The networks behind the codec.

        Raises:
            WeightsError: the weights file is missing or damaged.
        """
        return self._model()

    def contents(self, file: viq.Container, *, symbols: bool) -> Contents:
        """Quality; symbols C×H×W, and latents C×H×W in the order of their frequencies.

        Where a layer of graphics covers some of the image, the latents are those of the decoded image.
        """
        if not symbols:
            return Contents(level_of(file))
        read = self._read(file)
        found = () if read.symbols is None else (read.symbols,)
        model = self._model(file if found else None)
        gain = model.gain(read.level)[:, None, None]
        values = read.symbols if read.layer is None else model.analyse_image(self._image(file), read.level)[0]
        latents: Float32[np.ndarray, "c h w"] = (values / gain).astype(np.float32)
        return Contents(read.level, symbols=found, latents=(latents,))

    def _read(self, file: viq.Container) -> _Read:
        from vitiq.codecs.transform.graphics_layer import unpack

        level, kinds = level_of(file), [section.kind for section in file.sections]
        if file.width * file.height > MAX_PIXELS:
            raise BitstreamError(
                f"{file.width}×{file.height} pixels given, at most {MAX_PIXELS} expected; it is damaged"
            )
        layer = unpack(file.section(GRAPHICS)[1:], file.height, file.width) if GRAPHICS in kinds else None
        planes = [] if layer is None else [_planes(layer)]
        if kinds == [GRAPHICS]:
            check_symbols(file, planes)
            if layer is not None and not layer[:, :, 3].all():
                raise BitstreamError("a layer of graphics with gaps given, and nothing below it; the file is damaged")
            return _Read(level, None, layer)
        from vitiq.codecs.transform import correction
        from vitiq.codecs.transform.latent_coding import decode_groups
        from vitiq.codecs.transform.networks.block_dct import BLOCK
        from vitiq.codecs.transform.networks.embedded import coded_size
        from vitiq.codecs.transform.refine import lagrangian

        model = self._model(file)
        rows, columns = (side // BLOCK for side in coded_size(file.height, file.width))
        number, prior = section_of(file), model.integer_prior
        kind, data, means = LATENTS[number], file.section(number)[1:], None
        if kind.context and prior.context is None:
            raise BitstreamError("hyper-latents with a context given for weights that have none; the file is damaged")
        if kind.corrected:
            first, data = split_escapes(data, "a correction")
            found = correction.decode(first, file.height, file.width, prior.tables)
            means, planes = correction.decode_means(found, lagrangian(level) / 3), [found, *planes]
        how = {"context": kind.context, "leading_sent": kind.leading_sent}
        hyper, symbols = decode_groups(data, rows, columns, prior, level, **how)
        check_symbols(file, [hyper, symbols, *planes])
        return _Read(level, symbols, layer, means)

    def identity(self) -> Mapping[str, object]:
        """Everything that changes the file or the image, and the hash of the weights."""
        from PIL import features

        from vitiq.models.device import device_identity
        from vitiq.models.threads import SEARCH_THREADS

        found: dict[str, object] = {
            **device_identity(self.options.device),
            "weights_sha256": self._model().weights_sha256,
            "synthesis": self.synthesis,
            "refine": self.options.iterations,
            "graphics": f"WebP {features.version('webp')}",
        }
        if self.options.iterations:
            search = self._search()
            found |= {"loss": self.options.searched_loss, "seed": self.options.seed, "learning_rate": search.rate}
            found |= {"optimizer": search.optimiser, "threads": SEARCH_THREADS}
        return found

    def optimised_against(self) -> tuple[str, ...]:
        """What the perceptual synthesis was trained on, and the networks that the search looks through."""
        names = ("codec-embedded",) if self.synthesis == "perceptual" else ()
        return names + (networks_of(self.options.searched_loss) if self.options.iterations else ())

    def shared_bytes(self) -> int:
        """Size of the weights files."""
        helper = self._decoder().classifier if self.synthesis == "perceptual" else None
        return self._model().weights_bytes + (helper.weights_bytes if helper else 0)


class _Read(NamedTuple):
    """What is in a file: symbols of latents or pixels of a layer of graphics (RGBA), or both; a correction."""

    level: int
    symbols: Int[np.ndarray, "c h w"] | None
    layer: UInt8[np.ndarray, "height width 4"] | None
    means: Means | None = None


def _planes(layer: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "4 height width"]:
    return np.moveaxis(layer, 2, 0)


class Generative(TransformViqCodec):
    """Reconstructed to look like an image: trained with perceptual and adversarial losses."""

    name = "generative"
    viq_id = 3
    reads = frozenset({4})
    title = "vitiq generative"
    synthesis = "perceptual"


class GenerativeMse(TransformViqCodec):
    """Reconstructed for least squared error."""

    name = "generative-mse"
    viq_id = 4
    reads = frozenset({3})
    title = "vitiq generative (MSE)"
    synthesis = "mse"
