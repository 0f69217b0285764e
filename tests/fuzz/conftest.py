"""Helpers beside these tests are imported by name (tests themselves are imported by file)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
