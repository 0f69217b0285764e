"""What a DICOM header still says about persons, places and days. Values are looked at and never given on.

Every element is walked: sequences in sequences, private elements, overlays' and curves' comments, the file meta group.
Elements behind the pixels are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from mammo.dicom.identifiers import IDENTITY_SEQUENCES, NAMES, NUMBERS, PICTURES, TEXTS
from mammo.dicom.read import tolerant

DATES = ("DA", "DT", "TM")
TEXT_VRS = ("AE", "LO", "LT", "SH", "ST", "UC", "UR", "UT")
# What anonymisers write in place of a value.
DUMMY_WORDS = {
    "0", "ANON", "ANONYM", "ANONYMIZED", "ANONYMISED", "ANONYMOUS", "BLANK", "CONFIDENTIAL", "DEIDENTIFIED",
    "DE-IDENTIFIED", "DELETED", "DUMMY", "EMPTY", "HIDDEN", "MASKED", "N/A", "NA", "NAME", "NO", "NONE",
    "NOTAPPLICABLE", "NULL", "PATIENT", "PSEUDONYM", "REDACTED", "REMOVED", "UNDEFINED", "UNK", "UNKNOWN",
    "UNNAMED", "UNSPECIFIED",
}  # fmt: skip
# A time of nothing but zeros; days before X-rays, the first ones of calendars and computers, the last one.
DUMMY_DATES = re.compile(
    r"^(0+([.:]0*)*"
    r"|(0001-?01-?01|1[5-8]\d\d-?\d\d-?\d\d|1900-?01-?01|1970-?01-?01|9999-?12-?31)(0*(\.0*)?([+-]0000)?))$"
)
# Digits that name somebody or something, in a text that need not: hospital numbers, Korean resident numbers, phones.
LONG_NUMBER = re.compile(r"\d{6}-?[1-4]\d{6}|\d{7}|\d{2,4}[-. ]\d{3,4}[-. ]\d{4}")
WRITTEN_DATE = re.compile(
    r"(?<!\d)(19|20)\d\d([-_./]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)"
    r"|(?<!\d)(0[1-9]|[12]\d|3[01])[-./](0[1-9]|[12]\d|3[01])[-./](19|20)\d\d(?!\d)"
)
# Long numbers here are versions and decimals of the machine.
TECHNICAL = re.compile(r"Version|Software|Algorithm|Code(Value|Meaning)$|CodingScheme|Dose|Detector\w*Mode")


@dataclass(frozen=True)
class Finding:
    """An element that holds something: `element` is its path of keywords, private ones by tag; `kind` one of KINDS."""

    element: str
    vr: str
    kind: str


# Kinds of findings; the first four name somebody or something, or may be seen on the picture.
KINDS = ("name", "date", "number", "burned_in", "pseudonym", "text", "picture")
# Where a delivery's own name of the patient belongs.
PATIENT = ("PatientID", "PatientName")


def header_findings(header: Dataset, allowed: Iterable[str] = (), path: str = "") -> list[Finding]:
    """What a header holds that an anonymised one does not, each element once, sorted.

    `allowed`: keywords (tags as `(gggg,xxee)` where there is none) that may hold anything, at any depth. `path`: the
    file's; a patient's id or name that stands in it as well is a pseudonym, if the names of the files are.
    """
    found: set[Finding] = set()
    with tolerant():
        datasets = [header, *([header.file_meta] if getattr(header, "file_meta", None) else [])]
        for dataset in datasets:
            found.update(_walk(dataset, (), frozenset(allowed), depth=0))
        found = {_as_pseudonym(finding, header, path) for finding in found}
    return sorted(found, key=lambda finding: (finding.element, finding.vr, finding.kind))


def _walk(dataset: Dataset, path: tuple[str, ...], allowed: frozenset[str], depth: int) -> Iterator[Finding]:
    for tag in sorted(dataset.keys()):
        try:
            element = dataset[tag]
            name = _name(element)
        except Exception:  # an element that cannot be decoded tells nobody anything
            continue
        if name in allowed:
            continue
        here = (*path, name)
        if name in PICTURES:
            yield Finding(".".join(here), element.VR, "picture")
        elif element.VR == "SQ":
            # No real object nests deeper; a hostile one could.
            for item in element.value or [] if depth < 16 else []:
                yield from _walk(item, here, allowed, depth + 1)
        else:
            kind = _kind(element, name, path)
            if kind:
                yield Finding(".".join(here), element.VR, kind)


def _as_pseudonym(finding: Finding, header: Dataset, path: str) -> Finding:
    if finding.element not in PATIENT:
        return finding
    values = [text.casefold() for text in _texts(header.get(finding.element)) if not is_dummy(text)]
    # Short numbers stand in every path.
    told = all(len(text) >= 4 and text in path.casefold() for text in values)
    return Finding(finding.element, finding.vr, "pseudonym") if told else finding


def _name(element: DataElement) -> str:
    keyword = "" if element.tag.is_private else keyword_for_tag(element.tag)  # known for repeating groups too
    if keyword:
        return keyword
    # The block of a private element is the creator's choice in each file; its last two digits are its name.
    group, number = element.tag.group, element.tag.element
    if element.tag.is_private and number > 0xFF:
        return f"({group:04X},xx{number & 0xFF:02X})"
    return f"({group:04X},{number:04X})"


def _kind(element: DataElement, name: str, path: tuple[str, ...]) -> str:
    """What an element holds, or nothing."""
    if element.tag.is_private and element.tag.element <= 0xFF:
        return ""  # the name of the maker who reserved the block
    values = [text for text in _texts(element.value) if text]
    if name == "BurnedInAnnotation":
        return "burned_in" if any(text.upper() == "YES" for text in values) else ""
    if element.VR in DATES:
        return "date" if any(not is_dummy_date(text) for text in values) else ""
    values = [text for text in values if not is_dummy(text)]
    if not values:
        return ""
    if element.VR == "PN" or name in NAMES:
        return "name"
    if name in NUMBERS:
        said = any(letter.isdigit() for text in values for letter in text) or "Address" in name
        return "number" if said or name in PATIENT else "text"
    return _kind_of_text(element, name, path, values)


def _kind_of_text(element: DataElement, name: str, path: tuple[str, ...], values: list[str]) -> str:
    private = element.tag.is_private
    if element.VR not in TEXT_VRS and not (element.VR in ("UN", "OB") and _is_text(element.value)):
        return "text" if name in TEXTS else ""
    if element.VR == "OB" and not private:
        return ""
    if not TECHNICAL.search(name):
        if any(WRITTEN_DATE.search(text) for text in values):
            return "date"
        if any(LONG_NUMBER.search(text) for text in values):
            return "number"
    if name in TEXTS or IDENTITY_SEQUENCES.intersection(path) or element.VR in ("LT", "ST", "UT"):
        return "text"
    letters = any(sum(letter.isalpha() for letter in text) >= 3 for text in values)
    return "text" if private and letters else ""


def _is_text(value: Any) -> bool:
    """Whether bytes of unknown meaning are short, printable text."""
    if not isinstance(value, bytes):
        return isinstance(value, str)
    text = value.rstrip(b"\0 ")
    return 0 < len(text) <= 4096 and all(32 <= letter < 127 or letter in b"\t\r\n" for letter in text)


def _texts(value: Any) -> list[str]:
    """A value as texts, one for each part."""
    if value is None:
        return []
    if isinstance(value, bytes):
        return [value.rstrip(b"\0 ").decode("ascii", "replace").strip()] if _is_text(value) else []
    if isinstance(value, str) or not hasattr(value, "__iter__") or hasattr(value, "components"):
        return [str(value).strip("\0 ")]
    return [str(part).strip("\0 ") for part in value]


def is_dummy(text: str) -> bool:
    """Whether a text stands where a name or number was: UNKNOWN, Anonymous, XXXX, 000…"""
    words = [word for word in re.split(r"[\^=\s_,.]+", text.upper()) if word]
    bare = "".join(words)
    return bare in DUMMY_WORDS or all(word in DUMMY_WORDS for word in words) or len(set(bare) - {"-"}) <= 1


def is_dummy_date(text: str) -> bool:
    """Whether a date or time is one that anonymisers write: UNKNOWN, 19000101, 000000, …"""
    return is_dummy(text) or bool(DUMMY_DATES.match(text))


def dated_paths(paths: Iterable[str]) -> set[str]:
    """The paths in whose names of files and folders a date stands.

    Eight digits in a row can be a case number, too: they count as a date where those of most paths that look the same
    otherwise are days of the calendar (of numbers drawn by lot, one in thirty is).
    """
    dated: set[str] = set()
    alike: dict[str, list[str]] = {}
    for path in paths:
        match = WRITTEN_DATE.search(path)
        if match and match[0].isdigit():
            alike.setdefault(re.sub(r"\d+", "#", path), []).append(path)
        elif match:
            dated.add(path)
        elif re.search(r"(?<!\d)(19|20)\d{6}(?!\d)", path):
            alike.setdefault(re.sub(r"\d+", "#", path), []).append("")
    for group in alike.values():
        found = [path for path in group if path]
        if len(found) > 0.5 * len(group):
            dated.update(found)
    return dated
