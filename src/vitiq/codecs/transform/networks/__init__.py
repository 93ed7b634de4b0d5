"""Networks of the transform codec."""
