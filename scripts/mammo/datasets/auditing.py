"""What the raw files of a shard's films still say about persons, and what is written in the margins of its images.

Values are never given on: a row says in which element of how many files something stands, or where on which film.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mammo.datasets.audit_tables import (
    FILE_NAME,
    MARGIN,
    MARKER,
    PICTURE_TEXT,
    AuditRow,
    LookRow,
    audit_order,
)
from mammo.datasets.base import Item, read_shard
from mammo.datasets.looks import look_of, read_image
from mammo.dicom.margins import margin_texts
from mammo.dicom.privacy import Finding, dated_paths, header_findings
from mammo.dicom.read import read_header
from mammo.dicom.unusable import Unusable
from mammo.settings import DataReportSettings
from mammo.tables.records import Image

DICOM_LIKE = re.compile(r"\.(dcm|dicom|ima|img)$|^[^.]+$", re.IGNORECASE)


@dataclass(frozen=True)
class _Found:
    """What one file holds."""

    source: str
    findings: tuple[Finding, ...]


def audit_shard(
    shard: Path, images: Sequence[Image], data: Path, root: Path, settings: DataReportSettings
) -> tuple[list[AuditRow], list[LookRow]]:
    """Findings in the files of a shard and on its written images, and the images' looks; all sorted.

    `images`: rows of the shard's films that were written, their paths relative to `root`. Raises `UserError` for an
    image that cannot be read.
    """
    items = read_shard(shard)
    dataset = root.name
    sources = sorted({path for item in items for path in _files(item)})
    with ThreadPoolExecutor(2) as pool:  # files are waited for more than looked at
        found = pool.map(lambda source: _in_header(data, source, settings.allowed), sources)
        found = list(tqdm(found, f"headers {shard.stem}", len(sources), unit="file", mininterval=2.0))
    files = [_Found(source, findings) for source, findings in zip(sources, found, strict=True)]
    if FILE_NAME not in settings.allowed:
        files += [
            _Found(source, (Finding(FILE_NAME, "", "date"),)) for source in sorted(dated_paths(sources))
        ]
    rows = _by_element(dataset, files)
    looks = []
    for image in tqdm(images, f"margins {shard.stem}", unit="film", mininterval=2.0):
        pixels = read_image(root / image.path)
        looks.append(LookRow(image_id=image.image_id, look=look_of(pixels)))
        if MARGIN not in settings.allowed:
            rows += _margin_rows(dataset, image, pixels)
    return sorted(rows, key=audit_order), sorted(looks, key=lambda row: row.image_id)


def _files(item: Item) -> Iterator[str]:
    yield item.film
    yield from (companion.path for companion in item.companions)


def _in_header(data: Path, source: str, allowed: Iterable[str]) -> tuple[Finding, ...]:
    """Findings in a raw file's header; none in what cannot be read, which has its row in rejects.csv."""
    path = data / source
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
        if start.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n")):
            told = PICTURE_TEXT not in allowed and _picture_says_something(start)
            return (Finding(PICTURE_TEXT, "", "text"),) if told else ()
        if start[128:132] == b"DICM" or DICOM_LIKE.search(path.name):
            return tuple(header_findings(read_header(path), allowed, source))
    except (OSError, Unusable):
        pass
    return ()


def _picture_says_something(start: bytes) -> bool:
    """Whether a JPEG or PNG carries camera data (EXIF, XMP, IPTC) or comments, in which names and days may stand."""
    if start.startswith(b"\x89PNG"):
        return any(mark in start for mark in (b"tEXt", b"iTXt", b"zTXt", b"eXIf"))
    position = 2
    while position + 4 <= len(start) and start[position] == 0xFF and start[position + 1] not in (0xDA, 0xD9):
        marker, length = start[position + 1], int.from_bytes(start[position + 2 : position + 4], "big")
        if marker in (0xE1, 0xED, 0xFE):  # APP1: EXIF, XMP; APP13: IPTC; comment
            return True
        position += 2 + max(length, 2)
    return False


def _by_element(dataset: str, found: Iterable[_Found]) -> list[AuditRow]:
    """One row an element: in how many files it holds something, and in which first."""
    groups: dict[Finding, list[str]] = {}
    for file in found:
        for finding in set(file.findings):
            groups.setdefault(finding, []).append(file.source)
    return [
        AuditRow(
            dataset=dataset, element=finding.element, vr=finding.vr, kind=finding.kind, files=len(sources),
            first=min(sources), image_id="", place="",
        )
        for finding, sources in groups.items()
    ]  # fmt: skip


def _margin_rows(dataset: str, image: Image, pixels: np.ndarray) -> Iterator[AuditRow]:
    for text in margin_texts(pixels):
        yield AuditRow(
            dataset=dataset, element=MARGIN, vr="", kind=MARKER if text.is_marker else "margin_text", files=1,
            first=image.source, image_id=image.image_id, place=" ".join(map(str, text.box)),
        )  # fmt: skip
