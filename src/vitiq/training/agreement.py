"""How far a student's labels agree with its teachers'."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.models.top_labels import shared_labels
from vitiq.models.vit import VisionTransformer
from vitiq.training.hardware import bf16_if_fast
from vitiq.training.teachers import Teacher

TOP_K = 100


@torch.no_grad()
def validate(student: VisionTransformer, teacher: Teacher, images: Float[Tensor, "n 3 s s"]) -> tuple[float, float]:
    """Top-1 agreement and mean top-100 overlap with a teacher."""
    same, overlap = 0, 0.0
    for batch in torch.split(images, 32):
        with bf16_if_fast():
            p, q = teacher.model(teacher.prepared(batch)).float(), student(batch).float()
        same += int((p.argmax(1) == q.argmax(1)).sum())
        overlap += float(shared_labels(p.cpu().numpy(), q.cpu().numpy(), TOP_K).sum()) / TOP_K
    return same / len(images), overlap / len(images)


def agreement_names(teachers: int) -> list[str]:
    """Columns of `agreement`."""
    kinds = ("top1", "top100", "top1_degraded", "top100_degraded")
    return [f"{kind}_teacher{number}" for number in range(1, teachers + 1) for kind in kinds]


def agreement(
    student: VisionTransformer,
    teachers: Sequence[Teacher],
    clean: Float[Tensor, "n 3 s s"],
    degraded: Float[Tensor, "n 3 s s"],
) -> dict[str, float]:
    """What `validate` finds with every teacher on clean and on degraded views."""
    values = [v for teacher in teachers for views in (clean, degraded) for v in validate(student, teacher, views)]
    return dict(zip(agreement_names(len(teachers)), values, strict=True))
