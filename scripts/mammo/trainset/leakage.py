"""Films and patients that should be in one place and are in two: duplicates in a set, leakage between sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammo.tables.records import Image

# Looks are 256 bits (mammo/datasets/looks.py). Different phantoms differ in 66 bits and more, the same film in another
# size, window or quality in 36 and fewer: docs/data-report.md has the measurement.
NEAR_BITS = 36


@dataclass(frozen=True)
class Leakage:
    """What two sets share. `twins` and `near`: pairs of image ids, first set's first, sorted."""

    patients: tuple[str, ...]
    twins: tuple[tuple[str, str], ...]
    near: tuple[tuple[str, str], ...]


def duplicates(images: Sequence[Image]) -> list[list[Image]]:
    """Groups of two or more films with the same written pixels or the same raw file, each sorted by name."""
    parent = {image.image_id: image.image_id for image in images}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for digests in (_by(images, "sha256"), _by(images, "source_sha256")):
        for group in digests.values():
            # Frames of one file share the raw file and are no duplicates: their pixels decide.
            frames = len({image.source for image in group}) < len(group)
            if frames and len({image.sha256 for image in group}) > 1:
                continue
            for image in group[1:]:
                parent[root(image.image_id)] = root(group[0].image_id)
    groups: dict[str, list[Image]] = defaultdict(list)
    for image in sorted(images, key=lambda image: image.image_id):
        groups[root(image.image_id)].append(image)
    return sorted((group for group in groups.values() if len(group) > 1), key=lambda group: group[0].image_id)


def _by(images: Iterable[Image], column: str) -> dict[str, list[Image]]:
    groups: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        groups[getattr(image, column)].append(image)
    return groups


def leakage(
    first: Sequence[Image], second: Sequence[Image], looks: Mapping[str, str] | None = None
) -> Leakage:
    """Patients, pixels and looks that two sets share. `looks`: by image id, hexadecimal; films without are left out."""
    patients = {image.patient for image in first} & {image.patient for image in second}
    twins = set()
    for column in ("sha256", "source_sha256"):
        others = _by(second, column)
        twins |= {
            (image.image_id, twin.image_id)
            for image in first
            for twin in others.get(getattr(image, column), [])
        }
    near = near_pairs([image.image_id for image in first], [image.image_id for image in second], looks or {})
    return Leakage(tuple(sorted(patients)), tuple(sorted(twins)), tuple(sorted(set(near) - twins)))


def near_duplicates(images: Sequence[Image], looks: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of films of one set that look the same and are no duplicates by their digests, sorted."""
    names = [image.image_id for image in images]
    known = {
        frozenset((one.image_id, other.image_id))
        for group in duplicates(images)
        for one in group
        for other in group
    }
    pairs = {(one, other) for one, other in near_pairs(names, names, looks) if one < other}
    return sorted(pair for pair in pairs if frozenset(pair) not in known)


def near_pairs(
    first: Sequence[str], second: Sequence[str], looks: Mapping[str, str], most_bits: int = NEAR_BITS
) -> list[tuple[str, str]]:
    """Pairs of names whose looks differ in at most `most_bits` bits."""
    first, second = ([name for name in names if name in looks] for names in (first, second))
    if not first or not second:
        return []
    ours, theirs = _packed(first, looks), _packed(second, looks)
    pairs = []
    for start in range(0, len(ours), 256):  # in blocks: memory stays flat
        block = ours[start : start + 256]
        bits = np.bitwise_count(block[:, None, :] ^ theirs[None, :, :]).sum(axis=2, dtype=np.int32)
        pairs += [(first[start + row], second[column]) for row, column in np.argwhere(bits <= most_bits)]
    return pairs


def _packed(names: Sequence[str], looks: Mapping[str, str]) -> NDArray[np.uint64]:
    return np.array([np.frombuffer(bytes.fromhex(looks[name]), ">u8") for name in names], np.uint64)
