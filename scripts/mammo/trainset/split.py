"""The patient-level split into training and validation."""

from __future__ import annotations

import hashlib

from mammo.settings import ValidationSettings
from mammo.trainset.tables import ImageSet


def split_by_patient(images: ImageSet, settings: ValidationSettings) -> tuple[ImageSet, ImageSet]:
    """Training and validation sets that share no patient.

    Patients with and without lesions are split apart, so that both sides hold both. A patient's place is decided by a
    hash of its id and the seed: adding patients moves few of the others. Of the folds of one seed each patient is in
    exactly one validation set.
    """
    with_lesion_images = {lesion.image_id for lesion in images.lesions}
    with_lesions = {image.patient for image in images.images if image.image_id in with_lesion_images}
    strata = [
        sorted(stratum, key=lambda patient: _rank(patient, settings.seed))
        for stratum in (with_lesions, images.patients - with_lesions)
    ]
    if settings.folds is not None and settings.fold is not None:
        chosen = _fold(strata, settings.fold, settings.folds)
    else:
        chosen = _share(strata, settings.fraction)
    validation = [image.image_id for image in images.images if image.patient in chosen]
    training = [image.image_id for image in images.images if image.patient not in chosen]
    return images.only(training), images.only(validation)


def _share(strata: list[list[str]], fraction: float) -> set[str]:
    """The first patients of each stratum."""
    chosen: set[str] = set()
    for ranked in strata:
        count = round(fraction * len(ranked))
        if fraction > 0 and ranked:  # a single patient is for training
            count = min(max(count, 1), len(ranked) - 1)
        chosen.update(ranked[:count])
    return chosen


def _fold(strata: list[list[str]], fold: int, folds: int) -> set[str]:
    """One of so many even stretches of the patients, the strata evenly mixed.

    Stretches, and not every k-th patient: one patient more moves some at each border and no other.
    """
    places = [
        ((2 * position + 1) / (2 * len(ranked)), stratum, patient)
        for stratum, ranked in enumerate(strata)
        for position, patient in enumerate(ranked)
    ]
    mixed = [patient for _, _, patient in sorted(places)]
    return set(mixed[len(mixed) * (fold - 1) // folds : len(mixed) * fold // folds])


def _rank(patient: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{patient}".encode()).hexdigest()
