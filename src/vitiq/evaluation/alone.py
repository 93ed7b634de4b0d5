"""Metrics of images by themselves, without a reference: each image stands on both sides of its pair."""

from __future__ import annotations

from vitiq import registry
from vitiq.errors import InputError, VitiqError
from vitiq.metrics.scoring import resolve_metrics
from vitiq.metrics.spec import GROUPS, split_names


def names_alone(names: str) -> str:
    """The metrics among `names` that need no reference; "default" and "all" are all such that are registered.

    Raises:
        UnknownNameError: no such metric.
        InputError: one that compares two images, or none at all.

    Example:
        >>> names_alone("default")
        'brisque'
    """
    known = _registered()
    found = [name for word in split_names(names) for name in (known if word in GROUPS else [word])]
    wrong = [metric.name for metric in resolve_metrics(found) if metric.kind != "no-reference"]
    if wrong or not found:
        given = f"{', '.join(wrong)} compares" if len(wrong) == 1 else f"{', '.join(wrong) or 'nothing'} compare"
        raise InputError(
            f"one image given, but {given} two; give a second image, or one of -m {', '.join(known) or 'no metric'}"
        )
    return ",".join(dict.fromkeys(found))


def _registered() -> list[str]:
    found = []
    for name in registry.names("metrics"):
        try:
            if registry.load("metrics", name).kind == "no-reference":
                found.append(name)
        except VitiqError:
            continue  # a plug-in that cannot be loaded is named where it is asked for
    return found
