"""The recipe for adding a format is true: its module and its tests run as they stand in the document."""

from __future__ import annotations

import importlib.util
import re

import pytest
import yaml

from mammo.datasets import formats
from mammo.settings import parse_config


@pytest.fixture(scope="module")
def blocks(root):
    """(language, text) of each code block."""
    text = (root / "docs/adding-a-format.md").read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def example(blocks, tmp_path):
    """The document's module and its test, imported."""
    modules = []
    for number, text in enumerate(text for language, text in blocks if language == "python"):
        path = tmp_path / f"block_{number}.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        modules.append(importlib.util.module_from_spec(spec))
        spec.loader.exec_module(modules[-1])
    return modules


@pytest.mark.parametrize(
    "name", ["test_every_film_and_lesion_is_recovered", "test_a_verdict_that_is_none_turns_the_film_down"]
)
def test_the_recipes_module_passes_the_recipes_test(example, name, listed, monkeypatch):
    module, test = example
    # The registry of the settings is closed once they are imported: the example takes a registered format's place.
    monkeypatch.setitem(formats.FORMATS, "retinanet", module)
    getattr(test, name)(lambda form, files, **changes: listed("retinanet", files, **changes))


def test_the_recipe_shows_every_test_of_its_example(example):
    assert sum(name.startswith("test_") for name in vars(example[1])) == 2


def test_a_lesion_without_a_box_makes_the_film_abnormal(example, listed, monkeypatch):
    module, test = example
    monkeypatch.setitem(formats.FORMATS, "retinanet", module)
    rows = f"{test.FILMS[0].name},L,CC,mass,M,,,,\n{test.FILMS[1].name},,,,,,,,\n"
    found = listed("retinanet", test.delivery() | {"findings.csv": test.HEADER + rows})
    assert [image.group for image in found.images] == ["abn", "normal"]
    assert found.lesions == []


def test_a_place_in_a_table_is_named_by_its_line(example, listed, monkeypatch):
    module, test = example
    monkeypatch.setitem(formats.FORMATS, "retinanet", module)
    rows = f"{test.FILMS[0].name},L,CC,mass,X,1,1,5,5\n\n../x,,,,,,,,\n{test.FILMS[1].name},,,,,,,,\n"
    found = listed("retinanet", test.delivery() | {"findings.csv": test.HEADER + rows})
    reasons = {row.source.split("/")[-1]: row.reason for row in found.rejects}
    assert reasons["findings.csv#4"].endswith("is no path inside the raw folder")
    assert reasons[f"{test.FILMS[0].name}.png"].startswith(
        "findings.csv#2: verdict: expected M, B or nothing"
    )


def test_the_recipes_config_is_accepted(blocks):
    (text,) = (text for language, text in blocks if language == "yaml")
    raw = yaml.safe_load(text)
    raw["datasets"]["findings"]["format"] = "retinanet"
    assert parse_config(raw).datasets["findings"].classes["marker"].use is False
