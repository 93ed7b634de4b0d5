"""Learned transform codec with a hyperprior: one bitstream, two reconstructions."""
