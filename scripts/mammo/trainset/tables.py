"""Sets of images with their lesions: selection of a part, merging, writing in both table kinds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mammo.errors import UserError
from mammo.settings import LabelSettings, PartSettings
from mammo.tables.csvio import read_table, write_table
from mammo.tables.records import Image, Lesion
from mammo.tables.retinanet_csv import write_annotations
from mammo.trainset.labels import class_of, labelled_boxes


@dataclass(frozen=True)
class ImageSet:
    """Images in the order of their ids, and their lesions. Image paths are relative to the folder of the tables."""

    images: tuple[Image, ...]
    lesions: tuple[Lesion, ...]

    def lesions_by_image(self) -> dict[str, list[Lesion]]:
        """Lesions of each image that has any."""
        found: dict[str, list[Lesion]] = defaultdict(list)
        for lesion in self.lesions:
            found[lesion.image_id].append(lesion)
        return dict(found)

    def only(self, image_ids: Iterable[str]) -> ImageSet:
        """The set without all other images."""
        kept = set(image_ids)
        return ImageSet(
            tuple(image for image in self.images if image.image_id in kept),
            tuple(lesion for lesion in self.lesions if lesion.image_id in kept),
        )

    @property
    def patients(self) -> frozenset[str]:
        """Ids of the patients."""
        return frozenset(image.patient for image in self.images)


def images_path(table: Path | str) -> Path:
    """Path of the images beside a keras-retinanet table: data_x.csv → data_x.images.csv."""
    return Path(table).with_suffix(".images.csv")


def lesions_path(table: Path | str) -> Path:
    """Path of the lesions beside a keras-retinanet table: data_x.csv → data_x.lesions.csv."""
    return Path(table).with_suffix(".lesions.csv")


def select(images: list[Image], lesions: list[Lesion], part: PartSettings) -> ImageSet:
    """The images and lesions of a dataset that a part takes.

    A film with lesions of which none is taken is left out, and so is an abnormal film without any: as background it
    would teach that a lesion is none.
    """
    all_with_lesions = {lesion.image_id for lesion in lesions}
    wanted = [
        lesion for lesion in lesions if not part.lesion_types or lesion.lesion_type in part.lesion_types
    ]
    with_lesions = {lesion.image_id for lesion in wanted}
    kept = [
        image
        for image in images
        if (not part.deliveries or image.delivery in part.deliveries)
        and (not part.groups or image.group in part.groups)
        and (
            image.image_id in with_lesions
            or (image.group == "normal" and image.image_id not in all_with_lesions)
        )
    ]
    return _ordered(kept, wanted)


def merge(sets: Iterable[tuple[str, ImageSet]]) -> ImageSet:
    """Join sets that lie in folders (relative to the merged table's): paths are rewritten. Raises `UserError`."""
    images: dict[str, Image] = {}
    lesions: dict[tuple[str, str], Lesion] = {}
    for folder, part in sets:
        for image in part.images:
            moved = image.model_copy(update={"path": str(PurePosixPath(folder) / image.path)})
            if images.setdefault(image.image_id, moved) != moved:
                raise UserError(
                    f"image {image.image_id} stands in two tables with different content; delete these tables and "
                    "let the workflow make them again"
                )
        for lesion in part.lesions:
            if lesions.setdefault((lesion.image_id, lesion.lesion_id), lesion) != lesion:
                raise UserError(
                    f"lesion {lesion.lesion_id} of image {lesion.image_id} stands in two tables with different "
                    "content; delete these tables and let the workflow make them again"
                )
    return _ordered(images.values(), lesions.values())


def _ordered(images: Iterable[Image], lesions: Iterable[Lesion]) -> ImageSet:
    kept = sorted(images, key=lambda image: image.image_id)
    known = {image.image_id for image in kept}
    found = sorted(
        (lesion for lesion in lesions if lesion.image_id in known), key=lambda x: (x.image_id, x.lesion_id)
    )
    return ImageSet(tuple(kept), tuple(found))


def with_labels_only(images: ImageSet, labels: LabelSettings) -> ImageSet:
    """The set without the lesions that the label policy leaves out (their films stay)."""
    return ImageSet(images.images, tuple(lesion for lesion in images.lesions if class_of(lesion, labels)))


def read_set(table: Path | str) -> ImageSet:
    """Read the images and lesions beside a keras-retinanet table. Raises `UserError`."""
    return ImageSet(
        tuple(read_table(images_path(table), Image)),
        tuple(read_table(lesions_path(table), Lesion)),
    )


def write_set(table: Path | str, images: ImageSet, labels: LabelSettings) -> None:
    """Write a set three times: keras-retinanet's table, and beside it its images and its lesions."""
    lesions = images.lesions_by_image()
    write_table(images_path(table), Image, images.images)
    write_table(lesions_path(table), Lesion, images.lesions)
    write_annotations(
        table,
        ((image.path, labelled_boxes(lesions.get(image.image_id, []), labels)) for image in images.images),
    )
