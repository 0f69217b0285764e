"""DICOM files within bounds of memory and time, whatever their lengths, counts and deflated parts claim.

A buffered file that is asked for 4 GB reserves them before it looks how much there is; a million elements of no
length need a gigabyte of objects; a deflated file (PS3.5 A.5) of a megabyte can hold a gigabyte.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from mammo.dicom.unusable import Unusable

# The largest film (two bytes a pixel) and its header.
MAX_INFLATED = 264_000_000
# Most elements are read in two pieces. A segmentation of a thousand frames has some fifty thousand elements.
MAX_PIECES = 200_000
# A sequence of known length is kept as bytes and taken apart when it is looked at: an element of 8 bytes then takes
# 300, an item of 8 bytes a thousand. Functional groups of a thousand frames have two million bytes.
MAX_SEQUENCE, MAX_ITEMS = 16_000_000, 100_000
_ITEM = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_DEFLATED = DeflatedExplicitVRLittleEndian.encode()


class _Bounded(io.BufferedIOBase):
    """Hands out no more than there is, in no more than `MAX_PIECES` pieces. Raises `Unusable` beyond."""

    size: int
    _pieces = 0

    def read(self, length: int | None = -1, /) -> bytes:
        if length is None or length < 0:
            # pydicom asks for all the rest in one case only: to inflate it, without any bound.
            raise Unusable("broken DICOM header (deflated, but not said where it should be)")
        self._pieces += 1
        if self._pieces > MAX_PIECES:
            raise Unusable("more data elements than any film has")
        return super().read(min(length, max(self.size - self.tell(), 0)))


class BoundedFile(_Bounded, io.BufferedReader):
    """A file to be read as DICOM. `size` in bytes."""

    def __init__(self, path: Path | str) -> None:
        """Open the file."""
        super().__init__(io.FileIO(path))
        self.size = os.fstat(self.fileno()).st_size


class BoundedBytes(_Bounded, io.BytesIO):
    """The same of bytes in memory."""

    def __init__(self, data: bytes) -> None:
        """Keep the bytes."""
        super().__init__(data)
        self.size = len(data)


def check_sequences(dataset: Dataset) -> None:
    """Refuse sequences that nobody should take apart, before anybody looks at them. Raises `Unusable`."""
    for tag in list(dataset.keys()):
        element = dataset.get_item(tag)
        if not isinstance(element, RawDataElement) or not element.value or not _may_be_sequence(element):
            continue
        if len(element.value) > MAX_SEQUENCE or sum(map(element.value.count, _ITEM)) > MAX_ITEMS:
            raise Unusable("broken DICOM header (a sequence larger than any)")


def _may_be_sequence(element: RawDataElement) -> bool:
    if element.VR not in (None, "UN"):
        return element.VR == "SQ"
    tag = element.tag
    return tag.is_private or (dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ")


def inflated(file: BoundedFile) -> BoundedBytes | None:
    """A deflated file as the explicit little endian one that was deflated; none for others. Raises `Unusable`."""
    head = file.read(144)
    file.seek(0)
    if head[128:140] != b"DICM\2\0\0\0UL\4\0":
        return None
    meta = file.read(144 + struct.unpack("<I", head[140:144].ljust(4, b"\0"))[0])
    if _DEFLATED not in meta:
        file.seek(0)
        return None
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = decoder.decompress(file.read(file.size), MAX_INFLATED)
    except zlib.error as error:
        raise Unusable("cut off: the deflated data are broken") from error
    if not decoder.eof:
        raise Unusable("cut off, or larger than any film: the deflated data have no end")
    # A name of the same length, so that no length in the meta header changes.
    return BoundedBytes(
        meta.replace(_DEFLATED, ExplicitVRLittleEndian.encode().ljust(len(_DEFLATED), b"\0")) + data
    )
