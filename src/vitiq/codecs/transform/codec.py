"""The generative codec: learned transforms, a hyperprior in integers, and two syntheses for one bitstream.

Where the inversion codec searches the latents of an image for many seconds, an analysis transform finds them at once
(Ballé et al. 2018, arXiv 1802.01436). `generative-mse` paints for least squared error. `generative` paints the same
latents with a synthesis trained to look like an image (in the way of HiFiC, Mentzer et al. 2020, arXiv 2006.09965).
`refine` searches the latents of one image further, by gradient descent through the frozen synthesis.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
from jaxtyping import Int64

from vitiq.bitstream import container as viq
from vitiq.codecs.base import Codec
from vitiq.codecs.inversion.common import READS_VIT, WEIGHTS_PREFIX, check_choice, check_symbols
from vitiq.errors import BitstreamError, InputError, WeightsError
from vitiq.types import ImageU8, ProgressCallback

if TYPE_CHECKING:
    from vitiq.codecs.transform.decoder import Painter
    from vitiq.codecs.transform.networks.embedded import SynthesisName, TransformModel
    from vitiq.optimise.distortion import LossName

# torch is imported where it is used, so that listing codecs stays quick.
# ruff: noqa: PLC0415

LATENTS = 1
"""Section: quality (1 byte), then `group_coding`."""

LEVELS = 64
MAX_PIXELS = 2**25
"""Largest image, which takes about 6 GB to code."""


class _TransformCodec(Codec):
    """What both syntheses share.

    Args:
        generator: "embedded", or the path of a weights file of `vitiq train codec`.
        refine: iterations of a search of this image's latents; 0 for none.
        loss: what the search minimises besides the rate: `mse`, `ssim`, or, by features of the embedded
            ViT, `vit` or `perceptual`.
        seed: of the search's noise.
        preview_every: iterations between previews.
        learning_rate: of the search, in symbols an iteration; None for 0.1.
    """

    extension = ".viq"
    qualities = (0, 9, 18, 27, 36, 45, 54, 63)
    default_quality = 18
    quality_help = f"0-{LEVELS - 1}, higher is better"
    quality_range = (0, LEVELS - 1, 1)
    optimises = True
    painter: ClassVar[str]

    def __init__(
        self,
        *,
        generator: str | Path = "embedded",
        refine: int = 0,
        loss: LossName = "mse",
        seed: int = 0,
        preview_every: int = 250,
        learning_rate: float | None = None,
    ) -> None:
        from vitiq.optimise.distortion import LOSSES

        check_choice("loss", loss, LOSSES)
        if refine < 0:
            raise InputError(f"{refine} iterations of refinement given, at least 0 expected")
        self._weights, self._refine, self._loss, self._seed = str(generator), refine, loss, seed
        self._preview_every, self._learning_rate = preview_every, 0.1 if learning_rate is None else learning_rate

    def _painter(self) -> Painter:
        from vitiq.codecs.transform.decoder import load_painter
        from vitiq.codecs.transform.networks.embedded import WEIGHTS

        return load_painter(WEIGHTS if self._weights == "embedded" else Path(self._weights))

    def _model(self) -> TransformModel:
        return self._painter().model

    @property
    def _synthesis(self) -> SynthesisName:
        return cast("SynthesisName", self.painter)

    def encode(
        self, image: ImageU8, *, quality: float | None = None, progress: ProgressCallback | None = None
    ) -> bytes:
        """Compress an image of any size up to 2**25 pixels.

        Raises:
            InputError: the quality is outside 0 … 63, or the image is too large.
        """
        level = self.default_quality if quality is None else quality
        if not (0 <= level < LEVELS and level == int(level)):
            raise InputError(f"quality {quality} given for {self.name}, expected a whole number in 0-{LEVELS - 1}")
        height, width, _ = image.shape
        if height * width > MAX_PIXELS:
            raise InputError(f"{width}×{height} pixels given for {self.name}, at most {MAX_PIXELS} in all; shrink it")
        from vitiq.codecs.transform.refine import code, refine

        model = self._model()

        def pack(payload: bytes, crc: int) -> bytes:
            prefix = bytes.fromhex(model.weights_sha256)[:WEIGHTS_PREFIX]
            section = viq.Section(LATENTS, bytes([int(level)]) + payload)
            return viq.pack(viq.Container(self.name, width, height, prefix, crc, (section,)))

        if self._refine == 0:
            return pack(*code(model, image, int(level)))
        return pack(
            *refine(
                self._painter(),
                image,
                int(level),
                synthesis=self._synthesis,
                loss=self._loss,
                iterations=self._refine,
                learning_rate=self._learning_rate,
                preview_every=self._preview_every,
                seed=self._seed,
                progress=progress,
            )
        )

    def decode(self, data: bytes) -> ImageU8:
        """Paint the image; the same on one machine at any number of threads.

        Raises:
            BitstreamError: damaged, foreign, or symbols that do not match their checksum.
            WeightsError: the file was made with other weights.
        """
        from vitiq.codecs.inversion.search import to_image

        file, level, symbols = self._read(data)
        return to_image(self._painter().paint(symbols, level, self._synthesis, (file.height, file.width)))

    def networks(self) -> TransformModel:
        """The networks behind the codec.

        Raises:
            WeightsError: the weights file is missing or damaged.
        """
        return self._model()

    def latents(self, data: bytes) -> list[np.ndarray]:
        """Dequantised latents, C×H×W float32, in the order of their frequencies."""
        _, level, symbols = self._read(data)
        return [(symbols / self._model().gain(level)[:, None, None]).astype(np.float32)]

    def _read(self, data: bytes) -> tuple[viq.Container, int, Int64[np.ndarray, "c h w"]]:
        from vitiq.codecs.transform.latent_coding import decode_groups
        from vitiq.codecs.transform.networks.block_dct import BLOCK
        from vitiq.codecs.transform.networks.embedded import coded_size

        file = viq.unpack(data)
        if file.codec not in {"generative", "generative-mse"}:
            raise BitstreamError(f"a file of codec {file.codec} given to the {self.name} decoder; use that codec")
        model = self._model()
        if not bytes.fromhex(model.weights_sha256).startswith(file.weights) or len(file.weights) != WEIGHTS_PREFIX:
            raise WeightsError(
                f"the file needs codec weights with sha256 {file.weights.hex()}…, those at hand are "
                f"{model.weights_sha256[: 2 * WEIGHTS_PREFIX]}…; use the version of vitiq that wrote the file"
            )
        payload = file.section(LATENTS)
        if not payload or payload[0] >= LEVELS:
            raise BitstreamError(f"quality {payload[:1].hex()} given, 0 to {LEVELS - 1} expected; the file is damaged")
        if file.width * file.height > MAX_PIXELS:
            raise BitstreamError(
                f"{file.width}×{file.height} pixels given, at most {MAX_PIXELS} expected; it is damaged"
            )
        rows, columns = (side // BLOCK for side in coded_size(file.height, file.width))
        hyper, symbols = decode_groups(payload[1:], rows, columns, model.integer_prior, payload[0])
        check_symbols(file, [hyper, symbols])
        return file, payload[0], symbols

    def settings(self) -> Mapping[str, object]:
        """Everything that changes the file or the image, and the hash of the weights."""
        from vitiq.models.threads import SEARCH_THREADS

        tuners = ["codec-embedded"] if self.painter == "perceptual" else []
        tuners += ["vit-embedded"] if self._refine > 0 and self._loss in READS_VIT else []
        facts: dict[str, object] = {
            "weights_sha256": self._model().weights_sha256,
            "synthesis": self.painter,
            "refine": self._refine,
            "tuned_on": tuners or None,
        }
        if self._refine:
            facts |= {"loss": self._loss, "seed": self._seed, "learning_rate": self._learning_rate}
            facts |= {"threads": SEARCH_THREADS}
        return facts

    def shared_bytes(self) -> int:
        """Size of the weights files."""
        helper = self._painter().classifier if self.painter == "perceptual" else None
        return self._model().weights_bytes + (helper.weights_bytes if helper else 0)

    def sections(self, data: bytes) -> Mapping[str, int]:
        """Header and latents (with hyper-latents)."""
        latents = viq.section_sizes(data).get(LATENTS, 0)
        return {"header": len(data) - latents, "latents": latents}


class Generative(_TransformCodec):
    """Painted to look like an image: trained with perceptual and adversarial losses."""

    name = "generative"
    title = "vitiq generative"
    painter = "perceptual"


class GenerativeMse(_TransformCodec):
    """Painted for least squared error."""

    name = "generative-mse"
    title = "vitiq generative (MSE)"
    painter = "mse"
