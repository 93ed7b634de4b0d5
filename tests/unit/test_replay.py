"""Recorded training steps. Truth: the gradients that plain calls give."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vitiq.training.hardware import Hardware
from vitiq.training.replay import Replay

DEVICES = ("cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")))


@pytest.mark.parametrize("name", DEVICES)
def test_gradients_are_those_of_a_plain_call(name: str) -> None:
    torch.manual_seed(0)
    device = torch.device(name)
    # The last layer takes no part, and so gets no gradient.
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.LeakyReLU(), nn.Conv2d(8, 2, 1), nn.Linear(1, 1))
    network.to(device)
    parameters = tuple(network.parameters())

    def compute(images: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        loss = (network[:3](images).square().mean(dim=(1, 2, 3)) * weight).sum()
        torch.autograd.backward(loss)
        return loss.detach(), images.mean()

    learn = Replay(compute, parameters, Hardware(device))
    for step, (batch, side) in enumerate([(4, 8), (4, 8), (2, 16), (4, 8), (2, 16)]):
        torch.manual_seed(step)
        images, weight = torch.rand(batch, 3, side, side, device=device), torch.rand(batch, device=device)
        loss, mean = (float(figure) for figure in learn(images, weight))
        found = [None if p.grad is None else p.grad.clone() for p in parameters]
        for parameter in parameters:
            parameter.grad = None
        expected_loss, expected_mean = (float(figure) for figure in compute(images, weight))
        assert loss == pytest.approx(expected_loss, rel=1e-4)
        assert mean == pytest.approx(expected_mean, rel=1e-5)
        assert found[-1] is None
        for gradient, parameter in zip(found[:-2], parameters[:-2], strict=True):
            assert gradient is not None
            assert parameter.grad is not None
            torch.testing.assert_close(gradient, parameter.grad, rtol=1e-3, atol=1e-5)
