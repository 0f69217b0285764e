"""Compressed pixels → samples, for every JPEG that DICOM knows, and RLE.

What a stream is says the stream itself: files under a wrong transfer syntax are common. Its own header is held
against the DICOM header before anything is decoded, so that a small lie cannot ask for much memory.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from mammo.dicom.unusable import Unusable

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
J2K_START = b"\xff\x4f\xff\x51"
JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "
# Start-of-frame markers: DCT (baseline, extended, progressive), lossless, JPEG-LS.
DCT, LOSSLESS, JPEG_LS = (0xC0, 0xC1, 0xC2), (0xC3,), (0xF7,)
OTHER_FRAMES = tuple(marker for marker in range(0xC5, 0xD0) if marker not in (0xC8, 0xCC))
# The shortest code is one bit: a lossless JPEG has one a sample at least, a DCT block of 64 samples two.
LEAST_BITS = {"lossless": 1.0, "dct": 2 / 64, "progressive": 0.0, "jpeg-ls": 0.0, "jpeg-2000": 0.0}


@dataclass(frozen=True)
class Stream:
    """What a compressed image says of itself. `coding` is a key of `LEAST_BITS`; `colour` rgb, ybr or empty.

    `signed`: samples are negative as such (JPEG 2000 alone can say so).
    """

    coding: str
    rows: int
    columns: int
    components: int
    precision: int
    colour: str = ""
    signed: bool = False


def describe(data: bytes) -> Stream:
    """The header of a JPEG, JPEG-LS or JPEG 2000 image. Raises `Unusable` where there is none."""
    try:
        if data[:2] == SOI:
            return _describe_jpeg(data)
        if data[:4] == J2K_START or data[:8] == JP2_SIGNATURE:
            return _describe_j2k(data, data.index(J2K_START))
    except (IndexError, ValueError, struct.error) as error:
        raise Unusable("cut off: the compressed pixels end within their header") from error
    raise Unusable("pixels cannot be decoded (neither JPEG, JPEG-LS nor JPEG 2000)")


def _describe_jpeg(data: bytes) -> Stream:
    """ISO 10918-1 B.2.2: marker segments up to the start of the frame."""
    at, colour = 2, ""
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if data[at] != 0xFF or marker in OTHER_FRAMES:
            raise Unusable("pixels cannot be decoded (a JPEG of an unknown process)")
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        body = data[at + 4 : at + 2 + length]
        if marker in DCT + LOSSLESS + JPEG_LS:
            break
        if marker == 0xE0 and body[:5] == b"JFIF\0":
            colour = "ybr"
        elif marker == 0xEE and body[:5] == b"Adobe" and len(body) > 11:
            colour = "rgb" if body[11] == 0 else "ybr"
        at += 2 + length
    precision, rows, columns, components = struct.unpack(">BHHB", body[:6])
    identifiers = bytes(body[6 + 3 * component] for component in range(components))
    if identifiers == b"RGB":
        colour = "rgb"
    coding = "jpeg-ls" if marker in JPEG_LS else "lossless" if marker in LOSSLESS else "dct"
    return Stream(
        "progressive" if marker == 0xC2 else coding,
        rows,
        columns,
        components,
        precision,
        colour if coding == "dct" else "",
    )


def _describe_j2k(data: bytes, start: int) -> Stream:
    """ISO 15444-1 A.5.1: the SIZ segment."""
    right, bottom, left, top = struct.unpack(">4I", data[start + 8 : start + 24])
    (components,) = struct.unpack(">H", data[start + 40 : start + 42])
    depths = [data[start + 42 + 3 * component] for component in range(min(components, 4))]
    if any(data[start + 43 + 3 * i : start + 45 + 3 * i] != b"\x01\x01" for i in range(len(depths))):
        raise Unusable("pixels cannot be decoded (a JPEG 2000 of components of several sizes)")
    precision = max(depth & 0x7F for depth in depths) + 1
    signed = any(depth & 0x80 for depth in depths)
    return Stream("jpeg-2000", bottom - top, right - left, components, precision, signed=signed)


def decode(
    data: bytes, shape: tuple[int, int, int], is_ybr: bool
) -> tuple[NDArray[np.unsignedinteger], Stream]:
    """A compressed image as samples of `shape` (rows, columns, samples a pixel), uint8 or uint16.

    Values are bit patterns: negative ones keep their two's complement. `is_ybr` says what the header calls the
    colours; of a lossy JPEG they come as RGB always, of others as they were put in. Raises `Unusable`.
    """
    stream = describe(data)
    _check(stream, data, shape)
    try:
        if stream.coding == "jpeg-2000":
            # OpenJPEG for High Throughput too: OpenJPH's binding gives rubbish for a stream cut off, and no error.
            pixels = imagecodecs.jpeg2k_decode(data)
        elif stream.coding == "jpeg-ls":
            pixels = imagecodecs.jpegls_decode(data)
        else:
            pixels = imagecodecs.jpeg8_decode(data, **_colours(stream, is_ybr))
    except Exception as error:
        raise Unusable(f"pixels cannot be decoded ({type(error).__name__})") from error
    pixels = pixels.reshape(pixels.shape + (1,)) if pixels.ndim == 2 else pixels
    if pixels.shape != shape:
        raise Unusable("pixels do not have the size that the header says")
    return _bit_patterns(pixels), stream


def _check(stream: Stream, data: bytes, shape: tuple[int, int, int]) -> None:
    if (stream.rows, stream.columns, stream.components) != shape:
        raise Unusable("pixels do not have the size that the header says")
    if stream.precision > 16:
        raise Unusable(f"{stream.precision} bits a pixel: films have 16 at most")
    least = shape[0] * shape[1] * shape[2] * LEAST_BITS[stream.coding] / 8
    # Decoders paint grey what a broken-off transfer lacks; without the end marker nobody would notice.
    if len(data) < least or EOI not in data[-64:].rstrip(b"\0"):
        raise Unusable("cut off: the compressed pixels have no end")


def _colours(stream: Stream, is_ybr: bool) -> dict[str, str]:
    if stream.components != 3:
        return {}
    lossy = stream.coding in ("dct", "progressive")
    is_ybr = stream.colour == "ybr" if lossy and stream.colour else is_ybr
    return {"colorspace": "YCBCR" if lossy and is_ybr else "RGB", "outcolorspace": "RGB"}


def _bit_patterns(pixels: NDArray[np.integer]) -> NDArray[np.unsignedinteger]:
    if pixels.dtype.itemsize <= 2:
        return pixels.view(np.uint8 if pixels.dtype.itemsize == 1 else np.uint16)
    return pixels.astype(np.uint16)


def decode_rle(data: bytes, shape: tuple[int, int, int], allocated: int) -> NDArray[np.unsignedinteger]:
    """An RLE image (PS3.5 annex G) as uint8 or uint16 of `shape` (rows, columns, samples). Raises `Unusable`."""
    rows, columns, samples = shape
    dtype = np.dtype("u1" if allocated == 8 else "<u2")
    if (
        allocated not in (8, 16)
        or struct.unpack("<I", data[:4].ljust(4, b"\0"))[0] != samples * dtype.itemsize
    ):
        raise Unusable("pixels do not have the size that the header says")
    count = rows * columns * samples
    # A run of 128 equal bytes takes two.
    if len(data) - 64 < count * dtype.itemsize / 64:
        raise Unusable("cut off: the compressed pixels have no end")
    pixels = np.empty(count, dtype)
    try:
        written = imagecodecs.dicomrle_decode(data, dtype, out=memoryview(pixels).cast("B"))
    except Exception as error:
        raise Unusable(f"pixels cannot be decoded ({type(error).__name__})") from error
    if len(written) != pixels.nbytes:
        raise Unusable("cut off: the compressed pixels have no end")
    return np.ascontiguousarray(np.moveaxis(pixels.reshape(samples, rows, columns), 0, 2))
