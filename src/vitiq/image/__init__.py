"""Files to images and back, colour, and geometry. The only image type is `ImageU8` (H×W×3 uint8 sRGB)."""
