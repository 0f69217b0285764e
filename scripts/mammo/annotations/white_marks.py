"""Lesions outlined in white (or filled) in a marked copy of a clean film, found by what the two differ in.

Film and copy may have been shown through other windows and one of them may have gone through a JPEG: first it is
learnt which grey of the copy belongs to each grey of the film, then what is brighter than that is a mark.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo.annotations.burned_in import coloured_picture
from mammo.annotations.colours import LEAST_PIXELS, chroma_of
from mammo.annotations.drawn import drawn_lesions
from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.frames import check_proportions, scale_to_film
from mammo.annotations.lines import Mask, connected_to
from mammo.annotations.outline import distinct
from mammo.dicom.display import display_film
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings, DisplaySettings, MarkSettings

Grey = NDArray[np.uint8]

# Copies mostly bring no window; with the whole range shown no tissue becomes as white as the marks.
SHOWN = DisplaySettings(percentiles=(0.0, 100.0))
# A line's course can be followed where it is brighter by this share of min_difference.
TRACE = 0.4
# On dense tissue white is hardly brighter: pixels that are white themselves need less, as shares of min_difference.
WHITE, WHITE_FIRM, WHITE_TRACE = 245, 0.3, 0.15
# More than this share of a copy brighter than its film lets expect, or less agreement: it shows something else.
MOST_MARKED, LEAST_CORRELATION = 0.2, 0.8
# A grey is judged by no fewer pixels than this.
LEAST_SUPPORT = 25
# Black and white stand for all that a window cut off: what is usual there is the upper end, not the middle.
USUAL, USUAL_AT_END = 0.5, 0.8


def find(evidence: Evidence, settings: AnnotationSettings) -> list[Finding]:
    """Lesions marked in white in the film's copies, in native pixels.

    Raises `Unusable` for a copy that cannot be read or shows something else than the film.
    """
    copies = [path for path in evidence.of("twin") if not _is_coloured(path, settings.outline.min_chroma)]
    if not copies:
        return []
    clean = display_film(evidence.film, SHOWN, evidence.frame).pixels
    found: list[Finding] = []
    for path in copies:
        marked = display_film(path, SHOWN).pixels
        found += _in_copy(marked, clean, evidence.size, settings.marks)
    return distinct(found)


def _is_coloured(path: Path, min_chroma: int) -> bool:
    """Whether a copy's marks are coloured: then they are another form's."""
    picture = coloured_picture(path, 0)
    return picture is not None and int((chroma_of(picture) >= min_chroma).sum()) >= LEAST_PIXELS


def _in_copy(marked: Grey, clean: Grey, film: tuple[int, int], settings: MarkSettings) -> list[Finding]:
    size = (marked.shape[1], marked.shape[0])
    check_proportions("the marked copy", size, film)
    lines, trace = marks(marked, clean, settings.min_difference)
    return [
        Finding(scale_to_film(box, size, film), "white_marks", colour="white")
        for box in drawn_lesions(lines, trace, settings.close_gap, settings.min_side)
    ]


def marks(marked: Grey, clean: Grey, min_difference: int) -> tuple[Mask, Mask]:
    """Pixels of a copy (height, width) that are brighter than its film lets expect: firm ones, and traces beside them.

    A film of another size is resized to the copy's. Raises `Unusable` where the two are no pictures of one thing.
    """
    size = (marked.shape[1], marked.shape[0])
    resized = clean.shape != marked.shape
    if resized:
        shrinks = clean.shape[0] > marked.shape[0]
        clean = cv2.resize(clean, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    expected = cv2.LUT(clean, usual_greys(clean, marked))
    # Edges lie a pixel off where one of the two was resized or compressed.
    reach = 5 if resized else 3
    brighter = cv2.subtract(marked, cv2.dilate(expected, np.ones((reach, reach), np.uint8)))
    if (brighter >= min_difference).mean() > MOST_MARKED or not _alike(marked, expected):
        raise Unusable("the marked copy does not show the same as the film")
    white = marked >= WHITE
    firm = ((brighter >= min_difference) | (white & (brighter >= WHITE_FIRM * min_difference))).astype(
        np.uint8
    )
    paler = (brighter >= TRACE * min_difference) | (
        white & (brighter >= max(1, WHITE_TRACE * min_difference))
    )
    trace = paler.astype(np.uint8)
    return firm, connected_to(trace, firm > 0)


def _alike(marked: Grey, expected: Grey) -> bool:
    """Whether a copy has the film's greys where the film has them; one of a single grey says nothing."""
    first, second = (picture[::4, ::4].ravel().astype(np.float64) for picture in (marked, expected))
    if not first.std() or not second.std():
        return False
    return float(np.corrcoef(first, second)[0, 1]) >= LEAST_CORRELATION


def usual_greys(clean: Grey, marked: Grey) -> Grey:
    """The copy's usual grey for each of the film's 256, rising (pool adjacent violators, Barlow 1972).

    Marks are a small share of a picture, so the median grey is that of the unmarked film.
    """
    pairs = np.bincount((clean.ravel().astype(np.int32) << 8) | marked.ravel(), minlength=1 << 16)
    counts = pairs.reshape(256, 256)
    support = counts.sum(axis=1)
    share = np.full(256, USUAL)
    known = np.flatnonzero(support >= min(LEAST_SUPPORT, support.max()))
    share[known[[0, -1]]] = USUAL_AT_END
    medians = (np.cumsum(counts, axis=1) < share[:, None] * support[:, None]).sum(axis=1)
    rising = _isotonic(medians[known].astype(np.float64), support[known].astype(np.float64))
    return np.round(np.interp(np.arange(256), known, rising)).astype(np.uint8)


def _isotonic(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The closest rising sequence, by weighted least squares."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            before, heavy, count = blocks.pop()
            total = heavy + block[1]
            block = ((before * heavy + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    return np.concatenate([np.full(count, value) for value, _, count in blocks])
