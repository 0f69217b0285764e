"""Synthetic deliveries in the raw layout of every format, quirks included, with the truth beside them.

`deliver(settings, out, truth)` writes them; `PhantomSettings` says what they hold (`PhantomSettings.tiny()`
for tests); `make_film` draws a single film. Imports nothing of the workflow's readers: the truth comes from
outside them.
"""

from mammo.phantom.delivery import Summary, deliver
from mammo.phantom.film import DrawnLesion, Film, FilmSpec, make_film
from mammo.phantom.settings import PhantomSettings, check_settings, load_settings

__all__ = [
    "DrawnLesion",
    "Film",
    "FilmSpec",
    "PhantomSettings",
    "Summary",
    "check_settings",
    "deliver",
    "load_settings",
    "make_film",
]
