"""Metrics of meaning, computed by a Vision Transformer."""
