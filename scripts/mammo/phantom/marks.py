"""Readers' marks drawn into a picture of a film, in every variant, with the boxes of the lesions they outline.

What is a lesion, and so the truth: every closed or nearly closed outline. An outline inside another, of a clearly
smaller box, is a lesion of its own; a line drawn twice is one. Text, arrows, rulers and stamps are none. All
coordinates are those of the picture: (x, y), pixel centres at whole numbers; boxes are half-open and reach from the
first to the last pixel in which the middle of the line runs, cut off at the picture's edge.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import JPEGBaseline8Bit

from mammo.phantom.dicomfile import SECONDARY_CAPTURE, elements, encode, set_pixels
from mammo.phantom.seeds import uid

Box = tuple[float, float, float, float]
Points = np.ndarray

COLOURS = {
    "red": (255, 0, 0), "green": (0, 255, 0), "dark_red": (160, 0, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0),
    "magenta": (255, 0, 255), "cyan": (0, 255, 255), "white": (255, 255, 255),
}  # fmt: skip
SHAPES = ("ellipse", "lobed", "spiculated", "rectangle", "freehand")
ARRANGEMENTS = (
    "single", "gaps", "touching", "overlapping", "nested", "twice", "edge", "text", "arrow", "leader", "lone letter",
)  # fmt: skip
# What stands on films without a lesion.
CLEAN = ("nothing", "text", "arrow", "ruler", "stamp", "lone letter")
WORDS = ("M1", "B4", "LO", "CALC", "mass 3", "0.8 cm", "R10", "#2", "Dr. O", "P06", "X")
# Each a closed line by itself: standing alone it looks like an outline, but for what it says.
LETTERS = ("O", "D", "A", "8")
# Sides of lesions: pixels, share of the picture's shorter side; of spiculated ones: in widths of the pen.
LEAST_SIDE, MOST_SHARE, SPIKES_FROM = 20, 0.4, 18


@dataclass(frozen=True)
class MarkPen:
    """Colour (a key of `COLOURS`), width in pixels of the picture, smooth edges or not."""

    colour: str = "red"
    line: int = 3
    smooth: bool = True


@dataclass(frozen=True)
class Marked:
    """A picture (height, width, 3) uint8 RGB with marks, and the boxes of the lesions that they outline."""

    picture: np.ndarray
    boxes: tuple[Box, ...]


def mark(grey: np.ndarray, arrangement: str, pen: MarkPen, rng: np.random.Generator) -> Marked:
    """Draw lesions onto a grey picture (height, width) uint8, arranged as one of `ARRANGEMENTS`."""
    canvas = _Canvas(np.repeat(grey[:, :, None], 3, axis=2), pen, rng)
    height, width = grey.shape
    outlines = _arranged(arrangement, (width, height), pen, rng)
    for outline in outlines:
        canvas.outline(outline, gaps=arrangement == "gaps", twice=arrangement == "twice")
    if arrangement == "text":
        canvas.write_beside(outlines, WORDS)
    elif arrangement == "lone letter":
        canvas.write_beside(outlines, LETTERS)
    elif arrangement == "arrow":
        canvas.point_at(outlines, touching=False)
    elif arrangement == "leader":
        canvas.point_at(outlines, touching=True)
    return Marked(canvas.picture, tuple(_box(outline, (width, height)) for outline in outlines))


def distract(grey: np.ndarray, what: str, pen: MarkPen, rng: np.random.Generator) -> Marked:
    """Draw onto a grey picture what is no lesion: one of `CLEAN`."""
    canvas = _Canvas(np.repeat(grey[:, :, None], 3, axis=2), pen, rng)
    height, width = grey.shape
    where = _shape(rng, (width, height), LEAST_SIDE, 0.2 * min(height, width), pen.line)
    if what == "text":
        canvas.write_beside([where], WORDS)
        canvas.write(str(rng.choice(WORDS)), (int(0.1 * width), int(0.9 * height)))
    elif what == "lone letter":
        canvas.write_beside([where], LETTERS)
    elif what == "arrow":
        canvas.point_at([where], touching=False)
    elif what == "ruler":
        canvas.ruler()
    elif what == "stamp":
        canvas.stamp()
    return Marked(canvas.picture, ())


# --- saving -------------------------------------------------------------------------------------------------------


def as_jpeg(picture: np.ndarray, quality: int, chroma_halved: bool) -> bytes:
    """An RGB or grey picture as a JPEG, 4:2:0 or 4:4:4."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if chroma_halved else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    done, data = cv2.imencode(".jpg", picture[:, :, ::-1] if picture.ndim == 3 else picture, options)
    assert done
    return data.tobytes()


def after_jpeg(picture: np.ndarray, quality: int, chroma_halved: bool) -> np.ndarray:
    """What is left of an RGB or grey picture that went through a JPEG."""
    data = np.frombuffer(as_jpeg(picture, quality, chroma_halved), np.uint8)
    if picture.ndim == 2:
        return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1])


def clean_film(stored: np.ndarray, bits: int, window: tuple[float, float] | None, key: str) -> bytes:
    """A grey film as DICOM without marks, with its window (centre, width); `key` names its instance."""
    dataset = elements(
        Modality="MG", PresentationIntentType="FOR PRESENTATION", StudyInstanceUID=uid("marks", key)
    )
    set_pixels(dataset, stored, bits, "MONOCHROME2")
    if window is not None:
        dataset.WindowCenter, dataset.WindowWidth = (round(value, 2) for value in window)
    return encode(dataset, SECONDARY_CAPTURE, "marks", "clean", key)


def marked_capture(
    picture: np.ndarray, key: str, photometric: str = "RGB", jpeg: tuple[int, bool] | None = None
) -> bytes:
    """A marked copy as Secondary Capture whose SourceImageSequence names the clean film of the same `key`.

    `picture` uint8, (height, width, 3) RGB or (height, width) grey. `photometric` RGB, YBR_FULL, PALETTE COLOR or
    MONOCHROME2; or with `jpeg`, its quality and whether the chroma is halved, a JPEG baseline (YBR_FULL_422).
    """
    dataset = elements(Modality="MG", ConversionType="WSD", StudyInstanceUID=uid("marks", key))
    source = elements(
        ReferencedSOPClassUID=SECONDARY_CAPTURE,
        ReferencedSOPInstanceUID=uid("instance", "marks", "clean", key),
    )
    dataset.SourceImageSequence = [source]
    stored = picture
    if photometric == "YBR_FULL":
        stored = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)[:, :, [0, 2, 1]]
    elif photometric == "PALETTE COLOR":
        stored = _with_palette(dataset, picture)
    set_pixels(dataset, np.ascontiguousarray(stored), 8, photometric)
    if jpeg is not None:
        dataset.PhotometricInterpretation = "YBR_FULL_422" if jpeg[1] else "YBR_FULL"
        dataset.LossyImageCompression = "01"
        return _encapsulated(dataset, as_jpeg(picture, *jpeg), "marks", "marked", key)
    return encode(dataset, SECONDARY_CAPTURE, "marks", "marked", key)


def _encapsulated(dataset: Dataset, jpeg: bytes, *key: object) -> bytes:
    """A Secondary Capture's bytes with a JPEG baseline in place of its pixels; `key` as for `encode`."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SECONDARY_CAPTURE
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid("instance", *key)
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    meta.ImplementationClassUID = uid("mammo.phantom")
    dataset.PixelData = encapsulate([jpeg])
    dataset["PixelData"].VR = "OB"
    buffer = io.BytesIO()
    dcmwrite(
        buffer, FileDataset(None, dataset, preamble=b"\0" * 128, file_meta=meta), enforce_file_format=True
    )
    return buffer.getvalue()


def _with_palette(dataset: Dataset, picture: np.ndarray) -> np.ndarray:
    """Indices into a palette of 216 colours and 40 greys, which is put into the dataset."""
    levels = np.arange(0, 256, 51)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    greys = np.repeat(np.linspace(0, 255, 40).round()[:, None], 3, axis=1)
    palette = np.concatenate([cube, greys]).astype(np.uint8)
    spread = picture.max(axis=2).astype(int) - picture.min(axis=2)
    steps = np.round(picture / 51).astype(int)
    indices = steps[:, :, 0] * 36 + steps[:, :, 1] * 6 + steps[:, :, 2]
    indices = np.where(spread < 20, 216 + np.round(picture[:, :, 0] / 255 * 39).astype(int), indices)
    for channel, name in enumerate(("Red", "Green", "Blue")):
        dataset.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [256, 0, 16])
        entries = (palette[:, channel].astype("<u2") * 257).tobytes()
        dataset.add_new(f"{name}PaletteColorLookupTableData", "OW", entries)
    return indices.astype(np.uint8)


# --- where the lesions are ----------------------------------------------------------------------------------------


def _box(outline: Points, size: tuple[int, int]) -> Box:
    left, top = outline.min(axis=0)
    right, bottom = outline.max(axis=0) + 1
    return (
        float(max(0.0, left)),
        float(max(0.0, top)),
        float(min(size[0], right)),
        float(min(size[1], bottom)),
    )


def _shape(
    rng: np.random.Generator, size: tuple[int, int], least: float, most: float, line: int, kind: str = ""
) -> Points:
    """A closed outline of a side between `least` and `most` (log-uniform), somewhere well inside the picture."""
    side = float(np.exp(rng.uniform(np.log(least), np.log(max(most, least + 1)))))
    aspect = float(np.exp(rng.uniform(-0.45, 0.45)))
    across, down = max(least, side * min(1, aspect)), max(least, side * min(1, 1 / aspect))
    # Nine spikes cannot be seen where they are no longer than the pen is wide.
    kinds = (
        SHAPES if min(across, down) >= SPIKES_FROM * line else [one for one in SHAPES if one != "spiculated"]
    )
    points = _unit_outline(rng, kind or str(rng.choice(kinds)))
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0) * (across - 1, down - 1)
    room = 12
    corner = [rng.uniform(room, size[0] - across - room), rng.uniform(room, size[1] - down - room)]
    return points + corner


def _unit_outline(rng: np.random.Generator, kind: str) -> Points:
    if kind == "rectangle":
        side = np.linspace(0, 1, 40, endpoint=False)
        zero, one = np.zeros(40), np.ones(40)
        edges = ((side, zero), (one, side), (1 - side, one), (zero, 1 - side))
        return np.concatenate([np.stack(edge, 1) for edge in edges])
    angle = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    radius = np.ones(240)
    harmonics = {"ellipse": (), "lobed": (2, 3, 4), "freehand": (2, 3, 5, 7), "spiculated": (9,)}[kind]
    for number in harmonics:
        share = 0.22 if kind == "spiculated" else 0.35 / number
        radius += share * rng.uniform(0.3, 1) * np.cos(number * angle + rng.uniform(0, 2 * np.pi))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _arranged(
    arrangement: str, size: tuple[int, int], pen: MarkPen, rng: np.random.Generator
) -> list[Points]:
    """The outlines of a film's lesions."""
    most = MOST_SHARE * min(size)
    # A thick pen cannot outline the smallest lesion: it would paint it over.
    least = max(LEAST_SIDE, 3.5 * pen.line)
    if arrangement == "gaps":
        least *= 2
    if arrangement == "nested":
        outer = _shape(rng, size, max(3.2 * least, 90), most, pen.line)
        return [outer, _inner(rng, outer, least, pen)]
    first = _shape(rng, size, least, most, pen.line)
    if arrangement == "edge":
        return [_at_edge(rng, _shape(rng, size, 2 * least, most, pen.line), size)]
    if arrangement in ("touching", "overlapping"):
        overlapping = arrangement == "overlapping"
        least = max(1.5 * least, 8 * pen.line + 20 if overlapping else 0)
        first = _shape(rng, size, least, most / 2, pen.line)
        return [first, _beside(rng, first, least, pen, overlapping, size)]
    second = _shape(rng, size, least, most / 2, pen.line)
    apart = 40 + 2 * pen.line
    boxes = (_box(first, size), _box(second, size))
    across = max(boxes[0][0] - boxes[1][2], boxes[1][0] - boxes[0][2])
    down = max(boxes[0][1] - boxes[1][3], boxes[1][1] - boxes[0][3])
    return [first, second] if max(across, down) > apart else [first]


def _inner(rng: np.random.Generator, outer: Points, least: float, pen: MarkPen) -> Points:
    """An outline inside another, clear of its line, whose box has at most a quarter of the area."""
    middle = outer.mean(axis=0)
    # The largest circle about the middle that stays off the outer line.
    clear = float(np.hypot(*(outer - middle).T).min()) - 2 * pen.line - 3
    side = float(np.clip(clear * rng.uniform(0.6, 1.2), least, 0.48 * np.ptp(outer, axis=0).min()))
    points = _unit_outline(rng, str(rng.choice(("ellipse", "lobed", "freehand"))))
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0) * (side - 1) - (side - 1) / 2
    room = max(0.0, clear - side * 0.71)
    direction = rng.uniform(0, 2 * np.pi)
    return points + middle + room * rng.uniform(0, 1) * np.array([np.cos(direction), np.sin(direction)])


def _at_edge(rng: np.random.Generator, outline: Points, size: tuple[int, int]) -> Points:
    """The outline moved over the picture's edge, or into a corner; some programs then run along the edge."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    axes = [0, 1] if rng.random() < 0.25 else [int(rng.integers(2))]
    moved = outline.copy()
    for axis in axes:
        hidden = rng.uniform(0.1, 0.4) * (high[axis] - low[axis])
        if rng.random() < 0.5:
            moved[:, axis] -= low[axis] + hidden
        else:
            moved[:, axis] += size[axis] - 1 - high[axis] + hidden
    return np.clip(moved, 0, np.array(size) - 1.0) if rng.random() < 0.4 else moved


def _beside(
    rng: np.random.Generator,
    first: Points,
    least: float,
    pen: MarkPen,
    overlapping: bool,
    size: tuple[int, int],
) -> Points:
    """A second outline whose line touches the first's, or which lies over it by a tenth to a quarter of its side."""
    # Of comparable size: at least half of the first.
    side = float(np.ptp(first, axis=0).max())
    second = _shape(rng, size, max(least, 0.5 * side), max(least, side), pen.line)
    middle, second = first.mean(axis=0), second - second.mean(axis=0)
    towards = np.array(size) / 2 - middle
    direction = np.arctan2(towards[1], towards[0]) + rng.uniform(-1.2, 1.2)
    step = np.array([np.cos(direction), np.sin(direction)])
    far = np.hypot(*np.ptp(first, axis=0)) + np.hypot(*np.ptp(second, axis=0))
    near, contour = 0.0, np.round(first).astype(np.float32)

    def deepest(distance: float) -> float:
        moved = (middle + second + distance * step).astype(np.float32)
        return max(cv2.pointPolygonTest(contour, (float(x), float(y)), True) for x, y in moved)

    depth = -pen.line * 0.6
    if overlapping:
        # Deeper than two lines are wide: below that nobody sees whether outlines cross or touch.
        depth = max(rng.uniform(0.1, 0.25) * float(np.ptp(second, axis=0).min()), 2 * pen.line + 4)
    for _ in range(24):
        half = (near + far) / 2
        near, far = (half, far) if deepest(half) > depth else (near, half)
    return middle + second + far * step


# --- drawing ------------------------------------------------------------------------------------------------------


class _Canvas:
    """A picture under a pen."""

    def __init__(self, picture: np.ndarray, pen: MarkPen, rng: np.random.Generator) -> None:
        self.picture = np.ascontiguousarray(picture)
        self.pen, self.rng = pen, rng
        self.colour = COLOURS[pen.colour]
        self.style = cv2.LINE_AA if pen.smooth else cv2.LINE_8

    def _line(self, points: Points, closed: bool, width: float = 0) -> None:
        """Draw a line of exactly the pen's width with round ends; the library's own lines come out up to 2 px wider."""
        width = width or self.pen.line
        ring = np.concatenate([points, points[:1]]) if closed else points
        along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(ring, axis=0).T))])
        at = np.linspace(0, along[-1], max(2, int(along[-1] * 4)))
        dots = np.stack([np.interp(at, along, ring[:, axis]) for axis in (0, 1)], 1)
        reach = int(np.ceil(width / 2)) + 1
        height, across = self.picture.shape[:2]
        left, top = (np.floor(dots.min(axis=0)).astype(int) - reach).tolist()
        right, bottom = (np.ceil(dots.max(axis=0)).astype(int) + reach + 1).tolist()
        distance = np.full((bottom - top, right - left), 99.0, np.float32)
        cells = np.round(dots).astype(int)
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                apart = np.hypot(cells[:, 0] + dx - dots[:, 0], cells[:, 1] + dy - dots[:, 1])
                place = (cells[:, 1] + dy - top, cells[:, 0] + dx - left)
                np.minimum.at(distance, place, apart.astype(np.float32))
        cover = np.clip(width / 2 + 0.5 - distance, 0, 1)
        cover = cover if self.pen.smooth else (cover >= 0.5).astype(np.float32)
        y1, y2, x1, x2 = max(0, top), min(height, bottom), max(0, left), min(across, right)
        if y1 >= y2 or x1 >= x2:
            return
        share = cover[y1 - top : y2 - top, x1 - left : x2 - left, None]
        part = self.picture[y1:y2, x1:x2]
        part[:] = np.round(part * (1 - share) + np.array(self.colour) * share).astype(np.uint8)

    def outline(self, outline: Points, gaps: bool, twice: bool) -> None:
        if gaps:
            for stretch in self._with_gaps(outline):
                self._line(stretch, closed=False)
        elif twice:
            angle = np.linspace(0, 2 * np.pi, len(outline), endpoint=False)
            reach = min(0.03 * float(np.ptp(outline, axis=0).min()), 7)
            wave = reach * np.sin(2 * angle + self.rng.uniform(0, 6)) + 0.3 * reach
            outward = outline - outline.mean(axis=0)
            outward = outward / np.maximum(np.hypot(*outward.T), 1e-9)[:, None]
            for sign in (-0.5, 0.5):
                self._line(outline + sign * wave[:, None] * outward, closed=True)
        else:
            self._line(outline, closed=True)

    def _with_gaps(self, outline: Points) -> list[Points]:
        """The outline in pieces, one to four gaps of 2 to 9 pixels between them, a fifth of its length at most."""
        ring = np.concatenate([outline, outline[:1]])
        along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(ring, axis=0).T))])
        length = along[-1]
        fine = np.arange(0, length, 0.5)
        dense = np.stack([np.interp(fine, along, ring[:, axis]) for axis in (0, 1)], 1)
        count = int(self.rng.integers(1, 5))
        # A line's ends are round and reach half its width into the gap.
        width = min(float(self.rng.uniform(2, 9)), 0.2 * length / count) + self.pen.line
        starts = (self.rng.uniform(0, length) + np.arange(count) * length / count) % length
        open_ = np.zeros(len(dense), bool)
        for start in starts:
            open_ |= (fine - start) % length < width
        first = int(np.argmax(open_))
        dense, open_ = np.roll(dense, -first, axis=0), np.roll(open_, -first)
        cuts = np.flatnonzero(np.diff(open_.astype(int)))
        pieces = np.split(dense, cuts + 1)[1::2]
        return [piece for piece in pieces if len(piece) > 1]

    def _font(self) -> tuple[int, float, int]:
        fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
        tall = self.rng.uniform(10, max(16, 0.018 * self.picture.shape[0]))
        return int(self.rng.choice(fonts)), tall / 21, max(1, round(tall / 21 * self.rng.uniform(1, 2.2)))

    def write(self, text: str, corner: tuple[int, int]) -> None:
        font, scale, thick = self._font()
        cv2.putText(self.picture, text, corner, font, scale, self.colour, thick, self.style)

    def write_beside(self, outlines: list[Points], words: tuple[str, ...]) -> None:
        """A word to the right of each outline, left of it, or above, 3 to 25 pixels off its line."""
        height, width = self.picture.shape[:2]
        for outline in outlines:
            text = str(self.rng.choice(words))
            font, scale, thick = self._font()
            (across, down), base = cv2.getTextSize(text, font, scale, thick)
            x1, y1, x2, y2 = _box(outline, (width, height))
            off = self.pen.line / 2 + thick / 2 + self.rng.uniform(3, 25)
            middle = int((y1 + y2 + down) / 2)
            places = [
                (int(x2 + off), middle),
                (int(x1 - off - across), middle),
                (int(x1), int(y1 - off - base)),
                (int(x1), int(y2 + off + down)),
            ]
            fitting = [
                (x, y) for x, y in places if 2 < x < width - across - 2 and down + 2 < y < height - base - 2
            ]
            for x, y in [fitting[int(self.rng.integers(len(fitting)))]] if fitting else []:
                cv2.putText(self.picture, text, (x, y), font, scale, self.colour, thick, self.style)

    def point_at(self, outlines: list[Points], touching: bool) -> None:
        """An arrow at each outline, or a leader line from it to a word."""
        height, width = self.picture.shape[:2]
        for outline in outlines:
            target = outline[int(self.rng.integers(len(outline)))]
            outward = target - outline.mean(axis=0)
            outward = outward / max(float(np.hypot(*outward)), 1e-9)
            length = self.rng.uniform(30, 120)
            tip = target + outward * (0 if touching else self.pen.line + self.rng.uniform(4, 15))
            tail = np.clip(tip + outward * length, 3, (width - 4, height - 4))
            if touching:
                self._line(np.stack([tail, tip]), closed=False, width=max(1, self.pen.line // 2))
                self._label(tail, tip)
            else:
                self._arrow(tail, tip)

    def _label(self, tail: Points, tip: Points) -> None:
        """A word at the end of a leader line, on the side to which the line does not run."""
        font, scale, thick = self._font()
        text = str(self.rng.choice(WORDS))
        (across, down), _ = cv2.getTextSize(text, font, scale, thick)
        off = 5 + thick
        x = int(tail[0] + off) if tip[0] <= tail[0] else int(tail[0] - off - across)
        y = int(tail[1] + down / 2)
        if 2 < x < self.picture.shape[1] - across - 2 and down + 2 < y < self.picture.shape[0] - down:
            cv2.putText(self.picture, text, (x, y), font, scale, self.colour, thick, self.style)

    def _arrow(self, tail: Points, tip: Points) -> None:
        """A shaft with an open head of two strokes."""
        self._line(np.stack([tail, tip]), closed=False)
        back = (tail - tip) * 0.25
        for turn in (-0.6, 0.6):
            rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            self._line(np.stack([tip, tip + rotation @ back]), closed=False)

    def ruler(self) -> None:
        """A scale along the film's side, as workstations export it."""
        height, width = self.picture.shape[:2]
        x, step = width - 30, max(12, height // 40)
        top, bottom = height // 4, 3 * height // 4
        self._line(np.array([(x, top), (x, bottom)], float), closed=False)
        for number, y in enumerate(range(top, bottom, step)):
            reach = 16 if number % 5 == 0 else 8
            self._line(np.array([(x - reach, y), (x, y)], float), closed=False)

    def stamp(self) -> None:
        """A word in a frame, in the air."""
        height, width = self.picture.shape[:2]
        font, scale, thick = self._font()
        text = str(self.rng.choice(("ST. ANNA", "CHECKED", "R MLO 2018", "COPY 02")))
        (across, down), base = cv2.getTextSize(text, font, scale, thick)
        x, y = int(self.rng.uniform(20, max(21, width - across - 40))), int(height - 30 - base)
        cv2.putText(self.picture, text, (x, y), font, scale, self.colour, thick, self.style)
        room = max(6, down // 2)
        corners = (x - room, y - down - room), (x + across + room, y + base + room)
        (x1, y1), (x2, y2) = corners
        self._line(np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], float), True, min(self.pen.line, 3))
