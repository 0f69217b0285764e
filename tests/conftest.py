"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run whole workflows begin: left for the end, one of them would keep a single process busy."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real files that are not part of the project; tests that need them skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real files to test against are absent ({SHARED_DATA})")
    return SHARED_DATA


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT
