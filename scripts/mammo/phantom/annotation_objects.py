"""Annotations as DICOM objects of known truth: overlay planes, presentation states, segmentations, reports, masks.

Outlines are n×2 arrays of x and y in the film's continuous coordinates: 0, 0 is the outer corner of its first pixel. In
rasters the pixel whose square holds a point is drawn. Written with pydicom from the standard; nothing here reads.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRBigEndian

from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, SECONDARY_CAPTURE, elements, encode, set_pixels
from mammo.phantom.seeds import uid

GRAYSCALE_STATE = "1.2.840.10008.5.1.4.1.1.11.1"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
COMPREHENSIVE_REPORT = "1.2.840.10008.5.1.4.1.1.88.33"
CAD_REPORT = "1.2.840.10008.5.1.4.1.1.88.50"

# Codes by the project's word for the lesion: value, scheme, meaning (PS3.16 CID 6014, 7159).
LESION_CODES = {
    "mass": ("129793001", "SCT", "Mammography breast density"),
    "calcification": ("129770007", "SCT", "Individual Calcification"),
    "cluster": ("129769006", "SCT", "Calcification Cluster"),
    "distortion": ("129792006", "SCT", "Architectural distortion of breast"),
    "asymmetry": ("129790003", "SCT", "Asymmetric breast tissue"),
    "nipple": ("24142002", "SCT", "Nipple"),
    "": ("52988006", "SCT", "Lesion"),
}


@dataclass(frozen=True)
class FilmName:
    """A film that objects refer to; `frames` counted from 1 as DICOM does, empty: the film as a whole."""

    uid: str
    width: int
    height: int
    frames: tuple[int, ...] = ()
    sop_class: str = MAMMO_FOR_PRESENTATION

    def reference(self) -> Dataset:
        """An item of an image reference."""
        item = elements(ReferencedSOPClassUID=self.sop_class, ReferencedSOPInstanceUID=self.uid)
        if self.frames:
            item.ReferencedFrameNumber = list(self.frames)
        return item


def film_name(width: int, height: int, *key: object) -> FilmName:
    """The name that `dicomfile.encode` gives to a film of this key."""
    return FilmName(uid("instance", *key), width, height)


def box_of(outline: np.ndarray) -> tuple[float, float, float, float]:
    """The truth of an outline in vector objects: its extent."""
    return (*outline.min(axis=0).tolist(), *outline.max(axis=0).tolist())


def pixel_box_of(outline: np.ndarray) -> tuple[float, float, float, float]:
    """The truth of an outline in rasters: the pixels that it passes through."""
    pixels = np.floor(outline)
    return (*pixels.min(axis=0).tolist(), *(pixels.max(axis=0) + 1).tolist())


# --- overlay planes ---------------------------------------------------------------------------------------------------


def drawn_raster(
    shape: tuple[int, int], outlines: Sequence[np.ndarray], line: int = 1, gap: int = 0, filled: bool = False
) -> np.ndarray:
    """Outlines as a raster (height, width) of 0 and 1; `gap` pixels of each line are left out, at its first point."""
    raster = np.zeros(shape, np.uint8)
    for outline in outlines:
        pixels = np.floor(outline).astype(np.int32)
        if filled:
            cv2.fillPoly(raster, [pixels], 1)
        elif not gap:
            cv2.polylines(raster, [pixels], True, 1, line)
        else:
            _draw_with_gap(raster, outline, line, gap)
    return raster


def _draw_with_gap(raster: np.ndarray, outline: np.ndarray, line: int, gap: int) -> None:
    """A line whose two ends are `gap` unmarked pixels apart, its own round ends counted."""
    closed = np.vstack([outline, outline[:1]])
    reached = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    away = np.arange((gap + line) / 2, reached[-1] - (gap + line) / 2, 0.5)
    points = np.stack([np.interp(away, reached, closed[:, axis]) for axis in (0, 1)], axis=1)
    cv2.polylines(raster, [np.floor(points).astype(np.int32)], False, 1, line)


def add_plane(
    dataset: Dataset, group: int, raster: np.ndarray, at: tuple[int, int] = (0, 0), kind: str = "G",
    missing: int = 0, first_frame: int = 0, swapped: bool = False,
) -> None:  # fmt: skip
    """Put a plane (height, width), or (frames, height, width), into a film as data of its own.

    `at` is the film's pixel (x, y), 0-based, under its first one; `missing` bytes are left out at the end;
    `first_frame`, 1-based, where the plane counts frames; `swapped` for big-endian files.
    """
    frames = raster.reshape(-1, *raster.shape[-2:])
    data = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    data += b"\0" * (len(data) % 2)
    data = data[: len(data) - missing]
    if swapped:
        data = np.frombuffer(data, "<u2").astype(">u2").tobytes()
    _describe_plane(dataset, group, frames.shape[1:], at, kind)
    if first_frame:
        dataset.add_new((group, 0x0015), "IS", len(frames))
        dataset.add_new((group, 0x0051), "US", first_frame)
    dataset.add_new((group, 0x0100), "US", 1)
    dataset.add_new((group, 0x0102), "US", 0)
    dataset.add_new((group, 0x3000), "OW", data)


def add_plane_in_pixels(dataset: Dataset, group: int, raster: np.ndarray, bit: int) -> None:
    """Put a plane of the film's size into an unused bit of its 16-bit pixels."""
    words = np.frombuffer(dataset.PixelData, "<u2") | (raster.reshape(-1).astype(np.uint16) << bit)
    dataset.PixelData = words.astype("<u2").tobytes()
    _describe_plane(dataset, group, raster.shape, (0, 0), "G")
    dataset.add_new((group, 0x0100), "US", 16)
    dataset.add_new((group, 0x0102), "US", bit)


def _describe_plane(
    dataset: Dataset, group: int, shape: tuple[int, ...], at: tuple[int, int], kind: str
) -> None:
    dataset.add_new((group, 0x0010), "US", shape[0])
    dataset.add_new((group, 0x0011), "US", shape[1])
    dataset.add_new((group, 0x0040), "CS", kind)
    dataset.add_new((group, 0x0050), "SS", [at[1] + 1, at[0] + 1])


def encode_big_endian(dataset: Dataset, sop_class: str, *key: object) -> bytes:
    """The dataset as a big-endian file (retired, still in archives). Pixel words are swapped here, planes are not."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid("instance", *key)
    meta.TransferSyntaxUID = ExplicitVRBigEndian
    if dataset.BitsAllocated == 16:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    buffer = io.BytesIO()
    dcmwrite(
        buffer, FileDataset(None, dataset, preamble=b"\0" * 128, file_meta=meta), enforce_file_format=True
    )
    return buffer.getvalue()


# --- presentation states ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Graphic:
    """A graphic: type and points (n×2, the film's coordinates, whatever units it is written in)."""

    kind: str
    points: np.ndarray
    filled: bool = False


@dataclass(frozen=True)
class Shown:
    """How a presentation state shows its film: part of it (x1, y1, x2, y2, whole pixels, half-open; none: all), turned
    clockwise by `rotation` degrees, then flipped from left to right."""

    area: tuple[int, int, int, int] | None = None
    rotation: int = 0
    flip: bool = False


def closed_line(outline: np.ndarray) -> Graphic:
    """An outline as a polygon."""
    return Graphic("POLYLINE", np.vstack([outline, outline[:1]]))


def closed_curve(outline: np.ndarray, every: int) -> Graphic:
    """A smooth outline as a curve through some of its points."""
    points = outline[::every]
    return Graphic("INTERPOLATED", np.vstack([points, points[:1]]))


def circle(centre: tuple[float, float], radius: float, angle: float = 0.0) -> Graphic:
    """A circle: its centre, and the point on it at an angle (degrees)."""
    on_it = (
        centre[0] + radius * math.cos(math.radians(angle)),
        centre[1] + radius * math.sin(math.radians(angle)),
    )
    return Graphic("CIRCLE", np.array([centre, on_it]))


def ellipse(centre: tuple[float, float], long: float, short: float, angle: float) -> Graphic:
    """An ellipse by its half axes, turned by an angle (degrees): the ends of its major axis, then of its minor one."""
    turn = math.radians(angle)
    major = np.array([math.cos(turn), math.sin(turn)]) * long
    minor = np.array([-math.sin(turn), math.cos(turn)]) * short
    middle = np.array(centre)
    return Graphic("ELLIPSE", np.stack([middle - major, middle + major, middle - minor, middle + minor]))


def ellipse_outline(centre: tuple[float, float], long: float, short: float, angle: float) -> np.ndarray:
    """The same ellipse as a dense outline, for its truth."""
    around = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    turn = math.radians(angle)
    x, y = long * np.cos(around), short * np.sin(around)
    turned = [x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)]
    return np.stack(turned, axis=1) + np.array(centre)


def on_screen(points: np.ndarray, film: FilmName, shown: Shown) -> np.ndarray:
    """Film coordinates → fractions of the displayed area, as DISPLAY units count them."""
    x1, y1, x2, y2 = shown.area or (0, 0, film.width, film.height)
    share = (points - (x1, y1)) / (x2 - x1, y2 - y1)
    for _ in range(shown.rotation // 90):
        # A quarter turn clockwise: what was at the bottom left comes to the top left.
        share = np.stack([1 - share[:, 1], share[:, 0]], axis=1)
    if shown.flip:
        share[:, 0] = 1 - share[:, 0]
    return share


def presentation_state(
    films: Sequence[FilmName],
    graphics: Sequence[tuple[FilmName | None, Sequence[Graphic]]],
    *key: object,
    units: str = "PIXEL",
    shown: Shown | None = None,
    texts: Sequence[tuple[float, float, float, float]] = (),
    compounds: Sequence[Dataset] = (),
) -> bytes:
    """A grayscale softcopy presentation state. Graphics name the film that they lie on; none: all films of the state.

    `texts` are bounding boxes (film pixels) of text beside the graphics, `compounds` items of `compound_rectangle`.
    """
    shown = shown or Shown()
    state = elements(Modality="PR", ContentLabel="MARKS", PresentationLUTShape="IDENTITY")
    state.ReferencedSeriesSequence = [
        elements(
            SeriesInstanceUID=uid("series", *key),
            ReferencedImageSequence=[film.reference() for film in films],
        )
    ]
    state.ImageRotation, state.ImageHorizontalFlip = shown.rotation, "Y" if shown.flip else "N"
    state.DisplayedAreaSelectionSequence = [_displayed_area(films[0], shown)]
    state.GraphicAnnotationSequence = []
    for film, drawn in graphics:
        item = elements(GraphicLayer="LAYER1")
        if film is not None:
            item.ReferencedImageSequence = [film.reference()]
        item.GraphicObjectSequence = [_graphic_item(one, film or films[0], units, shown) for one in drawn]
        if texts:
            item.TextObjectSequence = [_text_item(box) for box in texts]
        if compounds:
            item.CompoundGraphicSequence = list(compounds)
        state.GraphicAnnotationSequence.append(item)
    return encode(state, GRAYSCALE_STATE, *key)


def _displayed_area(film: FilmName, shown: Shown) -> Dataset:
    """The corners are pixels counted from 1\\1 in the stored film; "top left" is as seen on the screen."""
    x1, y1, x2, y2 = shown.area or (0, 0, film.width, film.height)
    pixels = np.array([(x, y) for x in (x1 + 1, x2) for y in (y1 + 1, y2)])
    corners = on_screen(np.array([(x, y) for x in (x1, x2) for y in (y1, y2)], float), film, shown)
    top_left = pixels[int(np.argmin(np.abs(corners).sum(axis=1)))]
    bottom_right = pixels[int(np.argmin(np.abs(corners - 1).sum(axis=1)))]
    return elements(
        DisplayedAreaTopLeftHandCorner=top_left.tolist(),
        DisplayedAreaBottomRightHandCorner=bottom_right.tolist(),
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )


def _graphic_item(graphic: Graphic, film: FilmName, units: str, shown: Shown) -> Dataset:
    points = on_screen(graphic.points, film, shown) if units == "DISPLAY" else graphic.points
    return elements(
        GraphicAnnotationUnits=units,
        GraphicDimensions=2,
        NumberOfGraphicPoints=len(points),
        GraphicData=points.reshape(-1).tolist(),
        GraphicType=graphic.kind,
        GraphicFilled="Y" if graphic.filled else "N",
    )


def _text_item(box: tuple[float, float, float, float]) -> Dataset:
    return elements(
        BoundingBoxAnnotationUnits="PIXEL",
        UnformattedTextValue="TEXT",
        BoundingBoxTopLeftHandCorner=list(box[:2]),
        BoundingBoxBottomRightHandCorner=list(box[2:]),
        BoundingBoxTextHorizontalJustification="LEFT",
    )


def compound(kind: str, number: int, corners: Sequence[float], angle: float = 0.0) -> Dataset:
    """A compound graphic in PIXEL units: RECTANGLE or ELLIPSE by corners, turned counterclockwise about its middle."""
    points = np.asarray(corners, float).reshape(-1, 2)
    item = elements(
        CompoundGraphicUnits="PIXEL",
        GraphicDimensions=2,
        NumberOfGraphicPoints=len(points),
        GraphicData=points.reshape(-1).tolist(),
        CompoundGraphicType=kind,
    )
    item.CompoundGraphicInstanceID = number
    if angle:
        item.RotationAngle, item.RotationPoint = angle, points.mean(axis=0).tolist()
    return item


# --- segmentations ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SegmentTruth:
    """A segment: its raster (height, width), 0 to 1, by film; the lesion's type, or nipple."""

    rasters: tuple[tuple[FilmName, np.ndarray], ...]
    lesion_type: str = "mass"


def segmentation(
    segments: Sequence[SegmentTruth], *key: object, fractional: bool = False, cut: int = 0
) -> bytes:
    """A segmentation with one frame for each segment and film; `cut` bytes of its pixels are left out."""
    frames = [
        (number, film, raster) for number, one in enumerate(segments, 1) for film, raster in one.rasters
    ]  # fmt: skip
    height, width = frames[0][2].shape
    made = elements(Modality="SEG", ImageType=["DERIVED", "PRIMARY"], ContentLabel="LESIONS")
    made.SegmentationType = "FRACTIONAL" if fractional else "BINARY"
    if fractional:
        made.SegmentationFractionalType, made.MaximumFractionalValue = "PROBABILITY", 200
    films = {film.uid: film for _, film, _ in frames}
    made.ReferencedSeriesSequence = [
        elements(
            SeriesInstanceUID=uid("series", *key),
            ReferencedInstanceSequence=[film.reference() for film in films.values()],
        )
    ]
    made.SegmentSequence = [_segment_item(number, one) for number, one in enumerate(segments, 1)]
    made.SharedFunctionalGroupsSequence = [Dataset()]
    made.PerFrameFunctionalGroupsSequence = [_frame_item(number, film) for number, film, _ in frames]
    stack = np.stack([raster for _, _, raster in frames])
    _set_segment_pixels(made, stack, fractional, cut)
    made.Rows, made.Columns, made.NumberOfFrames = height, width, len(frames)
    return encode(made, SEGMENTATION, *key)


def _segment_item(number: int, segment: SegmentTruth) -> Dataset:
    anatomy = segment.lesion_type == "nipple"
    category = ("91723000", "SCT", "Anatomical Structure") if anatomy else (
        "49755003", "SCT", "Morphologically Abnormal Structure")  # fmt: skip
    return elements(
        SegmentNumber=number,
        SegmentLabel=f"segment {number}",
        SegmentAlgorithmType="MANUAL",
        SegmentedPropertyCategoryCodeSequence=[code(*category)],
        SegmentedPropertyTypeCodeSequence=[code(*LESION_CODES[segment.lesion_type])],
    )


def _frame_item(number: int, film: FilmName) -> Dataset:
    source = film.reference()
    source.PurposeOfReferenceCodeSequence = [
        code("121322", "DCM", "Source image for image processing operation")
    ]
    derivation = elements(
        DerivationCodeSequence=[code("113076", "DCM", "Segmentation")], SourceImageSequence=[source]
    )
    return elements(
        DerivationImageSequence=[derivation],
        SegmentIdentificationSequence=[elements(ReferencedSegmentNumber=number)],
    )


def _set_segment_pixels(made: Dataset, stack: np.ndarray, fractional: bool, cut: int) -> None:
    bits = 8 if fractional else 1
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
    if fractional:
        data = np.round(stack * 200).astype(np.uint8).tobytes()
    else:
        data = np.packbits(stack.reshape(-1) >= 0.5, bitorder="little").tobytes()
    data += b"\0" * (len(data) % 2)
    made.add_new("PixelData", "OB", data[: len(data) - cut])


# --- reports ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Region:
    """A region of a report on a film; `rendered` is false for CAD marks that are not to be presented."""

    film: FilmName
    graphic: Graphic
    lesion_type: str = "mass"
    rendered: bool = True
    inner: tuple[Region, ...] = field(default=())


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence."""
    return elements(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def content(
    kind: str, relation: str, name: tuple[str, str, str] | None, *children: Dataset, **values: object
) -> Dataset:
    """A content item of a report."""
    item = elements(ValueType=kind, **values)
    if relation:
        item.RelationshipType = relation
    if name:
        item.ConceptNameCodeSequence = [code(*name)]
    if children:
        item.ContentSequence = list(children)
    return item


def _coded(
    relation: str, name: tuple[str, str, str], value: tuple[str, str, str], *children: Dataset
) -> Dataset:
    return content("CODE", relation, name, *children, ConceptCodeSequence=[code(*value)])


def _coordinates(relation: str, name: tuple[str, str, str], graphic: Graphic, *children: Dataset) -> Dataset:
    return content(
        "SCOORD", relation, name, *children, GraphicType=graphic.kind, GraphicData=graphic.points.reshape(-1).tolist()
    )  # fmt: skip


def _evidence(films: Sequence[FilmName], *key: object) -> list[Dataset]:
    series = elements(
        SeriesInstanceUID=uid("series", *key), ReferencedSOPSequence=[film.reference() for film in films]
    )
    return [elements(StudyInstanceUID=uid("study", *key), ReferencedSeriesSequence=[series])]


def measurement_report(regions: Sequence[Region], *key: object) -> bytes:
    """A measurement report (TID 1500) with a measurement group (TID 1410) for each planar region."""
    groups = []
    for number, region in enumerate(regions, 1):
        image = content("IMAGE", "SELECTED FROM", None, ReferencedSOPSequence=[region.film.reference()])
        groups.append(content(
            "CONTAINER", "CONTAINS", ("125007", "DCM", "Measurement Group"),
            content("TEXT", "HAS OBS CONTEXT", ("112039", "DCM", "Tracking Identifier"), TextValue=f"R{number}"),
            _coded("CONTAINS", ("121071", "DCM", "Finding"), LESION_CODES[region.lesion_type]),
            _coordinates("CONTAINS", ("111030", "DCM", "Image Region"), region.graphic, image),
            # A length measured within the region: a line, no region.
            content(
                "NUM", "CONTAINS", ("103355008", "SCT", "Width"),
                _coordinates(
                    "INFERRED FROM", ("121055", "DCM", "Path"), Graphic("POLYLINE", region.graphic.points[:2]), image
                ),
            ),
            ContinuityOfContent="SEPARATE",
        ))  # fmt: skip
    report = content(
        "CONTAINER", "", ("126000", "DCM", "Imaging Measurement Report"),
        content("CONTAINER", "CONTAINS", ("126010", "DCM", "Imaging Measurements"), *groups),
        Modality="SR", CompletionFlag="COMPLETE", VerificationFlag="UNVERIFIED", ContinuityOfContent="SEPARATE",
    )  # fmt: skip
    films = {region.film.uid: region.film for region in regions}
    report.CurrentRequestedProcedureEvidenceSequence = _evidence(list(films.values()), *key)
    return encode(report, COMPREHENSIVE_REPORT, *key)


def cad_report(regions: Sequence[Region], *key: object) -> bytes:
    """A mammography CAD report (TID 4000): an image library, and the marks as single image findings, by reference."""
    films = list({region.film.uid: region.film for region in regions}.values())
    library = content(
        "CONTAINER", "CONTAINS", ("111028", "DCM", "Image Library"),
        *[content("IMAGE", "CONTAINS", None, ReferencedSOPSequence=[film.reference()]) for film in films],
        ContinuityOfContent="SEPARATE",
    )  # fmt: skip
    places = {film.uid: (1, 1, number) for number, film in enumerate(films, 1)}
    marks = [_mark("CONTAINS", region, places) for region in regions]
    impressions = content(
        "CONTAINER", "CONTAINS", ("111034", "DCM", "Individual Impression/Recommendation"), *marks
    )  # fmt: skip
    detections = _coded(
        "CONTAINS", ("111017", "DCM", "CAD Processing and Findings Summary"),
        ("111242", "DCM", "All algorithms succeeded; with findings"), impressions,
    )  # fmt: skip
    report = content(
        "CONTAINER", "", ("111036", "DCM", "Mammography CAD Report"), library, detections,
        Modality="SR", CompletionFlag="COMPLETE", VerificationFlag="UNVERIFIED", ContinuityOfContent="SEPARATE",
    )  # fmt: skip
    report.CurrentRequestedProcedureEvidenceSequence = _evidence(films, *key)
    return encode(report, CAD_REPORT, *key)


def _mark(relation: str, region: Region, places: dict[str, tuple[int, ...]]) -> Dataset:
    intent = (
        ("111150", "DCM", "Presentation Required: Rendering device is expected to present")
        if region.rendered
        else ("111152", "DCM", "Not for Presentation: Rendering device expected not to present")
    )

    def selected() -> Dataset:
        return elements(
            RelationshipType="SELECTED FROM", ReferencedContentItemIdentifier=list(places[region.film.uid])
        )

    middle = Graphic("POINT", region.graphic.points.mean(axis=0, keepdims=True))
    return _coded(
        relation, ("111059", "DCM", "Single Image Finding"), LESION_CODES[region.lesion_type],
        _coded("HAS CONCEPT MOD", ("111056", "DCM", "Rendering Intent"), intent),
        _coordinates("HAS PROPERTIES", ("111010", "DCM", "Center"), middle, selected()),
        _coordinates("HAS PROPERTIES", ("111041", "DCM", "Outline"), region.graphic, selected()),
        *[_mark("INFERRED FROM", one, places) for one in region.inner],
    )  # fmt: skip


# --- masks ------------------------------------------------------------------------------------------------------------


def mask_file(raster: np.ndarray, film: FilmName | None, *key: object, bright: int = 255) -> bytes:
    """A mask (height, width) of 0 and 1 as an 8-bit Secondary Capture that names its film as its source."""
    made = elements(Modality="MG", ImageType=["DERIVED", "SECONDARY"], SeriesDescription="ROI mask images")
    if film is not None:
        made.SourceImageSequence = [film.reference()]
    set_pixels(made, (raster * bright).astype(np.uint8), 8, "MONOCHROME2")
    return encode(made, SECONDARY_CAPTURE, *key)


def mask_png(raster: np.ndarray) -> bytes:
    """A mask of 0 and 1 as an 8-bit PNG."""
    done, data = cv2.imencode(".png", raster.astype(np.uint8) * 255)
    assert done
    return data.tobytes()
