"""Images to files and back: one module a family of codecs. The contract is `base.Codec`."""
