"""Films with their lesions and detections drawn on them, for eyes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.datasets.folders import atomic_folder
from mammo.datasets.looks import read_film
from mammo.errors import UserError
from mammo.metrics.films import Film, join_films
from mammo.metrics.matching import hits
from mammo.settings import ReportSettings
from mammo.tables.records import Detection, Image, Lesion

Picture = NDArray[np.uint8]

# Okabe and Ito's orange and sky blue (as B, G, R): told apart by colour-blind readers, and by solid and dashed lines.
LESION = (0, 159, 230)
DETECTION = (233, 180, 86)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX
SHOWN_RULE = "lesion_centre_in_detection"


def write_overlays(
    out: Path,
    root: Path,
    images: Sequence[Image],
    lesions: Sequence[Lesion],
    detections: Sequence[Detection],
    settings: ReportSettings,
) -> int:
    """Write <image_id>.png for the chosen films into a folder that appears whole; return their number.

    `root`: the folder to which the images' paths are relative. Nothing but image_id, lesions, detections and counts
    stands on a picture. Raises `UserError` for a film that cannot be read or has another size than its row says.
    """
    chosen = choose(join_films(images, lesions, detections), settings)
    with atomic_folder(out) as folder:
        for film in chosen:
            assert film.image is not None, "joined films have their row"
            picture = draw(read_film(root, film.image), film, settings)
            name = film.image_id.replace("/", "_").replace("\\", "_")
            if not cv2.imwrite(str(folder / f"{name}.png"), picture):
                raise UserError(f"{out / name}.png could not be written; is the disk full?")
    return len(chosen)


def choose(films: Sequence[Film], settings: ReportSettings) -> list[Film]:
    """The films to draw: most missed lesions first, then other films with lesions, then the most suspicious normals."""

    def key(film: Film) -> tuple[bool, int, float, str]:
        found = film.from_score(settings.overlay_score)
        missed = len(film.lesions) - int(hits(SHOWN_RULE, found, film.lesions).any(axis=0).sum())
        return not len(film.lesions), -missed, -film.highest_score, film.image_id

    return sorted(films, key=key)[: settings.overlays]


def draw(pixels: Picture, film: Film, settings: ReportSettings) -> Picture:
    """A colour picture (B, G, R), longer side `overlay_side`, with a caption below.

    `pixels`: grey film (height, width). Lesions solid, detections from `overlay_score` on dashed, with their scores.
    """
    scale = settings.overlay_side / max(pixels.shape)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    grey = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    line = max(2, settings.overlay_side // 400)
    found, scores = (
        film.from_score(settings.overlay_score),
        film.scores[film.scores >= settings.overlay_score],
    )
    for box in _corners(film.lesions, scale):
        _solid(picture, box, line)
    boxes = _corners(found, scale)
    for box in boxes[::-1]:  # the strongest last, on top
        _dashed(picture, box, line)
    taken: list[tuple[int, int, int, int]] = []
    for box, score in zip(boxes, scores, strict=True):
        _score_beside(picture, box, f"{score:.2f}", taken)
    return np.vstack([picture, _caption(picture.shape[1], film, len(found), settings)])


def _corners(boxes: NDArray[np.float64], scale: float) -> list[tuple[int, int, int, int]]:
    """Corner pixels in the frame of the picture; the half-open right and lower side becomes its last pixel."""
    return [
        (round(x1 * scale), round(y1 * scale), round(x2 * scale) - 1, round(y2 * scale) - 1)
        for x1, y1, x2, y2 in boxes.tolist()
    ]


def _solid(picture: Picture, box: tuple[int, int, int, int], line: int) -> None:
    # A dark seam sets the line off from bright tissue.
    cv2.rectangle(picture, box[:2], box[2:], BLACK, line + 2)
    cv2.rectangle(picture, box[:2], box[2:], LESION, line)


def _dashed(picture: Picture, box: tuple[int, int, int, int], line: int) -> None:
    x1, y1, x2, y2 = box
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
    dash = 5 * line
    for colour, width in ((BLACK, line + 2), (DETECTION, line)):
        for start, end in pairwise(corners):
            length = max(1, abs(end[0] - start[0]) + abs(end[1] - start[1]))
            for begin in range(0, length, 2 * dash):
                first, last = (_between(start, end, min(at, length) / length) for at in (begin, begin + dash))
                cv2.line(picture, first, last, colour, width)


def _between(start: tuple[int, int], end: tuple[int, int], share: float) -> tuple[int, int]:
    return round(start[0] + (end[0] - start[0]) * share), round(start[1] + (end[1] - start[1]) * share)


def _letters(side: int) -> tuple[float, int]:
    return max(0.4, side / 1024 * 0.6), max(1, round(side / 1024 * 1.5))


def _score_beside(picture: Picture, box: tuple[int, int, int, int], text: str, taken: list) -> None:
    """Write a score on a dark ground at the first free place around its box, inside the picture."""
    height, width = picture.shape[:2]
    scale, weight = _letters(max(height, width))
    (across, up), below = cv2.getTextSize(text, FONT, scale, weight)
    across, tall = across + 6, up + below + 4
    x1, y1, x2, y2 = box
    places = [
        (x1, y1 - tall - 3),
        (x1, y2 + 4),
        (x2 + 4, y1),
        (x1 - across - 3, y1),
        (x2 - across, y1 - tall - 3),
    ]
    places += [(x1, y1 - step * tall - 3) for step in (2, 3)] + [
        (x1, y2 + 4 + step * tall) for step in (1, 2)
    ]
    areas = []
    for left, top in places:
        left, top = min(max(left, 0), max(0, width - across)), min(max(top, 0), max(0, height - tall))
        areas.append((left, top, left + across, top + tall))
    area = next((area for area in areas if not any(_overlap(area, other) for other in taken)), areas[0])
    taken.append(area)
    cv2.rectangle(picture, area[:2], area[2:], BLACK, cv2.FILLED)
    cv2.putText(picture, text, (area[0] + 3, area[1] + up + 2), FONT, scale, DETECTION, weight, cv2.LINE_AA)


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _caption(width: int, film: Film, found: int, settings: ReportSettings) -> Picture:
    """A strip below the film that says what is what: three lines, shrunk until they fit."""
    lines = (
        (film.image_id, WHITE, None),
        (f"solid: lesion ({len(film.lesions)})", LESION, _solid),
        (f"dashed: detection, score >= {settings.overlay_score:g} ({found})", DETECTION, _dashed),
    )
    scale, weight = _letters(settings.overlay_side)
    sample = round(60 * scale)
    longest = max(cv2.getTextSize(text, FONT, scale, weight)[0][0] for text, _, _ in lines)
    scale *= min(1.0, (width - sample - 24) / longest) if width > sample + 24 else 0.3
    step = round(34 * scale) + 6
    strip = np.full((3 * step + 10, width, 3), 24, np.uint8)
    for row, (text, colour, mark) in enumerate(lines):
        base = (row + 1) * step
        if mark:
            mark(strip, (8, base - round(16 * scale), 8 + sample - 12, base), 2)
        cv2.putText(
            strip, text, (8 + (sample if mark else 0), base), FONT, scale, colour, weight, cv2.LINE_AA
        )
    return strip
