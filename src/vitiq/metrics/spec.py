"""Metrics as people write them: `psnr,vit-topk@10,lpips@FOLDER`, and the names that they stand for.

    NAME[@SETTING], several with commas

SETTING is the value of the parameter that the metric itself names. A group stands for many metrics, an alias for one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from vitiq import registry
from vitiq.errors import MissingDependencyError, PluginError

log = logging.getLogger("vitiq")
log.addHandler(logging.NullHandler())

DEFAULT = ("vit-topk", "vit-topk-adj", "ssim", "ms-ssim", "mse", "psnr-rgb", "brisque", "frechet-pixel")
"""Metrics of a pair, in the order of tables."""

DEFAULT_SETS = ("patch-fid-vit", "patch-kid-vit", "patch-is-vit")

JPEG_AI = (
    *("ms-ssim-y@jpeg-ai-cttc", "vif@jpeg-ai-cttc", "fsim", "nlpd@jpeg-ai-cttc", "iw-ssim@jpeg-ai-cttc"),
    *("psnr-hvs@jpeg-ai-cttc", "vmaf", "psnr-y@jpeg-ai-cttc", "psnr-u", "psnr-v"),
)
"""Metrics of JPEG AI's common training and test conditions."""

GROUPS = ("default", "all")
"""Names that stand for many metrics, whatever can be had here."""
ALIASES = {"psnr": "psnr-rgb"}
"""Names that other tools use."""


@dataclass(frozen=True, slots=True)
class MetricName:
    """One metric as it is written.

    Attributes:
        base: registered name.
        setting: text after the @; None for none.
    """

    base: str
    setting: str | None = None

    def __str__(self) -> str:
        return self.base if self.setting is None else f"{self.base}@{self.setting}"


def split_names(text: str) -> list[str]:
    """What stands between commas, as it is written.

    Example:
        >>> split_names("mse, vit-topk@10,")
        ['mse', 'vit-topk@10']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def parse_name(text: str) -> MetricName:
    """One name, which is no group; that of another tool becomes the registered one.

    Example:
        >>> str(parse_name("psnr")), parse_name("lpips@FOLDER")
        ('psnr-rgb', MetricName(base='lpips', setting='FOLDER'))
    """
    base, at, setting = text.strip().partition("@")
    return MetricName(ALIASES.get(base, base), setting if at else None)


def parse_names(names: str | Sequence[str]) -> list[MetricName]:
    """The metrics that names stand for, each once: names with commas, or a list of names; groups among them.

    Example:
        >>> [str(name) for name in parse_names("psnr,vit-topk@10,psnr-rgb")]
        ['psnr-rgb', 'vit-topk@10']
    """
    given = split_names(names) if isinstance(names, str) else names
    return list(dict.fromkeys(parse_name(one) for name in given for one in _members(name.strip())))


def asked_by_name(names: str) -> set[str]:
    """Registered names of what is asked for by itself, without settings after an @; groups ask for what can be had.

    Example:
        >>> sorted(asked_by_name("default, psnr, vit-topk@10"))
        ['psnr-rgb', 'vit-topk']
    """
    return {parse_name(name).base for name in split_names(names)} - set(GROUPS)


def named_in(names: str, metric: str) -> bool:
    """Whether names ask for a metric by itself, be it with another setting.

    Args:
        metric: its own name: that of lpips@FOLDER is lpips, that of vit-topk@10 has its setting.
    """
    return base_of(metric) in asked_by_name(names)


def base_of(metric: str) -> str:
    """Registered name of a metric by its own name, which may have a setting."""
    return metric.partition("@")[0]


def _members(name: str) -> Sequence[str]:
    """The names that "default", "all" and "jpeg-ai-cttc" stand for; any other stands for itself."""
    first = (*DEFAULT, *DEFAULT_SETS)
    if name == "all":
        every = [metric for metric in registry.names("metrics") if _loads(metric)]
        return [*(n for n in first if n in every), *(n for n in every if n not in first)]
    return {"default": first, "jpeg-ai-cttc": JPEG_AI}.get(name, (name,))


def _loads(name: str) -> bool:
    """Whether a metric can be made: a plug-in that is broken is named once, and does not stop "all"."""
    try:
        registry.load("metrics", name)
    except PluginError as error:
        log.error("%s", error)
        return False
    except MissingDependencyError:
        return True  # which says so in its place
    return True
