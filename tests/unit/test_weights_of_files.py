"""Files name their weights by hash. Truth: what the codec that wrote them, with those weights, decodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from vitiq.codecs.spec import make_codec
from vitiq.errors import WeightsError
from vitiq.types import Quality
from vitiq.weights.store import FOLDER

QUALITY = {"inversion": 400.0, "inversion-vector": 8.0, "generative-mse": 5.0}


def _changed_copy(shipped: Path, folder: Path, tensor: str) -> Path:
    """Weights of another release: the shipped ones with one number changed."""
    with safe_open(shipped, "np") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    values = tensors[tensor].copy()
    values.flat[0] = values.flat[0] + 1
    save_file({**tensors, tensor: values}, folder / shipped.name, metadata)
    return folder / shipped.name


@pytest.mark.parametrize(
    ("codec", "weights", "options"),
    [
        ("generative-mse", "codec_embedded.safetensors", {}),
        ("inversion-vector", "generator_embedded.safetensors", {"iterations": 1}),
        ("inversion", "generator_embedded.safetensors", {"iterations": 1}),
    ],
)
def test_a_file_of_other_weights_is_decoded_where_they_are_found(
    codec: str, weights: str, options: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one release wrote a later one decodes: the file names its weights, and `resolve` finds them."""
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path / "cache"))
    shipped = FOLDER / weights
    with safe_open(shipped, "np") as file:
        tensor = next(name for name in file.keys() if "bias" in name)  # noqa: SIM118
    (tmp_path / "old").mkdir()
    old = _changed_copy(shipped, tmp_path / "old", tensor)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    before = make_codec(codec, {**options, "generator": str(old)})
    data = before.encode(image, Quality(QUALITY[codec]))
    with pytest.raises(WeightsError, match=r"weights with sha256 .* are not found; no release shipped them"):
        make_codec(codec).decode(data)
    with pytest.raises(WeightsError, match="give the right ones with --generator PATH"):
        make_codec(codec, {"generator": str(shipped)}).decode(data)
    monkeypatch.setenv("VITIQ_WEIGHTS_PATH", str(tmp_path / "old"))
    assert np.array_equal(make_codec(codec).decode(data), before.decode(data))
    assert make_codec(codec).inspect(data, symbols=True).symbols is not None
