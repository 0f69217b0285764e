"""Randomness by name: every choice draws from a generator seeded by a digest of what the choice is about.

So a film does not change when another is added before it, nor with the number of processes.
"""

from __future__ import annotations

import hashlib

import numpy as np


def digest(*parts: object) -> int:
    """A 128-bit number from the parts' texts; equal parts give equal numbers on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:16], "big")


def generator(*parts: object) -> np.random.Generator:
    """A random generator that depends on nothing but the parts."""
    return np.random.Generator(np.random.PCG64(digest(*parts)))


def uid(*parts: object) -> str:
    """A DICOM UID below 2.25 (a UUID written as a number, PS3.5 B.2), the same for the same parts."""
    return f"2.25.{digest('uid', *parts)}"


def hexadecimal(length: int, *parts: object) -> str:
    """`length` hexadecimal digits, the same for the same parts."""
    return f"{digest('hex', *parts):032x}"[:length]


def digits(length: int, *parts: object) -> str:
    """A number of exactly `length` digits as text, the same for the same parts."""
    low = 10 ** (length - 1)
    return str(low + digest("digits", *parts) % (9 * low))
