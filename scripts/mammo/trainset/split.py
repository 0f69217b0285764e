"""The patient-level split into training and validation."""

from __future__ import annotations

import hashlib

from mammo.settings import ValidationSettings
from mammo.trainset.tables import ImageSet


def split_by_patient(images: ImageSet, settings: ValidationSettings) -> tuple[ImageSet, ImageSet]:
    """Training and validation sets that share no patient.

    Patients with and without lesions are split apart, so that both sides hold both. A patient's place is decided by a
    hash of its id and the seed: adding patients moves few of the others.
    """
    with_lesion_images = {lesion.image_id for lesion in images.lesions}
    with_lesions = {image.patient for image in images.images if image.image_id in with_lesion_images}
    chosen: set[str] = set()
    for stratum in (with_lesions, images.patients - with_lesions):
        ranked = sorted(stratum, key=lambda patient: _rank(patient, settings.seed))
        count = round(settings.fraction * len(ranked))
        if settings.fraction > 0 and ranked:  # a single patient is for training
            count = min(max(count, 1), len(ranked) - 1)
        chosen.update(ranked[:count])
    validation = [image.image_id for image in images.images if image.patient in chosen]
    training = [image.image_id for image in images.images if image.patient not in chosen]
    return images.only(training), images.only(validation)


def _rank(patient: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{patient}".encode()).hexdigest()
