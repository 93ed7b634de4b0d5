"""Operations of a training step, counted on tensors without numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.training.config import Phase
from vitiq.training.discriminator import PatchDiscriminator
from vitiq.training.recipes import vit

META = torch.device("meta")

SHIPPED_DEPTH = len(vit.VitTrainingConfig.load().kept_blocks)
"""Blocks of the ViT that ships, whose features adversarial trainings keep."""

FALLBACK_SIDE = 256
"""Side of the image of a forward pass where a configuration has no phase."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Steps of a training that do the same.

    Attributes:
        steps: how many.
        batch: images of a step.
        flops: operations of a step, forward and backward.
        what: to show to people.
    """

    steps: int
    batch: int
    flops: int
    what: str


@dataclass(frozen=True, slots=True)
class OwnTraining:
    """One of vitiq's trainings, counted.

    Attributes:
        parameters: that learn and are shipped; without discriminators and other helpers.
        forward_flops: of one image through what learns.
        reads: what that image is.
        stretches: all steps.
    """

    parameters: int
    forward_flops: int
    reads: str
    stretches: tuple[Stretch, ...]

    @property
    def flops(self) -> int:
        """Operations of the whole training."""
        return sum(stretch.steps * stretch.flops for stretch in self.stretches)


def operations(compute: Callable[[], object]) -> int:
    """Operations of products and convolutions in `compute`, two for each multiplication with addition."""
    with FlopCounterMode(display=False) as counter:
        compute()
    return int(counter.get_total_flops())


def forward(compute: Callable[[], object]) -> int:
    """The same without gradients."""
    with torch.no_grad():
        return operations(compute)


def size_of(*modules: nn.Module) -> int:
    """Parameters of networks."""
    return sum(p.numel() for module in modules for p in module.parameters())


def on_meta(module: nn.Module) -> Any:
    """The network without its numbers. Made on the CPU first: constants that are kept may not lose theirs."""
    return module.to(META)


def images(count: int, side: int) -> Tensor:
    """Images without numbers."""
    return torch.empty(count, 3, side, side, device=META)


def descent(loss: Tensor, *learning: nn.Parameter) -> None:
    """The backward pass of a step to the parameters that learn."""
    torch.autograd.backward(loss, inputs=learning)


def all_of(found: object) -> Tensor:
    """A loss of everything that a network gives."""
    if isinstance(found, Tensor):
        return found.float().sum()
    parts = [all_of(part) for part in found]  # type: ignore[attr-defined]
    return torch.stack(parts).sum()


def in_phases(model: nn.Module, phases: Sequence[Phase], run: Callable[[int, int], Tensor]) -> OwnTraining:
    """A training of one network in phases, but for what of it is frozen; `run` gives something to descend of a batch of
    crops.
    """
    learning = [p for p in model.parameters() if p.requires_grad]

    def step(phase: Phase) -> None:
        descent(run(phase.batch, phase.crop), *learning)

    taken = [phase for phase in phases if phase.steps]
    stretches = tuple(
        Stretch(p.steps, p.batch, operations(partial(step, p)), f"crops of {p.crop}×{p.crop}") for p in taken
    )
    side = (taken or [*phases, Phase(0, FALLBACK_SIDE, 1)])[-1].crop
    size = sum(p.numel() for p in learning)
    return OwnTraining(size, forward(lambda: run(1, side)), f"an image of {side}×{side}", stretches)


def adversarial(work: tuple[int, int], phase: Phase, alone: int) -> tuple[Stretch, Stretch]:
    """The stretches of an adversarial phase, in whose first `alone` steps the discriminator alone learns."""
    first, crops = min(alone, phase.steps), f"crops of {phase.crop}×{phase.crop}"
    return (
        Stretch(first, phase.batch, work[0], f"the discriminator alone, {crops}"),
        Stretch(phase.steps - first, phase.batch, work[1], f"adversarial, {crops}"),
    )


def adversarial_work(
    batch: int,
    crop: int,
    plain: Callable[[Tensor], Sequence[Tensor]],
    synthesis: Callable[[Sequence[Tensor]], Tensor],
    learning: Sequence[nn.Parameter],
) -> tuple[int, int]:
    """Operations of a step in which the discriminator alone learns, and of one in which both do.

    Args:
        batch, crop: images and their side.
        plain: what is computed once without gradients; its last is the discriminator's condition.
        synthesis: from that, what learns.
        learning: its parameters.
    """
    discriminator = on_meta(PatchDiscriminator())
    reader = on_meta(VisionTransformer(ViTConfig(depth=SHIPPED_DEPTH))).requires_grad_(False)
    target, of_discriminator = images(batch, crop), list(discriminator.parameters())
    views = images(batch, reader.config.image_size)

    def discriminator_learns() -> tuple[Sequence[Tensor], Tensor]:
        with torch.no_grad():
            known = plain(target)
        found = synthesis(known)
        both, condition = torch.cat([target, found.detach()]), torch.cat([known[-1], known[-1]])
        descent(all_of(discriminator(both, condition)), *of_discriminator)
        return known, found

    def both_learn() -> None:
        known, found = discriminator_learns()
        with torch.no_grad():
            reader.forward_levels(views)
        read = nn.functional.interpolate(found, views.shape[2:], mode="bicubic", antialias=True)
        loss = all_of(discriminator(found, known[-1])) + all_of(reader.forward_levels(read)) + all_of(found)
        descent(loss, *learning)

    return operations(discriminator_learns), operations(both_learn)
