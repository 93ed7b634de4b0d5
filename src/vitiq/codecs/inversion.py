"""The inversion codec: a picture as the latents from which a frozen generator paints it, at a given number of bytes.

The thesis inverts a generator by gradient descent on one latent vector and quantises it afterwards. Here every
latent layer is searched, from the trained encoder's guess, on the integer grid that is coded (straight-through
rounding), for the least distortion + rate under the generator's own prior; the weight of the rate is steered so that
the file meets its budget.
`inversion_vector.py` keeps the published form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vitiq.bitstream import container as viq
from vitiq.codecs.base import Codec
from vitiq.codecs.inversion_search import OptimiserName, SearchSettings, minimise, to_picture, to_tensor
from vitiq.codecs.latent_coding import decode_latents, encode_latents, symbols_crc
from vitiq.errors import BitstreamError, InputError, WeightsError
from vitiq.image.geometry import resize
from vitiq.models.entropy.integer_prior import IntegerPrior, step_size
from vitiq.models.entropy.prior import LatentPrior
from vitiq.models.generators import Generator, load_generator
from vitiq.models.losses import LOSSES, Distortion, LossName, distortion
from vitiq.models.threads import one_thread
from vitiq.types import ImageU8, ProgressCallback

LATENTS = 1
"""Section: quantisation step number (1 byte), then `latent_coding`."""

WEIGHTS_PREFIX = 8
MIN_BYTES = 120
STEPS = range(120, 137)
"""Quantisation steps tried: a factor of two around the one trained at."""

MARGIN = 0.985
"""Share of the budget that the estimated rate is steered to; the exact coder decides at the end."""


TRAINED_WEIGHT = 1 / (512 * 512 * 255**2 * 4e-4)
"""Mean squared error that one bit is worth at step 1, as the generator was trained (1 / (pixels · 255² · λ))."""


PROPORTIONAL_GAIN, INTEGRAL_GAIN = 4.0, 0.05
"""How fast the weight of the rate answers a rate above or below the budget."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Symbols met during the search, their distortion and estimated bits."""

    symbols: list[Int64[np.ndarray, "c h w"]]
    distortion: float
    bits: float


class Inversion(Codec):
    """Generator inversion with a latent a layer. Quality is the number of bytes the file may have.

    Args:
        generator: "embedded", or the path of a weights file of the same format.
        loss: `mse`, `ssim` or `vit` (features of the embedded ViT).
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
        if loss not in LOSSES:
            raise InputError(f"loss {loss!r} given, expected one of {', '.join(LOSSES)}")
        if restarts < 1:
            raise InputError(f"{restarts} restarts given, at least 1 expected")
        self._generator_name, self._loss, self._restarts, self._seed = str(generator), loss, restarts, seed
        self._search = SearchSettings(iterations, optimizer, learning_rate, preview_every)

    def _model(self) -> tuple[Generator, LatentPrior, IntegerPrior]:
        generator = load_generator(self._generator_name)
        if generator.prior is None or generator.integer_prior is None:
            raise WeightsError(
                f"generator {self._generator_name!r} has no prior for its latent layers; use codec inversion-vector"
            )
        return generator, generator.prior, generator.integer_prior

    def encode(
        self, image: ImageU8, *, quality: float | None = None, progress: ProgressCallback | None = None
    ) -> bytes:
        """Search latents for `image` within `quality` bytes.

        Pictures of another size than the generator's are resized for it, and back by `decode`.

        Raises:
            InputError: a budget too small to hold any latents.
        """
        budget = int(self.default_quality if quality is None else quality)
        if budget < MIN_BYTES:
            raise InputError(f"quality {quality} given for inversion, expected {self.quality_help}")
        generator, prior, integer_prior = self._model()
        height, width, _ = image.shape
        side = generator.resolution
        target = to_tensor(resize(image, side, side))

        def wrap(payload: bytes, crc: int) -> bytes:
            prefix = bytes.fromhex(generator.weights_sha256)[:WEIGHTS_PREFIX]
            section = viq.Section(LATENTS, payload)
            return viq.pack(viq.Container(self.name, width, height, prefix, crc, (section,)))

        def pack(symbols: Sequence[Int64[np.ndarray, "c h w"]], step: int) -> bytes:
            return wrap(bytes([step]) + encode_latents(symbols, integer_prior, step), symbols_crc(symbols))

        overhead = len(wrap(b"\0\0", 0))
        search = _Search(generator, prior, distortion(self._loss, target), 8 * (budget - overhead) * MARGIN)
        total = self._restarts * self._search.iterations
        snapshots: list[_Snapshot] = []
        guess = generator.encode(target)
        if guess is None:
            raise WeightsError(f"generator {self._generator_name!r} has no encoder; use codec inversion-vector")
        step = search.first_step(guess)
        for restart in range(self._restarts):
            random = torch.Generator().manual_seed(self._seed + restart)
            start = guess if restart == 0 else [torch.randn(v.shape, generator=random) for v in guess]
            snapshots += search.run(start, step, self._search, progress, restart * self._search.iterations, total)
        for snapshot in sorted(snapshots, key=lambda s: s.distortion):
            data = pack(snapshot.symbols, step)
            if len(data) <= budget:
                return data
        smallest = min(snapshots, key=lambda s: s.bits)
        return _thin(smallest.symbols, lambda symbols: pack(symbols, step), budget)

    def decode(self, data: bytes) -> ImageU8:
        """Paint the picture; the same on one machine at any number of threads.

        Raises:
            BitstreamError: damaged, foreign, or symbols that do not match their checksum.
            WeightsError: the file was made with other generator weights.
        """
        file, generator, symbols, step = self._read(data)
        with one_thread(), torch.no_grad():
            latents = [torch.from_numpy(s).float()[None] * step_size(step) for s in symbols]
            painted = to_picture(generator.generate(latents))
        return resize(painted, file.width, file.height)

    def latents(self, data: bytes) -> list[np.ndarray]:
        """Dequantised latents, one C×H×W float32 array a layer."""
        _, _, symbols, step = self._read(data)
        return [(s * step_size(step)).astype(np.float32) for s in symbols]

    def _read(self, data: bytes) -> tuple[viq.Container, Generator, list[Int64[np.ndarray, "c h w"]], int]:
        file = viq.unpack(data)
        if file.codec != self.name:
            raise BitstreamError(f"a {file.codec} file given to the {self.name} decoder; use codec {file.codec}")
        generator, _, integer_prior = self._model()
        check_weights(file, generator)
        payload = file.section(LATENTS)
        if len(payload) < 2:
            raise BitstreamError(f"latent section of {len(payload)} bytes; the file is damaged")
        shapes = [(c.channels, c.height, c.width) for c in generator.layers]
        symbols = decode_latents(payload[1:], shapes, integer_prior, payload[0])
        check_symbols(file, symbols)
        return file, generator, symbols, payload[0]

    def settings(self) -> Mapping[str, object]:
        """Everything that changes the file, and the hash of the generator's weights."""
        generator = load_generator(self._generator_name)
        return {
            "generator": generator.name,
            "generator_sha256": generator.weights_sha256,
            "loss": self._loss,
            "tuned_on": "vit-embedded" if self._loss == "vit" else None,
            "optimizer": self._search.optimiser,
            "learning_rate": self._search.rate,
            "iterations": self._search.iterations,
            "restarts": self._restarts,
            "seed": self._seed,
            "preview_every": self._search.preview_every,
            "resized_to": generator.resolution,
        }

    def shared_bytes(self) -> int:
        """Size of the generator's weights."""
        return load_generator(self._generator_name).weights_bytes

    def sections(self, data: bytes) -> Mapping[str, int]:
        """Header and latents."""
        latents = viq.section_sizes(data).get(LATENTS, 0)
        return {"header": len(data) - latents, "latents": latents}


def check_weights(file: viq.Container, generator: Generator) -> None:
    """Raises WeightsError where the file was made with other weights than the generator's."""
    if not bytes.fromhex(generator.weights_sha256).startswith(file.weights) or len(file.weights) != WEIGHTS_PREFIX:
        raise WeightsError(
            f"the file needs generator weights with sha256 {file.weights.hex()}…, those at hand are "
            f"{generator.weights_sha256[: 2 * WEIGHTS_PREFIX]}…; give the right ones with --generator PATH"
        )


def check_symbols(file: viq.Container, symbols: Sequence[Int64[np.ndarray, ...]]) -> None:
    """Raises BitstreamError where decoded symbols differ from those encoded."""
    if symbols_crc(symbols) != file.symbols_crc:
        raise BitstreamError("decoded symbols do not match their checksum; the file is damaged")


class _Search:
    """Rate-constrained search of the latents of one picture."""

    def __init__(self, generator: Generator, prior: LatentPrior, distort: Distortion, budget_bits: float) -> None:
        self._generator, self._prior, self._distort = generator, prior, distort
        self._budget = budget_bits

    def bits(self, symbols: Sequence[Tensor], step: int) -> Tensor:
        """Estimated bits of all layers."""
        log_step = torch.full((1, 1, 1, 1), math.log(step_size(step)))
        return torch.stack([layer.sum() for layer in self._prior.bits(symbols, log_step)]).sum()

    @torch.no_grad()
    def first_step(self, latents: Sequence[Tensor]) -> int:
        """The finest step at which the encoder's guess already meets the budget, else the coarsest."""
        for step in STEPS:
            if float(self.bits([torch.round(v / step_size(step)) for v in latents], step)) <= self._budget:
                return step
        return STEPS[-1]

    def run(  # noqa: PLR0917 - one call site
        self,
        start: Sequence[Float[Tensor, "1 c h w"]],
        step: int,
        settings: SearchSettings,
        progress: ProgressCallback | None,
        done: int,
        total: int,
    ) -> list[_Snapshot]:
        """Search from `start`; returns snapshots that are estimated to meet the budget."""
        size = step_size(step)
        variables = [(v.detach() / size).clone().requires_grad_() for v in start]
        snapshots: list[_Snapshot] = []
        # Bits are weighed against distortion as in training at this step, then steered to the budget.
        weight = TRAINED_WEIGHT * size**2.5
        state = {"weight": weight}

        def objective(_: int) -> tuple[Tensor, Tensor]:
            symbols = [v + (torch.round(v) - v).detach() for v in variables]
            bits = self.bits(symbols, step)
            painted = self._generator.generate([s * size for s in symbols])
            lost = self._distort(painted)
            used, value = float(bits.detach()), float(lost.detach())
            if used <= self._budget / MARGIN:
                snapshots.append(_Snapshot(_integers(symbols), value, used))
                snapshots.sort(key=lambda s: s.distortion)
                del snapshots[12:]
            over = max(-0.5, min(0.5, used / self._budget - 1))
            state["weight"] *= math.exp(INTEGRAL_GAIN * over)
            return lost + state["weight"] * math.exp(PROPORTIONAL_GAIN * over) * bits, painted

        minimise(objective, variables, settings, progress, done=done, total=total)
        if not snapshots:
            with torch.no_grad():
                symbols = [torch.round(v) for v in variables]
                snapshots.append(_Snapshot(_integers(symbols), math.inf, float(self.bits(symbols, step))))
        return snapshots


def _integers(symbols: Sequence[Tensor]) -> list[Int64[np.ndarray, "c h w"]]:
    return [s.detach()[0].round().to(torch.int64).numpy() for s in symbols]


def _thin(
    symbols: list[Int64[np.ndarray, "c h w"]],
    pack: Callable[[Sequence[Int64[np.ndarray, "c h w"]]], bytes],
    budget: int,
) -> bytes:
    """Drop symbols, finest layer and smallest first, until the file meets the budget."""
    layers = [s.copy() for s in symbols]
    for layer in reversed(layers):
        for limit in (1, 2, 4, 8, 16, 2**15):
            layer[np.abs(layer) <= limit] = 0
            data = pack(layers)
            if len(data) <= budget:
                return data
    raise InputError(f"a budget of {budget} bytes cannot hold an empty picture; give more bytes")
