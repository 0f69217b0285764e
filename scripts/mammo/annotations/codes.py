"""What coded terms of segmentations and reports mean for this project: a lesion's type, or that it is no lesion."""

from __future__ import annotations

from pydicom.dataset import Dataset

from mammo.dicom.elements import items, text

# PS3.16 CID 6014, 6015, 6016, 6054 (mammography findings), 6010 (kinds of calcification), 7159 (lesions): SNOMED CT,
# its older SNOMED RT form, DCM. Densities are what CAD systems call their mass marks.
_TYPES = {
    "mass": (
        "4147007", "M-03000", "129788004", "F-01791", "129793001", "F-01796", "111112", "111113", "111459", "111462",
        "399294002", "D7-90035", "111103",
    ),
    "calcification": (
        "129770007", "F-01776", "309587003", "F-8A057", "111104", "129749001", "F-01761", "129750001", "F-01762",
        "129751002", "F-01763", "129757003", "F-01769", "129758008", "F-0176A", "129760005", "F-0176C", "129761009",
        "F-0176D", "129762002", "F-0176E", "129763007", "F-0176F",
    ),
    "cluster": ("129769006", "F-01775", "129766004", "F-01772", "111105"),
    "distortion": ("129792006", "F-01795"),
    "asymmetry": ("129790003", "F-01793", "129789007", "F-01792"),
}  # fmt: skip
TYPE_OF_CODE = {code: kind for kind, codes in _TYPES.items() for code in codes}

# Regions that reports and segmentations mark besides lesions: breast, nipple, muscle, nodes, implants, markers,
# normal tissue, image quality, what CAD looked at and turned down.
NO_LESIONS = frozenset((
    "76752008", "T-04000", "181131000", "T-04009", "24142002", "T-04100", "129715009", "F-01710", "111100", "111101",
    "111102", "111287", "290084006", "F-8A084", "68171009", "T-C4710", "443808008", "T-C430B", "59441001", "T-C4000",
    "40388003", "A-04010", "2282003", "A-04830", "77720000", "A-12062", "111175", "111007", "111045", "181469002",
    "T-00009", "19227008", "M-30400", "125040",
))  # fmt: skip
# Categories (CID 7150) under which no lesion goes: anatomical structure, physical object, body substance, substance,
# function, spatial concept.
NO_LESION_CATEGORIES = frozenset((
    "91723000", "T-D0005", "123037004", "T-D000A", "260787004", "A-00004", "91720002", "T-D0080", "105590001",
    "F-61002", "246464006", "R-42019", "309825002", "R-42018",
))  # fmt: skip

SCHEMES = ("SCT", "SRT", "SNM3", "99SDM", "DCM", "SNOMED-RT", "SNOMED-CT")
# Labels are free text: they name a lesion's type when they are one of these words, and are never passed on.
_WORDS = {
    "mass": "mass", "masses": "mass", "calcification": "calcification", "calcifications": "calcification",
    "microcalcification": "calcification", "microcalcifications": "calcification", "cluster": "cluster",
    "calcification cluster": "cluster", "distortion": "distortion", "architectural distortion": "distortion",
    "asymmetry": "asymmetry", "focal asymmetry": "asymmetry",
}  # fmt: skip
_WORDS_NO_LESIONS = frozenset((
    "breast", "nipple", "pectoral", "pectoral muscle", "pectoralis", "background", "skin", "implant", "lymph node",
    "air", "breast tissue", "dense tissue", "fibroglandular tissue",
))  # fmt: skip


def code_in(dataset: Dataset, keyword: str) -> str:
    """The code value in a code sequence, where its scheme is one of those known here; otherwise empty."""
    for code in items(dataset, keyword)[:1]:
        if text(code, "CodingSchemeDesignator").upper() in SCHEMES:
            return text(code, "CodeValue") or text(code, "LongCodeValue")
    return ""


def type_of_label(label: str) -> str:
    """The lesion type that a free label names; empty where it names none."""
    return _WORDS.get(label.strip().lower().replace("_", " "), "")


def label_means_no_lesion(label: str) -> bool:
    """Whether a free label names a part of the breast."""
    return label.strip().lower().replace("_", " ") in _WORDS_NO_LESIONS
