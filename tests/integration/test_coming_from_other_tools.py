"""The page for those who come from other tools. Truth: values that the other tools gave, as the page states them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

import vitiq
from vitiq.types import Score

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/coming-from-other-tools.md").read_text(encoding="utf-8")
ROWS = re.findall(r"\| ([\d.]+) \| `([\w-]+)` \| ([\d.]+) \|", PAGE)


def test_our_values_are_those_of_the_page() -> None:
    image = vitiq.load_image(ROOT / "examples/images/building.png")
    decoded = vitiq.encode(image, "jpeg", quality=30).decode()
    assert len(ROWS) == 13
    for theirs, key, ours in ROWS:
        assert vitiq.metric(key)(image, decoded).value == pytest.approx(float(ours), rel=1e-3), key
        assert abs(float(theirs) - float(ours)) < 0.07
    a, b = (torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None] / 255 for x in (image, decoded))
    expected = float(peak_signal_noise_ratio(b, a, data_range=1.0))
    (found,) = cast("list[Score]", vitiq.metric("psnr-rgb")(a, b))
    assert found.value == pytest.approx(expected, abs=1e-3)
