"""Metrics of perceptual quality: LPIPS, DISTS, BRISQUE."""
