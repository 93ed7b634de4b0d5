"""What type checkers say of the public interface: mypy reads this file, nothing runs it.

Every public name, as a user's script has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import vitiq
from vitiq import losses
from vitiq.api.coding import EncodedImage
from vitiq.api.metrics import MetricFunction
from vitiq.api.scoring import FolderScores, Scores
from vitiq.codecs.base import Codec, FileInfo
from vitiq.evaluation.record import Record
from vitiq.metrics.loss import Loss
from vitiq.models.backbones import Backbone
from vitiq.types import Progress, Score

Levels = NDArray[np.uint8]


def images(levels: Levels, floats: NDArray[np.float32], batch: torch.Tensor, pillow: Image.Image, path: Path) -> None:
    for image in (levels, floats, batch, pillow, path, "a.png"):
        assert_type(vitiq.load_image(image), Levels)


def scores(levels: Levels, floats: NDArray[np.float32], batch: torch.Tensor, pillow: Image.Image, path: Path) -> None:
    assert_type(vitiq.score("a.png", path, "ssim"), Scores)
    assert_type(vitiq.score(levels, levels, ["ssim"]), Scores)
    assert_type(vitiq.score(levels, pillow), Scores)
    assert_type(vitiq.score(floats, "a.png"), Scores)
    assert_type(vitiq.score([levels, pillow], ["a.png", path]), list[Scores])
    assert_type(vitiq.score(batch, batch), Any)  # one or a list, as its shape says
    assert_type(vitiq.score("a.png", path)["ssim"].value, float)
    assert_type(vitiq.score("a.png"), Scores)
    assert_type(vitiq.score(levels, metrics="brisque"), Scores)
    assert_type(vitiq.score([levels, pillow]), list[Scores])
    assert_type(vitiq.score(batch), Any)
    assert_type(vitiq.score("a.png", path).notes, tuple[str, ...])
    measure = assert_type(vitiq.metric("ssim"), MetricFunction)
    assert_type(measure("a.png", levels), Score)
    assert_type(measure("a.png"), Score)
    assert_type(measure(batch), Any)
    assert_type(measure([levels], [levels]), Any)  # one Score of a metric of sets
    assert_type(measure(batch, batch), Any)
    folder = assert_type(vitiq.score_folder("a", path, jobs=2, progress=False), FolderScores)
    assert_type(folder.pairs[0].scores, dict[str, Score])
    assert_type(folder.summary["ssim"].mean, float)
    assert_type(folder.problems, list[str])
    assert_type(vitiq.score_sets("a", path, "fid-vit"), Scores)
    assert_type(vitiq.score_sets([levels], batch), Scores)
    assert_type(vitiq.list_metrics(), list[str])


def files(levels: Levels) -> None:
    def shown(state: Progress) -> None:
        assert_type(state.preview, Levels | None)

    encoded = assert_type(vitiq.encode(levels, "jpeg", quality=np.int64(30)), EncodedImage)
    vitiq.encode("a.png", bytes=np.int64(1500), device="cuda", progress=shown)
    vitiq.encode("a.png", bpp=np.float32(0.1), device=torch.device("cuda"), progress=False)
    assert_type(encoded.data, bytes)
    assert_type(encoded.save("a.jpg"), Path)
    assert_type(encoded.decode(), Levels)
    for data in (encoded, encoded.data, bytearray(encoded.data), memoryview(encoded.data), "a.viq", Path("a.viq")):
        assert_type(vitiq.decode(data), Levels)
        assert_type(vitiq.inspect(data, symbols=True), FileInfo)
    codec = assert_type(vitiq.codec("avif", speed=8), Codec)
    assert_type(codec.encode(levels), bytes)
    assert_type(codec.decode(b""), Levels)
    assert_type(vitiq.list_codecs(), list[str])


def networks(levels: Levels, batch: torch.Tensor) -> None:
    backbone = assert_type(vitiq.backbone("a.safetensors", device=torch.device("cuda")), Backbone)
    vitiq.score(levels, levels, backbone=backbone, panel=[backbone, "b.safetensors"])
    loss = assert_type(losses.loss("ms-ssim"), Loss)
    assert_type(loss(batch, batch), torch.Tensor)
    assert_type(loss.scores(batch, batch), torch.Tensor)
    assert_type(loss.against(batch)(batch), torch.Tensor)
    assert_type(losses.VitTopKLoss(backbone).to("cuda"), losses.VitTopKLoss)
    measure = vitiq.torchmetric("ssim", sync_on_compute=False)
    measure.update(batch, batch)
    measure.update(batch)
    assert_type(measure.compute(), torch.Tensor)


def studies(path: Path) -> None:
    study = vitiq.run_study(["a.png", path], ["jpeg@30"], "out", jobs=2)
    assert_type(study.records, list[Record])
    assert_type(study.records[0].scores["mse"].value, float)
    assert_type(study.problems, list[str])
