"""The real description tables of CBIS-DDSM, in both variants in which they circulate."""

from __future__ import annotations

import pytest

from mammo.datasets.cbis_rows import read_rows


def test_all_3568_rows_of_the_real_tables_make_sense(shared_data):
    rows = read_rows(shared_data / "cbis-ddsm/csv")
    assert len(rows) == 3568
    assert {row.delivery for row in rows} == {"mass_train", "mass_test", "calc_train", "calc_test"}
    assert all(row.film_series.startswith("1.3.6.1.4.1.9590") and "\n" not in row.film_series for row in rows)
    assert {row.lesion.pathology for row in rows} == {"malignant", "benign"}
    assert not any(row.fault for row in rows)


@pytest.mark.parametrize(
    "table", ["calc_case_description_test_set.csv", "mass_case_description_test_set.csv"]
)
def test_the_crlf_variant_says_the_same(shared_data, tmp_path, table):
    for variant in ("csv", "csv_crlf_na"):
        (tmp_path / variant).mkdir()
        (tmp_path / variant / table).write_bytes((shared_data / "cbis-ddsm" / variant / table).read_bytes())
    assert read_rows(tmp_path / "csv") == read_rows(tmp_path / "csv_crlf_na")
