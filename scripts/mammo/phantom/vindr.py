"""Synthetic VinDr-Mammo: studies of four films as DICOM, findings with their categories in a table."""

from __future__ import annotations

from dataclasses import dataclass

from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, PixelForm, elements, encode, set_brightness
from mammo.phantom.film import Film, FilmSpec, make_film
from mammo.phantom.seeds import hexadecimal
from mammo.phantom.settings import DifficultySettings
from mammo.phantom.truth import Result, TruthImage, TruthLesion

HEIGHT, WIDTH = 256, 192
VIEWS = (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))
COLUMNS = (
    "study_id,series_id,image_id,laterality,view_position,height,width,breast_birads,breast_density,"
    "finding_categories,finding_birads,xmin,ymin,xmax,ymax,split"
)
# What is drawn: categories as in the table, lesion type that must come out.
KINDS = {
    "mass": ("['Mass']", "mass"),
    "cluster": ("['Suspicious Calcification', 'Mass']", "mass"),
    "asymmetry": ("['Focal Asymmetry']", "focal_asymmetry"),
    "distortion": ("['Architectural Distortion', 'Skin Retraction']", "distortion"),
}
# Of each study: split, and of its left breast BI-RADS, the lesions of CC, the lesions of MLO. The right one is normal.
STUDIES = (
    ("training", "BI-RADS 4", ("mass",), ("mass",)),
    ("training", "BI-RADS 3", ("asymmetry",), ()),
    ("test", "BI-RADS 5", ("cluster", "distortion"), ("distortion",)),
    ("test", "BI-RADS 2", (), ()),
)
FORMS = (
    PixelForm(bits=12, window="linear"),
    PixelForm(bits=12, inverted=True, window="linear"),
    PixelForm(bits=14, window="sigmoid"),
    PixelForm(bits=16),
)


@dataclass(frozen=True)
class _Place:
    """A film of the set: which one of which study, and how its files name it."""

    seed: int
    study: int
    order: int

    @property
    def study_id(self) -> str:
        return hexadecimal(32, "vindr", self.seed, self.study)

    @property
    def image_id(self) -> str:
        return hexadecimal(32, "vindr", self.seed, self.study, self.order)

    @property
    def path(self) -> str:
        return f"images/{self.study_id}/{self.image_id}.dicom"


def vindr_set(seed: int, dataset: str) -> Result:
    """`finding_annotations.csv`, `breast-level_annotations.csv`, `images/*/*.dicom`."""
    files, images, lesions, rows = [], [], [], []
    for study, (split, birads, *left) in enumerate(STUDIES):
        for order, (side, _view) in enumerate(VIEWS):
            kinds = left[order] if side == "L" else ()
            place = _Place(seed, study, order)
            source = f"{dataset}/raw_files/{place.path}"
            film = _film(place, kinds)
            files.append((place.path, _dicom(place, film)))
            breast = birads if side == "L" else "BI-RADS 1"
            rows += _rows(place, film, breast, split)
            types = {KINDS[lesion.kind][1] for lesion in film.lesions}
            types |= {"other_finding"} if not types and breast[-1] > "2" else set()
            images.append(_image(place, source, split, types))
            pathology = "malignant" if breast[-1] > "3" else "benign"
            lesions += [
                TruthLesion(source, f"{at:02d}", *lesion.box, KINDS[lesion.kind][1], pathology, source, 1)
                for at, lesion in enumerate(film.lesions)
            ]
    table = "".join(f"{row}\n" for row in [COLUMNS, *rows])
    files.append(("finding_annotations.csv", table.encode()))
    files.append(("breast-level_annotations.csv", f"{COLUMNS[:83]}\n".encode()))
    return Result(tuple(files), tuple(images), tuple(lesions))


def _image(place: _Place, source: str, split: str, types: set[str]) -> TruthImage:
    group, kinds = "abn" if types else "normal", ";".join(sorted(types))
    side, view = VIEWS[place.order]
    return TruthImage(
        source, split, place.study_id, side, view, WIDTH, HEIGHT, group, "", kinds, place.image_id, ""
    )


def _rows(place: _Place, film: Film, breast: str, split: str) -> list[str]:
    """A row a finding; boxes as the readers' tool writes them, with fractions of a pixel."""
    head = f"{place.study_id},{place.study_id[::-1]},{place.image_id},{','.join(VIEWS[place.order])}"
    head += f",{HEIGHT},{WIDTH},{breast},DENSITY C"
    found = [
        f'{head},"{KINDS[lesion.kind][0]}",{breast},{",".join(f"{float(side):.6f}" for side in lesion.box)},{split}'
        for lesion in film.lesions
    ]
    return found or [f"{head},['No Finding'],,,,,,{split}"]


def _film(place: _Place, kinds: tuple[str, ...]) -> Film:
    side, view = VIEWS[place.order]
    patient = f"{place.seed} vindr {place.study}"
    spec = FilmSpec(
        f"{patient} {place.order}", patient, HEIGHT, WIDTH, side, view, kinds, DifficultySettings(), 0.01
    )
    return make_film(spec)


def _dicom(place: _Place, film: Film) -> bytes:
    side, view = VIEWS[place.order]
    dataset = elements(
        Modality="MG",
        PatientID="",
        ImageLaterality=side,
        ViewPosition=view,
        ImagerPixelSpacing=[0.085, 0.085],
    )
    set_brightness(dataset, film.pixels, film.air, FORMS[(place.study + place.order) % len(FORMS)])
    return encode(dataset, MAMMO_FOR_PRESENTATION, "vindr", place.image_id)
