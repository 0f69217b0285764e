"""The identity of a run: equal content gives an equal id, on any machine and at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mammo.files import sha256_file


def run_id(settings: str, code: str, inputs: Iterable[Path | str]) -> str:
    """Twelve hexadecimal digits: of the settings, the code's fingerprint and the inputs' content, in their order."""
    digest = hashlib.sha256(f"{settings}\0{code}".encode())
    for path in inputs:
        digest.update(f"\0{sha256_file(path)}".encode())
    return digest.hexdigest()[:12]


def ensemble_run_ids(
    ensemble: str,
    members: Mapping[str, str],
    validation: Mapping[str, Sequence[str]],
    truth: Sequence[str],
    *,
    settings: str,
    own: str,
    code: str,
) -> dict[str, str]:
    """The identities of an ensemble's row and its members', by name.

    Args:
        members: tables of detections by name.
        validation: tables that gave a model's operating point, by its name.
        truth: tables of the test set.
        settings: behind the members' rows; own: behind the ensemble's.
    """
    ids = {
        name: run_id(settings, code, [*truth, path, *validation.get(name, ())])
        for name, path in members.items()
    }
    return ids | {ensemble: run_id(own, code, [*truth, *members.values(), *validation.get(ensemble, ())])}
