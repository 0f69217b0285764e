"""What a gallery says of a place in words."""

from __future__ import annotations

from mammo.report.gallery.places import Place
from mammo.tables.records import Lesion

RULES = {
    "lesion_centre_in_detection": "its centre lies inside a detection",
    "detection_centre_in_lesion": "a detection's centre lies inside it",
    "iou_0.1": "a detection has an IoU of at least 0.1 with it",
    "iou_0.2": "a detection has an IoU of at least 0.2 with it",
    "iou_0.5": "a detection has an IoU of at least 0.5 with it",
}


def title(place: Place) -> str:
    """A missed lesion's size or a false positive's score, and the film."""
    if place.lesion is None:
        return f"score {place.score:.3f}, {place.film.image_id}"
    size = f"{place.side:.0f} pixels" if place.side_mm is None else f"{place.side_mm:.1f} mm"
    return f"{size}, {place.film.image_id}"


def _type(lesion: Lesion) -> str:
    return lesion.lesion_type or "type unknown"


def seen(place: Place) -> str:
    """What lies where, for alternative texts: side, view and type."""
    image = place.film.image
    assert image is not None, "films of a test set have their row"
    side = {"L": "left breast", "R": "right breast"}.get(image.laterality, "side unknown")
    what = "false positive" if place.lesion is None else f"missed lesion, {_type(place.lesion)}"
    return f"{what}, {side}, {image.view or 'view unknown'}"


def _size(place: Place) -> str:
    """Width × height in mm, where the pixel size is known, and in pixels of the image."""
    width, height = (place.box[2:] - place.box[:2]).tolist()
    pixels = f"{width:.0f} × {height:.0f} pixels"
    pixel_mm = place.film.image.pixel_mm if place.film.image else None
    return f"{width * pixel_mm:.1f} × {height * pixel_mm:.1f} mm, {pixels}" if pixel_mm else pixels


def facts(place: Place) -> list[tuple[str, str]]:
    """What the tables say; what they leave open is left out, but for a lesion's type."""
    image, lesion = place.film.image, place.lesion
    assert image is not None, "films of a test set have their row"
    x1, y1, x2, y2 = (f"{value:.0f}" for value in place.box.tolist())
    rows = [
        ("width × height", _size(place)),
        ("dataset", " ".join(filter(None, (image.dataset, image.delivery)))),
        ("side and view", " ".join(filter(None, (image.laterality, image.view)))),
        ("breast density", image.density),
        ("pixel size", f"{image.pixel_mm:g} mm" if image.pixel_mm else ""),
        ("lesions on the film", str(len(place.film.lesions))),
        ("box in pixels", f"x {x1} to {x2}, y {y1} to {y2}"),
    ]
    if lesion is not None:
        rows[:0] = [
            ("lesion", lesion.lesion_id),
            ("type", _type(lesion)),
            ("pathology", lesion.pathology),
            ("annotated as", lesion.annotation_form),
        ]
    return [(name, text) for name, text in rows if text]
