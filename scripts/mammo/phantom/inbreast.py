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
from mammo.phantom.film import DrawnLesion, Film, FilmSpec, make_film
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
        return str(20586900 + 31 * self.number)


def _birads(rng: np.random.Generator, kinds: tuple[str, ...]) -> str:
    if not kinds:
        return str(rng.choice(["1", "2"], p=[0.7, 0.3]))
    return str(rng.choice(["2", "3", "4a", "4b", "4c", "5", "6"], p=[0.12, 0.13, 0.1, 0.1, 0.15, 0.3, 0.1]))


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
        plans.append(Plan(number, number // 4, side, view, kinds, acr, _birads(rng, kinds), fault))
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


def _xml(settings: PhantomSettings, plan: Plan, film: Film, source: str) -> tuple[bytes, list[TruthLesion]]:
    """The film's XML and the lesions in it: polygons for what has an outline, single points for
    calcifications.
    """
    rng = generator(settings.seed, "inbreast xml", plan.number)
    height, width = film.pixels.shape
    regions = [
        (found.kind if found.kind != "mass" or "asymmetry" not in plan.kinds else "asymmetry", found)
        for found in film.lesions
    ]
    rois, lesions = [], []
    for kind, found in regions:
        named = DrawnLesion(kind, found.outline, found.box, found.points)
        for lesion_type, name, polygon in _regions(rng, named, width, height):
            polygon = np.round(polygon, 6)
            rois.append(_roi(len(rois), name, POLYGON, polygon))
            pathology = "MALIGNANT" if plan.birads[0] in "456" else "BENIGN"
            lesions.append(
                TruthLesion(
                    source,
                    f"{len(rois) - 1:02d}",
                    *_extent(polygon),
                    lesion_type,
                    pathology,
                    f"{FOLDER}/raw_files/AllXML/{plan.file_id}.xml",
                    int(not plan.fault),
                )
            )
        for point in found.points:
            rois.append(_roi(len(rois), "Calcification", POINT, point[None]))
    for n, point in enumerate(film.grains):
        rois.append(_roi(len(rois), POINT_NAMES[(plan.number + n) % len(POINT_NAMES)], POINT, point[None]))
    document = {"Images": [{"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": rois}]}
    return plistlib.dumps(document, sort_keys=True), lesions


def film_job(settings: PhantomSettings, plan: Plan) -> Result:
    """One film and, where something was found on it, its XML."""
    seed = settings.seed
    # An asymmetry is drawn as a mass is; only its name differs.
    kinds = tuple("mass" if kind == "asymmetry" else kind for kind in plan.kinds)
    spec = FilmSpec(
        f"{seed} inbreast {plan.number}",
        f"{seed} inbreast patient {plan.patient}",
        settings.film.height,
        settings.film.width,
        plan.laterality,
        plan.view,
        kinds,
        settings.difficulty,
        settings.film.detector_noise,
    )
    film = make_film(spec)
    patient = hexadecimal(16, seed, "inbreast patient", plan.patient)
    short_view = "ML" if plan.view == "MLO" else plan.view
    path = f"raw_files/AllDICOMs/{plan.file_id}_{patient}_MG_{plan.laterality}_{short_view}_ANON.dcm"
    # No window, no spacing, no side, no view: all of that is missing in the real files too.
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
    files = {path: truncated(data, seed, plan.number) if plan.fault == "truncated" else data}
    source = f"{FOLDER}/{path}"
    lesions: list[TruthLesion] = []
    if plan.kinds:
        xml, lesions = _xml(settings, plan, film, source)
        files[f"raw_files/AllXML/{plan.file_id}.xml"] = (
            xml[: len(xml) // 2] if plan.fault == "broken xml" else xml
        )
    image = TruthImage(
        source,
        "",
        patient,
        plan.laterality,
        plan.view,
        spec.width,
        spec.height,
        "abn" if plan.kinds else "normal",
        "",
        ";".join(sorted({lesion.lesion_type for lesion in lesions})),
        f"inbreast {plan.number}",
        "",
    )
    if not plan.fault:
        return Result(tuple(sorted(files.items())), (image,), tuple(lesions))
    stage, cause = (
        ("decode", source)
        if plan.fault == "truncated"
        else ("annotate", f"{FOLDER}/raw_files/AllXML/{plan.file_id}.xml")
    )
    return Result(
        tuple(sorted(files.items())), (), tuple(lesions), (TruthReject(source, stage, plan.fault, cause),)
    )


def parts(settings: PhantomSettings) -> list[FolderPart]:
    """The delivery as jobs."""
    plans = plan_films(settings)
    if not plans:
        return []
    jobs: list[Job] = [partial(csv_job, tuple(plans))]
    jobs += [partial(film_job, settings, plan) for plan in plans]
    return [FolderPart(FOLDER, FOLDER, tuple(jobs))]
