"""What results of a codec are stored under: its own identity, and the packages with versions of the plug-ins in it."""

from __future__ import annotations

from vitiq import registry
from vitiq.codecs.base import Codec
from vitiq.codecs.filtered import FilteredCodec
from vitiq.options import settings
from vitiq.registry import Group

NAMED: tuple[Group, ...] = ("generators", "entropy_models")
"""Groups whose members options of codecs name."""


def identity_of(codec: Codec) -> dict[str, object]:
    """`Codec.identity`, and under `packages` the plug-ins in it, each with its version: a new one computes anew.

    Nothing is added where all parts are vitiq's own, whose versions of results are in `identity` itself.
    """
    found = packages_of(codec)
    return {**codec.identity(), **({"packages": found} if found else {})}


def packages_of(codec: Codec) -> dict[str, str]:
    """Packages of the plug-ins that a codec is made of, with their versions."""
    filters = codec.filters if isinstance(codec, FilteredCodec) else ()
    plain = codec.codec if isinstance(codec, FilteredCodec) else codec
    parts: list[tuple[Group, str]] = [("codecs", plain.name), *(("filters", item.name) for item in filters)]
    texts = [value.partition(":")[0] for value in settings(codec.options).values() if isinstance(value, str)]
    parts += [(group, name) for group in NAMED for name in texts if name in registry.names(group)]
    return dict(sorted(filter(None, (registry.package(group, name) for group, name in parts))))
