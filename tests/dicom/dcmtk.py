"""DCMTK's own rendering of a file: an independent decoder and display pipeline (Debian's package dcmtk)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")


def render(path: Path, *options: str, jpeg_ls: bool = False, depth: int = 8) -> np.ndarray:
    """A file as DCMTK shows it: uint8 or uint16 (height, width), or (height, width, 3) RGB for colour."""
    program = "dcml2pnm" if jpeg_ls else "dcmj2pnm"
    if shutil.which(program) is None:
        pytest.skip(f"an independent decoder to test against is absent ({program} of DCMTK)")
    out = path.with_suffix(".png")
    form = "--write-png" if depth == 8 else "--write-16-bit-png"
    command = [program, "--quiet", "--no-overlays", form, "--nointerlace", "--meta-none", *options, path, out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"DCMTK cannot show {path.name}: {done.stderr} {done.stdout}"
    picture = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    out.unlink()
    return picture if picture.ndim == 2 else picture[:, :, ::-1]
