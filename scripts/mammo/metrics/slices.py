"""Parts of a test set: of one dataset, view, side or density, and lesions of one type or size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mammo.metrics.average_precision import lesions_of_size, lesions_of_type, longest_sides_mm
from mammo.metrics.films import Film
from mammo.metrics.matching import Chosen

UNKNOWN = "unknown"
SIZES_MM = (0.0, 5.0, 10.0, 20.0, 50.0, np.inf)
BY_FILM: dict[str, Callable[[Film], str]] = {
    "dataset": lambda film: _of_image(film, "dataset"),
    "view": lambda film: _of_image(film, "view"),
    "laterality": lambda film: _of_image(film, "laterality"),
    "density": lambda film: _of_image(film, "density"),
}


@dataclass(frozen=True)
class Slice:
    """A part of a set. `kind` and `part` name it: view, CC.

    `films`: those of the part; of a part of the lesions all films, and `chosen` says which of their lesions count.
    """

    kind: str
    part: str
    films: Sequence[Film]
    chosen: Chosen | None = None

    @property
    def lesions(self) -> int:
        """How many lesions count."""
        if self.chosen is None:
            return sum(len(film.lesions) for film in self.films)
        return sum(int(counts.sum()) for counts in self.chosen)


def slices_of(films: Sequence[Film]) -> list[Slice]:
    """All parts that occur in the set, sorted; what a film or a lesion does not tell is a part `unknown`.

    A kind of which nothing at all is known has no parts.
    """
    return [
        *(part for kind, of in BY_FILM.items() for part in _by_film(films, kind, of)),
        *by_lesion_type(films),
        *by_lesion_size(films),
    ]


def _by_film(films: Sequence[Film], kind: str, of: Callable[[Film], str]) -> list[Slice]:
    parts = [of(film) or UNKNOWN for film in films]
    if set(parts) <= {UNKNOWN}:
        return []
    return [
        Slice(kind, wanted, [film for film, part in zip(films, parts, strict=True) if part == wanted])
        for wanted in _known_first(set(parts))
    ]


def by_lesion_type(films: Sequence[Film]) -> list[Slice]:
    """Lesions of each type (`lesion_type` of lesions.csv)."""
    types = {row.lesion_type for film in films for row in film.lesion_rows}
    if types <= {""}:
        return []
    return [
        Slice("lesion_type", kind, films, lesions_of_type(films, "" if kind == UNKNOWN else kind))
        for kind in _known_first({kind or UNKNOWN for kind in types})
    ]


def by_lesion_size(films: Sequence[Film]) -> list[Slice]:
    """Lesions by the longest side of their box in mm, the smallest first; last those on films of unknown pixel size."""
    classes = [(_range(low, high), lesions_of_size(films, low, high)) for low, high in pairwise(SIZES_MM)]
    classes.append((UNKNOWN, [np.isnan(longest_sides_mm(film)) for film in films]))
    occurring = [(name, chosen) for name, chosen in classes if any(one.any() for one in chosen)]
    if [name for name, _ in occurring] == [UNKNOWN]:
        return []
    return [Slice("size_mm", name, films, chosen) for name, chosen in occurring]


def _range(low: float, high: float) -> str:
    if not low:
        return f"<{high:g}"
    return f">={low:g}" if np.isinf(high) else f"{low:g}-{high:g}"


def _known_first(parts: set[str]) -> list[str]:
    return sorted(parts, key=lambda part: (part == UNKNOWN, part))


def _of_image(film: Film, column: str) -> str:
    return str(getattr(film.image, column)) if film.image else ""
