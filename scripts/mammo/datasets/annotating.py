"""The lesions of a shard's films."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from mammo.datasets.base import read_shard
from mammo.datasets.formats import module_for
from mammo.dicom.facts import film_facts
from mammo.dicom.read import read_header
from mammo.dicom.unusable import Unusable
from mammo.settings import DatasetSettings
from mammo.tables.records import Lesion, Reject


def annotate_shard(shard: Path, data: Path, settings: DatasetSettings) -> tuple[list[Lesion], list[Reject]]:
    """Lesions of each film of a shard in its own pixels; a film whose annotation cannot be used becomes a reject."""
    module = module_for(settings.format)
    lesions: list[Lesion] = []
    rejects: list[Reject] = []
    for item in tqdm(read_shard(shard), f"annotate {shard.stem}", unit="film", mininterval=2.0):
        try:
            facts = film_facts(read_header(data / item.film))
            lesions += module.annotate(item, data, (facts.width, facts.height), settings)
        except Unusable as error:
            rejects.append(Reject(source=item.film, stage="annotate", reason=str(error)))
    return lesions, rejects
