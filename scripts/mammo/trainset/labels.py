"""Label policy: which class, if any, a lesion is for the network."""

from __future__ import annotations

from mammo.settings import LabelSettings
from mammo.tables.records import Lesion
from mammo.tables.retinanet_csv import LabelledBox

MALIGNANT, BENIGN = "malignant", "benign"


def class_names(settings: LabelSettings) -> list[str]:
    """Names of the classes under a policy, by id."""
    return [BENIGN, MALIGNANT] if settings.policy == "by_pathology" else [MALIGNANT]


def class_of(lesion: Lesion, settings: LabelSettings) -> str | None:
    """Class of a lesion, or None where the policy leaves it out."""
    if settings.policy == "all_malignant":
        return MALIGNANT
    pathology = lesion.pathology or settings.unknown_pathology
    if settings.policy == "malignant_only":
        return MALIGNANT if pathology == MALIGNANT else None
    return pathology if pathology in (BENIGN, MALIGNANT) else None


def labelled_boxes(lesions: list[Lesion], settings: LabelSettings) -> list[LabelledBox]:
    """The boxes of an image as the network learns them."""
    pairs = [(lesion, class_of(lesion, settings)) for lesion in lesions]
    return [LabelledBox(lesion.x1, lesion.y1, lesion.x2, lesion.y2, name) for lesion, name in pairs if name]
