"""Reading DICOM files as hospitals send them: anonymised carelessly, cut off, without a preamble."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import config, dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mammo.dicom.unusable import Unusable

FOR_PROCESSING_CLASSES = ("1.2.840.10008.5.1.4.1.1.1.2.1", "1.2.840.10008.5.1.4.1.1.1.1.1")
COLOURS = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420")
GREYS = ("MONOCHROME1", "MONOCHROME2")
# The largest detectors and film scanners stay below 50 million; a broken header can ask for 4 thousand million.
MAX_PIXELS = 200_000_000


@contextmanager
def tolerant() -> Iterator[None]:
    """Accept values that their representation forbids (`UNKNOWN` dates), and say nothing about them.

    pydicom converts elements when they are first looked at, so all looking belongs inside. Its warnings quote
    values, which may be about the patient: they are not shown.
    """
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def read_header(path: Path | str, tags: Sequence[str] | None = None) -> Dataset:
    """The elements before the pixels, or only those of `tags` (keywords). Raises `Unusable`."""
    return _read(Path(path), stop_before_pixels=True, tags=tags)


def read_film(path: Path | str) -> Dataset:
    """The whole file, checked to be an image made for presentation. Raises `Unusable`."""
    film = _read(Path(path), stop_before_pixels=False, tags=None)
    with tolerant():
        _check_is_film(film)
    return film


def _read(path: Path, stop_before_pixels: bool, tags: Sequence[str] | None) -> Dataset:
    try:
        if path.stat().st_size == 0:
            raise Unusable("the file is empty (0 bytes)")
        with tolerant():
            dataset = dcmread(
                path,
                force=True,
                stop_before_pixels=stop_before_pixels,
                specific_tags=None if tags is None else list(tags),
            )
            named = [element.keyword for element in dataset if element.keyword]
    except Unusable:
        raise
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or type(error).__name__}") from error
    except Exception as error:
        raise Unusable(f"broken DICOM header ({type(error).__name__})") from error
    # With force, any file "is" DICOM; one of which no element has a name is not.
    if not named:
        raise Unusable("not a DICOM file")
    return dataset


def _check_is_film(film: Dataset) -> None:
    intent = str(film.get("PresentationIntentType", "")).strip().upper()
    if intent == "FOR PROCESSING" or str(film.get("SOPClassUID", "")) in FOR_PROCESSING_CLASSES:
        raise Unusable("For Processing: raw detector values, not an image for readers")
    if "PixelData" not in film:
        raise Unusable("no pixels")
    if frames(film) > 1:
        raise Unusable(f"{frames(film)} frames: a film has one")
    rows, columns = size(film)
    if rows * columns > MAX_PIXELS:
        raise Unusable(f"{columns}x{rows} pixels are more than any mammogram has")


def frames(dataset: Dataset) -> int:
    """Number of frames; 1 where the file does not say."""
    return _whole(dataset, "NumberOfFrames") or 1


def size(dataset: Dataset) -> tuple[int, int]:
    """Rows and columns. Raises `Unusable` where there are none."""
    rows, columns = _whole(dataset, "Rows"), _whole(dataset, "Columns")
    if not rows or not columns or rows < 0 or columns < 0:
        raise Unusable("broken DICOM header (no image size)")
    return rows, columns


def _whole(dataset: Dataset, keyword: str) -> int | None:
    try:
        with tolerant():
            return int(dataset.get(keyword))
    except Exception:
        return None


def stored_pixels(film: Dataset) -> NDArray[np.integer]:
    """Decoded pixels as stored: (rows, columns), or (rows, columns, 3) RGB for colour. Raises `Unusable`.

    Grey values have everything above BitsStored masked off (old overlays lie there) and carry their sign.
    """
    with tolerant():
        _check_length(film)
        _complete_transfer_syntax(film)
        try:
            return _decoded(film)
        except Unusable:
            raise
        except Exception as error:
            raise Unusable(f"pixels cannot be decoded ({type(error).__name__})") from error


def _decoded(film: Dataset) -> NDArray[np.integer]:
    photometric = str(film.get("PhotometricInterpretation", "MONOCHROME2")).strip().upper()
    if photometric not in GREYS + COLOURS:
        raise Unusable("unknown photometric interpretation")
    pixels = pixel_array(film)
    if photometric == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, film)
    if pixels.shape[:2] != size(film) or pixels.ndim not in (2, 3):
        raise Unusable("pixels do not have the size that the header says")
    if pixels.ndim == 3:
        return pixels[:, :, :3]
    return _without_foreign_bits(pixels, film)


def _check_length(film: Dataset) -> None:
    """Uncompressed pixels must all be there: a transfer that broke off leaves fewer."""
    rows, columns = size(film)
    if _is_compressed(film):
        if not len(film.PixelData):
            raise Unusable("no pixels")
        return
    photometric = str(film.get("PhotometricInterpretation", "")).strip().upper()
    samples = _whole(film, "SamplesPerPixel") or 1
    # YBR_FULL_422 shares colour between neighbours: two samples a pixel instead of three.
    samples = 2 if photometric == "YBR_FULL_422" else samples
    expected = rows * columns * samples * (_whole(film, "BitsAllocated") or 16) // 8
    if len(film.PixelData) < expected:
        raise Unusable(f"cut off: {len(film.PixelData)} of {expected} bytes of pixels")


def _is_compressed(film: Dataset) -> bool:
    syntax = getattr(film, "file_meta", FileMetaDataset()).get("TransferSyntaxUID")
    try:
        return bool(syntax and syntax.is_compressed)
    except ValueError:
        return False


def _complete_transfer_syntax(film: Dataset) -> None:
    """A file without its meta header does not say how it is written; the way in which it could be read does."""
    if not hasattr(film, "file_meta"):
        film.file_meta = FileMetaDataset()
    if "TransferSyntaxUID" not in film.file_meta:
        implicit, little = film.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        film.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _without_foreign_bits(pixels: NDArray[np.integer], film: Dataset) -> NDArray[np.integer]:
    allocated = _whole(film, "BitsAllocated") or 16
    stored = _whole(film, "BitsStored") or allocated
    high = _whole(film, "HighBit")
    if not 0 < stored <= allocated:
        raise Unusable("broken DICOM header (bits stored)")
    if allocated > 16:
        raise Unusable(f"{allocated} bits a pixel: films have 16 at most")
    # Decoders of compressed pixels put the value into the low bits whatever HighBit says.
    shift = 0 if _is_compressed(film) or high is None else high + 1 - stored
    if not 0 <= shift <= allocated - stored:
        shift = 0
    values = (pixels.astype(np.int32) >> shift) & ((1 << stored) - 1)
    if is_signed(film):
        sign = 1 << (stored - 1)
        values = (values ^ sign) - sign
    return values


def is_signed(film: Dataset) -> bool:
    """Whether stored values are two's complement."""
    return _whole(film, "PixelRepresentation") == 1


def grey_from_rgb(pixels: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
    """(rows, columns, 3) RGB of `bits` bits → 8-bit grey by BT.601 luma; grey stored as colour stays exact."""
    if bits > 8:
        pixels = np.round(pixels.astype(np.float32) * (255 / (2**bits - 1)))
    return cv2.cvtColor(np.ascontiguousarray(pixels.astype(np.uint8)), cv2.COLOR_RGB2GRAY)
