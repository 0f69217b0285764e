"""The team's own protocol: lesions hit, and films and cases left clean, at one score threshold."""

from __future__ import annotations

from collections.abc import Sequence

from mammo.metrics.films import Film
from mammo.metrics.matching import hits
from mammo.settings import HitRule


def lesions_hit(films: Sequence[Film], rule: HitRule, threshold: float) -> int:
    """Lesions that at least one detection with score ≥ threshold hits. One detection may hit several lesions."""
    return sum(int(hits(rule, film.from_score(threshold), film.lesions).any(axis=0).sum()) for film in films)


def sensitivity(films: Sequence[Film], rule: HitRule, threshold: float) -> float | None:
    """Lesions hit by lesions; None without lesions."""
    lesions = sum(len(film.lesions) for film in films)
    return lesions_hit(films, rule, threshold) / lesions if lesions else None


def clean_images(films: Sequence[Film], threshold: float) -> float | None:
    """Of the images without lesions, the share without any detection from the threshold on; None if there are none."""
    return _share([_is_clean(film, threshold) for film in films if not len(film.lesions)])


def clean_cases(films: Sequence[Film], threshold: float) -> float | None:
    """Of the cases without a lesion on any image, the share without any detection; None if there are none."""
    clean: dict[tuple[str, str], bool] = {}
    for film in films:
        clean[film.case] = clean.get(film.case, True) and _is_clean(film, threshold)
    with_lesions = {film.case for film in films if len(film.lesions)}
    return _share([is_clean for case, is_clean in clean.items() if case not in with_lesions])


def _is_clean(film: Film, threshold: float) -> bool:
    return not len(film.from_score(threshold))


def _share(values: list[bool]) -> float | None:
    return sum(values) / len(values) if values else None
