"""Data sets of human opinion scores."""
