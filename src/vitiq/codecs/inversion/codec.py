"""The inversion codec: an image as the latents from which a frozen generator paints it, at a given number of bytes.

The thesis inverts a generator by gradient descent on one latent vector and quantises it afterwards. Here every
latent layer is searched, from the trained encoder's guess, on the integer grid that is coded (straight-through
rounding), for the least distortion + rate under the generator's own prior; the weight of the rate is steered so that
the file meets its budget.
`inversion_vector.py` keeps the published form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from vitiq.bitstream import container as viq
from vitiq.codecs.base import Codec
from vitiq.codecs.inversion.common import (
    LONGEST,
    MOST_UNITS,
    UNIT,
    WEIGHTS_PREFIX,
    OptimiserName,
    SearchSettings,
    check_choice,
    check_symbols,
    check_weights,
    tuners,
)
from vitiq.codecs.inversion.latent_coding import decode_latents, encode_latents, symbols_crc
from vitiq.codecs.inversion.prior_integer import IntegerPrior, step_size
from vitiq.errors import BitstreamError, InputError, WeightsError
from vitiq.image.geometry import resize
from vitiq.types import ImageU8, ProgressCallback

if TYPE_CHECKING:
    from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
    from vitiq.optimise.distortion import LossName

# torch is imported where it is used, so that listing codecs stays quick.
# ruff: noqa: PLC0415

LATENTS = 1
"""Section: width and height of the canvas in 64 pixels, quantisation step number (a byte each), `latent_coding`."""

HEAD = 3
"""Bytes of a section before its coded symbols."""

MIN_BYTES = 120


class Inversion(Codec):
    """Generator inversion with a latent a layer. Quality is the number of bytes the file may have.

    Args:
        generator: "embedded", or the path of a weights file of the same format.
        loss: `mse`, `ssim`, `vit` or `perceptual` (the last two: features of the embedded ViT).
        optimizer: `adam` or `sgd`.
        iterations: of the search.
        restarts: searches from different starts (the encoder's guess, then random ones); the best is kept.
        seed: of the random starts.
        preview_every: iterations between previews.
        learning_rate: None for the optimiser's own.
    """

    name = "inversion"
    title = "vitiq inversion"
    extension = ".viq"
    qualities = (400, 700, 1000, 1540, 2500, 4000)
    default_quality = 1540
    quality_help = f"bytes the file may have, from {MIN_BYTES}"
    quality_range = None
    optimises = True

    def __init__(
        self,
        *,
        generator: str | Path = "embedded",
        loss: LossName = "mse",
        optimizer: OptimiserName = "adam",
        iterations: int = 250,
        restarts: int = 1,
        seed: int = 0,
        preview_every: int = 250,
        learning_rate: float | None = None,
    ) -> None:
        from vitiq.optimise.distortion import LOSSES

        check_choice("loss", loss, LOSSES)
        if restarts < 1:
            raise InputError(f"{restarts} restarts given, at least 1 expected")
        self._generator_name, self._loss, self._restarts, self._seed = str(generator), loss, restarts, seed
        self._search = SearchSettings(iterations, optimizer, learning_rate, preview_every)

    def _model(self) -> tuple[EmbeddedGenerator, IntegerPrior]:
        from vitiq.codecs.inversion.generators import load_generator
        from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator

        generator = load_generator(self._generator_name)
        if not isinstance(generator, EmbeddedGenerator):
            raise WeightsError(
                f"generator {self._generator_name!r} has no prior for its latent layers; use codec inversion-vector"
            )
        return generator, generator.integer_prior

    def encode(
        self, image: ImageU8, *, quality: float | None = None, progress: ProgressCallback | None = None
    ) -> bytes:
        """Search latents for `image` within `quality` bytes.

        The image is resized to a canvas of about its shape for the generator, and back by `decode`. The same seed
        gives the same bytes at any number of threads.

        Raises:
            InputError: a budget too small to hold any latents.
        """
        budget = int(self.default_quality if quality is None else quality)
        if budget < MIN_BYTES:
            raise InputError(f"quality {quality} given for inversion, expected {self.quality_help}")
        from vitiq.codecs.inversion.budget import STEPS, search_within
        from vitiq.codecs.inversion.working_size import choose
        from vitiq.models.threads import search_threads

        whole, integer_prior = self._model()
        height, width, _ = image.shape

        def wrap(payload: bytes, crc: int) -> bytes:
            prefix = bytes.fromhex(whole.weights_sha256)[:WEIGHTS_PREFIX]
            section = viq.Section(LATENTS, payload)
            return viq.pack(viq.Container(self.name, width, height, prefix, crc, (section,)))

        def pack(symbols: Sequence[Int64[np.ndarray, "c h w"]], step: int) -> bytes:
            head = bytes([wide, tall, step])
            return wrap(head + encode_latents(symbols, integer_prior, step), symbols_crc(symbols))

        overhead = len(wrap(bytes(HEAD + 1), 0))
        with search_threads():
            wide, tall = choose(whole, image, 8 * (budget - overhead), STEPS[-1])
            return search_within(
                whole.at(wide * UNIT, tall * UNIT),
                resize(image, wide * UNIT, tall * UNIT),
                budget,
                pack,
                overhead=overhead,
                loss=self._loss,
                settings=self._search,
                restarts=self._restarts,
                seed=self._seed,
                progress=progress,
            )

    def decode(self, data: bytes) -> ImageU8:
        """Paint the image; the same on one machine at any number of threads.

        Raises:
            BitstreamError: damaged, foreign, or symbols that do not match their checksum.
            WeightsError: the file was made with other generator weights.
        """
        file, generator, symbols, step = self._read(data)
        from vitiq.codecs.inversion.search import paint

        painted = paint(generator, _dequantise(symbols, step), generator.output_range)
        return resize(painted, file.width, file.height)

    def latents(self, data: bytes) -> list[np.ndarray]:
        """Dequantised latents, one C×H×W float32 array a layer."""
        _, _, symbols, step = self._read(data)
        return _dequantise(symbols, step)

    def notes(self, data: bytes) -> list[str]:
        """Says at which size the generator painted, where it is not the image's."""
        file = viq.unpack(data)
        wide, tall, _ = _head(file.section(LATENTS))
        size = (UNIT * wide, UNIT * tall)
        if size == (file.width, file.height):
            return []
        return [f"painted at {size[0]}×{size[1]} and resized to {file.width}×{file.height}"]

    def _read(self, data: bytes) -> tuple[viq.Container, EmbeddedGenerator, list[Int64[np.ndarray, "c h w"]], int]:
        file = viq.unpack(data)
        if file.codec != self.name:
            raise BitstreamError(f"a file of codec {file.codec} given to the {self.name} decoder; use that codec")
        generator, integer_prior = self._model()
        check_weights(file, generator)
        payload = file.section(LATENTS)
        wide, tall, step = _head(payload)
        generator = generator.at(UNIT * wide, UNIT * tall)
        shapes = [(c.channels, c.height, c.width) for c in generator.layers]
        symbols = decode_latents(payload[HEAD:], shapes, integer_prior, step)
        check_symbols(file, symbols)
        return file, generator, symbols, step

    def settings(self) -> Mapping[str, object]:
        """Everything that changes the file, and the hash of the generator's weights."""
        from vitiq.models.threads import SEARCH_THREADS

        generator, _ = self._model()
        return {
            "generator": generator.name,
            "generator_sha256": generator.weights_sha256,
            "loss": self._loss,
            "tuned_on": tuners(generator, self._loss),
            "optimizer": self._search.optimiser,
            "learning_rate": self._search.rate,
            "iterations": self._search.iterations,
            "restarts": self._restarts,
            "seed": self._seed,
            "preview_every": self._search.preview_every,
            "threads": SEARCH_THREADS,
            "canvas": "multiples of 64 pixels near the image's shape, at most the area of 512×512, by rate",
        }

    def shared_bytes(self) -> int:
        """Size of the generator's weights."""
        return self._model()[0].weights_bytes

    def sections(self, data: bytes) -> Mapping[str, int]:
        """Header and latents."""
        latents = viq.section_sizes(data).get(LATENTS, 0)
        return {"header": len(data) - latents, "latents": latents}


def _head(payload: bytes) -> tuple[int, int, int]:
    """Canvas (width, height, in 64 pixels) and step number of a section."""
    if len(payload) <= HEAD:
        raise BitstreamError(f"latent section of {len(payload)} bytes; the file is damaged")
    wide, tall, step = payload[:HEAD]
    if not (1 <= wide <= LONGEST and 1 <= tall <= LONGEST and wide * tall <= MOST_UNITS):
        raise BitstreamError(
            f"canvas of {wide}×{tall} units given, sides of 1 to {LONGEST} and at most {MOST_UNITS} in all expected; "
            "the file is damaged"
        )
    return wide, tall, step


def _dequantise(symbols: Sequence[Int64[np.ndarray, "c h w"]], step: int) -> list[np.ndarray]:
    return [(s * step_size(step)).astype(np.float32) for s in symbols]
