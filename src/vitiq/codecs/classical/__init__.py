"""Codecs that other people built: files of JPEG, JPEG 2000, WebP, AVIF and JPEG XL."""
