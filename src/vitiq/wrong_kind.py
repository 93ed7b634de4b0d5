"""What a file is that should have been something else, by its first bytes: web pages, archives, pointers.

These arrive under any name: a download that was answered with a page, a clone without Git LFS, an archive renamed.
"""

from __future__ import annotations

import re

HEAD_BYTES = 4096
"""First bytes of a file that are enough."""

_KINDS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), said)
    for pattern, said in (
        (rb"version https://git-lfs", "a pointer of Git LFS, not the file itself; run `git lfs pull`"),
        (
            rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(?i:!doctype html|html|head|body)",
            "a web page, not the file itself; download it again from its own link",
        ),
        (
            rb"(\xef\xbb\xbf)?\s*\{\s*\"(error|message|detail|status|code)\"",
            "the answer of a server (JSON), not the file itself; download it again",
        ),
        (rb"\x1f\x8b\x08", "a gzip archive; unpack it first"),
        (rb"PK(\x03\x04|\x05\x06)", "a zip archive; unpack it first"),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
        (rb"Rar!\x1a\x07", "a RAR archive; unpack it first"),
        (
            rb"\xfd7zXZ\x00|BZh[1-9]1AY&SY|\x28\xb5\x2f\xfd",
            "an archive (xz, bzip2 or Zstandard); unpack it first",
        ),
        (rb"....ftyp(isom|iso[2-9]|mp4|M4V|qt  |3gp)|\x1a\x45\xdf\xa3", "a video; save the frame you mean as PNG"),
        (rb"GGUF", "a GGUF model; save its state_dict as .safetensors or .pth"),
        (rb"\x89HDF\r\n\x1a\n", "an HDF5 file; save its arrays in a format that is read here"),
        (rb"\x7fELF|MZ.{58}..\x00\x00", "a program; give another file"),
        (rb"\x00{64}", "a file of zeros, as a download leaves it that stopped; get it again"),
    )
)


def wrong_kind(head: bytes) -> str | None:
    """What a file is and what to do about it, to stand behind "this is"; None where it is none of these.

    Args:
        head: its first bytes, `HEAD_BYTES` or fewer.

    Example:
        >>> wrong_kind(b"<!DOCTYPE html><html>...")
        'a web page, not the file itself; download it again from its own link'
    """
    return next((said for pattern, said in _KINDS if pattern.match(head[:HEAD_BYTES])), None)
