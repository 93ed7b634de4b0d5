"""Models of other libraries as codecs."""
