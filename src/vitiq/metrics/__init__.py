"""Images to numbers: one module a family of metrics. The contract is in `base`."""
