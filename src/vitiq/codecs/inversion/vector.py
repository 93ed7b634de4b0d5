"""The thesis's codec: one latent vector of a frozen generator, found by gradient descent, then quantised.

Minchev 2022, chapter 3: z starts random normal; MSE(G(z), image) is minimised by SGD (learning rate 1, momentum 0.9,
reduced on a plateau); z is quantised by QSGD and coded with Elias omega codes. `compat="thesis"` keeps its faults: the
target stays in [0, 1] although the generator was trained on [-1, 1], and omega codes zeros as ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64

from vitiq.bitstream import container as viq
from vitiq.bitstream import qsgd, uniform
from vitiq.codecs.inversion.common import EMBEDDED, generator_of, networks_against, search_identity
from vitiq.codecs.viq_codec import Contents, ViqCodec, check_symbols, symbols_crc
from vitiq.errors import BitstreamError, WeightsError
from vitiq.image.geometry import resize
from vitiq.optimise.settings import SearchOptions
from vitiq.options import option
from vitiq.types import ImageU8, ProgressCallback

if TYPE_CHECKING:
    from vitiq.codecs.inversion.generators import Generator

# torch is imported where it is used, so that listing codecs stays quick.
# ruff: noqa: PLC0415

HEADER, RANGE, QSGD = 1, 2, 3
"""Sections: settings (bits, thesis range), then the vector in one of two codes."""


@dataclass(frozen=True, kw_only=True)
class VectorOptions(SearchOptions):
    """Options of the published inversion."""

    generator: str = option(
        EMBEDDED,
        "generator, or the path of a checkpoint of one (vitiq train, pytorch_GAN_zoo, official TransGAN)",
        names="generators",
    )
    iterations: int = option(
        500, "maximum number of iterations; the search stops when the plateau schedule ends", low=1
    )
    restarts: int = option(1, "number of searches from different random latents; the best is kept", low=1)
    seed: int = option(0, "seed of the random latents and of QSGD")
    start: Literal["random", "encoder"] = option("random", "initial latent: random as published, or the encoder's")
    coder: Literal["range", "qsgd"] = option("range", "uniform quantisation and range coding, or QSGD with Elias omega")
    compat: Literal["thesis"] | None = option(None, "published behaviour, including its faults (implies coder qsgd)")


class InversionVector(ViqCodec):
    """The published single latent vector. Quality is bits per latent number."""

    name = "inversion-vector"
    viq_id = 2
    title = "Generator inversion (512×1 latent, as published)"
    qualities = (1, 2, 4, 6, 8)
    default_quality = 8
    quality_help = "bits per latent number, 1 to 8 (published: 1, 2, 4, 6, 8)"
    quality_range = (1, 8, 1)
    optimises = True
    Options = VectorOptions
    section_names = {RANGE: "latents", QSGD: "latents"}  # noqa: RUF012 - a constant

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        chosen = self.options
        self._compat = chosen.compat == "thesis"
        self._coder = "qsgd" if self._compat else chosen.coder
        self._search = chosen.search(chosen.iterations)

    def load(self, data: bytes | None = None) -> None:
        """The generator of the option, or of a file."""
        _ = self._generator() if data is None else self._generator_of(self.unpack(data))

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """Search the latent of `image`, quantise it at `quality` bits."""
        generator = self._generator()
        height, width, _ = image.shape
        vector = self.invert(image, generator, progress)
        return self.file(vector, int(quality), generator, width, height)

    def invert(
        self, image: ImageU8, generator: Generator, progress: ProgressCallback | None = None
    ) -> Float64[np.ndarray, " n"]:
        """The best latent found, not quantised; the same for a seed at any number of threads."""
        from vitiq.codecs.inversion.search import best_vector
        from vitiq.models.device import exact_convolutions
        from vitiq.models.threads import search_threads

        with search_threads(), exact_convolutions(generator.device):
            return best_vector(
                generator,
                resize(image, generator.resolution, generator.resolution),
                self._range(generator, self._compat),
                loss=self.options.loss,
                settings=self._search,
                restarts=self.options.restarts,
                seed=self.options.seed,
                from_encoder=self.options.start == "encoder",
                progress=progress,
            )

    def _generator(self) -> Generator:
        from vitiq.codecs.inversion.generators import load_generator

        return load_generator(self.options.generator, self.options.device)

    def _generator_of(self, file: viq.Container) -> Generator:
        return generator_of(file, self.options.generator, self.options.device)

    @staticmethod
    def _range(generator: Generator, compat: bool) -> tuple[float, float]:
        """The range that the generator's output is taken to have; with compat [0, 1], whatever it is."""
        return (0.0, 1.0) if compat else generator.output_range

    def file(
        self, vector: Float64[np.ndarray, " n"], bits: int, generator: Generator, width: int, height: int
    ) -> bytes:
        """File of a latent. The range coder spends at most what QSGD with omega codes would, less a byte."""
        quantised = qsgd.quantise(vector, bits, np.random.default_rng(self.options.seed))
        coded = qsgd.to_bytes(quantised, compat=self._compat)
        symbols: Int64[np.ndarray, " n"]
        if self._coder == "qsgd":
            kind = QSGD
            symbols = qsgd.from_bytes(coded, vector.size, bits, compat=self._compat).levels
        else:
            budget = min(len(coded), len(qsgd.to_bytes(quantised, compat=True))) - 1
            symbols, step = uniform.finest_within(vector, budget)
            kind, coded = RANGE, uniform.to_bytes(symbols, step)
        header = bytes([bits | (0x80 if self._compat else 0)])
        parts = {HEADER: header, kind: coded}
        return self.pack(width, height, parts, crc=symbols_crc([symbols]), weights_sha256=generator.weights_sha256)

    def decompress(self, data: bytes) -> ImageU8:
        """Rebuild the image; the same on one machine at any number of threads.

        Raises:
            BitstreamError: damaged or foreign.
            WeightsError: the file was made with other generator weights.
        """
        from vitiq.codecs.inversion.search import reconstruct

        file = self.unpack(data)
        generator, _, latent = self._read(file)
        compat = _header(file)[1]
        return resize(reconstruct(generator, [latent], self._range(generator, compat)), file.width, file.height)

    def _read(self, file: viq.Container) -> tuple[Generator, Int64[np.ndarray, "c h w"], Float32[np.ndarray, "c h w"]]:
        generator = self._generator_of(file)
        bits, compat = _header(file)
        shape = generator.layers[0]
        if _code(file) == QSGD:
            quantised = qsgd.from_bytes(file.section(QSGD), shape.size, bits, compat=compat)
            symbols, vector = quantised.levels, qsgd.dequantise(quantised)
        else:
            symbols, step = uniform.from_bytes(file.section(RANGE), shape.size)
            vector = uniform.dequantise(symbols, step)
        check_symbols(file, [symbols])
        form = (shape.channels, shape.height, shape.width)
        return generator, symbols.reshape(form), vector.astype(np.float32).reshape(form)

    def contents(self, file: viq.Container, *, symbols: bool) -> Contents:
        """Bits and code; says at which size the generator's image is, where the generator is available."""
        bits, compat = _header(file)
        coder = "qsgd" if _code(file) == QSGD else "range"
        details = {"coder": coder, "compat": "thesis" if compat else None}
        notes: tuple[str, ...] = ()
        try:
            side = self._generator_of(file).resolution
            if (file.width, file.height) != (side, side):
                notes = (f"reconstructed at {side}×{side} and resized to {file.width}×{file.height}",)
        except WeightsError:
            if symbols:
                raise
        if not symbols:
            return Contents(bits, notes, details)
        _, read, latent = self._read(file)
        return Contents(bits, notes, details, (read,), (latent,))

    def identity(self) -> Mapping[str, object]:
        """The options, the hash of the generator's weights, and how the search is set up."""
        generator = self._generator()
        return {
            **super().identity(),
            **search_identity(generator, self._search.rate, self.options.device),
            "coder": self._coder,
            "resized_to": generator.resolution,
        }

    def optimised_against(self) -> tuple[str, ...]:
        """What the generator was trained on, and the networks that the search looks through."""
        return networks_against(self._generator(), self.options.loss)

    def shared_bytes(self) -> int:
        """Size of the generator's weights."""
        return self._generator().weights_bytes


def _code(file: viq.Container) -> int:
    """Kind of the section with the vector, of which there is one."""
    kinds = {section.kind for section in file.sections} & {RANGE, QSGD}
    if len(kinds) > 1:
        raise BitstreamError(f"sections {RANGE} and {QSGD} given, one of them expected; the file is damaged")
    return QSGD if QSGD in kinds else RANGE


def _header(file: viq.Container) -> tuple[int, bool]:
    """Bits a latent number, and whether the thesis's range was taken."""
    header = file.section(HEADER)
    bits, compat = (header[0] & 0x7F, bool(header[0] & 0x80)) if len(header) == 1 else (0, False)
    if bits not in range(1, 9):
        raise BitstreamError(f"{bits} bits per latent number in the file, expected 1 to 8; it is damaged")
    return bits, compat
