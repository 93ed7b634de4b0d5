"""The transform codec's networks from a weights file, the one that ships with vitiq by default."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from vitiq.codecs.transform.hyperprior import HYPER_STRIDE, Hyperprior
from vitiq.codecs.transform.hyperprior_integer import LEVELS, STRIP, IntegerHyperprior, float_tensors
from vitiq.codecs.transform.networks.block_dct import BLOCK, CHANNELS
from vitiq.codecs.transform.networks.residual_dct import Analysis, Gains, Synthesis, powers
from vitiq.errors import WeightsError
from vitiq.models.building import as_alone
from vitiq.models.strips import Margins, Tile, in_order, strips, tiles
from vitiq.models.tensors import to_tensor
from vitiq.types import ImageU8
from vitiq.weights.file import in_float, read_weights
from vitiq.weights.kept import kept

FORMAT = "vitiq-transform-codec-2"
WEIGHTS = Path(__file__).parents[3] / "weights" / "codec_embedded.safetensors"
INTEGER = "integer."
PERCEPTUAL = "perceptual."
"""Prefix of those tensors of the synthesis that perceptual training changed."""

STANDS_FOR, PERCEPTUAL_BLOCKS, LATENT_SPACE = "stands_for", "perceptual_blocks", "latent_space"
"""Entries of the metadata: see `TransformModel`; residual blocks of the perceptual synthesis at strides 16, 8 and 4,
where they are not those of the other; and `latent_space` of the codec whose bitstream these weights keep."""

ANALYSIS_STAGES, SYNTHESIS_STAGES = ("wide", "middle"), ("wide", "middle", "fine")

SMALLEST = 64
"""Least side in pixels that is coded: where every block lies at a border, networks trained on large crops fail."""

SynthesisName = Literal["mse", "perceptual"]


class TransformModel:
    """Networks of the generative codec, frozen.

    Args:
        path: weights in safetensors.
        device: where the networks run; the integer prior is NumPy's.

    Attributes:
        device: as given.
        analysis, gains: image -> scaled latents.
        prior: float prior, for the hyper-latents and for refinement.
        integer_prior: its exact twin, for coding.
        weights_sha256, weights_bytes: of the file.
        stands_for: sha256 of earlier weights files all of whose tensors that decode symbols are here, unchanged.
        steps_trained: optimiser steps behind the weights.
        has_perceptual: whether the file has a perceptual synthesis; where it has none, the other stands for it.
        classifier_sha256: of the weights of the classifier whose features the perceptual synthesis aggregates; empty
            where it aggregates none.
        latent_space: hash of what gave latents their meaning, analysis and gains, before the transforms were trained on
            under the same prior.

    Raises:
        WeightsError: the file is missing, damaged or of another format.
    """

    @as_alone()
    def __init__(self, path: Path = WEIGHTS, device: torch.device | None = None) -> None:
        tensors, metadata = read_weights(path, FORMAT, "codec")
        data = path.read_bytes()
        self.weights_sha256 = hashlib.sha256(data).hexdigest()
        self.weights_bytes = len(data)
        self.steps_trained = int(str(metadata.get("steps", 0)))
        self.classifier_sha256 = str(metadata.get("classifier_sha256", ""))
        self.stands_for = tuple(str(sha256) for sha256 in metadata.get(STANDS_FOR, ()))
        self.has_perceptual = any(name.startswith(PERCEPTUAL) for name in tensors)
        integers = {k[len(INTEGER) :]: v.numpy() for k, v in tensors.items() if k.startswith(INTEGER)}
        try:
            self.integer_prior = IntegerHyperprior(integers)
            analysis = _part(tensors, "analysis.")
            self.analysis, self.gains = Analysis(_blocks(analysis, ANALYSIS_STAGES)), Gains()
            self.prior = Hyperprior(context=self.integer_prior.context is not None)
            _load(self.analysis, analysis)
            _load(self.gains, _part(tensors, "gains."))
            floats = {k: torch.from_numpy(v) for k, v in float_tensors(integers).items()}
            _load(self.prior, floats | _part(tensors, "hyper_analysis.", "analysis."))
            aggregate = tensors.get(PERCEPTUAL + "aggregate.weight", torch.empty(0, 0))
            squared_error = _part(tensors, "synthesis.")
            blocks = _blocks(squared_error, SYNTHESIS_STAGES)
            own = _stated_blocks(metadata.get(PERCEPTUAL_BLOCKS, blocks), blocks)
            self._syntheses = {"mse": Synthesis(0, blocks), "perceptual": Synthesis(aggregate.shape[1], own)}
            _load(self._syntheses["mse"], squared_error)
            perceptual = squared_error | _part(tensors, PERCEPTUAL)
            _load(self._syntheses["perceptual"], {k: v for k, v in perceptual.items() if _within(k, own)})
            self.latent_space = str(metadata.get(LATENT_SPACE) or hash_of(self.analysis, self.gains))
        except (RuntimeError, KeyError, ValueError) as error:
            raise WeightsError(
                f"{path}: tensors do not fit the transform codec ({str(error).splitlines()[0]}); "
                f"reinstall vitiq or train the file again with `vitiq train codec`"
            ) from error
        self.device = torch.device("cpu")
        if device is not None:
            self.to(device)

    def synthesis(self, name: SynthesisName) -> Synthesis:
        """The synthesis trained for squared error, or the one trained to look like an image."""
        return self._syntheses[name]

    def to(self, device: torch.device) -> TransformModel:
        """The networks on a device."""
        for module in (self.analysis, self.gains, self.prior, *self._syntheses.values()):
            module.to(device)
        self.device = device
        return self

    def quality(self, level: int) -> Float[Tensor, "1 3"]:
        """What the conditioned layers read at a quality level, where the networks are."""
        return quality_of(level).to(self.device)

    @torch.no_grad()
    def analyse(
        self, images: Float[Tensor, "1 3 h w"], level: int
    ) -> tuple[Float32[np.ndarray, "c h//16 w//16"], Float32[np.ndarray, "z i j"]]:
        """Latents times their gains, and hyper-latents, before rounding; sides are multiples of 16."""
        quality = self.quality(level)
        scaled = self.analysis(images, quality) * self.gains(quality)
        return scaled[0].cpu().numpy(), self.prior.analysis(scaled)[0].cpu().numpy()

    def analyse_image(
        self, image: ImageU8, level: int
    ) -> tuple[Float32[np.ndarray, "c h w"], Float32[np.ndarray, "z i j"]]:
        """`analyse` of a whole image, in parts where it is large: their borders differ by the rounding of sums."""
        height, width = coded_size(*image.shape[:2])
        parts = tiles(height // BLOCK, width // BLOCK, STRIP, self.analysis.halo)
        if len(parts) == 1:
            return self.analyse(padded_to_blocks(to_tensor(image, self.device)), level)
        scaled: np.ndarray = np.empty((CHANNELS, height // BLOCK, width // BLOCK), dtype=np.float32)

        def latents(tile: Tile) -> Float32[np.ndarray, "c h w"]:
            down, across = (slice(seen.start * BLOCK, seen.stop * BLOCK) for seen in tile.seen)
            return self._latents(padded_to_blocks(to_tensor(image[down, across], self.device)), level, tile.margins)

        for tile, found in zip(parts, in_order(latents, parts), strict=True):
            scaled[:, tile.rows, tile.columns] = found

        def hyper(rows: slice) -> Float32[np.ndarray, "z i j"]:
            above = min(rows.start, HYPER_STRIDE)
            with torch.no_grad():
                read = torch.from_numpy(scaled[:, rows.start - above : rows.stop]).to(self.device)[None]
                found: np.ndarray = self.prior.analysis(read)[0, :, above // HYPER_STRIDE :].cpu().numpy()
            return found

        rows = strips(height // BLOCK, width // BLOCK, STRIP, HYPER_STRIDE)
        return scaled, np.concatenate(list(in_order(hyper, rows)), axis=1)

    @torch.no_grad()
    def _latents(self, images: Float[Tensor, "1 3 h w"], level: int, margins: Margins) -> Float32[np.ndarray, "c i j"]:
        quality = self.quality(level)
        found: np.ndarray = (self.analysis(images, quality, margins) * self.gains(quality))[0].cpu().numpy()
        return found

    @torch.no_grad()
    def gain(self, level: int) -> Float32[np.ndarray, " c"]:
        """Gain of every latent channel at a quality level."""
        values: np.ndarray = self.gains(self.quality(level))[0, :, 0, 0].cpu().numpy()
        return values


def quality_of(level: int) -> Float[Tensor, "1 3"]:
    """What the conditioned layers read at a quality level; those below 0 were not trained."""
    return powers(torch.tensor([level / (LEVELS - 1)], dtype=torch.float32))


def coded_size(height: int, width: int) -> tuple[int, int]:
    """Sides of what is coded of an image of height × width pixels: multiples of 16, at least `SMALLEST`."""
    rows, columns = (max(SMALLEST, side + -side % BLOCK) for side in (height, width))
    return rows, columns


def padded_to_blocks(images: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 i j"]:
    """Images extended on the right and below to `coded_size` by their last row and column."""
    height, width = images.shape[2:]
    rows, columns = coded_size(height, width)
    return torch.nn.functional.pad(images, (0, columns - width, 0, rows - height), mode="replicate")


@kept(2)
def load_model(path: Path = WEIGHTS, device: torch.device | None = None) -> TransformModel:
    """The networks of a weights file on a device, read once; the last two are kept.

    Raises:
        WeightsError: as `TransformModel`.
    """
    return TransformModel(path, device)


def _load(module: torch.nn.Module, tensors: Mapping[str, Tensor]) -> None:
    module.load_state_dict(dict(tensors))
    module.requires_grad_(False)
    module.eval()


def hash_of(*modules: torch.nn.Module) -> str:
    """sha256 of all parameters of networks, in float32."""
    found = hashlib.sha256()
    for module in modules:
        for name, value in sorted(module.state_dict().items()):
            found.update(name.encode() + np.ascontiguousarray(value.float().cpu().numpy(), dtype="<f4").tobytes())
    return found.hexdigest()


def _place(name: str) -> tuple[str, int] | None:
    """Stage and number of the residual block that a tensor belongs to; None for another tensor."""
    stage, _, rest = name.partition(".")
    number = rest.partition(".")[0]
    return (stage, int(number)) if number.isdigit() else None


def _blocks(tensors: Mapping[str, Tensor], stages: tuple[str, ...]) -> tuple[int, ...]:
    """Residual blocks in each stage of a transform."""
    found = {_place(name) for name in tensors}
    return tuple(sum(place is not None and place[0] == stage for place in found) for stage in stages)


def _stated_blocks(stated: object, most: tuple[int, ...]) -> tuple[int, ...]:
    """Residual blocks that a file's metadata state, at most `most` in each stage; ValueError for anything else."""
    if isinstance(stated, list | tuple) and len(stated) == len(most):
        found = tuple(stated)
        if all(isinstance(a, int) and 0 < a <= b for a, b in zip(found, most, strict=True)):
            return found
    raise ValueError(f"{PERCEPTUAL_BLOCKS} {stated} given, at most {most} expected")


def _within(name: str, blocks: tuple[int, ...]) -> bool:
    """Whether a synthesis of so many residual blocks has a tensor."""
    place = _place(name)
    return place is None or place[1] < blocks[SYNTHESIS_STAGES.index(place[0])]


def _part(tensors: Mapping[str, Tensor], prefix: str, becomes: str = "") -> dict[str, Tensor]:
    return in_float({becomes + k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
