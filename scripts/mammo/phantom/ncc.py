"""The hospital's deliveries: tar files of anonymised DICOM, each abnormal film with a JPEG that outlines the
lesion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from mammo.phantom.dicomfile import (
    DETECTOR_MM,
    MAMMO_FOR_PRESENTATION,
    MAMMO_FOR_PROCESSING,
    PixelForm,
    elements,
    encode,
    put_invalid,
    set_brightness,
    truncated,
    without_pixels,
)
from mammo.phantom.film import Film, film_spec, make_film
from mammo.phantom.outline import Pen, outlined_jpeg
from mammo.phantom.parts import Job, TarPart
from mammo.phantom.seeds import digits, generator, uid
from mammo.phantom.settings import PhantomSettings
from mammo.phantom.truth import Result, TruthImage, TruthLesion, TruthReject

TEST, TRAIN = "NCC", "NCC_trainset"
# The folder's letters name the kinds of lesion. What they mean is the workflow's config; these films mean
# this.
LETTERS = {"asymmetry": "A", "cluster": "C", "distortion": "D", "mass": "X", "spiculated": "X"}
LESION_TYPES = {"cluster": "calcification", "spiculated": "mass"}
# The two readers of the training set swapped pens between January and May.
PENS = {
    "abn_1": ("red",),
    "abn_2": ("green", "dark red"),
    "abn_180116_1": ("red",),
    "abn_180116_2": ("green",),
    "abn_180517_1": ("green",),
    "abn_180517_2": ("dark red", "red"),
}
# The files that must be turned down, for each delivery: (fault, stage). They come on top of the usable films.
FAULTS = {
    "abn_1": (("no outline", "annotate"), ("no jpeg", "annotate"), ("truncated", "decode")),
    "abn_2": (("zero bytes", "decode"), ("no pixels", "decode"), ("no outline", "annotate")),
    "normal": (("for processing", "decode"), ("truncated", "decode")),
    "abn_180116_1": (("no outline", "annotate"),),
    "abn_180116_2": (("no jpeg", "annotate"),),
    "abn_180517_1": (("truncated", "decode"),),
    "abn_180517_2": (("zero bytes", "decode"),),
    "normal_180130": (("for processing", "decode"), ("no pixels", "decode")),
}


@dataclass(frozen=True)
class Plan:
    """One film: its delivery, index there, case, path inside the tar without suffix, what is drawn, what is
    wrong.
    """

    delivery: str
    index: int
    case: str
    stem: str
    laterality: str
    view: str
    kinds: tuple[str, ...]
    letters: str
    fault: str
    stage: str

    @property
    def dataset(self) -> str:
        """NCC or NCC_trainset."""
        return TEST if self.delivery in ("abn_1", "abn_2", "normal") else TRAIN

    @property
    def source(self) -> str:
        """The DICOM's path relative to the data folder, once unpacked."""
        return f"{self.dataset}/dicom/{self.stem}.dcm"

    @property
    def jpeg(self) -> str:
        """The paired JPEG's path, likewise."""
        return f"{self.dataset}/dicom/{self.stem}.jpg"


def _kinds(rng: np.random.Generator, second: float) -> tuple[str, ...]:
    kinds = ["mass", "spiculated", "cluster", "asymmetry", "distortion"]
    count = 2 if rng.random() < second else 1
    return tuple(str(kind) for kind in rng.choice(kinds, count, p=[0.33, 0.33, 0.2, 0.08, 0.06]))


def _case_films(rng: np.random.Generator, abnormal: bool) -> list[tuple[str, str]]:
    """(side, view) of a case's films: of both breasts for most normals and few abnormal cases, else of one."""
    both = rng.random() < (0.12 if abnormal else 0.8)
    sides = ["L", "R"] if both else [str(rng.choice(["L", "R"]))]
    return [(side, view) for side in sides for view in ("CC", "MLO")]


def _stem(delivery: str, case: str, letters: str, number: int, index: int) -> str:
    if delivery in ("abn_1", "abn_2"):
        return f"{delivery}/{letters}/{case}/{number}"
    if delivery == "normal":
        return f"normal/normal/{case}/{number}"
    if delivery == "normal_180130":
        return f"normal_180130/20180130_NORMAL_{index + 1}"
    return f"{delivery}/{case}_{number:04d}"


def plan_films(settings: PhantomSettings, delivery: str) -> list[Plan]:
    """A delivery film by film: the usable ones, then those to turn down, each a case of its own."""
    group = settings.ncc if hasattr(settings.ncc, delivery) else settings.ncc_trainset
    usable = getattr(group, delivery)
    faults = FAULTS[delivery] if settings.broken_files and usable else ()
    plans: list[Plan] = []
    number = 0
    while len(plans) < usable + len(faults):
        number += 1
        fault, stage = ("", "") if len(plans) < usable else faults[len(plans) - usable]
        films = _plan_case(settings, delivery, number, len(plans), fault, stage)
        plans += films[: 1 if fault else usable - len(plans)]
    return plans


def _case_name(settings: PhantomSettings, delivery: str, number: int) -> str:
    """Cases count through all test deliveries; training films carry eight digits. No number is used twice."""
    if delivery == "normal_180130":
        return f"NORMAL{number:04d}"
    if delivery in ("abn_1", "abn_2", "normal"):
        # Interleaved, so that no number of cases can make two deliveries share one.
        return f"{3 * number + ('abn_1', 'abn_2', 'normal').index(delivery):04d}"
    place = sorted(PENS).index(delivery)
    return str(10_000_000 * (1 + place) + 1000 * number + int(digits(3, settings.seed, delivery, number)))


def _plan_case(
    settings: PhantomSettings, delivery: str, number: int, index: int, fault: str, stage: str
) -> list[Plan]:
    rng = generator(settings.seed, delivery, "case", number)
    abnormal = delivery.startswith("abn")
    case = _case_name(settings, delivery, number)
    # Both views show the same lesions; a bilateral case has findings of the same kinds in the other breast.
    kinds = _kinds(rng, settings.difficulty.second_lesion) if abnormal else ()
    letters = "".join(sorted({LETTERS[kind] for kind in kinds}))
    films = _case_films(rng, abnormal)
    return [
        Plan(
            delivery=delivery,
            index=index + n,
            case=case,
            stem=_stem(delivery, case, letters, n + 1, index + n),
            laterality=side,
            view=view,
            kinds=kinds,
            letters=letters,
            fault=fault,
            stage=stage,
        )
        for n, (side, view) in enumerate(films)
    ]


def _form(plan: Plan, rng: np.random.Generator) -> PixelForm:
    """How a film's pixels are stored.

    The first films of a delivery go through the forms one by one, so that small deliveries hold them all; later ones
    are drawn, the plain form most often.
    """
    turn = [
        PixelForm(bits=12, window="linear"),
        PixelForm(bits=14, inverted=True, window="sigmoid", padding=True),
        PixelForm(rgb=True),
        PixelForm(bits=12, window="sigmoid", rle=True),
        PixelForm(bits=14, inverted=True, window="linear"),
        PixelForm(bits=13, window="linear", offset=-1024, padding=True),
    ]
    start = sum(plan.delivery.encode("ascii")) % len(turn)
    if plan.fault:
        return turn[0]
    if plan.index < len(turn):
        return turn[(start + plan.index) % len(turn)]
    return turn[int(rng.choice(len(turn), p=[0.42, 0.12, 0.03, 0.08, 0.15, 0.2]))]


def _pen(plan: Plan, rng: np.random.Generator) -> Pen:
    colours = PENS[plan.delivery]
    scaled = rng.random() < 0.4 or plan.index == 1
    scale = rng.uniform(0.7, 1.3) if scaled else 1.0
    return Pen(
        colour=colours[plan.index % len(colours)],
        line=int(rng.integers(1, 9)),
        scale_x=scale,
        scale_y=scale * (rng.uniform(0.92, 1.08) if scaled else 1.0),
        quality=int(rng.integers(75, 96)),
        chroma_halved=bool(rng.random() < 0.7),
    )


def _dicom(settings: PhantomSettings, plan: Plan, film: Film, form: PixelForm) -> bytes:
    key = (settings.seed, plan.dataset, plan.delivery)
    spacing = round(DETECTOR_MM / film.pixels.shape[0], 5)
    dataset = elements(
        ImageType=["DERIVED", "PRIMARY"],
        Modality="MG",
        PresentationIntentType="FOR PRESENTATION",
        PatientID=plan.case,
        PatientName="ANONYMOUS",
        PatientSex="F",
        BodyPartExamined="BREAST",
        ImageLaterality=plan.laterality,
        ViewPosition=plan.view,
        ImagerPixelSpacing=[spacing, spacing],
        StudyInstanceUID=uid(*key, plan.case),
        SeriesInstanceUID=uid(*key, plan.case, "series"),
        SeriesNumber=1,
        InstanceNumber=plan.index + 1,
        AccessionNumber="",
        ReferringPhysicianName="",
    )
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "PatientBirthDate", "StudyTime"):
        put_invalid(dataset, keyword, "UNKNOWN")
    sop_class = MAMMO_FOR_PRESENTATION
    if plan.fault == "for processing":
        dataset.PresentationIntentType, sop_class = "FOR PROCESSING", MAMMO_FOR_PROCESSING
    set_brightness(dataset, film.pixels, film.air, form)
    return _damaged(encode(dataset, sop_class, *key, plan.stem, rle=form.rle), plan.fault, plan.stem)


def _damaged(data: bytes, fault: str, stem: str) -> bytes:
    damage = {
        "truncated": lambda: truncated(data, stem),
        "zero bytes": lambda: b"",
        "no pixels": lambda: without_pixels(data),
    }
    return damage[fault]() if fault in damage else data


def film_job(settings: PhantomSettings, plan: Plan) -> Result:
    """One film and, if abnormal, its paired JPEG."""
    rng = generator(settings.seed, plan.delivery, "film", plan.index)
    key, patient_key = f"{plan.delivery} {plan.index}", f"{plan.delivery} {plan.case}"
    film = make_film(film_spec(settings, key, patient_key, (plan.laterality, plan.view), plan.kinds))
    form = _form(plan, rng)
    files = [(f"{plan.stem}.dcm", _dicom(settings, plan, film, form))]
    quirks = form.names()
    if plan.kinds and plan.fault != "no jpeg":
        pen = _pen(plan, rng)
        outlines = [] if plan.fault == "no outline" else [lesion.outline for lesion in film.lesions]
        files.append((f"{plan.stem}.jpg", outlined_jpeg(film.pixels, outlines, pen)))
        quirks += pen.names()
    return _result(plan, film, files, quirks)


def _truth_lesions(plan: Plan, film: Film) -> tuple[TruthLesion, ...]:
    found = []
    for n, lesion in enumerate(film.lesions):
        x1, y1, x2, y2 = lesion.box
        found.append(
            TruthLesion(
                source=plan.source,
                lesion_id=f"{n:02d}",
                x1=x1,
                y1=y1,
                x2=x2,
                y2=y2,
                lesion_type=LESION_TYPES.get(lesion.kind, lesion.kind),
                pathology="",
                annotation=plan.jpeg,
                recoverable=int(not plan.fault),
            )
        )
    return tuple(found)


def _result(plan: Plan, film: Film, files: list[tuple[str, bytes]], quirks: list[str]) -> Result:
    lesions = _truth_lesions(plan, film)
    if plan.fault:
        cause = plan.jpeg if plan.fault == "no outline" else plan.source
        return Result(tuple(files), (), lesions, (TruthReject(plan.source, plan.stage, plan.fault, cause),))
    height, width = film.pixels.shape
    image = TruthImage(
        source=plan.source,
        delivery=plan.delivery,
        patient=plan.case,
        laterality=plan.laterality,
        view=plan.view,
        width=width,
        height=height,
        group="abn" if plan.kinds else "normal",
        letters=plan.letters,
        lesion_types=";".join(sorted({lesion.lesion_type for lesion in lesions})),
        film=f"{plan.delivery} {plan.index}",
        quirks=";".join(quirks),
    )
    return Result(tuple(files), (image,), lesions)


def _parts(
    settings: PhantomSettings, dataset: str, deliveries: tuple[str, ...], gzipped: str
) -> list[TarPart]:
    made = []
    for delivery in deliveries:
        plans = plan_films(settings, delivery)
        jobs: list[Job] = [partial(film_job, settings, plan) for plan in plans]
        suffix = "tar.gz" if delivery == gzipped else "tar"
        if jobs:
            made.append(TarPart(dataset, f"{dataset}/tar/{delivery}.{suffix}", tuple(jobs)))
    return made


def parts(settings: PhantomSettings) -> list[TarPart]:
    """Both hospital sets as jobs, one tar a delivery; the test set's normals come compressed."""
    test = _parts(settings, TEST, ("abn_1", "abn_2", "normal"), gzipped="normal")
    train = ("abn_180116_1", "abn_180116_2", "abn_180517_1", "abn_180517_2", "normal_180130")
    return test + _parts(settings, TRAIN, train, gzipped="")
