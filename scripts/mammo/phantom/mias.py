"""Synthetic mini-MIAS: films of 1024 × 1024 as PGM, a list amid licence, legend and notes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mammo.phantom.film import FilmSpec, make_film
from mammo.phantom.pictures import pgm
from mammo.phantom.settings import DifficultySettings
from mammo.phantom.truth import Result, TruthImage, TruthLesion, TruthReject

SIDE = 1024
DRAWN = (384, 288)
# What is drawn: abnormality as in the list, lesion type that must come out.
KINDS = {
    "mass": ("CIRC", "mass"),
    "spiculated": ("SPIC", "spiculated_region"),
    "cluster": ("CALC", "calcification"),
    "distortion": ("ARCH", "distortion"),
    "asymmetry": ("ASYM", "asymmetry"),
}
# Lesions of the films in their order; SCATTERED: calcifications all over, which the list gives no place.
SCATTERED = ("cluster", "cluster", "cluster")
FILMS = (("mass",), (), ("cluster", "mass"), ("spiculated",), SCATTERED, ("distortion",), ("asymmetry",), ())

HEAD = """\t\tMAMMOGRAPHIC IMAGE ANALYSIS SOCIETY
 This is a legal agreement: 1 user, 2 computers, mdb of 322 films.

1st column: MIAS database reference number.
2nd column: Character of background tissue:
\t\tF - Fatty
5th, 6th columns: x,y image-coordinates of centre of abnormality.
"""
TAIL = """
NOTES
1) The list is arranged in pairs of films.
3) In some cases calcifications are widely distributed throughout the image.
"""


@dataclass(frozen=True)
class _Row:
    """A lesion as the list has it: centre and radius in whole pixels, `y` counted from the top."""

    kind: str
    verdict: str
    x: int
    y: int
    radius: int

    @property
    def text(self) -> str:
        return f"{KINDS[self.kind][0]} {self.verdict} {self.x} {SIDE - self.y} {self.radius}"

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Around the circle, half-open, cut to the film."""
        corners = (self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius)
        return tuple(min(max(value, 0), SIDE) for value in corners)  # type: ignore[return-value]


def mias_set(seed: int, dataset: str) -> Result:
    """`Info.txt`, `mdb001.pgm` …: normals, films of one and two lesions, one of scattered calcifications."""
    files, images, lesions, rejects, text = [], [], [], [], []
    for number, kinds in enumerate(FILMS, 1):
        name, source = f"mdb{number:03d}", f"{dataset}/raw_files/mdb{number:03d}.pgm"
        pixels, rows = _film(seed, number, kinds)
        files.append((f"{name}.pgm", pgm(pixels)))
        if kinds == SCATTERED:
            text.append(f"{name} D CALC M *NOTE 3*")
            rejects.append(TruthReject(source, "index", "no place", "Info.txt"))
            continue
        text += [f"{name} G {row.text}   " for row in rows] or [f"{name} F NORM"]
        types = ";".join(sorted({KINDS[kind][1] for kind in kinds}))
        images.append(_image(source, number, types))
        for index, row in enumerate(rows):
            pathology = "malignant" if row.verdict == "M" else "benign"
            found = (*row.box, KINDS[row.kind][1], pathology, f"{dataset}/raw_files/Info.txt", 1)
            lesions.append(TruthLesion(source, f"{index:02d}", *found))
    listed = "\n".join([*HEAD.splitlines(), *text, *TAIL.splitlines(), ""]).replace("\n", "\r\n")
    files.append(("Info.txt", listed.encode("latin-1")))
    return Result(tuple(files), tuple(images), tuple(lesions), tuple(rejects))


def _image(source: str, number: int, types: str) -> TruthImage:
    side, patient = "RL"[number % 2], f"{(number + 1) // 2:03d}"
    group = "abn" if types else "normal"
    return TruthImage(source, "", patient, side, "MLO", SIDE, SIDE, group, "", types, source, "")


def _film(seed: int, number: int, kinds: tuple[str, ...]) -> tuple[np.ndarray, list[_Row]]:
    """uint8 (SIDE, SIDE), the breast against the film's edge as after clipping; its lesions."""
    side, patient = "RL"[number % 2], f"{seed} mias {(number + 1) // 2}"
    key = f"{seed} mias {number}"
    film = make_film(FilmSpec(key, patient, *DRAWN, side, "MLO", kinds, DifficultySettings(), 0.01))
    matrix = np.zeros((SIDE, SIDE), np.uint8)
    left, top = SIDE - DRAWN[1] if number % 4 == 0 else 0, SIDE - DRAWN[0] if number % 4 == 3 else 0
    matrix[top : top + DRAWN[0], left : left + DRAWN[1]] = np.round(film.pixels * 255)
    rows = []
    for order, lesion in enumerate(film.lesions):
        x1, y1, x2, y2 = lesion.box
        radius = math.ceil(math.hypot(x2 - x1, y2 - y1) / 2)
        centre = (left + (x1 + x2) // 2, top + (y1 + y2) // 2)
        rows.append(_Row(lesion.kind, "MB"[(number + order) % 2], *centre, radius))
    return matrix, rows
