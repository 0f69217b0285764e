"""Settings of the phantoms: every key described, every fault named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from mammo.errors import UserError
from mammo.phantom import PhantomSettings, check_settings, load_settings


def test_every_key_has_a_description() -> None:
    def check(model: type[BaseModel]) -> None:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                check(field.annotation)

    check(PhantomSettings)


def test_the_demos_file_names_every_key_there_is(root: Path) -> None:
    raw = yaml.safe_load((root / "profiles/demo/phantoms.yaml").read_text())

    def keys(value: object, prefix: str = "") -> set[str]:
        if not isinstance(value, dict):
            return {prefix}
        return {key for name, item in value.items() for key in keys(item, f"{prefix}.{name}")}

    assert keys(raw) == keys(PhantomSettings().model_dump())
    assert load_settings(root / "profiles/demo/phantoms.yaml")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"sed": 1}, "sed: unknown key"),
        ({"film": {"hight": 512}}, r"film\.hight: unknown key"),
        ({"seed": -1}, "seed: -1 is not possible"),
        ({"film": {"height": "tall"}}, r"film\.height: 'tall' is not possible"),
        (
            {"difficulty": {"distractors": [5, 3]}},
            r"distractors: \[5, 3\] must be two numbers.*smaller one first",
        ),
        ({"difficulty": {"lesion_radius": [2, 9]}}, "lesion_radius: 2.0 is too small"),
        ({"ncc": {"abn_1": -3}}, r"ncc\.abn_1: -3 is not possible"),
    ],
)
def test_a_fault_is_one_line_that_names_file_key_and_value(raw: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=rf"^some\.yaml: .*{message}") as caught:
        check_settings(raw, "some.yaml")
    assert "\n" not in str(caught.value)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.yaml.*cannot be read"):
        load_settings(tmp_path / "absent.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1\n")
    with pytest.raises(UserError, match=r"bad\.yaml: no valid YAML"):
        load_settings(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(UserError, match=r"list\.yaml: expected keys.*found list"):
        load_settings(tmp_path / "list.yaml")


def test_given_real_csvs_take_the_place_of_the_file_s_keys(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("cbis: {films: 4, rows: 7}\n")
    settings = load_settings(tmp_path / "a.yaml", cbis_csv="somewhere", cbis_rows=2)
    assert (settings.cbis.csv, settings.cbis.rows, settings.cbis.films) == ("somewhere", 2, 4)
