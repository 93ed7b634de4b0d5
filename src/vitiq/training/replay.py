"""The kernels of a training step, recorded once and replayed.

Networks of many small layers keep a GPU waiting for Python; a CUDA graph launches all of a step at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vitiq.training.hardware import Hardware

WARM_UP = 3
"""Runs before recording, in which libraries choose their kernels."""

Compute = Callable[..., tuple[Tensor, ...]]
"""Tensors -> figures; leaves gradients in the parameters. Must read no value from the GPU."""


@dataclass(frozen=True, slots=True)
class _Recording:
    """A graph and the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    gradients: tuple[Tensor | None, ...]


class Replay:
    """Gradients of a step: `compute` recorded for each shape of its inputs on one GPU, called as it is elsewhere.

    Args:
        compute: what gives the gradients; its randomness comes from torch's default generators.
        parameters: all that gets gradients; they are cleared before each call.
        hardware: several processes exchange gradients while they compute, which is not recorded.
    """

    def __init__(self, compute: Compute, parameters: Sequence[nn.Parameter], hardware: Hardware) -> None:
        self.parameters = parameters
        self._compute = compute
        self._records = hardware.device.type == "cuda" and hardware.world == 1
        self._recordings: dict[tuple[torch.Size, ...], _Recording] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Figures, which the next call may overwrite; gradients are in the parameters."""
        if not self._records:
            return self._fresh(inputs)
        shapes = tuple(x.shape for x in inputs)
        if shapes not in self._recordings:
            self._recordings[shapes] = self._record(inputs)
        recording = self._recordings[shapes]
        for own, given in zip(recording.inputs, inputs, strict=True):
            own.copy_(given)
        recording.graph.replay()
        for parameter, gradient in zip(self.parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        return recording.outputs

    def _clear(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def _fresh(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        self._clear()
        return self._compute(*inputs)

    def _record(self, inputs: tuple[Tensor, ...]) -> _Recording:
        own = tuple(x.clone() for x in inputs)
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._fresh(own)
        torch.cuda.current_stream().wait_stream(stream)
        self._clear()
        graph = torch.cuda.CUDAGraph()
        # "thread_local": batches are pinned by another thread meanwhile, which "global" would forbid.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            outputs = self._compute(*own)
        return _Recording(graph, own, outputs, tuple(p.grad for p in self.parameters))
