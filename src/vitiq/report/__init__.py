"""From records and images on disk to figures, tables and one self-contained page. Reads nothing else."""

from vitiq.report.build import build_report

__all__ = ["build_report"]
