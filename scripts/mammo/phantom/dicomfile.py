"""Writing the DICOM files of the synthetic deliveries, byte for byte the same each time.

Nothing here reads DICOM: the workflow's reader is the code under test.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from mammo.phantom.seeds import digest, uid

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MAMMO_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"
MAMMO_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"
# Height of a mammography detector in mm: gives small films a spacing that makes a breast as large as a
# breast.
DETECTOR_MM = 233.0


@dataclass(frozen=True)
class PixelForm:
    """How brightness becomes stored values.

    `bits` stored of 16; `inverted` is MONOCHROME1; `window` one of "", "linear", "sigmoid"; `rgb` 8-bit
    colour; `padding` writes PixelPaddingValue and sets the air to it; `offset` a rescale intercept.
    """

    bits: int = 12
    inverted: bool = False
    window: str = ""
    rgb: bool = False
    padding: bool = False
    offset: int = 0
    rle: bool = False

    def names(self) -> list[str]:
        """The form's quirks as words, for the table of truth."""
        words = {
            "monochrome1": self.inverted,
            self.window: bool(self.window),
            "rgb": self.rgb,
            "padding": self.padding,
            "rescale": self.offset != 0,
            "rle": self.rle,
        }
        return [word for word, present in words.items() if present]


def elements(**values: object) -> Dataset:
    """A dataset of DICOM keywords and values; empty text stays an empty element."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def put_invalid(dataset: Dataset, keyword: str, text: str) -> None:
    """Store `text` under a keyword although its value representation forbids it (anonymisers do)."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    dataset[tag] = DataElement(tag, dictionary_VR(tag), text, validation_mode=IGNORE)


def set_pixels(dataset: Dataset, stored: np.ndarray, bits: int, photometric: str) -> None:
    """Put unsigned pixels (height, width) or (height, width, 3) with `bits` stored into the dataset."""
    allocated = 8 if stored.dtype == np.uint8 else 16
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.SamplesPerPixel = 3 if stored.ndim == 3 else 1
    if stored.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1
    dataset.PixelRepresentation = 0
    data = stored.astype("<u2" if allocated == 16 else "u1").tobytes()
    dataset.add_new("PixelData", "OW" if allocated == 16 else "OB", data + b"\0" * (len(data) % 2))


def set_brightness(dataset: Dataset, pixels: np.ndarray, air: np.ndarray, form: PixelForm) -> None:
    """Store brightness 0 to 1 (bright is dense) as `form` says, with the elements that explain it."""
    if form.rgb:
        grey = np.round(pixels * 255).astype(np.uint8)
        set_pixels(dataset, np.repeat(grey[:, :, None], 3, axis=2), 8, "RGB")
        return
    top = 2**form.bits - 1
    stored = np.clip(np.round(pixels * top), 1, top)
    stored = np.where(air, 0, stored) if form.padding else stored
    stored = top - stored if form.inverted else stored
    set_pixels(
        dataset, stored.astype(np.uint16), form.bits, "MONOCHROME1" if form.inverted else "MONOCHROME2"
    )
    if form.inverted:
        dataset.PresentationLUTShape = "INVERSE"
    if form.padding:
        dataset.add_new("PixelPaddingValue", "US", top if form.inverted else 0)
    if form.offset:
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = form.offset, 1, "US"
    _set_window(dataset, top, form)


def _set_window(dataset: Dataset, top: int, form: PixelForm) -> None:
    """Three windows as vendors write them; the first is the one to use. In modality units, before any
    inversion.
    """
    if not form.window:
        return
    middle, width = (0.41, 0.82) if form.window == "linear" else (0.38, 0.50)
    middle = 1 - middle if form.inverted else middle
    centre = round(middle * top) + form.offset
    dataset.WindowCenter = [centre, centre + round(0.03 * top), centre - round(0.03 * top)]
    dataset.WindowWidth = [round(width * top), round(width * 0.8 * top), round(width * 1.2 * top)]
    dataset.WindowCenterWidthExplanation = ["NORMAL", "HARDER", "SOFTER"]
    dataset.VOILUTFunction = form.window.upper()


def encode(dataset: Dataset, sop_class: str, *key: object, rle: bool = False) -> bytes:
    """The dataset as a DICOM file's bytes; `key` names the instance for its UID."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid("instance", *key)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    # Fixed, or a new release of the writing library would change every file.
    meta.ImplementationClassUID = uid("mammo.phantom")
    meta.ImplementationVersionName = "MAMMO_PHANTOM_1"
    file = FileDataset(None, dataset, preamble=b"\0" * 128, file_meta=meta)
    if rle:
        file.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    buffer = io.BytesIO()
    dcmwrite(buffer, file, enforce_file_format=True)
    return buffer.getvalue()


def truncated(data: bytes, *key: object) -> bytes:
    """A transfer that broke off: the first part of a file, cut inside the pixels."""
    return data[: len(data) * 2 // 5 - digest("cut", *key) % 97]


def without_pixels(data: bytes) -> bytes:
    """The same file ending before its pixel data (a valid header with nothing to show)."""
    return data[: data.rindex(b"\xe0\x7f\x10\x00O")]
