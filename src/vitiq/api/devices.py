"""Devices from outside: a name that a user gives becomes torch's, before any work."""

from __future__ import annotations


def device_name(name: str) -> str:
    """Torch's own name of a device, `auto` decided; torch is not imported to name the CPU.

    Raises:
        InputError: torch does not have it here.

    Example:
        >>> device_name("cpu")
        'cpu'
    """
    if name == "cpu":
        return name
    from vitiq.models.device import find_device  # noqa: PLC0415 - slow to import

    return str(find_device(name))
