"""Reading DICOM files as hospitals send them: anonymised carelessly, cut off, without a preamble."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from mammo.dicom.elements import capitals, frames, is_signed, size, tolerant
from mammo.dicom.limits import BoundedFile, check_sequences, inflated
from mammo.dicom.samples import Samples, frame_samples
from mammo.dicom.unusable import Unusable

__all__ = [
    "decoded_samples",
    "frames",
    "grey_from_rgb",
    "is_signed",
    "read_film",
    "read_header",
    "read_object",
    "size",
    "stored_pixels",
    "tolerant",
]

# Digital X-ray, mammography, intra-oral, breast projections.
FOR_PROCESSING_CLASSES = tuple(
    f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("1.1.1", "1.2.1", "1.3.1", "13.1.5")
)
PIXEL_DATA = Tag("PixelData")
# The largest detectors and film scanners stay below 50 million; a broken header can ask for 4 thousand million.
MAX_PIXELS = 100_000_000


def read_header(path: Path | str, tags: Sequence[str] | None = None) -> Dataset:
    """The elements before the pixels, or only those of `tags` (keywords). Raises `Unusable`."""
    return _read(Path(path), with_pixels=False, tags=tags)


def read_film(path: Path | str, frame: int | None = None) -> Dataset:
    """The whole file, checked to be an image made for presentation. Raises `Unusable`.

    `frame`, from 0, must be there; without it a file of several frames is turned down. The pixels stay on disk
    until they are looked at.
    """
    film = _read(Path(path), with_pixels=True, tags=None)
    with tolerant():
        _check_is_film(film, frame)
    return film


def read_object(path: Path | str) -> Dataset:
    """The whole file whatever it shows, pixels as in `read_film`: for what annotates films. Raises `Unusable`."""
    return _read(Path(path), with_pixels=True, tags=None)


def _check_is_film(film: Dataset, frame: int | None) -> None:
    is_raw = capitals(film, "SOPClassUID") in FOR_PROCESSING_CLASSES
    if is_raw or capitals(film, "PresentationIntentType") == "FOR PROCESSING":
        raise Unusable("For Processing: raw detector values, not an image for readers")
    if PIXEL_DATA not in film:
        raise Unusable("no pixels")
    if frame is None and frames(film) > 1:
        raise Unusable(f"{frames(film)} frames: a film has one")
    if frame is not None and not 0 <= frame < frames(film):
        raise Unusable(f"no frame {frame + 1}: the file has {frames(film)}")
    rows, columns = size(film)
    if rows * columns > MAX_PIXELS:
        raise Unusable(f"{columns}x{rows} pixels are more than any mammogram has")


# --- the file -----------------------------------------------------------------------------------------------------


def _read(path: Path, with_pixels: bool, tags: Sequence[str] | None) -> Dataset:
    try:
        with BoundedFile(path) as file, tolerant():
            if not file.size:
                raise Unusable("the file is empty (0 bytes)")
            dataset = _dataset(file, with_pixels, tags)
    except Unusable:
        raise
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or type(error).__name__}") from error
    except Exception as error:
        raise Unusable(f"broken DICOM header ({type(error).__name__})") from error
    # With force, any file "is" DICOM; one of which no element has a name is not.
    if not any(keyword_for_tag(tag) for tag in list(dataset.keys())):
        raise Unusable("not a DICOM file")
    return dataset


def _dataset(file: BoundedFile, with_pixels: bool, tags: Sequence[str] | None) -> Dataset:
    """The header, and where the pixels begin; elements whose bytes make no sense are left out."""
    wanted = None if tags is None else list(tags)
    source: io.BufferedIOBase = inflated(file) or file
    dataset = dcmread(source, force=True, stop_before_pixels=True, specific_tags=wanted)
    check_sequences(dataset)
    for tag in list(dataset.keys()):
        try:
            _ = dataset[tag]
        except Exception:
            del dataset[tag]
    if with_pixels:
        _add_pixels(dataset, source, Path(file.raw.name))
    return dataset


def _add_pixels(dataset: Dataset, source: io.BufferedIOBase, path: Path) -> None:
    """Note where the pixels lie, as pydicom notes elements that it defers; `source` stands before their element."""
    implicit, little = dataset.original_encoding
    order = ">" if little is False else "<"
    head = source.read(8)
    if len(head) < 8 or Tag(struct.unpack(f"{order}HH", head[:4])) != PIXEL_DATA:
        return
    vr = None if implicit else head[4:6].decode("latin-1")
    if implicit:
        (length,) = struct.unpack(f"{order}I", head[4:])
    elif vr in EXPLICIT_VR_LENGTH_32:
        (length,) = struct.unpack(f"{order}I", source.read(4))
    else:
        (length,) = struct.unpack(f"{order}H", head[6:])
    start = source.tell()
    # What was inflated is in memory already; anything else is read when it is decoded, and only the frame wanted.
    value = source.read(length) if isinstance(source, io.BytesIO) else None
    dataset[PIXEL_DATA] = RawDataElement(
        PIXEL_DATA, vr, length, value, start, bool(implicit), little is not False
    )
    dataset.filename, dataset.fileobj_type = str(path), open


# --- pixels -------------------------------------------------------------------------------------------------------


def stored_pixels(film: Dataset, frame: int = 0) -> NDArray[np.integer]:
    """One frame's pixels as stored: int32 (rows, columns), or (rows, columns, 3) RGB for colour. Raises `Unusable`.

    Grey values have everything above BitsStored masked off (old overlays lie there) and carry their sign.
    """
    with tolerant():
        samples = decoded_samples(film, frame)
    return samples.words if samples.values is None else samples.values[samples.words]


def decoded_samples(film: Dataset, frame: int) -> Samples:
    """As `frame_samples`, with a reason for whatever goes wrong within. Raises `Unusable`."""
    try:
        return frame_samples(film, frame)
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(f"pixels cannot be decoded ({type(error).__name__})") from error


def grey_from_rgb(
    pixels: NDArray[np.unsignedinteger], bits: int, top: int = 255
) -> NDArray[np.unsignedinteger]:
    """(rows, columns, 3) RGB of `bits` bits → grey 0..`top` (255 or 65535) by BT.601 luma.

    Grey stored as colour stays exact.
    """
    dtype = np.uint8 if top == 255 else np.uint16
    # Eight bits may lie in words of sixteen, too.
    if 2**bits - 1 != top or pixels.dtype != dtype:
        steps = np.arange(1 << 8 * pixels.dtype.itemsize)
        shares = np.minimum(steps / (2**bits - 1), 1)
        table = np.floor(shares * top + 0.5).astype(dtype)
        pixels = cv2.LUT(np.ascontiguousarray(pixels), table)
    return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
