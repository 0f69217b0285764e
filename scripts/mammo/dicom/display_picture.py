"""A film that came as a plain picture, as a display image.

Apart from the reading of pictures, which the index needs: a changed display must not make an index again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from mammo.dicom.display import DisplayImage, display_pixels
from mammo.dicom.facts import Facts
from mammo.dicom.picture import decoded_picture
from mammo.dicom.read import grey_from_rgb
from mammo.dicom.unusable import Unusable
from mammo.settings import DisplaySettings


def display_picture(path: Path | str, settings: DisplaySettings) -> DisplayImage:
    """A picture as a display image: 8 bits as they are, 16 bits as a film without a window. Raises `Unusable`.

    With `window: percentile` or `minmax` 8-bit grey is treated so, too. Colour becomes grey by BT.601 luma; alpha and
    the orientation that a camera notes are left out. Of a TIFF the first page counts.
    """
    shown = _shown(decoded_picture(path), settings)
    if shown.min() == shown.max():
        raise Unusable("shows nothing: all pixels have one brightness")
    return DisplayImage(shown, Facts(shown.shape[1], shown.shape[0], "", "", None))


def _shown(pixels: NDArray[np.unsignedinteger], settings: DisplaySettings) -> NDArray[np.unsignedinteger]:
    top = 65535 if settings.image_format == "png16" else 255
    if pixels.ndim == 3:
        return grey_from_rgb(pixels[:, :, 2::-1], 8 * pixels.itemsize, top)
    if pixels.dtype == np.uint8 and settings.window == "voi":
        return pixels if top == 255 else pixels.astype(np.uint16) * 257
    return display_pixels(Dataset(), pixels, settings)
