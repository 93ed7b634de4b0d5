"""Readers of a student's tokens: what each teacher's tokens are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class TokenReaders(nn.Module):
    """One linear map a teacher and student block, from the student's normalised tokens to the teacher's.

    So the student's tokens need not equal one teacher's, but have to hold all of them (FitNets' regressors, Romero et
    al. 2015, section 2.2, arXiv 1412.6550). The first teacher's start as the identity, since the student starts as
    part of it, the others' at zero. They are thrown away after training.
    """

    def __init__(self, teachers: int, depth: int, width: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(
            nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth)) for _ in range(teachers)
        )
        self.width = width
        for number, maps in enumerate(self.maps):
            for layer in maps.children():
                weight = layer.get_parameter("weight")
                nn.init.eye_(weight) if number == 0 else nn.init.zeros_(weight)

    def distance(
        self, hidden: Sequence[Float[Tensor, "n t d"]], teachers: Sequence[Sequence[Float[Tensor, "n t _"]]]
    ) -> Tensor:
        """Mean square distance of normalised tokens over teachers, blocks and tokens, plus the last class tokens'.

        Args:
            hidden: the student's raw tokens after each block.
            teachers: of each teacher, the raw tokens that those should hold.
        """
        own = [F.layer_norm(tokens.float(), (self.width,)) for tokens in hidden]
        parts: list[Tensor] = []
        for maps, wanted in zip(self.maps, teachers, strict=True):
            found = [read(tokens) for read, tokens in zip(maps.children(), own, strict=True)]
            pairs = [(a, F.layer_norm(b.float(), (self.width,))) for a, b in zip(found, wanted, strict=True)]
            # The class token is one of 197 and carries the label.
            labels = F.mse_loss(pairs[-1][0][:, 0].float(), pairs[-1][1][:, 0])
            parts.append(torch.stack([F.mse_loss(a.float(), b) for a, b in pairs]).mean() + labels)
        return torch.stack(parts).mean()
