"""Breast density as tables of deliveries write it → the category of BI-RADS, a to d."""

from __future__ import annotations

import re

from mammo.tables.records import Density

_CATEGORY = re.compile(r"(?:density )?([a-d1-4])(?:\.0)?", re.IGNORECASE)
_LETTERS: dict[str, Density] = {"1": "a", "2": "b", "3": "c", "4": "d"}


def density_of(text: str) -> Density:
    """a (almost entirely fatty) to d (extremely dense); empty where the cell says nothing that is a category.

    CBIS-DDSM (`breast_density`) and INbreast (`ACR`) count 1 to 4, VinDr-Mammo (`breast_density`) writes DENSITY A to
    D: ACR BI-RADS Atlas, 4th and 5th edition. It decides nothing but slices of figures: a bad cell costs no film.
    """
    match = _CATEGORY.fullmatch(text.strip())
    if match is None:
        return ""
    category = match[1].lower()
    return _LETTERS.get(category) or category  # type: ignore[return-value]
