"""CBIS-DDSM for every row of real description tables: tiny films, cheaply drawn, with every fault that downloads have.

`cbis` draws films that look like films; here thousands of them are made in seconds. What must become of each row is
planned before anything is written.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mammo.phantom.cbis import CROP, FOLDER, IMAGE, MASK, SETS, Row, columns, csv_name, real_rows
from mammo.phantom.dicomfile import SECONDARY_CAPTURE, elements, encode, set_pixels
from mammo.phantom.seeds import digest, generator

LAYOUTS = ("numbered", "downloader", "descriptive", "eight-digits", "flat", "upper-case")
# What is wrong with the files or the row of a lesion, and a word of the reason by which its film must be turned down.
FAULTS = {
    "no film": "no file has its SeriesInstanceUID",
    "film cut off": "cut off",
    "film without pixels": "no pixels",
    "film of zero bytes": "empty (0 bytes)",
    "film of one brightness": "one brightness",
    "no lesion files": "no mask among the 0 file(s)",
    "crop but no mask": "no mask among the 1 file(s)",
    "mask empty": "the mask is empty",
    "mask cut off": "cut off",
    "mask turned": "no mask among the 2 file(s)",
    "mask of other proportions": "other proportions",
    "no pathology": "column 'pathology'",
    "unknown side": "column 'left or right breast'",
    "no number": "column 'abnormality id'",
    "path of two parts": "column 'image file path'",
    "mask path of two parts": "column 'roi mask file path'",
    "row cut off": "fewer cells than the header has",
}
# What must make no difference.
QUIRKS = ("", "film twice", "mask twice", "film cut off beside a whole one", "film of another size beside it")
FULL, FEWER = (96, 80), (64, 56)
RANK = ("mass_test", "calc_test", "mass_train", "calc_train")


@dataclass(frozen=True)
class RowTruth:
    """What must become of one row: `used`, `merged` or `rejected`.

    `line` is the first line of the row in its table; `reason` a word of the reason; the box is the lesion's, half-open
    in the pixels of its film, `close` the number of pixels by which it may be off (masks of another size are coarser).
    """

    table: str
    line: int
    fate: str
    fault: str
    reason: str
    box: tuple[int, int, int, int]
    close: float


@dataclass(frozen=True)
class Damage:
    """The row that is struck, by its place among the listing's, and how."""

    row: int
    fault: str


@dataclass(frozen=True)
class Listing:
    """A film as one table lists it, how its files lie on disk, and what is wrong with them."""

    rows: tuple[Row, ...]
    layout: str
    quirk: str
    number: int
    damage: Damage | None = None


def deliver_rows(
    tables: Path, out: Path, seed: int = 1, damaged: float = 0.0, most: int = 100_000, workers: int = 1
) -> list[RowTruth]:
    """Write `out`/CBIS-DDSM for the first `most` rows of each of the tables in the folder `tables`.

    `damaged` is the share of films (patient, side and view) that get one of the faults in turn. Gives the truth of each
    row, in the order of the tables. Raises `UserError` where a table cannot be read.
    """
    rows = real_rows(tables, most)
    groups = list(_groups(rows, seed, damaged))
    work = [listing for group in groups for listing in group]
    write = partial(_write_files, seed, out / FOLDER / "dicom")
    if workers > 1:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(write, work, chunksize=32))
    else:
        list(map(write, work))
    lines = _write_tables(out / FOLDER / "csv", rows, work)
    return sorted(
        (truth for group in groups for truth in _truths(group, lines, seed)),
        key=lambda truth: (truth.table, truth.line),
    )


# --- the plan -----------------------------------------------------------------------------------------------------


def _groups(rows: list[Row], seed: int, damaged: float) -> Iterator[list[Listing]]:
    """The listings of each film, one or two. Faults go round among films that are listed once and twice apart."""
    films: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        films.setdefault(row.film, {}).setdefault(row.uids(IMAGE)[2], []).append(row)
    number = 0
    struck: dict[int, int] = defaultdict(int)
    for film in sorted(films, key=lambda film: digest(seed, "order", film)):
        group = []
        for mine in films[film].values():
            quirk = QUIRKS[number % len(QUIRKS)] if number % 3 == 0 else ""
            group.append(Listing(tuple(mine), LAYOUTS[number % len(LAYOUTS)], quirk, number))
            number += 1
        # The few films that are listed twice are struck more often, at one listing as often as at the other.
        share = damaged * (4 if len(group) > 1 else 1)
        if digest(seed, "struck", film) % 10_000 < share * 10_000:
            turn = struck[len(group)]
            which = turn // len(FAULTS) % len(group)
            group[which] = _struck(group[which], list(FAULTS)[turn % len(FAULTS)])
            struck[len(group)] += 1
        yield group


def _struck(listing: Listing, fault: str) -> Listing:
    """A damaged listing. Quirks are left out, and files without a header lie where their path names their series."""
    layout = "numbered" if fault == "film of zero bytes" else listing.layout
    row = digest("row", listing.number) % len(listing.rows)
    return replace(listing, layout=layout, quirk="", damage=Damage(row, fault))


def _truths(group: list[Listing], lines: dict[Row, int], seed: int) -> Iterator[RowTruth]:
    """A film is used with all rows of all its listings, or not at all."""
    damage = next((listing.damage for listing in group if listing.damage), None)
    first = min(group, key=lambda listing: RANK.index(listing.rows[0].set_name))
    for listing in group:
        mine = listing.damage is not None
        for row in listing.rows:
            fate = "rejected" if damage else "used" if listing is first else "merged"
            box, size = _lesion_box(seed, row), _mask_size(seed, row)
            yield RowTruth(
                table=csv_name(row.set_name),
                line=lines[row],
                fate=fate,
                fault="" if damage is None else damage.fault if mine else f"twin: {damage.fault}",
                reason=FAULTS[damage.fault] if damage and mine else "",
                box=box,
                close=0.02 if size == FULL else 1.6,
            )


# --- the tables ---------------------------------------------------------------------------------------------------


def _write_tables(folder: Path, rows: list[Row], listings: list[Listing]) -> dict[Row, int]:
    """Write the tables, struck rows as they are damaged, and give the first line of each row."""
    struck = {
        listing.rows[listing.damage.row]: listing.damage.fault for listing in listings if listing.damage
    }
    folder.mkdir(parents=True, exist_ok=True)
    first_lines: dict[Row, int] = {}
    for set_name in SETS:
        texts = [_line(columns(set_name))]
        line = 2
        for row in rows:
            if row.set_name == set_name:
                first_lines[row] = line
                texts.append(_line(_damaged_cells(row, struck.get(row, ""))))
                line += texts[-1].count("\n")
        (folder / csv_name(set_name)).write_bytes("".join(texts).encode())
    return first_lines


def _line(cells: list[str]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _damaged_cells(row: Row, fault: str) -> list[str]:
    cells = {column: row[column] for column in columns(row.set_name)}
    change = {
        "no pathology": ("pathology", ""),
        "unknown side": ("left or right breast", "BOTH"),
        "no number": ("abnormality id", "one"),
        "path of two parts": (IMAGE, "/".join(row[IMAGE].split("/")[:2])),
        "mask path of two parts": (MASK, "/".join(row[MASK].split("/")[:2])),
    }.get(fault)
    if change:
        cells[change[0]] = change[1]
    values = list(cells.values())
    return values[:6] if fault == "row cut off" else values


# --- the files ----------------------------------------------------------------------------------------------------


def _write_files(seed: int, folder: Path, listing: Listing) -> None:
    for path, data in _files(seed, listing):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _files(seed: int, listing: Listing) -> Iterator[tuple[str, bytes]]:
    fault = listing.damage.fault if listing.damage else ""
    row = listing.rows[0]
    pixels = _film_pixels(seed, row.film)
    if fault == "film of one brightness":
        pixels = np.full_like(pixels, 7)
    data = _dicom(pixels, 16, row.uids(IMAGE), row, 1)
    path = _path(listing, row.uids(IMAGE), "full mammogram images", 1)
    cut = data[: len(data) * 2 // 5]
    bare = data[: data.rindex(b"\xe0\x7f\x10\x00OW")]
    if fault != "no film":
        yield (
            path,
            {"film cut off": cut, "film without pixels": bare, "film of zero bytes": b""}.get(fault, data),
        )
    more = {"film twice": data, "film cut off beside a whole one": cut}.get(listing.quirk)
    if listing.quirk == "film of another size beside it":
        more = _dicom(pixels[::2, ::2], 16, row.uids(IMAGE), row, 2)
    if more is not None:
        yield f"again/{path}", more
    for number, each in enumerate(listing.rows):
        mine = fault if listing.damage and listing.damage.row == number else ""
        yield from _lesion_files(seed, listing, each, pixels, mine)


def _lesion_files(
    seed: int, listing: Listing, row: Row, film: np.ndarray, fault: str
) -> Iterator[tuple[str, bytes]]:
    """Mask and crop of one lesion, half of the time the wrong way round in masses, nearly always in calcifications."""
    if fault == "no lesion files":
        return
    rng = generator(seed, "cbis rows", "files", row.film, row.abnormality)
    swapped = rng.random() < (0.5 if row.set_name.startswith("mass") else 0.95)
    at_mask, at_crop = row.uids(MASK), row.uids(CROP)
    if swapped:
        at_mask, at_crop = at_crop, at_mask
    numbers = (1, 2) if swapped else (2, 1)
    one_series = at_mask == at_crop
    x1, y1, x2, y2 = _lesion_box(seed, row)
    crop = _dicom(film[y1:y2, x1:x2], 16, at_crop, row, numbers[1])
    yield _path(listing, at_crop, "cropped images", numbers[1] if one_series else 1), crop
    if fault == "crop but no mask":
        return
    mask = _dicom(_mask_pixels(seed, row, fault), 8, at_mask, row, numbers[0])
    mask = mask[: len(mask) * 2 // 5] if fault == "mask cut off" else mask
    path = _path(listing, at_mask, "ROI mask images", numbers[0] if one_series else 1)
    yield path, mask
    if listing.quirk == "mask twice":
        yield f"again/{path}", mask


def _path(listing: Listing, uids: tuple[str, str, str], description: str, number: int) -> str:
    subject, study, series = uids
    folder = f"{subject}/{study}/{series}"
    if listing.layout == "flat":
        return f"all/{digest('flat', series, number) % 10**12:012d}.dcm"
    if listing.layout == "descriptive":
        short = f"1.000000-{description}-{digest('series', series) % 10**8:08d}"
        return f"{subject}/08-29-2017-DDSM-{digest('study', study) % 10**5:05d}/{short}/1-{number}.dcm"
    names = {
        "numbered": f"{number - 1:06d}.dcm",
        "downloader": f"1-{number}.dcm",
        "eight-digits": f"{number:08d}.dcm",
        "upper-case": f"1-{number}.DCM",
    }
    return f"{folder}/{names[listing.layout]}"


def _dicom(pixels: np.ndarray, bits: int, uids: tuple[str, str, str], row: Row, number: int) -> bytes:
    subject, study, series = uids
    dataset = elements(
        PatientID=subject,
        StudyInstanceUID=study,
        SeriesInstanceUID=series,
        InstanceNumber=number,
        Modality="MG",
        Laterality=row.side_and_view[0],
    )
    set_pixels(dataset, pixels, bits, "MONOCHROME2")
    return encode(dataset, SECONDARY_CAPTURE, "cbis rows", series, number, bits)


# --- pictures -----------------------------------------------------------------------------------------------------


def _film_pixels(seed: int, film: str) -> np.ndarray:
    """(rows, columns) uint16: a bright half disc in noise, unlike every other film's."""
    rng = generator(seed, "cbis rows", "film", film)
    down, across = np.ogrid[0 : FULL[0], 0 : FULL[1]]
    breast = ((down - FULL[0] / 2) / (FULL[0] * 0.45)) ** 2 + (across / (FULL[1] * 0.8)) ** 2 < 1
    return (breast * 30_000 + rng.integers(0, 20_000, FULL)).astype(np.uint16)


def _lesion_box(seed: int, row: Row) -> tuple[int, int, int, int]:
    rng = generator(seed, "cbis rows", "box", row.film, row.abnormality)
    width, height = (int(side) for side in rng.integers(10, 22, 2))
    x, y = int(rng.integers(6, FULL[1] - 6 - width)), int(rng.integers(6, FULL[0] - 6 - height))
    return x, y, x + width, y + height


def _mask_size(seed: int, row: Row) -> tuple[int, int]:
    """(rows, columns) of the mask: the film's, or every third time fewer, a little more so in one direction."""
    return FEWER if digest(seed, "mask size", row.film, row.abnormality) % 3 == 0 else FULL


def _mask_pixels(seed: int, row: Row, fault: str) -> np.ndarray:
    """The mask, 0 and 255: an ellipse that fills the box, and every second time crumbs and a scratch."""
    x1, y1, x2, y2 = _lesion_box(seed, row)
    rows, columns_ = _mask_size(seed, row)
    if fault == "mask of other proportions":
        wide = np.zeros((FULL[0] * 3 // 4, FULL[1] * 8 // 5), np.uint8)
        wide[20:40, 30:60] = 255
        return wide
    # Pixel centres of the mask in the film's pixels.
    down = ((np.arange(rows) + 0.5) * FULL[0] / rows)[:, None]
    across = ((np.arange(columns_) + 0.5) * FULL[1] / columns_)[None, :]
    inside_x, inside_y = abs(across - (x1 + x2) / 2) / (x2 - x1), abs(down - (y1 + y2) / 2) / (y2 - y1)
    mask = ((inside_x <= 0.5) & (inside_y <= 0.5) & (inside_x + inside_y <= 0.8)).astype(np.uint8) * 255
    if fault == "mask empty":
        mask[:] = 0
    elif digest(seed, "crumbs", row.film, row.abnormality) % 2:
        mask[1, 1:3] = 255
        mask[rows // 4 : rows // 2, columns_ - 2] = 255
    if fault == "mask turned":
        return np.ascontiguousarray(np.rot90(np.repeat(mask, 2, axis=0)))
    return mask
