"""The lesions of a shard's films."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from mammo.datasets.base import read_shard
from mammo.datasets.cbis_masks import masked_lesions
from mammo.datasets.films import film_size
from mammo.datasets.formats import module_for
from mammo.datasets.recognised import recognised_lesions
from mammo.dicom.unusable import Unusable
from mammo.settings import DatasetSettings
from mammo.tables.records import Lesion, Reject

# Formats whose lesions are recognised apart from the module that indexes them: a changed recogniser must not make the
# index of a large collection again.
APART = {"cbis-ddsm": masked_lesions, "ncc": recognised_lesions, "hospital": recognised_lesions}


def annotate_shard(shard: Path, data: Path, settings: DatasetSettings) -> tuple[list[Lesion], list[Reject]]:
    """Lesions of each film of a shard in its own pixels; a film whose annotation cannot be used becomes a reject."""
    annotate = APART.get(settings.format) or module_for(settings.format).annotate
    lesions: list[Lesion] = []
    rejects: list[Reject] = []
    for item in tqdm(read_shard(shard), f"annotate {shard.stem}", unit="film", mininterval=2.0):
        try:
            lesions += annotate(item, data, film_size(data / item.film), settings)
        except Unusable as error:
            rejects.append(Reject(source=item.film, stage="annotate", reason=str(error)))
    return lesions, rejects
