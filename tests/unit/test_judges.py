"""Who may judge. Truth: a reconstruction tuned on a network, scored by it, by its teacher, and by a stranger."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitiq.codecs.spec import make_codec
from vitiq.evaluation.plan import Task
from vitiq.evaluation.task import Job, run_task, tuned_on
from vitiq.metrics.scoring import resolve_metrics
from vitiq.models.backbones import load_backbone
from vitiq.report.judges import dependent_scores, warning
from vitiq.report.tables import equal_bytes
from vitiq.types import ImageU8, Record
from vitiq.weights.store import model_info

REAL = ("vit_tiny_patch16_224.augreg_in21k_ft_in1k", "deit_tiny_patch16_224")


def record(small: ImageU8, out: Path, loss: str | None, weights: Path | None = None) -> Record:
    """Of latents refined with a loss, or of the perceptual synthesis where none is given."""
    codec = "generative" if loss is None else "generative-mse"
    options: dict[str, object] = {} if loss is None else {"refine": 2, "loss": loss}
    task = Task("x.png", "0", codec, "main", options, None, None, "", None if weights is None else str(weights))
    metrics = resolve_metrics("vit-topk,vit-js,ssim", None if weights is None else load_backbone(weights=weights))
    return run_task(Job(task, small, 1000, [], None), out, metrics)


def test_a_judge_that_tuned_is_flagged(small: ImageU8, tmp_path: Path) -> None:
    found = record(small, tmp_path, "vit")
    assert found.details["tuned_on"] == [
        {
            "backbone": "vit-embedded",
            "weights_sha256": model_info("vit-embedded").sha256,
            "related": list(model_info("vit-embedded").related),
        }
    ]
    assert set(dependent_scores(found)) == {"vit-topk", "vit-js", "vit-map"}
    assert "not independent" in str(warning(found))
    table = equal_bytes([found])
    assert "†" in table.rows[0][0]
    assert "†" in table.note


def test_a_codec_that_uses_no_network_is_not_flagged(small: ImageU8, tmp_path: Path) -> None:
    found = record(small, tmp_path, "mse")
    assert found.details["tuned_on"] == []
    assert warning(found) is None
    assert "†" not in equal_bytes([found]).note
    assert tuned_on(make_codec("jpeg", {})) == []


def test_the_perceptual_synthesis_names_what_tuned_it(small: ImageU8, tmp_path: Path) -> None:
    (found,) = tuned_on(make_codec("generative", {}))
    assert found["weights_sha256"] == model_info("codec-embedded").sha256
    assert model_info("vit-embedded").sha256 in model_info("codec-embedded").related
    assert tuned_on(make_codec("generative-mse", {})) == []
    (generator,) = tuned_on(make_codec("inversion", {}))
    assert generator["weights_sha256"] == model_info("generator-embedded").sha256
    assert model_info("vit-embedded").sha256 in model_info("generator-embedded").related
    assert len(tuned_on(make_codec("inversion-vector", {"loss": "vit"}))) == 2
    judged = record(small, tmp_path, None)
    assert set(dependent_scores(judged)) == {"vit-topk", "vit-js", "vit-map"}
    assert "relative of codec-embedded" in str(warning(judged))


@pytest.mark.parametrize(
    ("name", "loss", "related"),
    [(REAL[0], "vit", True), (REAL[1], "vit", True), (REAL[0], None, True), (REAL[1], None, False)],
)
def test_its_teacher_is_flagged_and_a_stranger_is_not(
    vitiq_data: Path, small: ImageU8, tmp_path: Path, name: str, loss: str | None, related: bool
) -> None:
    found = record(small, tmp_path, loss, vitiq_data / "weights" / f"{name}.safetensors")
    assert ("vit-topk" in dependent_scores(found)) is related
    assert ("relative of" in str(warning(found))) is related
