"""Films that come as plain pictures: PNG, JPEG, binary PGM or TIFF of 8 or 16 bits.

The size is read from the picture's own header first, so that nothing larger than a film is ever decoded. Sources: PNG
(W3C Recommendation, 5.3, 11.2.2), JPEG (ITU-T T.81 annex B), PGM (netpbm's pgm(5)), TIFF 6.0 (sections 2 and 8).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.dicom.read import MAX_PIXELS
from mammo.dicom.unusable import Unusable

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
PGM = b"P5"
TIFF = (b"II*\0", b"MM\0*")
# Deflate packs at most 1032 bytes into one; no film comes near.
MOST_PIXELS_A_BYTE = 1100
# What a picture may need beside its pixels: colour profiles, notes, a thumbnail.
_EXTRAS = 64_000_000
# Start-of-frame markers of JPEG: C0 to CF without DHT (C4), JPG (C8) and DAC (CC).
_FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class PictureHeader:
    """What a picture says of itself. `white`: value of white where it is none of 255 and 65535; `inverted`: 0 is white
    and the decoder leaves it so; `begin`: where the coded pixels begin, as far as it matters.
    """

    kind: str
    width: int
    height: int
    white: int = 0
    inverted: bool = False
    begin: int = 0


def is_picture(path: Path | str) -> bool:
    """Whether a file begins as one of these pictures and is no DICOM file (whose preamble may hold anything)."""
    try:
        with open(path, "rb") as file:
            head = file.read(132)
    except OSError:
        return False
    if head[128:] == b"DICM":
        return False
    return head.startswith((PNG, JPEG, *TIFF)) or (head.startswith(PGM) and head[2:3].isspace())


def picture_size(path: Path | str) -> tuple[int, int]:
    """Width and height, without decoding. Raises `Unusable`."""
    header = _header(Path(path))
    return header.width, header.height


def checked_bytes(path: Path | str) -> bytes:
    """The bytes of a picture that is whole and no larger than a film: safe to hand to a decoder. Raises `Unusable`."""
    path = Path(path)
    return _whole_file(path, _header(path))


def decoded_picture(path: Path | str) -> NDArray[np.unsignedinteger]:
    """(height, width) grey or (height, width, 3 or 4) BGR(A), uint8 or uint16, bright is high. Raises `Unusable`."""
    path = Path(path)
    header = _header(path)
    return _decoded(_whole_file(path, header), header)


def _whole_file(path: Path, header: PictureHeader) -> bytes:
    """The bytes of a picture. Raises `Unusable` for more than its pixels can need, and for a file that is cut off."""
    try:
        if path.stat().st_size > 8 * header.width * header.height + _EXTRAS:
            raise Unusable("much larger than its pixels: broken")
        _check_density(path, header)
        data = path.read_bytes()
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or type(error).__name__}") from error
    # Decoders fill what is missing with grey and say nothing.
    if header.kind == "JPEG" and data.find(b"\xff\xd9", header.begin) < 0:
        raise Unusable("cut off: the JPEG has no end")
    if header.kind == "PNG":
        _check_chunks(data)
    if header.kind == "PGM":
        expected = header.width * header.height * (2 if header.white > 255 else 1)
        if len(data) - header.begin < expected:
            raise Unusable(f"cut off: {len(data) - header.begin} of {expected} bytes of pixels")
    return data


def _check_chunks(data: bytes) -> None:
    """Every chunk of a PNG fits into the file: OpenCV reserves what a chunk's length claims, up to 4 GB."""
    at = len(PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += length + 12
        if kind == b"acTL":
            raise Unusable("an animated PNG: a film has one picture")
        if at <= len(data) and kind == b"IEND":
            return
    raise Unusable("cut off: the PNG has no end")


def _check_density(path: Path, header: PictureHeader) -> None:
    """A few bytes that claim millions of pixels are refused before memory is reserved for them."""
    pixels, size = header.width * header.height, path.stat().st_size
    if pixels > 2**22 and pixels > MOST_PIXELS_A_BYTE * size:
        raise Unusable(f"cut off: {size} bytes for {header.width}x{header.height} pixels")


def _decoded(data: bytes, header: PictureHeader) -> NDArray[np.unsignedinteger]:
    """(height, width) grey or (height, width, 3 or 4) BGR(A) uint8 or uint16, bright is high. Raises `Unusable`."""
    if header.kind == "PGM":
        pixels = _pgm_pixels(data, header)
    else:
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise Unusable(f"the {header.kind} cannot be decoded") from error
    if pixels is None:
        raise Unusable(f"the {header.kind} cannot be decoded")
    if pixels.dtype not in (np.uint8, np.uint16) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise Unusable(f"the {header.kind} has neither 8 nor 16 bits a pixel, grey or RGB")
    if pixels.shape[:2] != (header.height, header.width):
        raise Unusable("pixels do not have the size that the header says")
    return np.iinfo(pixels.dtype).max - pixels if header.inverted else pixels


def _pgm_pixels(data: bytes, header: PictureHeader) -> NDArray[np.unsignedinteger]:
    count = header.width * header.height
    pixels = np.frombuffer(data, ">u2" if header.white > 255 else "u1", count, header.begin)
    pixels = pixels.reshape(header.height, header.width)
    if header.white > 255:
        return pixels.astype(np.uint16)
    return np.minimum(np.rint(pixels * (255 / header.white)), 255).astype(np.uint8)


# --- headers ----------------------------------------------------------------------------------------------------------


def _header(path: Path) -> PictureHeader:
    try:
        with open(path, "rb") as file:
            head = file.read(8)
            header = _reader(head)(file)
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or type(error).__name__}") from error
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise Unusable("broken header of a picture") from error
    if header.width <= 0 or header.height <= 0:
        raise Unusable("broken header of a picture (no size)")
    if header.width * header.height > MAX_PIXELS:
        raise Unusable(f"{header.width}x{header.height} pixels are more than any mammogram has")
    return header


def _reader(head: bytes):  # noqa: ANN202 - one of the functions below
    if head == PNG:
        return _png
    if head.startswith(JPEG):
        return _jpeg
    if head.startswith(PGM):
        return _pgm
    if head.startswith(TIFF):
        return _tiff
    raise Unusable("no PNG, JPEG, binary PGM or TIFF")


def _png(file: BinaryIO) -> PictureHeader:
    file.seek(8)
    length, kind, width, height = struct.unpack(">I4sII", file.read(16))
    if kind != b"IHDR" or length != 13:
        raise ValueError(kind)
    return PictureHeader("PNG", width, height)


def _jpeg(file: BinaryIO) -> PictureHeader:
    """Width and height of the frame header; segments before it are passed over."""
    file.seek(2)
    while True:
        (mark,) = struct.unpack(">B", file.read(1))
        if mark != 0xFF:
            raise ValueError(mark)
        while mark == 0xFF:  # fill bytes may stand before a marker
            (mark,) = struct.unpack(">B", file.read(1))
        if mark == 0x01 or 0xD0 <= mark <= 0xD8:  # markers without a segment
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if mark in _FRAME_MARKERS:
            bits, height, width = struct.unpack(">BHH", file.read(5))
            if bits != 8:
                raise Unusable(f"a JPEG of {bits} bits, of which pictures have 8")
            return PictureHeader("JPEG", width, height, begin=file.tell())
        if mark in (0xD9, 0xDA) or length < 2:
            raise ValueError(mark)
        file.seek(length - 2, os.SEEK_CUR)


def _pgm(file: BinaryIO) -> PictureHeader:
    """Width, height and white; `#` begins a comment up to the line's end; one blank ends the header."""
    file.seek(2)
    text = file.read(4096)
    numbers: list[int] = []
    at = 0
    while len(numbers) < 3:
        if text[at : at + 1].isspace():
            at += 1
        elif text[at : at + 1] == b"#":
            at = text.index(b"\n", at) + 1
        else:
            end = at
            while text[end : end + 1].isdigit() and end - at < 10:
                end += 1
            numbers.append(int(text[at:end]))
            at = end
    width, height, white = numbers
    if not text[at : at + 1].isspace() or not 0 < white < 65536:
        raise ValueError(white)
    return PictureHeader("PGM", width, height, white=white, begin=2 + at + 1)


def _tiff(file: BinaryIO) -> PictureHeader:
    """Width, height and kind of grey of the first page."""
    file.seek(0)
    order = "<" if file.read(4) == TIFF[0] else ">"
    (offset,) = struct.unpack(order + "I", file.read(4))
    file.seek(offset)
    (count,) = struct.unpack(order + "H", file.read(2))
    entries = file.read(12 * count)
    tags: dict[int, int] = {}
    for at in range(0, 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", entries, at)
        if kind in (3, 4) and length == 1:  # SHORT or LONG, one value, which stands in the entry itself
            (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), entries, at + 8)
    if 256 not in tags or 257 not in tags:
        raise ValueError("no size")
    if tags.get(274, 1) != 1:
        raise Unusable("a TIFF that is stored turned or mirrored (Orientation)")
    # 0 is WhiteIsZero; OpenCV turns 8 bits round by itself and leaves 16 bits as they are.
    inverted = tags.get(262) == 0 and tags.get(258, 1) > 8
    return PictureHeader("TIFF", tags[256], tags[257], inverted=inverted)
