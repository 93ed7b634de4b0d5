"""Metrics as people write them: `psnr,vit-topk@10,lpips@FOLDER`, and the names that they stand for.

    NAME[@SETTING], several with commas

SETTING is the value of the parameter that the metric itself names; one with a comma stands between quotation marks:
`lpips@"FOLDER,2"`. A group stands for many metrics, an alias for one.
"""

from __future__ import annotations

import logging
import re
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
_FIRST = (*DEFAULT, *DEFAULT_SETS)
_GROUPS: dict[str, Sequence[str]] = {"default": _FIRST, "all": _FIRST, "jpeg-ai-cttc": JPEG_AI}
"""Group -> the metrics that it stands for; of "all", the first."""
ALIASES = {"psnr": "psnr-rgb"}
"""Names that other tools use."""

ONE = re.compile(r'[^,@]*@".*?"(?=\s*(?:,|$))|[^,]+', re.DOTALL)
"""One name among several: up to a comma, which a quoted setting may hold."""


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
        if self.setting is None:
            return self.base
        quoted = "," in self.setting or self.setting.startswith('"')
        return f'{self.base}@"{self.setting}"' if quoted else f"{self.base}@{self.setting}"


def split_names(text: str) -> list[str]:
    """What stands between commas, as it is written.

    Example:
        >>> split_names("mse, vit-topk@10,")
        ['mse', 'vit-topk@10']
        >>> split_names('mse,lpips@"a,b"')
        ['mse', 'lpips@"a,b"']
    """
    return [name.strip() for name in ONE.findall(text) if name.strip()]


def parse_name(text: str) -> MetricName:
    """One name, which is no group; that of another tool becomes the registered one.

    Example:
        >>> str(parse_name("psnr")), parse_name("lpips@FOLDER")
        ('psnr-rgb', MetricName(base='lpips', setting='FOLDER'))
        >>> parse_name('lpips@"a,b"').setting
        'a,b'
    """
    base, at, setting = text.strip().partition("@")
    if len(setting) > 1 and setting[0] == setting[-1] == '"':
        setting = setting[1:-1]
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


def is_group(name: str) -> bool:
    """Whether a name stands for several metrics."""
    return name.strip() in _GROUPS


def base_of(metric: str) -> str:
    """Registered name of a metric by its own name, which may have a setting."""
    return metric.partition("@")[0]


def _members(name: str) -> Sequence[str]:
    """The names that "default", "all" and "jpeg-ai-cttc" stand for; any other stands for itself."""
    if name == "all":
        every = [metric for metric in registry.names("metrics") if _loads(metric)]
        return [*(n for n in _GROUPS[name] if n in every), *(n for n in every if n not in _GROUPS[name])]
    return _GROUPS.get(name, (name,))


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
