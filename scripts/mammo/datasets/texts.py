"""Texts of deliveries in the encodings that they come in."""

from __future__ import annotations

import codecs
from pathlib import Path

from mammo.errors import UserError

# COCO's own largest list has 450 MB.
MAX_BYTES = 600_000_000
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """A text in UTF-8 with or without a mark, UTF-16 or UTF-32 with one, else CP949 (Korean Windows).

    Line ends stay as they are. Raises `UserError` where it is none of these, cannot be read or is larger than
    `MAX_BYTES`.
    """
    data = read_bytes(path, "list of films", MAX_BYTES)
    marked = marked_encoding(data)
    for encoding in (marked,) if marked else ("utf-8", "cp949"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UserError(f"{path}: the text is neither UTF-8, UTF-16 nor CP949; save it as UTF-8")


def read_bytes(path: Path, what: str, most: int) -> bytes:
    """A whole file. Raises `UserError` saying `what` it should be where it cannot be read or has over `most` bytes."""
    try:
        if path.stat().st_size > most:
            raise UserError(f"{path}: the {what} is larger than {most // 10**6} MB; this is no such {what}")
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"{path}: the {what} cannot be read: {reason}; download it again") from error


def marked_encoding(data: bytes) -> str | None:
    """The encoding that a byte order mark at the beginning names, if there is one."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)
