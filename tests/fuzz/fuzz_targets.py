"""The readers, each with inputs made for it. A target reads one hostile input; every other file beside it is good."""

from __future__ import annotations

import csv
import functools
import importlib
import io
import math
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from fuzz_dicom import encapsulated, find, parsed, put, set_syntax, spoilt_dicom, written
from fuzz_texts import picture_bombs, spoilt_text, xml_bombs
from fuzz_watch import CANARY
from hypothesis import strategies as st

from mammo.annotations.finding import Evidence
from mammo.annotations.outline import read_picture
from mammo.datasets.annotating import annotate_shard
from mammo.datasets.archives import unpack
from mammo.datasets.base import read_shard
from mammo.datasets.decoding import decode_shard
from mammo.datasets.indexing import write_index
from mammo.datasets.labels import read_labels
from mammo.dicom.display import display_film
from mammo.dicom.display_picture import display_picture
from mammo.dicom.facts import film_facts
from mammo.dicom.privacy import header_findings
from mammo.dicom.read import read_header
from mammo.phantom import annotation_objects as objects
from mammo.phantom import pictures
from mammo.phantom.dicomfile import (
    MAMMO_FOR_PRESENTATION,
    PixelForm,
    elements,
    encode,
    set_brightness,
    set_pixels,
)
from mammo.phantom.mias import mias_set
from mammo.phantom.truth import Result
from mammo.phantom.vindr import vindr_set
from mammo.settings import AnnotationSettings, DatasetSettings, DisplaySettings, UnpackSettings
from mammo.tables.csvio import read_table
from mammo.tables.records import Image, Lesion, Reject
from mammo.tables.retinanet_csv import read_annotations, read_classes

HEIGHT, WIDTH = 64, 48
OUTLINE = np.array([(12.0, 12.0), (36.0, 14.0), (34.0, 48.0), (14.0, 46.0), (12.0, 12.0)])


@dataclass(frozen=True)
class Target:
    """`inputs` makes the bytes of the hostile file; `read` lays them into an empty folder and reads them."""

    name: str
    inputs: st.SearchStrategy[bytes]
    read: Callable[[Path, bytes], object]
    # How much slower an example is than the quickest, for the small slice.
    cost: int = 1


# --- seeds ------------------------------------------------------------------------------------------------------------


def pixels() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.clip(1 - np.hypot((x - 5) / 45, (y - 32) / 40), 0, 1)


def film(form: PixelForm | None = None, **values: object) -> bytes:
    """A small film with a canary for a patient's name."""
    dataset = elements(
        Modality="MG", PatientName=CANARY, PatientID=CANARY, ViewPosition="CC", ImageLaterality="L", **values
    )
    grey = pixels()
    set_brightness(dataset, grey, grey == 0, form or PixelForm())
    return encode(dataset, MAMMO_FOR_PRESENTATION, "film", rle=bool(form and form.rle))


@functools.cache
def films() -> list[bytes]:
    """Films of every kind of pixels."""
    plain = [
        film(), film(PixelForm(window="linear", offset=-100)), film(PixelForm(window="sigmoid", inverted=True)),
        film(PixelForm(rgb=True)), film(PixelForm(rle=True)), film(PixelForm(padding=True, bits=16)),
    ]  # fmt: skip
    return plain + [_compressed(name) for name in ("ljpeg", "jpeg8", "jpegls", "jpeg2k")] + [_with_planes()]


def _compressed(codec: str) -> bytes:
    import imagecodecs

    grey = (pixels() * 255).astype(np.uint8)
    uid = {"ljpeg": b".4.70", "jpeg8": b".4.50", "jpegls": b".4.80", "jpeg2k": b".4.90"}[codec]
    options = {"jpeg2k": {"codecformat": "j2k"}}.get(codec, {})
    data = getattr(imagecodecs, f"{codec}_encode")(grey, **options)
    dataset = elements(Modality="MG", PatientName=CANARY)
    set_pixels(dataset, grey, 8, "MONOCHROME2")
    made = parsed(encode(dataset, MAMMO_FOR_PRESENTATION, "film"))
    made.remove(find(made, 0x7FE00010))
    made.append(encapsulated(data))
    set_syntax(made, b"1.2.840.10008.1.2" + uid)
    return written(made)


def _with_planes() -> bytes:
    dataset = elements(Modality="MG", PatientName=CANARY)
    set_pixels(dataset, (pixels() * 4095).astype(np.uint16), 12, "MONOCHROME2")
    raster = objects.drawn_raster((HEIGHT, WIDTH), [OUTLINE], 2)
    objects.add_plane(dataset, 0x6000, raster)
    objects.add_plane_in_pixels(dataset, 0x6002, raster, 13)
    return encode(dataset, MAMMO_FOR_PRESENTATION, "film")


NAME = objects.film_name(WIDTH, HEIGHT, "film")


@functools.cache
def annotation_objects(form: str) -> list[bytes]:
    """Objects of a form that refer to the film."""
    line = objects.closed_line(OUTLINE)
    raster = objects.drawn_raster((HEIGHT, WIDTH), [OUTLINE], 2)
    regions = [objects.Region(NAME, line)]
    made = {
        "gsps": lambda: [
            objects.presentation_state([NAME], [(NAME, [line, objects.circle((20, 20), 9),
            objects.ellipse((20, 30), 9, 7, 30)])], "s"),
            objects.presentation_state(
                [NAME], [(None, [objects.closed_curve(OUTLINE, 1)])], "t", units="DISPLAY",
                shown=objects.Shown(rotation=90, flip=True), compounds=[objects.compound("RECTANGLE", 1,
                (5, 5, 30, 30), 20)],
            ),
        ],
        "seg": lambda: [
            objects.segmentation([objects.SegmentTruth(((NAME, raster),), "mass")], "g", fractional=fractional)
            for fractional in (False, True)
        ],
        "sr": lambda: [objects.measurement_report(regions, "r"), objects.cad_report(regions, "c")],
        "mask": lambda: [objects.mask_file(raster, NAME, "m"), objects.mask_file(raster, None, "n")],
    }[form]()  # fmt: skip
    return [_with_canary(data) for data in made]


def _with_canary(data: bytes) -> bytes:
    made = parsed(data)
    put(made, 0x00100010, b"PN", CANARY.encode())
    return written(made)


def plist(points: int = 5) -> bytes:
    region = "".join(f"<string>({10 + 4 * n}, {12 + n * n})</string>" for n in range(points))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict><key>Images</key><array><dict>'
        "<key>ImageIndex</key><integer>0</integer>\n<key>NumberOfROIs</key><integer>1</integer><key>ROIs</key><array><dict>"
        f"<key>Name</key><string>Mass</string>\n<key>Type</key><integer>15</integer><key>Point_px</key><array>{region}</array>"
        "</dict></array></dict></array></dict></plist>\n"
    ).encode()


@functools.cache
def outlined() -> list[bytes]:
    """Pictures with an outline: JPEG, PNG."""
    picture = cv2.cvtColor((pixels() * 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    cv2.polylines(picture, [OUTLINE.astype(np.int32)], True, (0, 0, 255), 2)
    return [cv2.imencode(suffix, picture)[1].tobytes() for suffix in (".jpg", ".png")]


@functools.cache
def plain_pictures() -> list[bytes]:
    grey = (pixels() * 255).astype(np.uint8)
    deep = (pixels() * 65535).astype(np.uint16)
    return [pictures.png(grey), pictures.png(deep), pictures.pgm(grey), pictures.pgm(deep), pictures.tiff(grey),
            pictures.tiff(deep), pictures.jpeg(grey), *outlined()]  # fmt: skip


def mask_pictures() -> list[bytes]:
    """A true mask of the film, so that spoilt ones get beyond "no mask"; and pictures that are none."""
    return [
        objects.mask_png(objects.drawn_raster((HEIGHT, WIDTH), [OUTLINE], 1, filled=True)),
        *plain_pictures(),
    ]


# --- how they are read ------------------------------------------------------------------------------------------------


def _laid(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _display(folder: Path, data: bytes) -> None:
    path = _laid(folder, "film.dcm", data)
    kinds = [
        DisplaySettings(),
        DisplaySettings(window="percentile", image_format="png16"),
        DisplaySettings(window="minmax"),
    ]
    shown = display_film(path, kinds[len(data) % 3])
    assert shown.pixels.ndim == 2
    assert shown.pixels.shape == (shown.facts.height, shown.facts.width)


def _header(folder: Path, data: bytes) -> None:
    path = _laid(folder, "film.dcm", data)
    header = read_header(path)
    header_findings(header)
    references = importlib.import_module("mammo.annotations.references")
    references.role_of(header)
    references.references(header)
    film_facts(header)


def _annotation(form: str, role: str, name: str) -> Callable[[Path, bytes], None]:
    def read(folder: Path, data: bytes) -> None:
        own = _laid(folder, "film.dcm", data if not role else film())
        companions = {role: [_laid(folder, name, data)]} if role else {}
        _find(form, Evidence(film=own, size=(WIDTH, HEIGHT), companions=companions))

    return read


def _find(form: str, evidence: Evidence) -> None:
    module = importlib.import_module(f"mammo.annotations.{form}")
    for one in module.find(evidence, AnnotationSettings()):
        x1, y1, x2, y2 = one.box
        assert all(map(math.isfinite, one.box)), one.box
        assert x1 < x2 and y1 < y2, one.box


def _twin(form: str, clean: bool) -> Callable[[Path, bytes], None]:
    """A marked copy and its clean twin, one of them hostile."""

    def read(folder: Path, data: bytes) -> None:
        good = film(PixelForm(rgb=form == "burned_in" and clean))
        marked, twin = (good, data) if clean else (data, good)
        own = _laid(folder, "film.dcm", marked)
        companions = {"twin": [_laid(folder, "twin.dcm", twin)]}
        _find(form, Evidence(film=own, size=(WIDTH, HEIGHT), companions=companions))

    return read


def _picture(folder: Path, data: bytes) -> None:
    display_picture(_laid(folder, "film.png", data), DisplaySettings())


def _coloured(folder: Path, data: bytes) -> None:
    path = _laid(folder, "film.jpg", data)
    read_picture(path)
    _annotation("outline", "picture", "film.jpg")(folder, data)


def _dataset(form: str, base: dict[str, bytes], hostile: str) -> Callable[[Path, bytes], None]:
    """A whole small dataset, one of its files hostile: index, decode and annotate."""
    wanted: dict[str, object] = {"format": form, "shards": 1, "parts": {"data": {}}}
    if form == "hospital":
        wanted["deliveries"] = {"d": {"group": "mixed"}}
    settings = DatasetSettings.model_validate(wanted)

    def read(folder: Path, data: bytes) -> None:
        root = folder / "set"
        for name, content in base.items():
            _laid(root, name, content)
        _laid(root, hostile, data)
        write_index("set", root, settings, root / "work")
        shard = root / "work/shard_00.jsonl"
        _, refused = decode_shard(shard, folder, root, root / "img/00", DisplaySettings())
        _, unknown = annotate_shard(shard, folder, settings)
        for row in (*refused, *unknown):
            assert row.reason.isprintable(), row.reason

    return read


CBIS_HEAD = (
    "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,mass shape,mass margins,"
    "assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path\n"
)
CBIS = (CBIS_HEAD + "".join(
    f"P_{n:05d},3,LEFT,CC,1,mass,ROUND,SPICULATED,4,MALIGNANT,4,Mass-Training_P_{n:05d}_LEFT_CC/1.2.{n}/1.3.{n}/000000.dcm,"
    f"Mass-Training_P_{n:05d}_LEFT_CC_1/1.4.{n}/1.5.{n}/000001.dcm,Mass-Training_P_{n:05d}_LEFT_CC_1/1.4.{n}/1.5.{n}/000000.dcm\r\n"
    for n in range(3)
)).encode()  # fmt: skip
INBREAST = (
    b"Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads\n"
    b"removed;removed;R;CC;201001;22678622;4;5\nremoved;removed;L;MLO;201001;22678623;4;1\n"
)


def _cbis_base() -> dict[str, bytes]:
    raster = np.zeros((HEIGHT, WIDTH), np.uint8)
    raster[12:40, 12:30] = 1
    base = {}
    for n in range(3):
        subject = f"Mass-Training_P_{n:05d}_LEFT_CC"
        base[f"dicom/{subject}/1.2.{n}/1.3.{n}/1-1.dcm"] = film(SeriesInstanceUID=f"1.3.{n}")
        mask = parsed(objects.mask_file(raster, None, f"mask {n}"))
        put(mask, 0x0020000E, b"UI", f"1.5.{n}".encode().ljust(6, b"\0"))
        base[f"dicom/{subject}_1/1.4.{n}/1.5.{n}/1-1.dcm"] = written(mask)
    return base


def _inbreast_base() -> dict[str, bytes]:
    names = ("22678622_61b13c59bcba149e_MG_R_CC_ANON.dcm", "22678623_61b13c59bcba149e_MG_L_ML_ANON.dcm")
    base = {f"raw_files/AllDICOMs/{name}": film() for name in names}
    return base | {"raw_files/AllXML/22678622.xml": plist(), "raw_files/INbreast.csv": INBREAST}


@functools.cache
def _xls() -> list[bytes]:
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("INbreast")
    for row, cells in enumerate(csv.reader(io.StringIO(INBREAST.decode()), delimiter=";")):
        for column, cell in enumerate(cells):
            sheet.write(row, column, int(cell) if cell.isdigit() else cell)
    out = io.BytesIO()
    book.save(out)
    return [out.getvalue()]


def _listed(make: Callable[..., object], suffix: str) -> tuple[dict[str, bytes], str]:
    """The files of a synthetic set below the dataset's folder, and the name of its list."""
    shots = pictures.picture_films(3, 2, 64, 48)
    files = {f"raw_files/{name}": data for name, data in make(shots, "set").files}
    (*_, name) = sorted(name for name in files if name.endswith(suffix))
    return files, name


def _table(folder: Path, data: bytes) -> None:
    path = _laid(folder, "table.csv", data)
    readers = [
        lambda: read_table(path, Image), lambda: read_table(path, Lesion), lambda: read_table(path, Reject),
        lambda: read_annotations(path), lambda: read_classes(path), lambda: read_shard(path),
        lambda: read_labels(path, ("view", "laterality")), lambda: read_labels(path, ("view",), ";", torn=True),
    ]  # fmt: skip
    readers[len(data) % len(readers)]()


def _archive(folder: Path, data: bytes) -> None:
    tar = _laid(folder, "d.tar", data)
    unpack([tar], "d", folder / "out/d", folder / "out/d.csv", UnpackSettings(max_gb=0.05, max_members=500))
    for path in (folder / "out/d").rglob("*"):
        assert not path.is_symlink() and path.resolve().is_relative_to(folder.resolve())


@functools.cache
def _tars() -> list[bytes]:
    made = []
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode=mode, format=form) as archive:
                for name in ("d/A/1.dcm", "d/" + "n" * 120 + "/2.dcm", "d/유방.dcm"):
                    info = tarfile.TarInfo(name)
                    info.size = 700
                    try:
                        archive.addfile(info, io.BytesIO(bytes(range(7)) * 100))
                    except ValueError:
                        continue
            made.append(out.getvalue())
    return made


TABLES = [
    b"image_id,lesion_id,x1,y1,x2,y2,lesion_type,pathology,annotation_form\na.b,01,1,2,3,4,mass,,mask\n",
    b"source,stage,reason\na/b.dcm,index,broken\n", b"img/a.jpg,1,2,3,4,malignant\nimg/b.jpg,,,,,\n",
    b"malignant,0\nbenign,1\n",
    ",".join(Image.model_fields).encode() + b"\na.b,img/b.jpg,a,d,a.p,s,L,CC,10,20,0.1,abn,mass,a/b.dcm,"
    + b"0" * 64 + b"," + b"1" * 64 + b"\n",
    b'{"dataset":"a","film":"a/b","film_id":"b","group":"abn","patient":"p","sha256":"x"}\n',
    b"view;laterality;file name\nCC;L;1\n", b"view,laterality\nCC,L\n",
]  # fmt: skip


def _few(made: Result, listed: str) -> tuple[dict[str, bytes], str]:
    """The tables of a set and its first two films, by path in the dataset; and the path of its list."""
    tables = [name for name, _ in made.files if not name.endswith((".pgm", ".dicom"))]
    films = [name for name, _ in made.files if name not in tables][:2]
    content = dict(made.files)
    return {f"raw_files/{name}": content[name] for name in (*films, *tables)}, f"raw_files/{listed}"


@functools.cache
def targets() -> dict[str, Target]:
    """All of them by name."""
    dicom = spoilt_dicom(films())
    coco, coco_list = _listed(pictures.coco_set, ".json")
    voc, voc_list = _listed(pictures.pascal_set, ".xml")
    retinanet, retinanet_list = _listed(pictures.retinanet_set, ".csv")
    # Two films of each are enough: rows about the others lead nowhere, which is a thing to stand as well.
    mias, mias_list = _few(mias_set(5, "set"), "Info.txt")
    vindr, vindr_list = _few(vindr_set(5, "set"), "finding_annotations.csv")
    hospital = {"dicom/d/a/film.dcm": film(), "dicom/d/a/film.jpg": outlined()[0]}
    found = [
        Target("display", dicom, _display),
        Target("header", dicom | spoilt_dicom([one for form in ("gsps", "seg",
        "sr") for one in annotation_objects(form)]), _header),
        Target("overlay", spoilt_dicom([_with_planes()]), _annotation("overlay", "", "")),
        *(
            Target(form, spoilt_dicom(annotation_objects(form)), _annotation(form, form, f"{form}.dcm"))
            for form in ("gsps", "seg", "sr", "mask")
        ),
        Target("mask_picture", spoilt_text(mask_pictures(), picture_bombs()), _annotation("mask", "mask", "mask.png")),
        Target("plist", spoilt_text([plist(), plist(40)], xml_bombs(plist())), _annotation("plist",
        "plist", "film.xml")),
        Target("outline", spoilt_text(outlined(), picture_bombs()), _coloured),
        Target("burned_in", dicom, _twin("burned_in", clean=False)),
        Target("burned_in_twin", dicom, _twin("burned_in", clean=True)),
        Target("white_marks", dicom, _twin("white_marks", clean=False)),
        Target("picture", spoilt_text(plain_pictures(), picture_bombs()), _picture),
        Target("cbis_csv", spoilt_text([CBIS]), _dataset("cbis-ddsm", _cbis_base(),
        "csv/mass_case_description_train_set.csv"), 8),
        Target("cbis_film", dicom, _dataset(
            "cbis-ddsm", _cbis_base() | {"csv/mass_case_description_train_set.csv": CBIS},
            "dicom/Mass-Training_P_00001_LEFT_CC/1.2.1/1.3.1/1-1.dcm"), 8),
        Target("inbreast_csv", spoilt_text([INBREAST]), _dataset("inbreast", _inbreast_base(),
        "raw_files/INbreast.csv"), 8),
        Target("inbreast_xls", spoilt_text(_xls()), _dataset(
            "inbreast", {name: data for name, data in _inbreast_base().items() if not name.endswith("csv")},
            "raw_files/INbreast.xls"), 8),
        Target("coco", spoilt_text([coco[coco_list]], [b"[" * 100_000, b'{"images":' * 50_000]),
        _dataset("coco", coco, coco_list), 8),
        Target("pascal", spoilt_text([voc[voc_list]], xml_bombs(voc[voc_list])), _dataset("pascal", voc, voc_list), 8),
        Target("retinanet", spoilt_text([retinanet[retinanet_list]]), _dataset("retinanet", retinanet,
        retinanet_list), 8),
        Target("mias", spoilt_text([mias[mias_list]]), _dataset("mias", mias, mias_list), 8),
        Target("vindr", spoilt_text([vindr[vindr_list]]), _dataset("vindr", vindr, vindr_list), 8),
        Target("hospital", dicom | spoilt_dicom(annotation_objects("gsps")), _dataset("hospital", hospital,
        "dicom/d/b/other.dcm"), 8),
        Target("table", spoilt_text(TABLES), _table),
        Target("archive", spoilt_text(_tars()), _archive),
    ]  # fmt: skip
    return {target.name: target for target in found}


def read_in_a_folder(target: Target, data: bytes) -> None:
    """Read one input in a folder of its own, in memory where there is such a disk."""
    fast = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=fast) as folder:
        target.read(Path(folder), data)
