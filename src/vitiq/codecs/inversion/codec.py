"""The inversion codec: an image as the latents from which a frozen generator makes it, at a given number of bytes.

The thesis inverts a generator by gradient descent on one latent vector and quantises it afterwards (`vector.py` keeps
that form). Here every latent layer is searched, from the trained encoder's latents, on the integer grid that is coded,
for the least distortion + rate under the generator's own prior; the weight of the rate is steered so that the file
meets its budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from vitiq import registry
from vitiq.bitstream import container as viq
from vitiq.codecs.entropy_coding import EntropyModel
from vitiq.codecs.inversion.common import (
    EMBEDDED,
    LARGEST_AREA,
    LONGEST_SIDE,
    STRIDE,
    generator_of,
    networks_against,
    search_identity,
)
from vitiq.codecs.inversion.latent_coding import LayeredEntropyModel, decode_latents, encode_latents
from vitiq.codecs.inversion.prior_integer import step_size
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

LATENTS = 1
"""Section: width and height of the working resolution in 64 pixels, number of the quantisation step (a byte each),
symbols as `entropy_coding` lays them out."""

ENTROPY = 2
"""Section: name of the registered entropy model, where it is not the generator's own."""

OWN = "generator"
"""The entropy model that comes with the generator."""

HEAD = 3
"""Bytes of a section before its coded symbols."""

MIN_BYTES = 120


@dataclass(frozen=True, kw_only=True)
class InversionOptions(SearchOptions):
    """Options of generator inversion with a latent a layer."""

    generator: str = option(EMBEDDED, "generator, or the path of a weights file of one", names="generators")
    iterations: int = option(250, "iterations of the search", low=1)
    restarts: int = option(1, "number of searches from different starts; the best is kept", low=1)
    entropy: str = option(
        OWN, "entropy model of the latents; 'generator' is the generator's own", names="entropy_models"
    )


class Inversion(ViqCodec):
    """Generator inversion with a latent a layer. Quality is the number of bytes the file may have."""

    name = "inversion"
    viq_id = 1
    title = "vitiq inversion"
    qualities = (400, 700, 1000, 1540, 2500, 4000)
    default_quality = 1540
    quality_help = f"maximum size of the file in bytes, from {MIN_BYTES}"
    quality_range = None
    min_bytes = MIN_BYTES
    optimises = True
    Options = InversionOptions
    section_names = {LATENTS: "latents"}  # noqa: RUF012 - a constant

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        chosen = self.options
        self._search = chosen.search(chosen.iterations)

    def _generator(self) -> Generator:
        from vitiq.codecs.inversion.generators import load_generator

        return load_generator(self.options.generator, self.options.device)

    def _generator_of(self, file: viq.Container) -> Generator:
        return generator_of(file, self.options.generator, self.options.device)

    def _entropy_model(self, generator: Generator, step: int, name: str = OWN) -> EntropyModel:
        """The model that codes the generator's layers: its own prior, or a registered one."""
        shapes = [(layer.channels, layer.height, layer.width) for layer in generator.layers]
        if name != OWN:
            model: EntropyModel = registry.load("entropy_models", name)(shapes, step)
            return model
        if generator.integer_prior is None:
            raise WeightsError(
                f"generator {self.options.generator!r} has no prior for its latent layers; use codec inversion-vector"
            )
        return LayeredEntropyModel(generator.integer_prior, shapes, step)

    def load(self, data: bytes | None = None) -> None:
        """The generator of the option, or of a file."""
        _ = self._generator() if data is None else self._generator_of(self.unpack(data))

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """Search latents for `image` within `quality` bytes.

        The image is resized to a working resolution of about its shape for the generator, and back by `decode`.
        The same seed gives the same bytes at any number of threads.
        """
        budget = int(quality)
        from vitiq.codecs.inversion.budget import STEPS, search_within
        from vitiq.codecs.inversion.working_size import choose
        from vitiq.models.device import exact_convolutions
        from vitiq.models.threads import search_threads

        whole, entropy = self._generator(), self.options.entropy
        self._entropy_model(whole, STEPS[-1], entropy)
        height, width, _ = image.shape

        def wrap(payload: bytes, crc: int) -> bytes:
            named = {} if entropy == OWN else {ENTROPY: entropy.encode()}
            sections = {**named, LATENTS: payload}
            return self.pack(width, height, sections, crc=crc, weights_sha256=whole.weights_sha256)

        def pack(symbols: Sequence[Int64[np.ndarray, "_ _ _"]], step: int) -> bytes:
            head = bytes([wide, tall, step])
            model = self._entropy_model(whole.at(wide * STRIDE, tall * STRIDE), step, entropy)
            return wrap(head + encode_latents(symbols, model), symbols_crc(symbols))

        overhead = len(wrap(bytes(HEAD + 1), 0))
        with search_threads(), exact_convolutions(whole.device):
            wide, tall = choose(whole, image, 8 * (budget - overhead), STEPS[-1])
            return search_within(
                whole.at(wide * STRIDE, tall * STRIDE),
                resize(image, wide * STRIDE, tall * STRIDE),
                budget,
                pack,
                overhead=overhead,
                loss=self.options.loss,
                settings=self._search,
                restarts=self.options.restarts,
                seed=self.options.seed,
                progress=progress,
            )

    def decompress(self, data: bytes) -> ImageU8:
        """Rebuild the image; the same on one machine at any number of threads.

        Raises:
            BitstreamError: damaged, foreign, or symbols that do not match their checksum.
            WeightsError: the file was made with other generator weights.
        """
        from vitiq.codecs.inversion.search import reconstruct

        file = self.unpack(data)
        generator, symbols, step = self._read(file)
        rebuilt = reconstruct(generator, _dequantise(symbols, step), generator.output_range)
        return resize(rebuilt, file.width, file.height)

    def contents(self, file: viq.Container, *, symbols: bool) -> Contents:
        """Working resolution and quantisation step; says where the resolution is not the image's."""
        wide, tall, step = _head(file.section(LATENTS))
        size = (STRIDE * wide, STRIDE * tall)
        notes = (
            ()
            if size == (file.width, file.height)
            else (f"reconstructed at {size[0]}×{size[1]} and resized to {file.width}×{file.height}",)
        )
        details = {"working_width": size[0], "working_height": size[1], "step": step, "entropy": _entropy_name(file)}
        if not symbols:
            return Contents(None, notes, details)
        read = self._read(file)[1]
        return Contents(None, notes, details, tuple(read), tuple(_dequantise(read, step)))

    def _read(self, file: viq.Container) -> tuple[Generator, list[Int64[np.ndarray, "_ _ _"]], int]:
        generator = self._generator_of(file)
        payload = file.section(LATENTS)
        wide, tall, step = _head(payload)
        generator = generator.at(STRIDE * wide, STRIDE * tall)
        symbols = decode_latents(payload[HEAD:], self._entropy_model(generator, step, _entropy_name(file)))
        check_symbols(file, symbols)
        return generator, symbols, step

    def identity(self) -> Mapping[str, object]:
        """The options, the hash of the generator's weights, and how the search is set up."""
        searched = search_identity(self._generator(), self._search.rate, self.options.device)
        return {
            **super().identity(),
            **searched,
            "working_resolution": "multiples of 64 pixels near the image's shape, at most 512×512 in area, by rate",
        }

    def optimised_against(self) -> tuple[str, ...]:
        """What the generator was trained on, and the networks that the search looks through."""
        return networks_against(self._generator(), self.options.loss)

    def shared_bytes(self) -> int:
        """Size of the generator's weights."""
        return self._generator().weights_bytes


def _entropy_name(file: viq.Container) -> str:
    """Name of the entropy model that the file was coded with."""
    names = [section.data for section in file.sections if section.kind == ENTROPY]
    if not names:
        return OWN
    name = names[0].decode("ascii", "replace")
    if name not in registry.names("entropy_models"):
        raise BitstreamError(f"the file needs the entropy model {name[:64]!r}, which no installed package provides")
    return name


def _head(payload: bytes) -> tuple[int, int, int]:
    """Working resolution (width, height, in 64 pixels) and step number of a section."""
    if len(payload) <= HEAD:
        raise BitstreamError(f"latent section of {len(payload)} bytes; the file is damaged")
    wide, tall, step = payload[:HEAD]
    if not (1 <= wide <= LONGEST_SIDE and 1 <= tall <= LONGEST_SIDE and wide * tall <= LARGEST_AREA):
        raise BitstreamError(
            f"working resolution of {wide}×{tall} strides given, sides of 1 to {LONGEST_SIDE} and at most "
            f"{LARGEST_AREA} in all expected; "
            "the file is damaged"
        )
    return wide, tall, step


def _dequantise(symbols: Sequence[Int64[np.ndarray, "_ _ _"]], step: int) -> list[np.ndarray]:
    return [(s * step_size(step)).astype(np.float32) for s in symbols]
