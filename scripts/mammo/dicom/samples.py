"""The samples of one frame as they lie in the file, and what each value that can occur stands for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    RLELossless,
)

from mammo.dicom.codecs import Stream, decode, decode_rle
from mammo.dicom.elements import bits, capitals, frames, is_signed, size, whole
from mammo.dicom.limits import BoundedFile
from mammo.dicom.unusable import Unusable

GREYS = ("MONOCHROME1", "MONOCHROME2")
YBR = ("YBR_FULL", "YBR_FULL_422")
COLOURS = ("RGB", "YBR_ICT", "YBR_RCT", *YBR)
LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, HTJ2K)
PALETTE = "PALETTE COLOR"


@dataclass(frozen=True)
class Samples:
    """Grey: `words` uint8 or uint16 (rows, columns), `values` int32, what each possible word stands for.

    Colour: `words` RGB (rows, columns, 3) of `bits` bits; `values` is none.
    """

    words: NDArray[np.unsignedinteger]
    values: NDArray[np.int32] | None
    bits: int


def frame_samples(film: Dataset, frame: int = 0) -> Samples:
    """Decode one frame, counted from 0. Raises `Unusable`."""
    photometric = capitals(film, "PhotometricInterpretation") or "MONOCHROME2"
    if photometric not in (*GREYS, *COLOURS, PALETTE):
        raise Unusable("unknown photometric interpretation")
    if not 0 <= frame < frames(film):
        raise Unusable(f"no frame {frame + 1}: the file has {frames(film)}")
    syntax = _transfer_syntax(film)
    stream = None
    if syntax.is_compressed and not syntax.is_deflated:
        words, stream = _decoded(film, frame, syntax, photometric)
    else:
        words = _native(film, frame, photometric)
    stored = bits(film)[1]
    if words.shape[2] == 3:
        return Samples(words, None, stored if words.dtype == np.uint16 else 8)
    values = word_values(film, words.dtype, stream, syntax in LOSSY)
    if photometric == PALETTE:
        return _palette_colours(film, words[:, :, 0], values)
    return Samples(words[:, :, 0], values, stored)


def word_values(film: Dataset, dtype: np.dtype, stream: Stream | None, is_lossy: bool) -> NDArray[np.int32]:
    """The stored value of every word of `dtype` (int32, one entry a word): without foreign bits, with its sign.

    Old overlays lie in the bits that BitsStored and HighBit leave over. A native word (`stream` none) has its value
    below HighBit; compressed ones have it in the low bits, unless the stream's precision holds the whole word.
    Lossy coding overshoots: there what lies above BitsStored is no overlay but a value beyond white.
    """
    allocated, stored = bits(film)
    high = whole(film, "HighBit")
    shift = 0 if high is None else high + 1 - stored
    if not 0 <= shift <= allocated - stored or (stream is not None and stream.precision < stored + shift):
        shift = 0
    words = np.arange(1 << 8 * dtype.itemsize, dtype=np.int32)
    signed = is_signed(film)
    if is_lossy and not shift and stream is not None and stream.signed == signed:
        words = words.astype(f"i{dtype.itemsize}").astype(np.int32) if signed else words
        first = -(1 << (stored - 1)) if signed else 0
        return np.clip(words, first, first + (1 << stored) - 1)
    values = (words >> shift) & ((1 << stored) - 1)
    if signed:
        sign = 1 << (stored - 1)
        values = (values ^ sign) - sign
    return values


def _transfer_syntax(film: Dataset) -> UID:
    """A file without its meta header does not say how it is written; the way in which it could be read does."""
    syntax = UID(str(getattr(film, "file_meta", FileMetaDataset()).get("TransferSyntaxUID", "") or ""))
    if syntax:
        if not syntax.is_transfer_syntax:
            raise Unusable("pixels cannot be decoded (unknown transfer syntax)")
        return syntax
    implicit, little = film.original_encoding
    explicit = ExplicitVRBigEndian if little is False else ExplicitVRLittleEndian
    return ImplicitVRLittleEndian if implicit else explicit


# --- where the pixels are -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Region:
    """The value of PixelData: `length` bytes from `start` of a file, or of bytes in memory."""

    path: Path | None
    data: bytes
    start: int
    length: int
    is_words: bool

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The place to read from, at the value's first byte."""
        with io.BytesIO(self.data) if self.path is None else BoundedFile(self.path) as file:
            file.seek(self.start)
            yield file


def _region(film: Dataset) -> _Region:
    element = film.get_item("PixelData", keep_deferred=True) if "PixelData" in film else None
    if element is None:
        raise Unusable("no pixels")
    is_words = element.VR != "OB"
    if isinstance(element, RawDataElement) and element.value is None and element.length:
        path = Path(film.filename)
        there = max(path.stat().st_size - element.value_tell, 0)
        return _Region(path, b"", element.value_tell, min(element.length, there), is_words)
    data = element.value or b""
    if not isinstance(data, bytes):
        raise Unusable("broken DICOM header (pixels of a wrong type)")
    return _Region(None, data, 0, len(data), is_words)


# --- uncompressed -------------------------------------------------------------------------------------------------


def _native(film: Dataset, frame: int, photometric: str) -> NDArray[np.unsignedinteger]:
    """Samples (rows, columns, 1 or 3) of an uncompressed frame; YBR becomes RGB."""
    rows, columns = size(film)
    allocated, _ = bits(film)
    samples = _samples_per_pixel(film)
    is_422 = photometric == "YBR_FULL_422" and samples == 3
    # Neighbours share their colours: two samples a pixel instead of three.
    count = rows * columns * (2 if is_422 else samples)
    data = _native_words(film, frame, count, allocated)
    if is_422:
        return _rgb_from_ybr(_full_from_422(data, rows, columns))
    if samples == 1:
        return data.reshape(rows, columns, 1)
    if whole(film, "PlanarConfiguration") == 1:
        pixels = np.ascontiguousarray(np.moveaxis(data.reshape(3, rows, columns), 0, 2))
    else:
        pixels = data.reshape(rows, columns, 3)
    return _rgb_from_ybr(pixels) if photometric in YBR else pixels


def _native_words(film: Dataset, frame: int, count: int, allocated: int) -> NDArray[np.unsignedinteger]:
    """`count` samples of a frame in this machine's order of bytes. Raises `Unusable` where they are not all there."""
    region = _region(film)
    first_bit, last_bit = frame * count * allocated, (frame + 1) * count * allocated
    first, last = first_bit // 8, -(-last_bit // 8)
    if region.length < last:
        raise Unusable(f"cut off: {region.length} of {last} bytes of pixels")
    is_big = _transfer_syntax(film) == ExplicitVRBigEndian
    with region.open() as file:
        # Eight-bit samples were written as words by OW: there big endian swaps neighbours (PS3.5 8.1.1).
        swaps = is_big and allocated <= 8 and region.is_words
        if swaps:
            first, last = first // 2 * 2, -(-last // 2) * 2
        file.seek(first, io.SEEK_CUR)
        data = _read(file, last - first)
    if swaps:
        data = np.resize(data, len(data) // 2 * 2).reshape(-1, 2)[:, ::-1].ravel()
    if allocated == 16:
        words = data.view("<u2")
        return words.byteswap() if is_big else words
    skipped = first_bit - 8 * first
    if allocated == 8:
        return data[skipped // 8 : skipped // 8 + count]
    return np.unpackbits(data, bitorder="little")[skipped : skipped + count]


def _read(file: BinaryIO, length: int) -> NDArray[np.uint8]:
    data = np.empty(length, np.uint8)
    if file.readinto(memoryview(data)) != length:
        raise Unusable("cut off while it was read")
    return data


def _samples_per_pixel(film: Dataset) -> int:
    samples = whole(film, "SamplesPerPixel") or 1
    expected = 3 if capitals(film, "PhotometricInterpretation") in COLOURS else 1
    if samples != expected:
        raise Unusable("broken DICOM header (samples per pixel)")
    return samples


# --- compressed ---------------------------------------------------------------------------------------------------


def _decoded(
    film: Dataset, frame: int, syntax: UID, photometric: str
) -> tuple[NDArray[np.unsignedinteger], Stream | None]:
    """Samples (rows, columns, 1 or 3), and their stream; none where they are laid out as native ones."""
    rows, columns = size(film)
    shape = (rows, columns, _samples_per_pixel(film))
    data = _fragments(film, frame)
    if syntax == RLELossless:
        pixels = decode_rle(data, shape, bits(film)[0])
        return (_rgb_from_ybr(pixels) if photometric in YBR else pixels), None
    pixels, stream = decode(data, shape, photometric in YBR)
    # Decoders of lossy JPEG give RGB, those of JPEG 2000 undo ICT and RCT; other YBR comes as it was put in.
    if photometric in YBR and stream.coding not in ("dct", "progressive"):
        pixels = _rgb_from_ybr(pixels)
    return pixels, stream


def _fragments(film: Dataset, frame: int) -> bytes:
    """The compressed bytes of one frame. Raises `Unusable`."""
    region = _region(film)
    if not region.length:
        raise Unusable("no pixels")
    table, lengths = film.get("ExtendedOffsetTable"), film.get("ExtendedOffsetTableLengths")
    try:
        with region.open() as file:
            return get_frame(
                file,
                frame,
                number_of_frames=frames(film),
                extended_offsets=(table, lengths) if table and lengths else None,
            )
    except Exception as error:
        raise Unusable(f"cut off: the compressed pixels are not whole ({type(error).__name__})") from error


# --- colours ------------------------------------------------------------------------------------------------------


def _palette_colours(film: Dataset, words: NDArray[np.unsignedinteger], values: NDArray[np.int32]) -> Samples:
    """Indices → RGB by the palette (PS3.3 C.7.9), worked out once for each index."""
    colours = apply_color_lut(np.clip(values, 0, None).astype(np.uint16).reshape(1, -1), film)[0][:, :3]
    colours = np.ascontiguousarray(colours)
    picture = np.dstack([cv2.LUT(words, np.ascontiguousarray(colours[:, channel])) for channel in range(3)])
    return Samples(picture, None, 16 if picture.dtype == np.uint16 else 8)


def _full_from_422(data: NDArray[np.unsignedinteger], rows: int, columns: int) -> NDArray[np.unsignedinteger]:
    """Y1 Y2 Cb Cr, a pair of neighbours (PS3.3 C.7.6.3.1.2) → Y Cb Cr, a pixel."""
    if columns % 2:
        raise Unusable("broken DICOM header (colours shared by an odd number of columns)")
    pairs = data.reshape(rows, columns // 2, 4)
    full = np.empty((rows, columns, 3), data.dtype)
    full[:, 0::2, 0], full[:, 1::2, 0] = pairs[:, :, 0], pairs[:, :, 1]
    full[:, :, 1:] = np.repeat(pairs[:, :, 2:], 2, axis=1)
    return full


def _rgb_from_ybr(pixels: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Full-range YBR (PS3.3 C.7.6.3.1.2) → RGB."""
    if pixels.dtype != np.uint8:
        raise Unusable("YBR colours of more than 8 bits")
    return cv2.cvtColor(np.ascontiguousarray(pixels[:, :, [0, 2, 1]]), cv2.COLOR_YCrCb2RGB)
