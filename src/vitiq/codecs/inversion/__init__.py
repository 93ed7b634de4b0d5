"""Latents of a frozen generator, searched for by gradient descent."""
