"""Entropy models of latents: a float network to train and optimise with, its integer twin to code with."""
