"""Which part a DICOM file plays in a delivery, and which other files it is about; both from the header alone."""

from __future__ import annotations

from pydicom.dataset import Dataset

from mammo.annotations.elements import MAX_DEPTH
from mammo.dicom.elements import items, text, whole
from mammo.dicom.read import FOR_PROCESSING_CLASSES, tolerant

_STORAGE = "1.2.840.10008.5.1.4.1.1."
PRESENTATION_STATES = _STORAGE + "11."
SECONDARY_CAPTURE = _STORAGE + "7"
# Segmentation and Label Map Segmentation; surfaces (66.5) have no pixels.
SEGMENTATIONS = (_STORAGE + "66.4", _STORAGE + "66.7")
REPORTS = _STORAGE + "88."
KEY_OBJECTS = _STORAGE + "88.59"
SINGLE_BIT_CAPTURE = _STORAGE + "7.1"
# Computed radiography and the DX family (digital X-ray, mammography, breast tomosynthesis), for presentation or not.
RADIOGRAPHS = (_STORAGE + "1", _STORAGE + "13.1.3", _STORAGE + "13.1.4", _STORAGE + "13.1.5")
FILM_MODALITIES = ("MG", "CR", "DX", "SC")
BY_MODALITY = {"PR": "gsps", "SEG": "seg", "SR": "sr"}
# Derivation codes and purposes of reference of a segmentation (PS3.16 CID 7203, 7202).
SEGMENTATION_CODES = ("113076", "121233")

# Sequences that lead to references to images (PS3.3 C.11.11, C.8.20, C.17, C.7.6.1, C.10.5), where they nest.
_LEADING = (
    "ReferencedSeriesSequence", "ReferencedImageSequence", "ReferencedInstanceSequence", "ReferencedSOPSequence",
    "CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence",
    "StudiesContainingOtherReferencedInstancesSequence", "BlendingSequence", "GraphicAnnotationSequence",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "DerivationImageSequence",
    "SourceImageSequence", "ContentSequence",
)  # fmt: skip


def references(header: Dataset) -> frozenset[str]:
    """The SOPInstanceUIDs of all images that an object refers to; empty where it refers to none.

    References to studies, patients, procedures and earlier versions of the object are not followed.
    """
    found: set[str] = set()
    with tolerant():
        # A marked copy may also name comparison films; it was made from its source.
        sequences = ("SourceImageSequence",) if role_of(header) == "twin" else _LEADING
        open_ = [(header, 0)]
        while open_:
            dataset, depth = open_.pop()
            if uid := text(dataset, "ReferencedSOPInstanceUID"):
                found.add(uid)
            if depth < MAX_DEPTH:
                below = [
                    item for keyword in sequences if keyword in dataset for item in items(dataset, keyword)
                ]
                open_ += [(item, depth + 1) for item in below]
    return frozenset(found)


def role_of(header: Dataset) -> str:
    """The part that a file plays: gsps, seg, sr, twin, mask or film; empty for anything else (a PDF, a CT, …).

    twin: a Secondary Capture, or a radiograph derived from one that was for presentation, with its source. mask: one
    bit a pixel, or eight and called a mask or a segmentation of its source. A film has pixels and a film's modality or
    SOP class; one whose header names neither counts as a film, because careless anonymisers remove both.
    """
    with tolerant():
        sop_class, modality = text(header, "SOPClassUID"), text(header, "Modality").upper()
        role = _object_role(sop_class, modality)
        if role is None:
            role = _image_role(header, sop_class, modality)
        return role


def _object_role(sop_class: str, modality: str) -> str | None:
    """The role of what is no image of a film; none where it may be one."""
    if sop_class.startswith(PRESENTATION_STATES):
        return "gsps"
    if sop_class in SEGMENTATIONS:
        return "seg"
    if sop_class.startswith(REPORTS):
        return "" if sop_class == KEY_OBJECTS else "sr"
    return BY_MODALITY.get(modality) if not sop_class else None


def _image_role(header: Dataset, sop_class: str, modality: str) -> str:
    if not whole(header, "Rows") or not whole(header, "Columns"):
        return ""
    captured = _is_or_below(sop_class, (SECONDARY_CAPTURE,))
    if not (captured or _is_or_below(sop_class, RADIOGRAPHS) or modality in FILM_MODALITIES):
        return "" if sop_class or modality else "film"
    sources = items(header, "SourceImageSequence")
    if _is_mask(header, sop_class, bool(sources) or bool(items(header, "ReferencedImageSequence"))):
        return "mask"
    named = [source for source in sources if text(source, "ReferencedSOPInstanceUID")]
    if captured:
        return "twin" if named else "film"
    return "twin" if any(_was_a_film(source, header) for source in named) else "film"


def _is_or_below(sop_class: str, classes: tuple[str, ...]) -> bool:
    return any(sop_class == one or sop_class.startswith(one + ".") for one in classes)


def _was_a_film(source: Dataset, header: Dataset) -> bool:
    """Whether a radiograph was made from a film for readers, not from the raw values of its own exposure."""
    derived = text(header, "ImageType").upper() == "DERIVED"
    source_class = text(source, "ReferencedSOPClassUID")
    return derived and _is_or_below(source_class, RADIOGRAPHS) and source_class not in FOR_PROCESSING_CLASSES


def _is_mask(header: Dataset, sop_class: str, refers: bool) -> bool:
    if whole(header, "BitsAllocated") == 1 or sop_class == SINGLE_BIT_CAPTURE:
        return True
    if not refers or whole(header, "BitsAllocated") != 8 or (whole(header, "SamplesPerPixel") or 1) != 1:
        return False
    if whole(header, "BitsStored") == 1:
        return True
    codes = items(header, "DerivationCodeSequence")
    codes += [
        code
        for source in items(header, "SourceImageSequence")
        for code in items(source, "PurposeOfReferenceCodeSequence")
    ]
    if any(text(code, "CodeValue") in SEGMENTATION_CODES for code in codes):
        return True
    words = [text(header, keyword) for keyword in ("SeriesDescription", "DerivationDescription")]
    words += [str(word) for word in header.get("ImageType") or ()]
    return any("MASK" in word.upper() or "SEGMENTATION" in word.upper() for word in words)
