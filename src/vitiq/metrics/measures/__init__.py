"""Metrics as torch functions of planes, each with its loss; the metric's class and the loss share the one function."""
