"""The truth about the data before GPU time is spent: from the tables of all datasets to one page and one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mammo.report.contact_sheet import contact_sheet
from mammo.report.data_checks import all_checks
from mammo.report.data_facts import DataRow, rows_of, set_facts, shared, shared_rows
from mammo.report.data_page import data_page
from mammo.report.data_sets import DataReportPlan, read_looks, read_sets


def data_report(
    plan: DataReportPlan, data: Path, audits: Sequence[Path], looks: Sequence[Path]
) -> tuple[str, list[DataRow]]:
    """The page (HTML) and the figures in long form, of every dataset and merged set of the plan.

    Args:
        data: the data folder, with `<dataset>/images.csv`, `lesions.csv`, `rejects.csv` and the tables of the parts.
        audits, looks: tables of the datasets' shards.

    The same files give the same bytes. Raises `UserError` for a table or a film that cannot be read.
    """
    sets, known = read_sets(plan, data, audits), read_looks(looks)
    facts = [set_facts(one, plan, known) for one in sets]
    pairs = shared(sets, known)
    checks = all_checks(facts, pairs, plan.datasets)
    sheets = {
        (one.kind, one.name): contact_sheet(
            one.images, data, plan.report.contact_sheet, plan.report.contact_side
        )
        for one in sets
    }
    rows = [row for one in facts for row in rows_of(one)]
    rows += [row for pair in pairs for row in shared_rows(pair)]
    rows += [
        DataRow(
            set=check.set_name, kind="check", measure=check.subject, group=check.light, value=check.finding
        )
        for check in checks
    ]
    return data_page(checks, facts, sheets), rows
