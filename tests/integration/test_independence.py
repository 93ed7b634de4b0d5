"""Which scores are independent of the codec, from the options of a codec to the page of its study.

Truth: files optimised against a network, scored by it, by its teachers and by a network that took no part; the
manifest names who taught whom.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import vitiq
from vitiq.codecs.spec import make_codec
from vitiq.evaluation.record import Record
from vitiq.evaluation.worker import optimised_against
from vitiq.image.io import write_png
from vitiq.report.answer import answer
from vitiq.report.independence import RELATIVE, dependent_scores
from vitiq.report.model import Model, build_model
from vitiq.report.source import read_study
from vitiq.types import ImageU8
from vitiq.weights.store import model_info

TEACHER, OTHER_TEACHER = "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "deit_tiny_patch16_224"


def scored(small: ImageU8, folder: Path, codec: str, backbone: Path | None = None) -> tuple[Record, Model]:
    """A file of a codec with its scores, and what a report makes of it."""
    write_png(folder / "x.png", small)
    out = folder / "out"
    vitiq.run_study(
        folder / "x.png", codec, out, "vit-topk,vit-js,ssim", backbone=backbone, executor="inline", progress=False
    )
    study = read_study(out)
    ((record, _),) = study.records
    return record, build_model(study.name, [record])


def test_the_network_of_the_loss_is_flagged(small: ImageU8, tmp_path: Path) -> None:
    record, model = scored(small, tmp_path, "generative-mse[refine=2,loss=vit]@20")
    info = model_info("vit-embedded")
    flagged = {"backbone": "vit-embedded", "weights_sha256": info.sha256, "related": list(info.related)}
    assert record.details["optimised_against"] == [flagged]
    assert set(dependent_scores(record)) == {"vit-topk", "vit-js"}
    assert set(model.curves[0].dependent) == {"vit-topk", "vit-js"}
    assert any("marked †" in line for line in answer(model).limits)


def test_a_codec_that_no_network_tuned_is_not_flagged(small: ImageU8, tmp_path: Path) -> None:
    record, model = scored(small, tmp_path, "generative-mse[refine=2]@20")
    assert record.details["optimised_against"] == []
    assert model.curves[0].dependent == {}
    assert not any("†" in line for line in answer(model).limits)
    assert optimised_against(make_codec("jpeg")) == []


def test_networks_that_trained_the_weights_are_flagged(small: ImageU8, tmp_path: Path) -> None:
    vit = model_info("vit-embedded").sha256
    for codec, weights in {"generative": "codec-embedded", "inversion": "generator-embedded"}.items():
        (found,) = optimised_against(make_codec(codec))
        assert found["weights_sha256"] == model_info(weights).sha256
        assert vit in model_info(weights).related
    assert len(optimised_against(make_codec("inversion-vector[loss=vit]"))) == 2
    record, _ = scored(small, tmp_path, "generative@20")
    assert dependent_scores(record) == dict.fromkeys(("vit-topk", "vit-js"), f"{RELATIVE} codec-embedded")


@pytest.mark.parametrize(
    ("codec", "name", "flagged"),
    [
        ("generative-mse[refine=2,loss=vit]@20", TEACHER, True),
        ("generative-mse[refine=2,loss=vit]@20", OTHER_TEACHER, True),
        ("generative@20", TEACHER, True),
        ("generative@20", OTHER_TEACHER, False),
    ],
)
def test_teachers_are_flagged_too(
    vitiq_data: Path, small: ImageU8, tmp_path: Path, codec: str, name: str, flagged: bool
) -> None:
    """The embedded ViT has two teachers; the perceptual synthesis was tuned by an earlier one, which had one."""
    record, _ = scored(small, tmp_path, codec, vitiq_data / "weights" / f"{name}.safetensors")
    assert ("vit-topk" in dependent_scores(record)) is flagged
    assert all(found.startswith(RELATIVE) for found in dependent_scores(record).values())
