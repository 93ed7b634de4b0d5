"""Frozen generators for inversion, by name or path."""

from __future__ import annotations

from pathlib import Path

from vitiq import registry
from vitiq.codecs.inversion.generators.base import Generator, LatentLayer
from vitiq.errors import WeightsError
from vitiq.models.device import find_device
from vitiq.weights.kept import kept
from vitiq.weights.store import named_file

__all__ = ["Generator", "LatentLayer", "load_generator"]


@kept(2)
def load_generator(name: str = "embedded", device: str = "cpu") -> Generator:
    """A generator: a registered name, `NAME:PATH`, the path of a weights file, or a fetched one (`vitiq models list`).

    Of a path alone each registered generator is asked whether the file is its own (`Generator.detect`): what `vitiq
    train generator` or `vitiq train transgan` wrote, a checkpoint of pytorch_GAN_zoo's Progressive GAN, one of the
    official TransGAN. The last two loaded are kept.

    Args:
        device: where it runs.

    Raises:
        InputError: a device that torch does not have here, or a generator that runs on the CPU only.
        WeightsError: no such file, not fetched yet, or not weights of a known generator.
        PluginError: the registered generator cannot be imported.
    """
    return _made(name) if device == "cpu" else _made(name).to(find_device(device))


def _made(name: str) -> Generator:
    kind, _, given = name.partition(":")
    if kind in registry.names("generators"):
        factory = registry.load("generators", kind)
        made: Generator = factory(_find(given)) if given else factory()
        return made
    path = _find(name)
    checkpoint: Generator = registry.load("generators", _kind_of(path))(path)
    return checkpoint


def _kind_of(path: Path) -> str:
    """Registered name of the generator that says a checkpoint is its own."""
    known = registry.names("generators")
    for name in known:
        detect = getattr(registry.load("generators", name), "detect", None)
        if detect is not None and detect(path):
            return name
    raise WeightsError(
        f"{path}: no generator knows this file; expected weights of {', '.join(known)}; NAME:PATH reads it as one"
    )


def _find(name: str) -> Path:
    path = Path(name)
    if path.is_file():
        return path
    found = named_file(name)
    if found is None:
        raise WeightsError(
            f"generator {name!r}: no such file or model; give one of {', '.join(registry.names('generators'))}, the "
            f"path of a weights file, or a name that `vitiq models list` shows"
        )
    return found
