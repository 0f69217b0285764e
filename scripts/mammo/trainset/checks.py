"""Checks before GPU time is spent."""

from __future__ import annotations

from mammo.errors import UserError
from mammo.settings import ValidationSettings
from mammo.trainset.tables import ImageSet


def check_disjoint(first_name: str, first: ImageSet, second_name: str, second: ImageSet) -> None:
    """Raise `UserError` if two sets share a patient, or an image by its pixels under whatever name."""
    patients = sorted(first.patients & second.patients)
    if patients:
        raise UserError(
            f"{len(patients)} patients are in {first_name} and in {second_name}: {_some(patients)}. Figures on "
            f"{second_name} would mean nothing: take them out of one of the two (parts and tables in config.yaml)"
        )
    by_pixels = {image.sha256: image.image_id for image in second.images}
    twins = sorted(
        f"{image.image_id} = {by_pixels[image.sha256]}" for image in first.images if image.sha256 in by_pixels
    )
    if twins:
        raise UserError(
            f"{len(twins)} films of {first_name} have the same pixels as films of {second_name}: {_some(twins)}. "
            "Take them out of one of the two"
        )


def check_trainable(name: str, training: ImageSet) -> None:
    """Raise `UserError` for a set that no network can learn from."""
    if not training.images:
        raise UserError(
            f"train set {name} has no image: look at the tables it names and at their rejects.csv"
        )
    if not training.lesions:
        raise UserError(f"train set {name} has no lesion: look at its tables and at the label policy")


def check_validation(name: str, validation: ImageSet, settings: ValidationSettings, patients: int) -> None:
    """Raise `UserError` for a validation set that was asked for and is empty: nothing could be chosen on it.

    `patients`: how many there are to split. With fewer than folds, every fold is refused, not only the empty ones.
    """
    if settings.folds is not None:
        if patients < settings.folds or not validation.images:
            raise UserError(
                f"validation set {name}: {patients} patients cannot be cut into {settings.folds} folds of which each "
                "holds some. Add tables to the train set, or lower experiments.*.folds (or validation.folds)"
            )
    elif settings.fraction > 0 and not validation.images:
        raise UserError(
            f"validation set {name} has no image: too few patients to keep some apart. Add tables to the train set, "
            "or set its validation.fraction to 0"
        )


def check_testable(name: str, images: ImageSet) -> None:
    """Raise `UserError` for a test set without images."""
    if not images.images:
        raise UserError(f"test set {name} has no image: look at the tables it names and at their rejects.csv")


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
