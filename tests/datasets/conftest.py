"""Synthetic deliveries, unpacked once for all tests of this room."""

from __future__ import annotations

import csv
import importlib.util
import shutil
from pathlib import Path

import pytest

from mammo.phantom import PhantomSettings, deliver

# Tests are imported by file (--import-mode=importlib), so a helper beside them is, too.
_SPEC = importlib.util.spec_from_file_location("pipeline", Path(__file__).with_name("pipeline.py"))


@pytest.fixture(scope="session")
def pipeline():
    import sys

    module = importlib.util.module_from_spec(_SPEC)
    sys.modules["pipeline"] = module
    _SPEC.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def delivered(tmp_path_factory, pipeline):
    """(data folder, truth folder) of films large enough for outlines to be measured on."""
    folder = tmp_path_factory.mktemp("delivered")
    settings = PhantomSettings.tiny(3, film={"height": 448, "width": 360})
    deliver(settings, folder / "data", folder / "truth")
    for name in pipeline.DELIVERIES:
        pipeline.unpack_all(folder / "data", name)
    return folder / "data", folder / "truth"


@pytest.fixture(scope="session")
def tables(delivered, pipeline):
    """Tables of every dataset."""
    return {name: pipeline.run(delivered[0], name) for name in pipeline.FORMATS}


@pytest.fixture(scope="session")
def truth(delivered):
    """Rows of the truth: truth(dataset, table)."""

    def rows(dataset, table):
        with open(delivered[1] / dataset / f"{table}.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return rows


@pytest.fixture
def copy(delivered, tmp_path):
    """A dataset's raw files in a data folder of the test's own."""

    def copied(name):
        ignored = shutil.ignore_patterns("work", "img", "tar")
        shutil.copytree(delivered[0] / name, tmp_path / "data" / name, ignore=ignored)
        return tmp_path / "data"

    return copied


@pytest.fixture
def listed(tmp_path, pipeline):
    """Tables of a set with a list: listed("coco", files by path below raw_files) runs the stages over it."""
    from mammo.settings import DatasetSettings

    def run(form, files, **changes):
        for name, data in dict(files).items():
            path = tmp_path / "Set/raw_files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        settings = {"format": form, "shards": 2, "parts": {"data": {}}, **changes}
        return pipeline.run(tmp_path, "Set", DatasetSettings.model_validate(settings), most=1.0)

    return run
