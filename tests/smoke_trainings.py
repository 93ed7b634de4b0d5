"""Every training by a smoke run, on images and weights made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from vitiq.codecs.transform.networks.transform_codec import TransformCodec
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.training.engine import Inputs, train
from vitiq.training.recipes import MODELS, codec, load_recipe

Train = Callable[..., Path]


def smoke_trainings(folder: Path, data: Path) -> dict[str, Train]:
    """Model -> its training, given the run folder; untrained weights that it starts from are written into `folder`.

    A training takes other data and a configuration besides, and what `train` takes.
    """
    teacher, untrained = folder / "teacher.safetensors", folder / "codec.safetensors"
    torch.manual_seed(0)
    network = VisionTransformer(ViTConfig())
    torch.nn.init.normal_(network.head.weight, std=0.1)
    save_file(network.state_dict(), teacher)
    codec.export_weights(TransformCodec(), 0, untrained)
    given: dict[str, Any] = {"teacher": ("teachers", [teacher]), "codec": ("codec", untrained)}

    def training(model: str) -> Train:
        def run(out: Path, data: Path = data, config: Path | None = None, **options: Any) -> Path:
            own = dict(given[name] for name in MODELS[model].weights & set(given))
            inputs = Inputs([data], out, config, smoke=True, **own)
            return train(load_recipe(model), inputs, threads=1, **options)

        return run

    return {model: training(model) for model in MODELS}
