"""The thesis's codec: one latent vector of a frozen generator, found by gradient descent, then quantised.

Minchev 2022, chapter 3: z starts random normal; MSE(G(z), image) is minimised by SGD (learning rate 1, momentum 0.9,
reduced on a plateau); z is quantised by QSGD and coded with Elias omega codes. `compat="thesis"` keeps its faults: the
target stays in [0, 1] although the generator was trained on [-1, 1], and omega codes zeros as ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64

from vitiq.bitstream import container as viq
from vitiq.bitstream import qsgd, uniform
from vitiq.codecs.base import Codec
from vitiq.codecs.inversion.common import (
    WEIGHTS_PREFIX,
    OptimiserName,
    SearchSettings,
    check_choice,
    check_symbols,
    check_weights,
    tuners,
)
from vitiq.codecs.inversion.latent_coding import symbols_crc
from vitiq.errors import BitstreamError, InputError
from vitiq.image.geometry import resize
from vitiq.types import ImageU8, ProgressCallback

if TYPE_CHECKING:
    from vitiq.codecs.inversion.generators import Generator
    from vitiq.optimise.distortion import LossName

# torch is imported where it is used, so that listing codecs stays quick.
# ruff: noqa: PLC0415

Coder = Literal["range", "qsgd"]
CODERS: tuple[Coder, ...] = ("range", "qsgd")
Start = Literal["random", "encoder"]
STARTS: tuple[Start, ...] = ("random", "encoder")
HEADER, RANGE, QSGD = 1, 2, 3
"""Sections: settings (bits, thesis range), then the vector in one of two codes."""


class InversionVector(Codec):
    """The published single latent vector. Quality is bits a latent number.

    Args:
        generator: "embedded", or the path of a checkpoint (pytorch_GAN_zoo's Progressive GAN).
        loss: `mse`, `ssim` or `vit`.
        optimizer: `sgd` as published, or `adam`.
        iterations: at most; the search stops early once the plateau schedule has run out.
        restarts: searches from different random latents; the best is kept.
        seed: of the random latents and of QSGD.
        start: `random` as published, or `encoder` (the embedded generator's guess).
        coder: `range` (uniform quantisation, range coder) or `qsgd` (QSGD, Elias omega).
        compat: "thesis" for the published behaviour, faults included (implies coder qsgd).
        preview_every: iterations between previews.
        learning_rate: None for the optimiser's own.
    """

    name = "inversion-vector"
    title = "Generator inversion (512×1 latent, as published)"
    extension = ".viq"
    qualities = (1, 2, 4, 6, 8)
    default_quality = 8
    quality_help = "bits a latent number of the quantiser, 1 to 8 (published: 1, 2, 4, 6, 8)"
    quality_range = (1, 8, 1)
    optimises = True

    def __init__(
        self,
        *,
        generator: str | Path = "embedded",
        loss: LossName = "mse",
        optimizer: OptimiserName = "adam",
        iterations: int = 500,
        restarts: int = 1,
        seed: int = 0,
        start: Start = "random",
        coder: Coder = "range",
        compat: Literal["thesis"] | None = None,
        preview_every: int = 250,
        learning_rate: float | None = None,
    ) -> None:
        from vitiq.optimise.distortion import LOSSES

        check_choice("loss", loss, LOSSES)
        check_choice("coder", coder, CODERS)
        check_choice("start", start, STARTS)
        if restarts < 1:
            raise InputError(f"{restarts} restarts given, at least 1 expected")
        if compat not in (None, "thesis"):
            raise InputError(f"compat {compat!r} given, expected 'thesis' or nothing")
        self._generator_name, self._loss, self._restarts, self._seed = str(generator), loss, restarts, seed
        self._start, self._compat = start, compat == "thesis"
        self._coder: Coder = "qsgd" if self._compat else coder
        self._search = SearchSettings(iterations, optimizer, learning_rate, preview_every)

    def encode(
        self, image: ImageU8, *, quality: float | None = None, progress: ProgressCallback | None = None
    ) -> bytes:
        """Search the latent of `image`, quantise it at `quality` bits.

        Raises:
            InputError: bits outside 1 to 8.
        """
        bits = self.default_quality if quality is None else quality
        if bits not in range(1, 9):
            raise InputError(f"quality {bits} given for {self.name}, expected {self.quality_help}")
        generator = self._generator()
        height, width, _ = image.shape
        vector = self.invert(image, generator, progress)
        return self.pack(vector, int(bits), generator, width, height)

    def invert(
        self, image: ImageU8, generator: Generator, progress: ProgressCallback | None = None
    ) -> Float64[np.ndarray, " n"]:
        """The best latent found, not quantised; the same for a seed at any number of threads."""
        from vitiq.codecs.inversion.search import best_vector
        from vitiq.models.threads import search_threads

        with search_threads():
            return best_vector(
                generator,
                resize(image, generator.resolution, generator.resolution),
                self._range(generator, self._compat),
                loss=self._loss,
                settings=self._search,
                restarts=self._restarts,
                seed=self._seed,
                guess=self._start == "encoder",
                progress=progress,
            )

    def _generator(self) -> Generator:
        from vitiq.codecs.inversion.generators import load_generator

        return load_generator(self._generator_name)

    @staticmethod
    def _range(generator: Generator, compat: bool) -> tuple[float, float]:
        """The range that the generator's output is taken to have; with compat [0, 1], whatever it is."""
        return (0.0, 1.0) if compat else generator.output_range

    def pack(
        self, vector: Float64[np.ndarray, " n"], bits: int, generator: Generator, width: int, height: int
    ) -> bytes:
        """File of a latent. The range coder spends at most what QSGD with omega codes would, less a byte."""
        quantised = qsgd.quantise(vector, bits, np.random.default_rng(self._seed))
        coded = qsgd.to_bytes(quantised, compat=self._compat)
        symbols: Int64[np.ndarray, " n"]
        if self._coder == "qsgd":
            section = viq.Section(QSGD, coded)
            symbols = qsgd.from_bytes(coded, vector.size, bits, compat=self._compat).levels
        else:
            budget = min(len(coded), len(qsgd.to_bytes(quantised, compat=True))) - 1
            symbols, step = uniform.finest_within(vector, budget)
            section = viq.Section(RANGE, uniform.to_bytes(symbols, step))
        header = viq.Section(HEADER, bytes([bits | (0x80 if self._compat else 0)]))
        prefix = bytes.fromhex(generator.weights_sha256)[:WEIGHTS_PREFIX]
        file = viq.Container(self.name, width, height, prefix, symbols_crc([symbols]), (header, section))
        return viq.pack(file)

    def decode(self, data: bytes) -> ImageU8:
        """Paint the image; the same on one machine at any number of threads.

        Raises:
            BitstreamError: damaged or foreign.
            WeightsError: the file was made with other generator weights.
        """
        from vitiq.codecs.inversion.search import paint

        file, generator, latent, compat = self._read(data)
        return resize(paint(generator, [latent], self._range(generator, compat)), file.width, file.height)

    def latents(self, data: bytes) -> list[np.ndarray]:
        """The dequantised vector as one C×H×W array."""
        return [self._read(data)[2]]

    def _read(self, data: bytes) -> tuple[viq.Container, Generator, Float32[np.ndarray, "c h w"], bool]:
        file = viq.unpack(data)
        if file.codec != self.name:
            raise BitstreamError(f"a file of codec {file.codec} given to the {self.name} decoder; use that codec")
        generator = self._generator()
        check_weights(file, generator)
        header = file.section(HEADER)
        bits, compat = (header[0] & 0x7F, bool(header[0] & 0x80)) if len(header) == 1 else (0, False)
        if bits not in range(1, 9):
            raise BitstreamError(f"{bits} bits a latent number in the file, expected 1 to 8; it is damaged")
        shape = generator.layers[0]
        if any(section.kind == QSGD for section in file.sections):
            quantised = qsgd.from_bytes(file.section(QSGD), shape.size, bits, compat=compat)
            symbols, vector = quantised.levels, qsgd.dequantise(quantised)
        else:
            symbols, step = uniform.from_bytes(file.section(RANGE), shape.size)
            vector = uniform.dequantise(symbols, step)
        check_symbols(file, [symbols])
        latent = vector.astype(np.float32).reshape(shape.channels, shape.height, shape.width)
        return file, generator, latent, compat

    def notes(self, data: bytes) -> list[str]:
        """Says at which size the generator painted, where it is not the image's."""
        file, side = viq.unpack(data), self._generator().resolution
        if (file.width, file.height) == (side, side):
            return []
        return [f"painted at {side}×{side} and resized to {file.width}×{file.height}"]

    def settings(self) -> Mapping[str, object]:
        """Everything that changes the file, and the hash of the generator's weights."""
        from vitiq.models.threads import SEARCH_THREADS

        generator = self._generator()
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
            "start": self._start,
            "coder": self._coder,
            "compat": "thesis" if self._compat else None,
            "preview_every": self._search.preview_every,
            "threads": SEARCH_THREADS,
            "resized_to": generator.resolution,
        }

    def shared_bytes(self) -> int:
        """Size of the generator's weights."""
        return self._generator().weights_bytes

    def sections(self, data: bytes) -> Mapping[str, int]:
        """Header and latent."""
        sizes = viq.section_sizes(data)
        latent = sizes.get(RANGE, 0) + sizes.get(QSGD, 0)
        return {"header": len(data) - latent, "latents": latent}
