"""Another hospital's deliveries: films in any folders, each annotated in a form of its own.

One delivery holds abnormal films, one in every form; the other is mixed: some films annotated, others not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from mammo.phantom import annotation_objects as objects
from mammo.phantom.dicomfile import (
    DETECTOR_MM,
    MAMMO_FOR_PRESENTATION,
    SECONDARY_CAPTURE,
    PixelForm,
    elements,
    encode,
    set_brightness,
    set_pixels,
)
from mammo.phantom.film import Film, film_spec, make_film
from mammo.phantom.outline import Pen, display, outlined_jpeg
from mammo.phantom.parts import Job, TarPart
from mammo.phantom.seeds import digits, uid
from mammo.phantom.settings import PhantomSettings
from mammo.phantom.truth import Result, TruthImage, TruthLesion, TruthReject

FOLDER = "hospital"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
GREEN = (0, 255, 0)

Files = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Plan:
    """One film: its delivery, number, patient, and the form of its annotation (empty: none)."""

    delivery: str
    number: int
    patient: str
    form: str

    @property
    def stem(self) -> str:
        """Path inside the archive, without suffix."""
        return f"{self.delivery}/DICOM/PA{self.number // 2:06d}/ST000000/IM{self.number:06d}"

    @property
    def source(self) -> str:
        """The film's path below the data folder, once unpacked."""
        return f"{FOLDER}/dicom/{self.stem}"

    @property
    def key(self) -> tuple[str, str, int]:
        """Names the film's instance."""
        return (FOLDER, self.delivery, self.number)


def _dicom(settings: PhantomSettings, plan: Plan, film: Film, planes: np.ndarray | None) -> bytes:
    spacing = round(DETECTOR_MM / film.pixels.shape[0], 5)
    dataset = elements(
        Modality="MG",
        PresentationIntentType="FOR PRESENTATION",
        PatientID=plan.patient,
        PatientName="",
        ImageLaterality="L",
        ViewPosition="CC",
        ImagerPixelSpacing=[spacing, spacing],
        StudyInstanceUID=uid(settings.seed, FOLDER, plan.patient, "study"),
        SeriesInstanceUID=uid(settings.seed, FOLDER, plan.patient, "series"),
    )
    form = PixelForm(bits=12, window="linear" if plan.number % 2 else "sigmoid")
    set_brightness(dataset, film.pixels, film.air, form)
    if planes is not None:
        objects.add_plane(dataset, 0x6000, planes)
    return encode(dataset, MAMMO_FOR_PRESENTATION, settings.seed, *plan.key)


def _marked_copy(
    settings: PhantomSettings, plan: Plan, film: Film, name: objects.FilmName, white: bool
) -> bytes:
    """A Secondary Capture of the film as it is shown, with the lesions outlined in green or white."""
    picture = np.repeat(display(film.pixels)[:, :, None], 3, axis=2)
    for lesion in film.lesions:
        points = np.round(lesion.outline * 16).astype(np.int32)[None]
        cv2.polylines(picture, points, True, (255, 255, 255) if white else GREEN, 2, cv2.LINE_AA, 4)
    dataset = elements(Modality="MG", ConversionType="WSD", SourceImageSequence=[name.reference()])
    stored = np.ascontiguousarray(picture[:, :, 0]) if white else picture
    set_pixels(dataset, stored, 8, "MONOCHROME2" if white else "RGB")
    return encode(dataset, SECONDARY_CAPTURE, settings.seed, *plan.key, "marked")


def _annotated(settings: PhantomSettings, plan: Plan, film: Film) -> Files:
    """The film and the files that annotate it in the plan's form."""
    height, width = film.pixels.shape
    name = objects.film_name(width, height, settings.seed, *plan.key)
    outlines = [lesion.outline + 0.5 for lesion in film.lesions]
    graphics = [objects.closed_line(outline) for outline in outlines]
    regions = [
        objects.Region(
            name, graphic, {"cluster": "calcification", "spiculated": "mass"}.get(one.kind, one.kind)
        )
        for graphic, one in zip(graphics, film.lesions, strict=True)
    ]
    raster = objects.drawn_raster((height, width), outlines, filled=True)
    key = (settings.seed, *plan.key, "annotation")
    folder = f"{plan.delivery}/ANNOTATIONS/{plan.number:06d}"
    makers: dict[str, Callable[[], Files]] = {
        "overlay": list,
        "gsps": lambda: [(folder, objects.presentation_state([name], [(None, graphics)], *key))],
        "seg": lambda: [(folder, objects.segmentation([objects.SegmentTruth(((name, raster),))], *key))],
        "sr": lambda: [(folder, objects.measurement_report(regions, *key))],
        "cad": lambda: [(folder, objects.cad_report(regions, *key))],
        "mask": lambda: [(folder, objects.mask_file(raster, name, *key))],
        "burned_in": lambda: [(folder, _marked_copy(settings, plan, film, name, white=False))],
        "white_marks": lambda: [(folder, _marked_copy(settings, plan, film, name, white=True))],
        "outline": lambda: [
            (
                f"{plan.stem}.jpg",
                outlined_jpeg(film.pixels, [one.outline for one in film.lesions], Pen("red")),
            )
        ],
    }
    planes = None
    if plan.form == "overlay":
        planes = objects.drawn_raster((height, width), outlines, line=2)
    return [(plan.stem, _dicom(settings, plan, film, planes)), *(makers[plan.form]() if plan.form else [])]


FORMS = ("overlay", "gsps", "seg", "sr", "cad", "mask", "burned_in", "white_marks", "outline")


def film_job(settings: PhantomSettings, plan: Plan) -> Result:
    """One film with its annotation."""
    key = f"{FOLDER} {plan.delivery} {plan.number}"
    kinds = ("mass",) if plan.form else ()
    film = make_film(film_spec(settings, key, f"{FOLDER} {plan.patient}", ("L", "CC"), kinds))
    files = _annotated(settings, plan, film)
    height, width = film.pixels.shape
    image = TruthImage(
        source=plan.source,
        delivery=plan.delivery,
        patient=plan.patient,
        laterality="L",
        view="CC",
        width=width,
        height=height,
        group="abn" if plan.form else "normal",
        letters="",
        lesion_types="",
        film=key,
        quirks=plan.form,
    )
    lesions = tuple(
        TruthLesion(plan.source, f"{n:02d}", *one.box, one.kind, "", files[-1][0], 1)
        for n, one in enumerate(film.lesions)
    )
    return Result(tuple(files), (image,), lesions)


def strangers_job(settings: PhantomSettings, delivery: str) -> Result:
    """What else lies in an archive: a document, and an annotation of a film that was not delivered."""
    lost = objects.film_name(64, 64, FOLDER, "elsewhere")
    square = objects.closed_line(np.array([[5.0, 5.0], [30.0, 5.0], [30.0, 30.0], [5.0, 30.0]]))
    files = [
        (f"{delivery}/DICOM/REPORT", encode(elements(Modality="DOC"), PDF, settings.seed, FOLDER, "report")),
        (
            f"{delivery}/DICOM/LOST",
            objects.presentation_state([lost], [(None, [square])], settings.seed, "lost"),
        ),
        (f"{delivery}/README.TXT", b"Delivered as agreed.\r\n"),
    ]
    rejects = tuple(
        TruthReject(f"{FOLDER}/dicom/{path}", "index", "stranger", f"{FOLDER}/dicom/{path}")
        for path, _ in files
    )
    return Result(tuple(files), (), (), rejects)


def parts(settings: PhantomSettings) -> list[TarPart]:
    """Both deliveries as jobs; none where the settings want no film."""
    count = settings.hospital.films_per_form
    if not count:
        return []
    made = []
    for delivery, forms in (("abn", FORMS), ("mixed", ("gsps", "", "outline", ""))):
        plans = [
            Plan(delivery, number, digits(8, settings.seed, FOLDER, delivery, number // 2), form)
            for number, form in enumerate(form for form in forms for _ in range(count))
        ]
        jobs: list[Job] = [partial(film_job, settings, plan) for plan in plans]
        if delivery == "abn":
            jobs.append(partial(strangers_job, settings, delivery))
        made.append(TarPart(FOLDER, f"{FOLDER}/tar/{delivery}.tar", tuple(jobs)))
    return made
