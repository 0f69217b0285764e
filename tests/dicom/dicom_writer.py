"""Small DICOM files of every kind, written by pydicom and by encoders that share no code with the reader.

What is meant is given as stored values; the words of the file, with shifted bits and foreign ones, are made here.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
EXACT = (
    *NATIVE,
    RLELossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEG2000Lossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
)
LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, HTJ2K)
SYNTAXES = EXACT + LOSSY
# How far a lossy file's values may lie from those that went in, as a share of the range.
LOSS = {
    JPEGBaseline8Bit: 0.02,
    JPEGExtended12Bit: 0.02,
    JPEGLSNearLossless: 0.001,
    JPEG2000: 0.02,
    HTJ2K: 0.02,
}
MAMMO_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"


@dataclass(frozen=True)
class Form:
    """How values are stored. `high` is HighBit; none: BitsStored - 1. `foreign` is put into bits left over."""

    bits: int = 12
    allocated: int = 16
    signed: bool = False
    high: int | None = None
    foreign: int = 0
    photometric: str = "MONOCHROME2"
    syntax: str = ExplicitVRLittleEndian
    planar: int = 0
    frames: int = 1
    elements: dict = field(default_factory=dict)

    @property
    def first(self) -> int:
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def last(self) -> int:
        return self.first + (1 << self.bits) - 1


# Bits stored, bits allocated, HighBit (none: as usual).
DEPTHS = [
    (8, 8, None),
    (8, 16, None),
    (10, 16, None),
    (12, 16, None),
    (14, 16, None),
    (16, 16, None),
    (12, 16, 15),
]
UNSIGNED_ONLY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless)


def forms(syntax: str) -> Iterator[Form]:
    """Every depth and sign that a syntax can hold."""
    for (bits, allocated, high), signed in itertools.product(DEPTHS, (False, True)):
        if signed and syntax in UNSIGNED_ONLY:
            continue
        if syntax == JPEGBaseline8Bit and allocated != 8:
            continue
        if syntax == JPEGExtended12Bit and (bits > 12 or allocated == 8 or high):
            continue
        yield Form(bits, allocated, signed, high, syntax=syntax)


def ramp(form: Form, rows: int = 48, columns: int = 64) -> np.ndarray:
    """Values over the whole range of a form, smooth enough for lossy coding, (rows, columns)."""
    steps = np.linspace(0, 1, rows * columns).reshape(rows, columns)
    return np.round(form.first + steps * (form.last - form.first)).astype(np.int64)


def film(form: Form, values: np.ndarray | None = None, **elements: object) -> Dataset:
    """A dataset without file meta: a film of `values` (frames, rows, columns[, 3]) or one frame less."""
    values = ramp(form) if values is None else values
    stack = values if form.frames > 1 else values[None]
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = MAMMO_FOR_PRESENTATION, "1.2.3.4"
    dataset.Modality = "MG"
    dataset.Rows, dataset.Columns = stack.shape[1:3]
    dataset.SamplesPerPixel = 3 if stack.ndim == 4 else 1
    if stack.ndim == 4:
        dataset.PlanarConfiguration = form.planar
    if form.frames > 1:
        dataset.NumberOfFrames = form.frames
    dataset.PhotometricInterpretation = form.photometric
    dataset.BitsAllocated, dataset.BitsStored = form.allocated, form.bits
    dataset.HighBit = form.bits - 1 if form.high is None else form.high
    dataset.PixelRepresentation = int(form.signed)
    for keyword, value in {**form.elements, **elements}.items():
        setattr(dataset, keyword, value)
    _set_pixels(dataset, stack, form)
    return dataset


def encode(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The dataset as a file's bytes."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        dataset.SOPClassUID,
        dataset.SOPInstanceUID,
    )
    meta.TransferSyntaxUID = syntax
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def film_bytes(form: Form, values: np.ndarray | None = None, **elements: object) -> bytes:
    """A film as a file's bytes."""
    return encode(film(form, values, **elements), form.syntax)


def lut(
    first: int, entries: list[int], bits: int, form: Form | None = None, explanation: str = ""
) -> Dataset:
    """A LUT item with its entries as words."""
    item = Dataset()
    signed = first < 0
    item.add_new("LUTDescriptor", "SS" if signed else "US", [len(entries) % 65536, first, bits])
    if explanation:
        item.LUTExplanation = explanation
    item.add_new("LUTData", "OW", np.array(entries, _order(form)).tobytes())
    return item


def _order(form: Form | None) -> str:
    return ">u2" if form is not None and form.syntax == ExplicitVRBigEndian else "<u2"


def _set_pixels(dataset: Dataset, stack: np.ndarray, form: Form) -> None:
    mask = (1 << form.bits) - 1
    patterns = (stack & mask).astype(np.uint16 if form.allocated == 16 else np.uint8)
    shift = dataset.HighBit + 1 - form.bits
    words = (patterns << shift) | patterns.dtype.type(form.foreign)
    if form.syntax in NATIVE:
        if stack.ndim == 4 and form.planar:
            words = np.moveaxis(words, 3, 1)
        _set_native(dataset, words, form)
        return
    frames = [_compressed(dataset, values, word, form) for values, word in zip(patterns, words, strict=True)]
    dataset.add_new("PixelData", "OB", encapsulate(frames))
    dataset["PixelData"].is_undefined_length = True


def _set_native(dataset: Dataset, words: np.ndarray, form: Form) -> None:
    data = words.astype(_order(form) if form.allocated == 16 else "u1").tobytes()
    data += b"\0" * (len(data) % 2)
    is_ow = form.allocated == 16 or form.syntax == ImplicitVRLittleEndian
    dataset.add_new("PixelData", "OW" if is_ow else "OB", data)


def _compressed(dataset: Dataset, values: np.ndarray, words: np.ndarray, form: Form) -> bytes:
    syntax, colour = form.syntax, values.ndim == 3
    if syntax == RLELossless:
        return RLELosslessEncoder.encode(
            np.ascontiguousarray(words), rows=values.shape[0], columns=values.shape[1],
            samples_per_pixel=3 if colour else 1, bits_allocated=form.allocated, bits_stored=form.allocated,
            pixel_representation=0, photometric_interpretation=form.photometric, number_of_frames=1,
            planar_configuration=0, encoding_plugin="pydicom",
        )  # fmt: skip
    if (
        syntax not in (JPEG2000Lossless, JPEG2000, JPEGLosslessSV1, JPEGLossless)
        and dataset.HighBit != form.bits - 1
    ):
        # Streams of more bits than BitsStored hold the whole words.
        values, form = words, replace(form, bits=form.allocated)
    elif form.bits <= 8 and syntax not in (JPEGLSLossless, JPEGLSNearLossless, JPEGExtended12Bit):
        values = values.astype(np.uint8)
    if syntax in (JPEGBaseline8Bit, JPEGExtended12Bit):
        spaces = {"colorspace": "RGB", "outcolorspace": "YCBCR" if "YBR" in form.photometric else "RGB"}
        precision = 8 if syntax == JPEGBaseline8Bit else 12
        return imagecodecs.jpeg8_encode(
            values,
            level=98,
            bitspersample=precision,
            subsampling="444" if colour else None,
            **(spaces if colour else {}),
        )
    if syntax in (JPEGLossless, JPEGLosslessSV1):
        predictor = 1 if syntax == JPEGLosslessSV1 else 4
        return imagecodecs.jpeg8_encode(
            values, lossless=True, predictor=predictor, bitspersample=max(form.bits, 2)
        )
    if syntax in (JPEGLSLossless, JPEGLSNearLossless):
        return imagecodecs.jpegls_encode(values, level=0 if syntax == JPEGLSLossless else 2)
    # JPEG 2000 has signed samples: there negative values go in as what they are.
    if form.signed:
        sign = 1 << form.bits - 1
        values = ((values.astype(np.int32) ^ sign) - sign).astype(np.int16 if form.bits > 8 else np.int8)
    exact = syntax in EXACT
    if syntax in (JPEG2000Lossless, JPEG2000):
        return imagecodecs.jpeg2k_encode(
            values,
            level=0 if exact else 60,
            codecformat="j2k",
            reversible=exact,
            bitspersample=form.bits,
            mct=colour,
        )
    return imagecodecs.htj2k_encode(values, level=None if exact else 0.0005, reversible=exact, rgb=colour)
