"""Films from files that the workflow did not make: which images were looked at, whose they are, what they may hold."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

from mammo.metrics.films import Film, join_films
from mammo.tables.foreign import (
    ForeignBox,
    ForeignImage,
    ForeignTable,
    found_columns,
    read_found,
    read_images,
    read_lesions,
    refuse_shares,
)
from mammo.tables.records import Image, Lesion

OUTSIDE_PX = 1.0  # how far a box may reach out of its image: off-by-one conventions differ
NO_DIGEST = "0" * 64
NO_PATIENTS = (
    "No patients are named: each image is taken for a patient of its own, so the intervals are over images, and too "
    "narrow where a patient has several. Name them with --patients."
)
NO_IMAGES = (
    "No list of images is given: images that have neither a lesion nor a detection are not known and are missing from "
    "every denominator. Give one with --images."
)


@dataclass(frozen=True)
class ForeignSet:
    """The films, and what the reader of the figures must know about how they came together."""

    films: list[Film]
    notes: list[str]


def read_set(
    lesions: str, detections: str, images: str | None = None, patients: str | None = None
) -> ForeignSet:
    """Read and join a set in any of the formats of `mammo.tables.foreign`.

    The images that were looked at are those of `images`, else of COCO's list, else of keras-retinanet's lesions; else
    those with a box. `patients`: a CSV with the columns image, patient, and if known study, laterality, view and
    pixel_mm, a row an image. Raises `UserError` with the rows that are wrong: of one file all, at most ten told.
    """
    truth, found = read_lesions(lesions), read_found(detections)
    notes = []
    listed = read_images(images) if images else truth
    looked_at = listed.images
    if looked_at is None:
        notes.append(NO_IMAGES)
        looked_at = [
            ForeignImage("", name) for name in sorted({box.image_id for box in truth.boxes + found.boxes})
        ]
    if images:
        listed.faults.stop()  # those of the lesions are told below, with what is found there
    known = {image.image_id: image for image in looked_at}
    if patients:
        known = _with_patients(known, read_images(patients, key="image"))
    if not all(image.patient for image in known.values()):
        notes.append(NO_PATIENTS)
    for table, kind in ((truth, "lesion"), (found, "detection")):
        _check(table, kind, known)
    return ForeignSet(_films(known, truth.boxes, found.boxes), notes)


def _with_patients(known: dict[str, ForeignImage], table: ForeignTable) -> dict[str, ForeignImage]:
    """The images with what the patients' table says of them."""
    names = {image.name: image.image_id for image in known.values() if image.name} | {
        name: name for name in known
    }
    rows: dict[str, ForeignImage] = {}
    for row in table.images or []:
        if row.image_id not in names:
            table.faults.add(row.where, f"the image {row.image_id} is none of the set")
        elif not row.patient:
            table.faults.add(row.where, "the patient is empty")
        else:
            rows[names[row.image_id]] = row
    for name in known:
        if name not in rows:
            table.faults.add(f"image {name}", "it has no row, so its patient is not known")
    table.faults.stop()
    return {
        name: replace(
            image,
            patient=rows[name].patient,
            study=rows[name].study or image.study,
            laterality=rows[name].laterality or image.laterality,
            view=rows[name].view or image.view,
            pixel_mm=rows[name].pixel_mm or image.pixel_mm,
        )
        for name, image in known.items()
    }


def _check(table: ForeignTable, kind: str, known: dict[str, ForeignImage]) -> None:
    """Raises `UserError` for boxes of unknown images, outside of their image, or in shares of it."""
    refuse_shares(table)
    named = {box.image_id for box in table.boxes}
    for image in table.images or []:
        if image.image_id not in known and image.image_id not in named:
            table.faults.add(image.where, f"the image {image.image_id} is none of the set")
    for box in table.boxes:
        image = known.get(box.image_id)
        if image is None:
            table.faults.add(box.where, f"a {kind} on image {box.image_id}, which is none of the set")
        elif not _is_inside(box, image):
            size = f"{image.width or '?'}×{image.height or '?'}"
            sides = ",".join(f"{side:g}" for side in box.box)
            table.faults.add(box.where, f"the box {sides} reaches out of its image ({size}); clip it")
    table.faults.stop()


def _is_inside(box: ForeignBox, image: ForeignImage) -> bool:
    x1, y1, x2, y2 = box.box
    width, height = image.width or math.inf, image.height or math.inf
    return min(x1, y1) >= -OUTSIDE_PX and x2 <= width + OUTSIDE_PX and y2 <= height + OUTSIDE_PX


def _films(known: dict[str, ForeignImage], truth: list[ForeignBox], found: list[ForeignBox]) -> list[Film]:
    kinds: dict[str, set[str]] = defaultdict(set)
    extent: dict[str, tuple[float, float]] = defaultdict(lambda: (1.0, 1.0))
    for box in truth:
        kinds[box.image_id].add(box.label)
    for box in (*truth, *found):
        wide, high = extent[box.image_id]
        extent[box.image_id] = max(wide, box.box[2]), max(high, box.box[3])
    images = [_image(image, extent[name], kinds.get(name)) for name, image in known.items()]
    numbers: Counter[str] = Counter()
    lesions = [
        _lesion(box, numbers) for box in sorted(truth, key=lambda box: (box.image_id, box.box, box.label))
    ]
    return join_films(images, lesions, found_columns(found))


def _image(image: ForeignImage, extent: tuple[float, float], kinds: set[str] | None) -> Image:
    """The row that the figures ask; an unknown size is as far as its boxes reach, which no figure rests on."""
    return Image(
        image_id=image.image_id, path=image.name or image.image_id, dataset=image.dataset or "given", delivery="",
        patient=image.patient or image.image_id, study=image.study, laterality=image.laterality, view=image.view,
        width=image.width or math.ceil(extent[0]), height=image.height or math.ceil(extent[1]),
        pixel_mm=image.pixel_mm, group="normal" if kinds is None else "abn", lesion_types=";".join(sorted(kinds or ())),
        source="given", source_sha256=NO_DIGEST, sha256=NO_DIGEST,
    )  # fmt: skip


def _lesion(box: ForeignBox, numbers: Counter[str]) -> Lesion:
    """Numbered in the order given within its image; what reaches out of the image by less than a pixel is cut."""
    numbers[box.image_id] += 1
    x1, y1, x2, y2 = box.box
    return Lesion(
        image_id=box.image_id, lesion_id=f"{numbers[box.image_id]:06d}", x1=max(0.0, x1), y1=max(0.0, y1), x2=x2, y2=y2,
        lesion_type=box.label, pathology="", annotation_form="given",
    )  # fmt: skip
