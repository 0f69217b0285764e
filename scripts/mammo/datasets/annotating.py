"""The lesions of a shard's films."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from mammo.datasets.base import read_shard
from mammo.datasets.films import film_size
from mammo.datasets.formats import module_for
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
            lesions += module.annotate(item, data, film_size(data / item.film), settings)
        except Unusable as error:
            rejects.append(Reject(source=item.film, stage="annotate", reason=str(error)))
    return lesions, rejects
