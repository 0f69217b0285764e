"""Names of archive members → paths below a folder, the same on every machine."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

# What file systems take: bytes of one name, and of a path that still has the data folder before it.
MAX_NAME, MAX_PATH, MAX_DEPTH = 255, 1024, 64
_SHOWN = 120
_DRIVE = re.compile(r"^[A-Za-z]:")
# Control characters, line and paragraph separators, lone surrogates: they break tables, terminals and shards.
_FORBIDDEN = ("Cc", "Zl", "Zp", "Cs")
_BIDI = set("\u200e\u200f\u061c") | {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


class BadName(Exception):
    """A name that must not become a path; the message is what is wrong with it."""


def decoded(name: bytes) -> str:
    """A member's name as text in composed form (NFC; macOS writes letters and accents apart).

    UTF-8, else CP949, which Korean Windows writes. Raises `BadName`.
    """
    for encoding in ("utf-8", "cp949"):
        try:
            return unicodedata.normalize("NFC", name.decode(encoding))
        except UnicodeDecodeError:
            continue
    raise BadName("has a name that is neither UTF-8 nor CP949")


def shown(name: bytes) -> str:
    """A name for an error message, in one line, without anything that a terminal would obey, cut if long."""
    try:
        text = repr(decoded(name))
    except BadName:
        text = repr(name)[1:]
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 2]}…'"


def safe_path(name: bytes, top: str) -> PurePosixPath | None:
    """Path of a member below its folder; none for the folder itself. A first part `top` is left out.

    Raises `BadName` for what leads outside, for letters that are none, and for what no file system takes.
    """
    text = decoded(name)
    path = PurePosixPath(text)
    parts = [part for part in path.parts if part != "."]
    if path.is_absolute() or ".." in parts or "\\" in text or "\0" in text or _DRIVE.match(text):
        raise BadName("points outside of the folder")
    if any(unicodedata.category(letter) in _FORBIDDEN or letter in _BIDI for letter in text):
        raise BadName("has control characters in its name")
    if parts and parts[0] == unicodedata.normalize("NFC", top):
        parts = parts[1:]
    if any(len(part.encode()) > MAX_NAME for part in parts):
        raise BadName(f"has a name of more than {MAX_NAME} bytes")
    if len("/".join(parts).encode()) > MAX_PATH or len(parts) > MAX_DEPTH:
        raise BadName(f"has a path of more than {MAX_PATH} bytes or {MAX_DEPTH} folders")
    return PurePosixPath(*parts) if parts else None
