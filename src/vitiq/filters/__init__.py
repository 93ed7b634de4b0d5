"""Filters: what becomes of a decoded image, `jpeg+NAME` on the command line."""
