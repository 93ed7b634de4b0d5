"""Which codec wrote a file: asked of the registered codecs by the file's first bytes, whatever its name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from vitiq import registry
from vitiq.bitstream import container as viq
from vitiq.codecs.base import Codec
from vitiq.errors import BitstreamError, VitiqError, described
from vitiq.foreign import RAISED, guarded, is_ours
from vitiq.image.folders import Kind
from vitiq.image.formats import FORMATS, HEAD_BYTES, detect, foreign

_NO_CODEC = {"PNG", "TIFF", "BMP", "GIF", "PPM"}
"""Formats of images that no codec here writes."""


def codec_of(data: bytes, name: str = "") -> str:
    """Registered name of the codec that can decode `data`: vitiq's own are asked before those of plug-ins.

    Args:
        name: of the file, whose suffix decides where several plug-ins take it for theirs.

    Raises:
        BitstreamError: no registered codec knows it; says what the file looks like instead. Or several plug-ins do.
    """
    if not data:
        raise BitstreamError("the file is empty, a compressed image is expected; get it again")
    if viq.is_viq(data):
        return _viq_codec(viq.unpack(data).codec)
    classes, broken = _registered(registry.names("codecs"))
    found, failed = _claiming(data, classes)
    broken += failed
    if len(found) > 1:
        found = [codec for codec in found if name.lower().endswith(codec.extension.lower())] or found
    if len(found) == 1:
        return found[0].name
    if found:
        owners = " and ".join(f"{codec.name} of {codec.__module__}" for codec in found)
        raise BitstreamError(
            f"the codecs {owners} both take this file for theirs; give it the suffix of one, name the codec "
            "(vitiq.decode(data, codec)), or remove one of these plug-ins"
        )
    form = detect(data[:HEAD_BYTES])
    if form in _NO_CODEC:
        raise BitstreamError(
            f"this is a {FORMATS[form].title} image, not a compressed file; use `vitiq encode` on it first"
        )
    other = foreign(data[:HEAD_BYTES])
    if other is not None:
        raise BitstreamError(f"this is {other}")
    titles = ", ".join(sorted({c.title for c in classes if c.extension != ".viq" and _detects(c)}))
    missing = f" (could not be asked: {'; '.join(broken)})" if broken else ""
    raise BitstreamError(
        f"not a compressed image that vitiq knows: it starts with {data[:8].hex(' ')}; "
        f"expected .viq or {titles}, or a format whose plug-in is installed{missing}"
    )


def _claiming(data: bytes, classes: Sequence[type[Codec]]) -> tuple[list[type[Codec]], tuple[str, ...]]:
    """Who takes a file for theirs, one of vitiq's own alone; and the plug-ins that could not be asked, with reasons."""
    found: list[type[Codec]] = []
    broken: list[str] = []
    for codec in classes:
        try:
            with guarded(codec.__module__):
                known = bool(codec.detect(data))
        except RAISED as error:  # a plug-in's own: the others are asked all the same
            broken.append(f"{codec.name}, {described(error)}")
            continue
        if known and is_ours(codec.__module__):
            return [codec], ()
        found += [codec] if known else []
    return found, tuple(broken)


def plugin_files() -> Kind:
    """What codecs of plug-ins decode, by suffix and by content; loads these codecs alone."""
    classes = [codec for codec in _registered(registry.plugins("codecs"))[0] if _detects(codec)]
    suffixes = frozenset(codec.extension.lower() for codec in classes)
    return Kind(suffixes, lambda head: bool(_claiming(head, classes)[0]))


def is_compressed(head: bytes) -> bool:
    """True where the first bytes are those of a file that a codec reads."""
    return viq.is_viq(head) or bool(_claiming(head, _registered(registry.names("codecs"))[0])[0])


def suffixes_of_codecs() -> frozenset[str]:
    """Suffixes that announce a file which a registered codec decodes, lower case; none that other files have too."""
    classes, _ = _registered(registry.names("codecs"))
    written = {codec.extension.lower() for codec in classes if codec.extension == ".viq" or _detects(codec)}
    same = {suffix for form in FORMATS.values() for suffix in form.suffixes if written & set(form.suffixes)}
    others = {suffix for name in _NO_CODEC for suffix in FORMATS[name].suffixes}
    return frozenset((written | same) - others)


def _viq_codec(key: int | str) -> str:
    """Name of the codec of a container: plugins stand there by name, built-in codecs by number."""
    if isinstance(key, str):
        if key in registry.names("codecs") and getattr(registry.load("codecs", key), "viq_id", None) is not None:
            raise BitstreamError(f"codec name {key!r} given for a .viq file, which has a number; it is damaged")
        return key
    for codec in _registered(registry.names("codecs"))[0]:
        if getattr(codec, "viq_id", None) == key:
            return codec.name
    raise BitstreamError(f".viq codec number {key} is unknown; update vitiq")


def _detects(codec: type[Codec]) -> bool:
    return codec.detect.__func__ is not Codec.detect.__func__  # type: ignore[attr-defined]


@lru_cache(maxsize=4)
def _registered(names: tuple[str, ...]) -> tuple[tuple[type[Codec], ...], tuple[str, ...]]:
    """Classes of registered codecs, vitiq's own first, and the names of those that cannot be loaded."""
    found, broken = [], []
    for name in names:
        try:
            found.append(registry.load("codecs", name))
        except VitiqError:
            broken.append(name)
    return tuple(sorted(found, key=lambda codec: not is_ours(codec.__module__))), tuple(broken)
