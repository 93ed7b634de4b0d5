"""Configuration files of the trainings: TOML, in the words of the dataclass that they fill."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from vitiq.errors import InputError

C = TypeVar("C")


def read_config(path: Path | None, name: str, build: Callable[[dict[str, Any]], C], title: str = "") -> C:
    """A configuration from a file, or from the shipped one.

    Args:
        name: of the shipped file in `configs/`, without its suffix.
        build: values of the file -> configuration; KeyError and TypeError tell missing and unknown keys.
        title: the name as people write it, where it differs.

    Raises:
        InputError: the file cannot be read or has unknown or missing keys.
    """
    path = path or Path(__file__).parent / "configs" / f"{name}.toml"
    try:
        return build(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not a {title or name} training configuration ({error}); "
            f"start from the shipped configs/{name}.toml"
        ) from error
