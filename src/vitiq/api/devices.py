"""Devices from outside: a name that a user gives becomes torch's, before any work."""

from __future__ import annotations

from vitiq.models.device import device_name

__all__ = ["device_name"]
