"""What made an encoded image, so that it is decoded by the same codec, in another process too."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, fields

from vitiq.codecs.base import Codec
from vitiq.codecs.filtered import FilteredCodec
from vitiq.codecs.spec import CodecSpec, FilterSpec, make_codec, on_device
from vitiq.errors import InputError, described
from vitiq.filters.base import Filter
from vitiq.foreign import is_ours
from vitiq.options import device_fields


@dataclass(frozen=True, slots=True)
class Sent:
    """A codec of somebody's own that went through pickle.

    Attributes:
        name: of it.
        data: the pickle; b"" where there is none.
        reason: why there is none.
    """

    name: str
    data: bytes
    reason: str = ""

    def codec(self) -> Codec:
        """The codec.

        Raises:
            InputError: it could not be pickled, or is not found here.
        """
        reason = self.reason
        if self.data:
            try:
                found: Codec = pickle.loads(self.data)
            except Exception as error:
                reason = described(error)
            else:
                return found
        raise InputError(
            f"codec {self.name}, which made this image, did not come through pickle ({reason}); "
            "give it: vitiq.decode(encoded.data, codec)"
        )


class MadeBy:
    """The codec of an encoded image. Pickled, it is a name and options, so that no network goes along.

    Args:
        given: the codec as `vitiq.encode` was given it. One that is named is made when it is asked for, so that many
            encoded images do not hold as many networks.
    """

    __slots__ = ("_given",)

    def __init__(self, given: str | Codec) -> None:
        self._given: str | Codec | CodecSpec | Sent = given

    def codec(self, device: str | None = None) -> Codec:
        """The codec.

        Args:
            device: for its networks; None leaves them where its options say.

        Raises:
            InputError: it did not come through pickle, or cannot be put on another device.
        """
        if isinstance(self._given, str):
            return make_codec(self._given, device=device or "cpu")
        if isinstance(self._given, CodecSpec):
            self._given = self._given.make()
        elif isinstance(self._given, Sent):
            self._given = self._given.codec()
        if device is None:
            return self._given
        spec = spec_of(self._given, placed=False)
        if spec is None:
            raise InputError("device: given beside a codec that is made already; make the codec with it instead")
        return on_device(spec, device).make()

    def __getstate__(self) -> tuple[str | CodecSpec | Sent]:
        """What makes the codec again."""
        given = self._given
        if not isinstance(given, Codec):
            return (given,)
        return (spec_of(given) or _sent(given),)

    def __setstate__(self, state: tuple[str | CodecSpec | Sent]) -> None:
        """As given by `__getstate__`."""
        (self._given,) = state


def spec_of(codec: Codec, *, placed: bool = True) -> CodecSpec | None:
    """What makes a codec again, by name and options; None where these need not be all: of codecs of plug-ins.

    Args:
        placed: whether the device is among the options.
    """
    filters = codec.filters if isinstance(codec, FilteredCodec) else ()
    inner = codec.codec if isinstance(codec, FilteredCodec) else codec
    if not all(is_ours(type(part).__module__) for part in (inner, *filters)):
        return None
    after = tuple(FilterSpec(item.name, _options(item, placed=placed)) for item in filters)
    return CodecSpec(inner.name, _options(inner, placed=placed), filters=after)


def _options(part: Codec | Filter, *, placed: bool) -> dict[str, object]:
    left_out = () if placed else device_fields(part.options)
    names = (item.name for item in fields(part.options))
    return {name: getattr(part.options, name) for name in names if name not in left_out}


def _sent(codec: Codec) -> Sent:
    try:
        return Sent(codec.name, pickle.dumps(codec))
    except Exception as error:
        return Sent(codec.name, b"", described(error))
