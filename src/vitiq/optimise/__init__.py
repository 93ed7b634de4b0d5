"""Optimisation of what a file holds, by gradient descent."""
