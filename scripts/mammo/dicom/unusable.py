"""The one way in which a raw file is turned down."""

from __future__ import annotations


class Unusable(Exception):
    """A file cannot be used; the message is the reason, fit for a row of rejects.csv.

    It names what is wrong, never a value of the header: those may be about the patient.
    """
