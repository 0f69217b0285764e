"""The team's own protocol: lesions hit, and films and cases left clean, at one score threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mammo.metrics.films import Film
from mammo.metrics.matching import Chosen, hits
from mammo.metrics.statistic import Statistic, patients_of, share_of, value_of
from mammo.settings import HitRule


def lesions_hit(films: Sequence[Film], rule: HitRule, threshold: float) -> int:
    """Lesions that at least one detection with score ≥ threshold hits. One detection may hit several lesions."""
    return sum(int(_hit(film, rule, threshold).sum()) for film in films)


def sensitivity(films: Sequence[Film], rule: HitRule, threshold: float) -> float | None:
    """Lesions hit by lesions; None without lesions."""
    return value_of(sensitivity_statistic(films, rule, threshold), len(patients_of(films)[0]))


def clean_images(films: Sequence[Film], threshold: float) -> float | None:
    """Of the images without lesions, the share without any detection from the threshold on; None if there are none."""
    return value_of(clean_images_statistic(films, threshold), len(patients_of(films)[0]))


def clean_cases(films: Sequence[Film], threshold: float) -> float | None:
    """Of the cases without a lesion on any image, the share without any detection; None if there are none."""
    return value_of(clean_cases_statistic(films, threshold), len(patients_of(films)[0]))


def single_lesion_films(films: Sequence[Film]) -> list[NDArray[np.bool_]]:
    """Which lesions count in the single-lesion variant: those of films with exactly one lesion."""
    return [np.full(len(film.lesions), len(film.lesions) == 1) for film in films]


def sensitivity_statistic(
    films: Sequence[Film], rule: HitRule, threshold: float, chosen: Chosen | None = None
) -> Statistic:
    """Lesions hit by lesions, of those `chosen`; NaN without any."""
    counting = chosen if chosen is not None else [np.ones(len(film.lesions), bool) for film in films]
    hit = [(_hit(film, rule, threshold) & counts).sum() for film, counts in zip(films, counting, strict=True)]
    patients, patient_of_film = patients_of(films)
    return share_of(patient_of_film, hit, [counts.sum() for counts in counting], len(patients))


def clean_images_statistic(films: Sequence[Film], threshold: float) -> Statistic:
    """Of the images without lesions, the share without any detection from the threshold on; NaN without any."""
    patients, patient_of_film = patients_of(films)
    normal = np.array([not len(film.lesions) for film in films])
    clean = np.array([_is_clean(film, threshold) for film in films])
    return share_of(patient_of_film, clean & normal, normal, len(patients))


def clean_cases_statistic(films: Sequence[Film], threshold: float) -> Statistic:
    """Of the cases without a lesion on any image, the share without any detection; NaN without any."""
    clean: dict[tuple[str, str], bool] = {}
    patient_of_case: dict[tuple[str, str], int] = {}
    patients, patient_of_film = patients_of(films)
    for film, patient in zip(films, patient_of_film.tolist(), strict=True):
        clean[film.case] = clean.get(film.case, True) and _is_clean(film, threshold)
        patient_of_case[film.case] = patient
    with_lesions = {film.case for film in films if len(film.lesions)}
    normal = [case for case in clean if case not in with_lesions]
    owners = np.array([patient_of_case[case] for case in normal], np.int64)
    return share_of(owners, [clean[case] for case in normal], np.ones(len(normal)), len(patients))


def _hit(film: Film, rule: HitRule, threshold: float) -> NDArray[np.bool_]:
    return hits(rule, film.from_score(threshold), film.lesions).any(axis=0)


def _is_clean(film: Film, threshold: float) -> bool:
    return not len(film.from_score(threshold))
