"""The identity of a run: equal content gives an equal id, on any machine and at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from mammo.files import sha256_file


def run_id(settings: str, code: str, inputs: Iterable[Path | str]) -> str:
    """Twelve hexadecimal digits: of the settings, the code's fingerprint and the inputs' content, in their order."""
    digest = hashlib.sha256(f"{settings}\0{code}".encode())
    for path in inputs:
        digest.update(f"\0{sha256_file(path)}".encode())
    return digest.hexdigest()[:12]
