"""Fixtures that every package's tests share."""

from __future__ import annotations

import os
import pkgutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

import vitiq
from scripts import script_module
from vitiq import registry
from vitiq.image.io import read_image
from vitiq.models import threads
from vitiq.types import ImageU8

NOBODY = 65_534

pytest_plugins = ["browser_fixtures", "program"]

settings.register_profile("vitiq", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("vitiq")

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "examples" / "images"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _searches_of_one_thread() -> None:
    """Two workers of tests with two threads each would wait for each other on two cores."""
    threads.SEARCH_THREADS = 1


@pytest.fixture(scope="session")
def vitiq_data() -> Path:
    """Folder with data the project does not ship ($VITIQ_DATA); tests that need it skip without it."""
    path = Path(os.environ.get("VITIQ_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"{path} is not there: set VITIQ_DATA to the folder of test data")
    return path


@pytest.fixture(scope="session")
def bundled() -> dict[str, ImageU8]:
    """The four bundled images by name."""
    return {path.stem: read_image(path) for path in sorted(IMAGES.glob("*.png"))}


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the networks that metrics fetch, in their published layouts, with random weights of a fixed seed."""
    folder = tmp_path_factory.mktemp("weights")
    script_module("benchmarks/inputs.py").write_random_weights(folder)
    return folder


@pytest.fixture(scope="session")
def small(bundled: dict[str, ImageU8]) -> ImageU8:
    """A 96×80 piece of the portrait."""
    return np.ascontiguousarray(bundled["portrait"][100:180, 200:296])


def load_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules and entry points: another user may read none of them later, where the checkout is closed to others."""
    Image.init()
    monkeypatch.setattr(registry, "_changed", lambda _: 0)
    for group in get_args(registry.Group):
        registry.names(group)
    for module in pkgutil.walk_packages(vitiq.__path__, "vitiq."):
        if not module.name.endswith("__main__"):
            with suppress(ImportError):
                import_module(module.name)


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of a user who is not root, as that user."""
    before = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if before == 0:
            if any(not parent.stat().st_mode & 0o001 for parent in Path(vitiq.__file__).parents):
                load_everything(monkeypatch)
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(before)
            folder.chmod(0o755)
