"""The contract of a filter: it post-processes a decoded image, as the correction of a codec's artefacts does.

    class Smooth(Filter):
        name, title = "smooth", "Smooth"

        def apply(self, image, data=None):
            return np.asarray(Image.fromarray(image).filter(ImageFilter.SMOOTH))

Registered in the entry-point group `vitiq.filters`, it is used as `jpeg+smooth` wherever a codec is named.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from vitiq.models.device import check_device, shield
from vitiq.options import NoOptions, changed_options, device_of, make_options, settings
from vitiq.types import ImageU8


class Filter(ABC):
    """One filter. A subclass can be made without arguments; keyword arguments set its options.

    Attributes:
        name: registered name.
        title: name to show to people.
        Options: frozen dataclass of the options, one field an option (`vitiq.options.option`).
        options: the options of this instance.

    Raises:
        InputError: an option that the filter does not take, or an illegal value.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    Options: ClassVar[type[Any]] = NoOptions

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        shield(cls, "apply")

    def __init__(self, **options: object) -> None:
        self.options: Any = make_options(self.Options, options, f"filter {self.name}")
        check_device(device_of(self.options))

    @abstractmethod
    def apply(self, image: ImageU8, data: bytes | None = None) -> ImageU8:
        """The filtered image, of the same size.

        Args:
            image: as decoded; read-only, so copy what you change.
            data: the compressed file it was decoded from, for filters that read more in it (quantisation tables); None
                where it is not found.
        """

    def load(self) -> None:  # noqa: B027 - most have nothing to load
        """Load networks, so that the first `apply` takes no longer than those that follow; see `Codec.load`."""

    def identity(self) -> Mapping[str, object]:
        """Everything that changes the filtered image: name, options, sha256 of weights; JSON-serialisable."""
        return {"name": self.name, **settings(self.options)}

    def label(self) -> str:
        """Title, with the options that differ from the default."""
        return self.title + changed_options(self.options)

    def shared_bytes(self) -> int:
        """Bytes of weights that whoever filters must own."""
        return 0

    def optimised_against(self) -> tuple[str, ...]:
        """Networks that trained the filter: names of the manifest, or sha256 of weights files."""
        return ()
