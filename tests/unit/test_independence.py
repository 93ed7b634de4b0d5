"""Which scores are independent. Truth: files optimised against a network, scored by it, its teacher and a stranger."""

from __future__ import annotations
