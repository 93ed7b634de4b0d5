"""Learned correction of JPEG artefacts: `jpeg+deblock`, `vitiq restore`."""
