"""CBIS-DDSM: description CSVs, digitised films, masks and crops, in the layouts in which they circulate."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mammo.errors import UserError
from mammo.phantom.dicomfile import (
    SECONDARY_CAPTURE,
    PixelForm,
    elements,
    encode,
    set_brightness,
    set_pixels,
    truncated,
)
from mammo.phantom.film import DrawnLesion, Film, FilmSpec, film_spec, make_film
from mammo.phantom.parts import FolderPart, Job
from mammo.phantom.seeds import digest, generator, uid
from mammo.phantom.settings import PhantomSettings
from mammo.phantom.truth import Result, TruthImage, TruthLesion, TruthReject

FOLDER = "CBIS-DDSM"
SETS = ("calc_test", "calc_train", "mass_test", "mass_train")
IMAGE, CROP, MASK = "image file path", "cropped image file path", "ROI mask file path"
LAYOUTS = ("numbered", "downloader", "descriptive", "eight-digits")
_KIND_WORDS = (("SPICULATED", "spiculated"), ("DISTORTION", "distortion"))


def columns(set_name: str) -> list[str]:
    """The columns of one description CSV: mass and calc differ in three names, one of them by an
    underscore.
    """
    kind = set_name.split("_")[0]
    density = "breast_density" if kind == "mass" else "breast density"
    details = ["mass shape", "mass margins"] if kind == "mass" else ["calc type", "calc distribution"]
    return [
        "patient_id",
        density,
        "left or right breast",
        "image view",
        "abnormality id",
        "abnormality type",
        *details,
        "assessment",
        "pathology",
        "subtlety",
        IMAGE,
        CROP,
        MASK,
    ]


@dataclass(frozen=True)
class Row:
    """One row of a description CSV: the set it stands in and its values by column, as text."""

    set_name: str
    values: tuple[tuple[str, str], ...]

    def __getitem__(self, column: str) -> str:
        return dict(self.values)[column]

    def uids(self, column: str) -> tuple[str, str, str]:
        """Subject folder, study UID and series UID of a path column."""
        subject, study, series = self[column].strip().split("/")[:3]
        return subject, study, series

    @property
    def side_and_view(self) -> tuple[str, str]:
        """L or R, and CC or MLO."""
        return self["left or right breast"][0], self["image view"]

    @property
    def film(self) -> str:
        """What identifies the physical film: one film can be listed as Mass and as Calc."""
        return "_".join((self["patient_id"], *self.side_and_view))

    @property
    def abnormality(self) -> str:
        """What identifies the lesion on its film: type and number as the CSV has them."""
        return f"{self['abnormality type']}-{int(self['abnormality id']):02d}"

    @property
    def kind(self) -> str:
        """What to draw: a key of `shapes.LESIONS`."""
        if self["abnormality type"] == "calcification":
            return "cluster"
        words = self["mass shape"] + " " + self["mass margins"]
        return next((kind for word, kind in _KIND_WORDS if word in words), "mass")


# -- the description CSVs


def _subject(set_name: str, patient: str, side: str, view: str) -> str:
    kind, part = set_name.split("_")
    return f"{kind.capitalize()}-{'Training' if part == 'train' else 'Test'}_{patient}_{side}_{view}"


def _paths(seed: int, set_name: str, subject: str, number: int, two_series: bool) -> dict[str, str]:
    """The three path fields, their file names no more reliable than the real ones; a newline ends one field."""
    lesion = f"{subject}_{number}"
    film = f"{subject}/{uid(seed, subject, 'study')}/{uid(seed, subject, 'series')}/000000.dcm"
    study, series = uid(seed, lesion, "study"), uid(seed, lesion, "series")
    other = uid(seed, lesion, "second series") if two_series else series
    if set_name.startswith("mass"):
        mask_name = "000000.dcm" if two_series else "000001.dcm"
        return {
            IMAGE: film,
            CROP: f"{lesion}/{study}/{series}/000000.dcm",
            MASK: f"{lesion}/{study}/{other}/{mask_name}\n",
        }
    return {
        IMAGE: film,
        CROP: f"{lesion}/{study}/{series}/000001.dcm\n",
        MASK: f"{lesion}/{study}/{other}/000000.dcm",
    }


def _invented_row(
    seed: int, set_name: str, patient: str, side: str, view: str, number: int, two_series: bool
) -> Row:
    rng = generator(seed, "cbis row", set_name, patient, side, number)
    # Density is the patient's; the finding is the same in both views of a breast.
    density = str(generator(seed, "cbis density", patient).integers(1, 5))
    mass = set_name.startswith("mass")
    shapes = [
        "IRREGULAR",
        "LOBULATED",
        "OVAL",
        "IRREGULAR-ARCHITECTURAL_DISTORTION",
        "ARCHITECTURAL_DISTORTION",
    ]
    margins = ["SPICULATED", "ILL_DEFINED", "OBSCURED", "MICROLOBULATED", "ILL_DEFINED-SPICULATED", "N/A"]
    types = ["PLEOMORPHIC", "AMORPHOUS", "PUNCTATE", "FINE_LINEAR_BRANCHING", "N/A"]
    spread = ["CLUSTERED", "N/A", "SEGMENTAL", "LINEAR"]
    if mass:
        shape = str(rng.choice(shapes, p=[0.4, 0.25, 0.25, 0.06, 0.04]))
        details = [shape, str(rng.choice(margins, p=[0.38, 0.25, 0.15, 0.1, 0.07, 0.05]))]
    else:
        details = [
            str(rng.choice(types, p=[0.5, 0.2, 0.15, 0.1, 0.05])),
            str(rng.choice(spread, p=[0.6, 0.2, 0.1, 0.1])),
        ]
    pathology = str(rng.choice(["MALIGNANT", "BENIGN", "BENIGN_WITHOUT_CALLBACK"], p=[0.45, 0.4, 0.15]))
    assessment = {
        "MALIGNANT": rng.integers(4, 6),
        "BENIGN": rng.integers(3, 5),
        "BENIGN_WITHOUT_CALLBACK": 2,
    }[pathology]
    side_word = "LEFT" if side == "L" else "RIGHT"
    paths = _paths(seed, set_name, _subject(set_name, patient, side_word, view), number, two_series)
    values = [
        patient,
        density,
        side_word,
        view,
        str(number),
        "mass" if mass else "calcification",
        *details,
        str(assessment),
        pathology,
        str(rng.integers(1, 6)),
        paths[IMAGE],
        paths[CROP],
        paths[MASK],
    ]
    return Row(set_name, tuple(zip(columns(set_name), values, strict=True)))


def _film_plan(seed: int, films: int) -> list[tuple[str, str, str, str]]:
    """(set, patient, side, view) of the invented films. The first four hold the two traps of the merged sets:

    one film listed both as Mass and as Calc, and that patient's other breast in the test set of the other
    type.
    """
    plan = [
        ("mass_train", "P_00003", "L", "CC"),
        ("calc_train", "P_00003", "L", "CC"),
        ("calc_test", "P_00003", "R", "CC"),
        ("mass_train", "P_00003", "L", "MLO"),
    ]
    number = 3
    while len(plan) < films:
        number += 1 + digest(seed, "cbis gap", number) % 4
        rng = generator(seed, "cbis patient", number)
        kind = "mass" if rng.random() < 0.72 else "calc"
        part = "train" if rng.random() < 0.82 else "test"
        side = "L" if rng.random() < 0.5 else "R"
        views = ["CC", "MLO"] if rng.random() < 0.75 else [str(rng.choice(["CC", "MLO"]))]
        plan += [(f"{kind}_{part}", f"P_{number:05d}", side, view) for view in views]
    return plan[:films]


def invented_rows(seed: int, films: int) -> list[Row]:
    """Rows of description CSVs for `films` invented films."""
    rows = []
    for index, (set_name, patient, side, view) in enumerate(_film_plan(seed, films)):
        rng = generator(seed, "cbis abnormalities", set_name, patient, side)
        count = 2 if index == 3 or rng.random() < 0.12 else 1
        first = 2 if index == 2 or rng.random() < 0.06 else 1
        two_series = index == 1 or rng.random() < 0.12
        rows += [
            _invented_row(seed, set_name, patient, side, view, first + n, two_series) for n in range(count)
        ]
    return rows


def real_rows(folder: Path, count: int) -> list[Row]:
    """The first `count` rows of each of the four real description CSVs in `folder`, all fields as they
    stand.
    """
    rows = []
    for set_name in SETS:
        path = folder / f"{csv_name(set_name)}"
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"{path}: a CBIS-DDSM description CSV cannot be read ({error.strerror}); "
                "cbis.csv must name the folder with the four of them, or be left out"
            ) from error
        # splitlines would also cut inside quoted fields; csv does not.
        reader = csv.DictReader(io.StringIO(text, newline=""))
        missing = sorted(set(columns(set_name)) - set(reader.fieldnames or []))
        if missing:
            raise UserError(
                f"{path}: column {missing[0]!r} is missing; found {', '.join(reader.fieldnames or [])}"
            )
        for _, values in zip(range(count), reader, strict=False):
            rows.append(Row(set_name, tuple(values.items())))
    return rows


def csv_name(set_name: str) -> str:
    """File name of a set's description CSV."""
    return "{}_case_description_{}_set.csv".format(*set_name.split("_"))


def csv_job(set_name: str, rows: tuple[Row, ...]) -> Result:
    """One description CSV, written as the real ones are: LF, quotes only around fields that need them."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns(set_name))
    writer.writerows([row[column] for column in columns(set_name)] for row in rows)
    return Result(((f"csv/{csv_name(set_name)}", buffer.getvalue().encode("utf-8")),))


# -- the films


@dataclass(frozen=True)
class Plan:
    """What is special about one film's files: `layout` of the folders, `mask_fault` one of "", "empty",
    "broken".
    """

    layout: str
    mask_fault: str
    film_fault: str


def _folder(layout: str, subject: str, study: str, series: str, description: str) -> str:
    if layout != "descriptive":
        return f"dicom/{subject}/{study}/{series}"
    number = digest("folder", study)
    date = f"{number % 12 + 1:02d}-{number // 12 % 28 + 1:02d}-{2016 + number // 400 % 2}"
    return (
        f"dicom/{subject}/{date}-DDSM-{number // 7 % 90000 + 10000}/"
        f"1.000000-{description}-{digest('series', series) % 90000 + 10000}"
    )


def _file_name(layout: str, number: int) -> str:
    names = {"numbered": f"{number - 1:06d}.dcm", "eight-digits": f"{number:08d}.dcm"}
    return names.get(layout, f"1-{number}.dcm")


def _header(
    subject: str, study: str, series: str, row: Row, number: int, description: str
) -> dict[str, object]:
    side, view = row.side_and_view
    return {
        "PatientID": subject,
        "PatientName": subject,
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "StudyID": "DDSM",
        "SeriesNumber": 1,
        "InstanceNumber": number,
        "Modality": "MG",
        "ConversionType": "WSD",
        "BodyPartExamined": "BREAST",
        "Laterality": side,
        "PatientOrientation": view,
        "SeriesDescription": description,
        "StudyDate": "",
        "StudyTime": "",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "PatientSex": "",
    }


def _mask_pixels(
    rng: np.random.Generator, lesion: DrawnLesion, height: int, width: int, fault: str
) -> np.ndarray:
    """The lesion's mask, 8-bit 0 and 255; sometimes of another size than the film, sometimes with specks and
    a scratch.
    """
    mask = lesion.mask(height, width).astype(np.uint8) * 255
    if fault == "empty":
        return np.zeros_like(mask)
    if rng.random() < 0.35:
        _add_specks(rng, mask, lesion)
    if rng.random() < 0.35:
        scale = rng.uniform(0.8, 0.92)
        mask = cv2.resize(
            mask, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_NEAREST
        )
    return mask


def _add_specks(rng: np.random.Generator, mask: np.ndarray, lesion: DrawnLesion) -> None:
    """Crumbs, and a scratch whose box is larger than the lesion's while its area is small."""
    height, width = mask.shape
    x1, y1, x2, y2 = lesion.box
    for _ in range(3):
        x, y = int(rng.integers(2, width - 4)), int(rng.integers(2, height - 4))
        if not (x1 - 6 < x < x2 + 6 and y1 - 6 < y < y2 + 6):
            mask[y : y + 2, x : x + 2] = 255
    column = x1 // 2 if x1 > width - x2 else (x2 + width) // 2
    if not x1 - 3 <= column <= x2 + 3:
        mask[height // 10 : height - height // 10, column] = 255


def _crop(film: Film, lesion: DrawnLesion) -> np.ndarray:
    height, width = film.pixels.shape
    x1, y1, x2, y2 = lesion.box
    pad = max(3, (x2 - x1) // 6)
    part = film.pixels[max(0, y1 - pad) : min(height, y2 + pad), max(0, x1 - pad) : min(width, x2 + pad)]
    return np.round(part * 65535).astype(np.uint16)


def _lesion_files(
    seed: int, row: Row, film: Film, lesion: DrawnLesion, plan: Plan
) -> tuple[dict[str, bytes], str]:
    """Mask and crop of one lesion, in one series or two, often the wrong way round; and the mask's path."""
    rng = generator(seed, "cbis files", *row.uids(MASK), row.abnormality)
    swapped = rng.random() < (0.5 if row.set_name.startswith("mass") else 0.95)
    subject = row.uids(MASK)[0]
    named = {"mask": row.uids(MASK)[1:], "crop": row.uids(CROP)[1:]}
    one_series = named["mask"] == named["crop"]
    numbers = {"crop": 1, "mask": 2} if row.set_name.startswith("mass") else {"mask": 1, "crop": 2}
    if swapped:
        named = {"mask": named["crop"], "crop": named["mask"]}
        numbers = {"mask": numbers["crop"], "crop": numbers["mask"]}
    files: dict[str, bytes] = {}
    paths: dict[str, str] = {}
    for what in ("crop", "mask"):
        number = numbers[what] if one_series else 1
        # In one series both files carry the series' one description, so it says nothing about the file.
        description = "ROI mask images" if one_series or (what == "mask") != swapped else "cropped images"
        study, series = named[what]
        dataset = elements(**_header(subject, study, series, row, number, description))
        if what == "mask":
            mask = _mask_pixels(rng, lesion, *film.pixels.shape, plan.mask_fault)
            set_pixels(dataset, mask, 8, "MONOCHROME2")
        else:
            set_pixels(dataset, _crop(film, lesion), 16, "MONOCHROME2")
        data = encode(dataset, SECONDARY_CAPTURE, seed, "cbis", series, number)
        if what == "mask" and plan.mask_fault == "broken":
            data = truncated(data, seed, series)
        folder = _folder(plan.layout, subject, study, series, description)
        paths[what] = f"{folder}/{_file_name(plan.layout, number)}"
        files[paths[what]] = data
    return files, paths["mask"]


def _size(settings: PhantomSettings, film: str) -> tuple[int, int]:
    rng = generator(settings.seed, "cbis size", film)
    factors = 1 + settings.film.size_jitter * rng.uniform(-1, 1, 2)
    return round(settings.film.height * factors[0]), round(settings.film.width * factors[1])


def film_job(settings: PhantomSettings, rows: tuple[Row, ...], drawn: tuple[str, ...], plan: Plan) -> Result:
    """All files of one subject folder: the film, and mask and crop of each of its rows.

    `rows` are this subject's; `drawn` names every abnormality on the physical film as `abnormality:kind`
    (those listed under the other type too).
    """
    row, seed = rows[0], settings.seed
    height, width = _size(settings, row.film)
    kinds = tuple(name.split(":")[1] for name in drawn)
    spec = film_spec(settings, f"cbis {row.film}", f"cbis {row['patient_id']}", row.side_and_view, kinds)
    spec = replace(spec, height=height, width=width)
    film = make_film(spec)
    lesion_of = {name.split(":")[0]: lesion for name, lesion in zip(drawn, film.lesions, strict=True)}
    subject, study, series = row.uids(IMAGE)
    dataset = elements(**_header(subject, study, series, row, 1, "full mammogram images"))
    set_brightness(dataset, film.pixels, film.air, PixelForm(bits=16))
    folder = _folder(plan.layout, subject, study, series, "full mammogram images")
    path = f"{folder}/{_file_name(plan.layout, 1)}"
    data = encode(dataset, SECONDARY_CAPTURE, seed, "cbis", series, 1)
    files = {path: truncated(data, seed, series) if plan.film_fault else data}
    lesions = []
    for each in rows:
        more, mask_path = _lesion_files(seed, each, film, lesion_of[each.abnormality], plan)
        files |= more
        lesions.append(_truth_lesion(each, lesion_of[each.abnormality], path, mask_path, plan))
    return _result(row, spec, files, path, lesions, plan)


def _truth_lesion(row: Row, lesion: DrawnLesion, path: str, mask_path: str, plan: Plan) -> TruthLesion:
    usable = int(not plan.mask_fault and not plan.film_fault)
    x1, y1, x2, y2 = lesion.box
    return TruthLesion(
        source=f"{FOLDER}/{path}",
        lesion_id=row.abnormality,
        x1=x1,
        y1=y1,
        x2=x2,
        y2=y2,
        lesion_type=row["abnormality type"],
        pathology=row["pathology"],
        annotation=f"{FOLDER}/{mask_path}",
        recoverable=usable,
    )


def _result(
    row: Row, spec: FilmSpec, files: dict[str, bytes], path: str, lesions: list[TruthLesion], plan: Plan
) -> Result:
    source = f"{FOLDER}/{path}"
    image = TruthImage(
        source=source,
        delivery=row.set_name,
        patient=row["patient_id"],
        laterality=spec.laterality,
        view=spec.view,
        width=spec.width,
        height=spec.height,
        group="abn",
        letters="",
        lesion_types=";".join(sorted({lesion.lesion_type for lesion in lesions})),
        film=row.film,
        quirks=plan.layout,
    )
    rejects: tuple[TruthReject, ...] = ()
    if plan.film_fault:
        rejects = (TruthReject(source, "decode", "truncated", source),)
    elif plan.mask_fault:
        rejects = (TruthReject(source, "annotate", f"{plan.mask_fault} mask", lesions[0].annotation),)
    images = () if rejects else (image,)
    return Result(tuple(sorted(files.items())), images, tuple(lesions), rejects)


def _plans(settings: PhantomSettings, films: list[tuple[Row, ...]]) -> Iterator[Plan]:
    """A layout for each film in turn; of the films beyond the first four, one empty mask, one broken mask and
    film.
    """
    faults = {5: ("empty", ""), 7: ("broken", ""), 8: ("", "truncated")} if settings.broken_files else {}
    for index in range(len(films)):
        mask_fault, film_fault = faults.get(index, ("", ""))
        yield Plan(LAYOUTS[index % len(LAYOUTS)], mask_fault, film_fault)


def parts(settings: PhantomSettings) -> list[FolderPart]:
    """The delivery as jobs."""
    chosen = settings.cbis
    rows = (
        real_rows(Path(chosen.csv), chosen.rows) if chosen.csv else invented_rows(settings.seed, chosen.films)
    )
    subjects: dict[str, list[Row]] = {}
    on_film: dict[str, set[str]] = {}
    for row in rows:
        subjects.setdefault(row.uids(IMAGE)[2], []).append(row)
        on_film.setdefault(row.film, set()).add(f"{row.abnormality}:{row.kind}")
    films = [tuple(rows_of) for rows_of in subjects.values()]
    jobs: list[Job] = [
        partial(csv_job, name, tuple(row for row in rows if row.set_name == name)) for name in SETS if rows
    ]
    for film_rows, plan in zip(films, _plans(settings, films), strict=True):
        jobs.append(partial(film_job, settings, film_rows, tuple(sorted(on_film[film_rows[0].film])), plan))
    return [FolderPart(FOLDER, FOLDER, tuple(jobs))]
