"""The look of a film in 256 bits: nearly the same for the same film in another size, window or quality."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE, KEPT = 64, 16


def look_of(pixels: NDArray[np.uint8]) -> str:
    """64 hexadecimal digits of a film (height, width).

    Perceptual hash: the film at 64×64, its 16×16 lowest cosine frequencies, a bit for each that says whether it lies
    above their median (the mean of the film, which is no frequency, left out). Mirrored films look different.
    """
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    waves = cv2.dct(small)[:KEPT, :KEPT].ravel()
    return np.packbits(waves > np.median(waves[1:])).tobytes().hex()
