"""What adversarial trainings share.

Truth: hand-computed hinge losses (Lim & Ye 2017, equation of section 3) and identities.
"""

from __future__ import annotations

import pytest
import torch

from vitiq.training.adversarial import Discriminator, hinge, relative_errors, visibility
from vitiq.training.hardware import Hardware


def images(seed: int, brightness: float) -> torch.Tensor:
    return brightness + 0.1 * torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_the_hinge_loss_counts_only_verdicts_within_the_margin() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.25])
    assert float(hinge(real, fake)) == pytest.approx(0.25 + 0.625)


def test_a_discriminator_learns_to_tell_images_apart_and_pulls_at_what_it_sees() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(1e-3, Hardware(torch.device("cpu")))
    real, fake, condition = images(1, 0.6), images(2, 0.2), images(3, 0.4)
    losses = [discriminator.step(real, fake, condition) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]
    before = [parameter.detach().clone() for parameter in discriminator.network.parameters()]
    seen = fake.clone().requires_grad_()
    loss = discriminator.generator_loss(seen, condition)
    torch.autograd.backward(loss)
    assert seen.grad is not None
    assert float(discriminator.generator_loss(fake - 0.1 * seen.grad.sign(), condition)) < float(loss.detach())
    assert all(torch.equal(a, b) for a, b in zip(before, discriminator.network.parameters(), strict=True))


def test_errors_are_seen_on_flat_ground_and_relative_to_the_start() -> None:
    target = torch.full((1, 3, 64, 64), 0.5)
    target[..., 32:] += 0.4 * (torch.arange(32) % 2)
    seen = visibility(target)
    assert float(seen[..., :24].min()) == pytest.approx(1)
    assert float(seen[..., 40:].max()) < 0.1
    on_flat, on_texture = target.clone(), target.clone()
    on_flat[..., :24] += 0.1
    on_texture[..., 40:] += 0.1
    assert [float(x) for x in relative_errors(on_flat, on_flat, target)] == pytest.approx([1, 1])
    error, masked = (float(x) for x in relative_errors(on_texture, on_flat, target))
    assert error == pytest.approx(1, abs=0.01)
    assert masked < 0.1
