"""The helpers beside these tests, by name: pytest's importlib mode leaves the folder out of the path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
