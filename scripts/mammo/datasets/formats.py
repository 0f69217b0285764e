"""The registry of delivery formats. The imports are plain, so that a fingerprint of the code sees them."""

from __future__ import annotations

from mammo.datasets import cbis, coco, hospital, inbreast, mias, ncc, pascal, retinanet, vindr
from mammo.datasets.base import Format

FORMATS: dict[str, Format] = {
    "cbis-ddsm": cbis,
    "inbreast": inbreast,
    "ncc": ncc,
    "hospital": hospital,
    "coco": coco,
    "pascal": pascal,
    "retinanet": retinanet,
    "mias": mias,
    "vindr": vindr,
}


def module_for(name: str) -> Format:
    """The module of a format; the config has made sure that there is one."""
    return FORMATS[name]
