"""INbreast: films named by id, hash, side and view, plist XML with the readers' outlines, one semicolon
CSV.
"""

from __future__ import annotations

import plistlib
from dataclasses import dataclass
from functools import partial

import numpy as np

from mammo.phantom.dicomfile import (
    MAMMO_FOR_PRESENTATION,
    PixelForm,
    elements,
    encode,
    set_brightness,
    truncated,
)
from mammo.phantom.film import DrawnLesion, Film, film_spec, make_film
from mammo.phantom.parts import FolderPart, Job
from mammo.phantom.seeds import digits, generator, hexadecimal, uid
from mammo.phantom.settings import PhantomSettings
from mammo.phantom.truth import Result, TruthImage, TruthLesion, TruthReject

FOLDER = "inbreast"
POLYGON, POINT = 15, 19
COLUMNS = (
    "Patient ID",
    "Patient age",
    "Laterality",
    "View",
    "Acquisition date",
    "File Name",
    "ACR",
    "Bi-Rads",
)
# The names under which the readers filed each kind; the first is the usual one.
NAMES = {
    "mass": ("Mass",),
    "spiculated": ("Spiculated Region", "Espiculated Region"),
    "cluster": ("Cluster",),
    "distortion": ("Distortion",),
    "asymmetry": ("Asymmetry", "Assymetry", "Asimmetry"),
}
POINT_NAMES = ("Calcification", "Calcifications", "Point 1", "Point 3", "Unnamed")
LESION_TYPES = {"cluster": "calcification"}


@dataclass(frozen=True)
class Plan:
    """One film: number in the delivery, the patient's number, what is drawn, what is written about it."""

    number: int
    patient: int
    laterality: str
    view: str
    kinds: tuple[str, ...]
    acr: str
    birads: str
    fault: str

    @property
    def file_id(self) -> str:
        """The eight digits that begin the file's name."""
        return str(20586900 + 31 * self.number)

    @property
    def xml(self) -> str:
        """The film's XML, relative to the data folder (a film without findings has none)."""
        return f"{FOLDER}/raw_files/AllXML/{self.file_id}.xml"


def _birads(number: int, kinds: tuple[str, ...]) -> str:
    """The assessment, going round all there are, the two views of a breast alike where both show something."""
    if not kinds:
        return "1112"[number // 2 % 4]
    return ("5", "4a", "3", "4b", "6", "2", "4c")[number // 2 % 7]


def _kinds(rng: np.random.Generator, has_mass: bool, position: int, second: float) -> tuple[str, ...]:
    """What is on a film. The films without a mass begin with the rarer findings, the rest of them are
    clean.
    """
    if has_mass:
        first = "spiculated" if rng.random() < 0.45 else "mass"
        return (first, "mass") if rng.random() < second else (first,)
    return {0: ("cluster",), 3: ("asymmetry",), 6: ("distortion",), 9: ("cluster",)}.get(position, ())


def plan_films(settings: PhantomSettings) -> list[Plan]:
    """The delivery film by film: a patient has the two views of one breast, or of both."""
    seed, films = settings.seed, settings.inbreast.films
    with_mass = round(films * settings.inbreast.with_masses)
    order = generator(seed, "inbreast order").permutation(films)
    plans: list[Plan] = []
    without = 0
    for number in range(films):
        rng = generator(seed, "inbreast", number)
        has_mass = bool(order[number] < with_mass)
        kinds = _kinds(rng, has_mass, without, settings.difficulty.second_lesion)
        without += not has_mass
        view = "FB" if number == 5 else ("CC", "MLO")[number % 2]
        # Every breast by itself: which of a patient's breasts is affected is drawn anew for each pair of
        # views.
        side = "LR"[int(generator(seed, "inbreast side", number // 4).integers(2)) ^ (number // 2 % 2)]
        fault = {6: "truncated", 7: "broken xml"}.get(number, "") if settings.broken_files else ""
        if fault == "broken xml":
            kinds = ("mass",)
        acr = " " if number == 2 else str(generator(seed, "inbreast acr", number // 4).integers(1, 5))
        plans.append(Plan(number, number // 4, side, view, kinds, acr, _birads(number, kinds), fault))
    return plans


def csv_job(plans: tuple[Plan, ...]) -> Result:
    """INbreast.csv: semicolons, CRLF, views as CC, MLO, FB (the file names say ML)."""
    lines = [";".join(COLUMNS)]
    for plan in plans:
        date = f"20{8 + plan.patient % 3:02d}{1 + plan.patient % 12:02d}"
        lines.append(
            f"removed;removed;{plan.laterality};{plan.view};{date};{plan.file_id};{plan.acr};{plan.birads}"
        )
    return Result((("raw_files/INbreast.csv", "".join(line + "\r\n" for line in lines).encode("ascii")),))


def _roi(index: int, name: str, kind: int, points: np.ndarray) -> dict[str, object]:
    """One region as the workstation exported it: pixel positions as text, millimetres and centre never filled
    in.
    """
    return {
        "Area": 0.0,
        "Center": "(0.000000, 0.000000, 0.000000)",
        "Dev": 0.0,
        "IndexInImage": index,
        "Max": 0.0,
        "Mean": 0.0,
        "Min": 0.0,
        "Name": name,
        "NumberOfPoints": len(points),
        "Point_mm": ["(0.000000, 0.000000, 0.000000)"] * len(points),
        "Point_px": [f"({x:.6f}, {y:.6f})" for x, y in points],
        "Total": 0.0,
        "Type": kind,
    }


def _grown(lesion: DrawnLesion, factor: float, width: int, height: int) -> np.ndarray:
    middle = lesion.outline.mean(axis=0)
    return np.clip(middle + (lesion.outline - middle) * factor, (1, 1), (width - 2, height - 2))


def _regions(
    rng: np.random.Generator, lesion: DrawnLesion, width: int, height: int
) -> list[tuple[str, str, np.ndarray]]:
    """(lesion type, name, polygon) of one lesion: a spiculated mass is outlined twice, as mass and as its
    rays.
    """
    name = str(rng.choice(NAMES[lesion.kind]))
    if lesion.kind == "spiculated":
        return [("mass", "Mass", _grown(lesion, 0.8, width, height)), ("spiculated", name, lesion.outline)]
    return [(LESION_TYPES.get(lesion.kind, lesion.kind), name, lesion.outline)]


def _extent(polygon: np.ndarray) -> tuple[int, int, int, int]:
    low, high = np.floor(polygon.min(axis=0)), np.floor(polygon.max(axis=0)) + 1
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _truth_lesion(
    plan: Plan, source: str, roi: int, polygon: np.ndarray, type_and_pathology: tuple[str, str]
) -> TruthLesion:
    x1, y1, x2, y2 = _extent(polygon)
    return TruthLesion(
        source=source,
        lesion_id=f"{roi:02d}",
        x1=x1,
        y1=y1,
        x2=x2,
        y2=y2,
        lesion_type=type_and_pathology[0],
        pathology=type_and_pathology[1],
        annotation=plan.xml,
        recoverable=int(not plan.fault),
    )


def _xml(settings: PhantomSettings, plan: Plan, film: Film, source: str) -> tuple[bytes, list[TruthLesion]]:
    """The film's XML and the lesions in it: polygons for what has an outline, points for calcifications."""
    rng = generator(settings.seed, "inbreast xml", plan.number)
    height, width = film.pixels.shape
    pathology = "MALIGNANT" if plan.birads[0] in "456" else "BENIGN"
    rois: list[dict[str, object]] = []
    lesions: list[TruthLesion] = []
    for found in film.lesions:
        for lesion_type, name, drawn in _regions(rng, found, width, height):
            polygon = np.round(drawn, 6)
            lesions.append(_truth_lesion(plan, source, len(rois), polygon, (lesion_type, pathology)))
            rois.append(_roi(len(rois), name, POLYGON, polygon))
        for point in found.points:
            rois.append(_roi(len(rois), "Calcification", POINT, point[None]))
    for n, point in enumerate(film.grains):
        rois.append(_roi(len(rois), POINT_NAMES[(plan.number + n) % len(POINT_NAMES)], POINT, point[None]))
    document = {"Images": [{"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": rois}]}
    return plistlib.dumps(document, sort_keys=True), lesions


def _dicom(settings: PhantomSettings, plan: Plan, film: Film) -> bytes:
    """The film's DICOM. No window, no spacing, no side, no view: all of that is missing in the real files too."""
    seed = settings.seed
    dataset = elements(
        PatientID=digits(6, seed, "inbreast id", plan.number),
        PatientName="",
        Modality="MG",
        StudyDate="",
        StudyInstanceUID=uid(seed, "inbreast study", plan.patient),
        SeriesNumber=1,
        InstanceNumber=plan.number + 1,
        SeriesInstanceUID=uid(seed, "inbreast series", plan.number),
        BodyPartExamined="BREAST",
    )
    set_brightness(dataset, film.pixels, film.air, PixelForm(bits=14 if plan.number % 2 else 12))
    data = encode(dataset, MAMMO_FOR_PRESENTATION, seed, "inbreast", plan.number)
    return truncated(data, seed, plan.number) if plan.fault == "truncated" else data


def film_job(settings: PhantomSettings, plan: Plan) -> Result:
    """One film and, where something was found on it, its XML."""
    key, patient_key = f"inbreast {plan.number}", f"inbreast patient {plan.patient}"
    film = make_film(film_spec(settings, key, patient_key, (plan.laterality, plan.view), plan.kinds))
    patient = hexadecimal(16, settings.seed, patient_key)
    short_view = "ML" if plan.view == "MLO" else plan.view
    path = f"raw_files/AllDICOMs/{plan.file_id}_{patient}_MG_{plan.laterality}_{short_view}_ANON.dcm"
    files, source = {path: _dicom(settings, plan, film)}, f"{FOLDER}/{path}"
    lesions: list[TruthLesion] = []
    if plan.kinds:
        xml, lesions = _xml(settings, plan, film, source)
        kept = xml[: len(xml) // 2] if plan.fault == "broken xml" else xml
        files[plan.xml.removeprefix(f"{FOLDER}/")] = kept
    images, rejects = (_truth_image(settings, plan, source, patient, lesions),), ()
    if plan.fault == "truncated":
        images, rejects = (), (TruthReject(source, "decode", plan.fault, source),)
    elif plan.fault:
        images, rejects = (), (TruthReject(source, "annotate", plan.fault, plan.xml),)
    return Result(tuple(sorted(files.items())), images, tuple(lesions), rejects)


def _truth_image(
    settings: PhantomSettings, plan: Plan, source: str, patient: str, lesions: list[TruthLesion]
) -> TruthImage:
    return TruthImage(
        source=source,
        delivery="",
        patient=patient,
        laterality=plan.laterality,
        view=plan.view,
        width=settings.film.width,
        height=settings.film.height,
        group="abn" if plan.kinds else "normal",
        letters="",
        lesion_types=";".join(sorted({lesion.lesion_type for lesion in lesions})),
        film=f"inbreast {plan.number}",
        quirks="no-acr" if plan.acr == " " else "",
    )


def parts(settings: PhantomSettings) -> list[FolderPart]:
    """The delivery as jobs."""
    plans = plan_films(settings)
    if not plans:
        return []
    jobs: list[Job] = [partial(csv_job, tuple(plans))]
    jobs += [partial(film_job, settings, plan) for plan in plans]
    return [FolderPart(FOLDER, FOLDER, tuple(jobs))]
