"""What `import vitiq` offers: types that tools can ask for, and what is said of a class given for an object.

Truth: `typing.get_type_hints` of Python, and the contract in docs/reference/python.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

import vitiq
from vitiq.codecs.classical.pillow import Jpeg
from vitiq.errors import InputError
from vitiq.metrics.fidelity.pixel import Mse

IMAGE = np.full((16, 16, 3), 1, np.uint8)


@pytest.mark.parametrize("name", [name for name in vitiq.__all__ if callable(getattr(vitiq, name))])
def test_types_of_the_interface_can_be_asked_for(name: str) -> None:
    hints = get_type_hints(getattr(vitiq, name))
    assert hints or isinstance(getattr(vitiq, name), type)


def test_a_class_in_place_of_an_object_is_named() -> None:
    metric_class: Any = Mse
    codec_class: Any = Jpeg
    calls: dict[str, Callable[[], object]] = {
        "metrics: the class Mse given, an object of it expected; write Mse()": lambda: vitiq.score(
            IMAGE, IMAGE, metric_class
        ),
        "metric: the class Mse given": lambda: vitiq.metric(metric_class),
        "codec: the class Jpeg given, an object of it expected; write Jpeg()": lambda: vitiq.encode(IMAGE, codec_class),
    }
    for said, call in calls.items():
        with pytest.raises(InputError, match=re.escape(said)):
            call()


def test_what_metric_gave_may_stand_among_names(tmp_path: Path) -> None:
    scores = vitiq.score(IMAGE, IMAGE + 2, [vitiq.metric("mse"), "psnr-rgb"])
    assert list(scores) == ["mse", "psnr-rgb"]
    assert scores["mse"].value == 4
    with pytest.raises(InputError, match="'mse' names it"):
        vitiq.score_folder(tmp_path, tmp_path, [vitiq.metric("mse")])  # type: ignore[list-item]
