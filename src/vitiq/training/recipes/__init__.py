"""One module a model: what is learned, and from what; `training/engine.py` runs them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitiq.training.engine import Recipe


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a recipe before its module, and torch, are imported.

    Attributes:
        recipe: name of the class.
        weights: options of `vitiq train` that name weights it takes.
    """

    recipe: str
    weights: frozenset[str] = frozenset()


MODELS = {
    "vit": Model("VitRecipe", frozenset({"teacher", "begin"})),
    "generator": Model("GeneratorRecipe", frozenset({"begin"})),
    "codec": Model("CodecRecipe", frozenset({"begin"})),
    "context": Model("ContextRecipe", frozenset({"codec"})),
    "perceptual": Model("PerceptualRecipe", frozenset({"codec", "classifier"})),
    "classifier": Model("ClassifierRecipe", frozenset({"teacher", "codec", "begin"})),
    "deblock": Model("DeblockRecipe", frozenset({"begin"})),
    "transgan": Model("TransGanRecipe"),
}
"""By the name of their modules here."""


def load_recipe(model: str) -> type[Recipe[Any]]:
    """The recipe of one of `MODELS`."""
    recipe: type[Recipe[Any]] = getattr(import_module(f"{__name__}.{model}"), MODELS[model].recipe)
    return recipe
