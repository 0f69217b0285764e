"""What a DICOM header says about a film, where it says it at all."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from mammo.dicom.elements import capitals, size, tolerant
from mammo.dicom.groups import frame_header

# View codes of PS3.16 CID 4014, as SNOMED RT identifiers and as SNOMED CT ones.
VIEW_CODES = {
    "R-10224": "ML", "R-10226": "MLO", "R-10228": "LM", "R-10230": "LMO", "R-10242": "CC", "R-10244": "FB",
    "399260004": "ML", "399368009": "MLO", "399352003": "LM", "399099002": "LMO", "399162004": "CC",
    "399196006": "FB",
}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """`width` and `height` in pixels; `pixel_mm` at the detector; `laterality` L, R or empty; `view` or empty."""

    width: int
    height: int
    laterality: str
    view: str
    pixel_mm: float | None


def film_facts(dataset: Dataset, frame: int = 0) -> Facts:
    """The facts of one frame, from 0. Raises `Unusable` where the header has no image size."""
    rows, columns = size(dataset)
    with tolerant():
        dataset = frame_header(dataset, frame)
        return Facts(columns, rows, _laterality(dataset), _view(dataset), _pixel_mm(dataset))


def _laterality(dataset: Dataset) -> str:
    for keyword in ("ImageLaterality", "Laterality"):
        side = capitals(dataset, keyword)[:1]
        if side in ("L", "R"):
            return side
    return ""


def _view(dataset: Dataset) -> str:
    position = capitals(dataset, "ViewPosition")
    if position and position not in ("UNKNOWN", "NONE"):
        return position
    try:
        code = capitals(dataset.ViewCodeSequence[0], "CodeValue")
    except Exception:
        return ""
    return VIEW_CODES.get(code, "")


def _pixel_mm(dataset: Dataset) -> float | None:
    """Pixel Spacing where a film was calibrated, otherwise the detector's; none where pixels are not square."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        try:
            down, across = (float(value) for value in dataset.get(keyword))
        except Exception:
            continue
        if 0 < down < 10 and abs(down - across) <= 0.01 * down:
            return down
    return None
