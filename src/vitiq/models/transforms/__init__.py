"""Learned analysis and synthesis transforms of the generative codec."""
