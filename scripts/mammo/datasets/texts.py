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
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """A text in UTF-8 with or without a mark, UTF-16 or UTF-32 with one, else CP949 (Korean Windows).

    Line ends stay as they are. Raises `UserError` where it is none of these, cannot be read or is larger than
    `MAX_BYTES`.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: larger than {MAX_BYTES} bytes, which no list of films is")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from error
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8-sig", "cp949"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UserError(f"{path}: the text is neither UTF-8, UTF-16 nor CP949; save it as UTF-8")
