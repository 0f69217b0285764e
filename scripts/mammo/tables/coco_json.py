"""The lists of a COCO JSON file. Format: cocodataset.org, "Data format"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mammo.errors import UserError

LISTS = ("images", "annotations", "categories")


def parse_json(path: Path | str, text: str) -> Any:
    """The content of a JSON file; `path` is for the message. Raises `UserError` where it is broken."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: broken JSON ({str(error)[:120]}); make the export again") from error


def coco_lists(path: Path | str, text: str) -> dict[str, list]:
    """The three lists of a file with the truth. Raises `UserError`: without them every film would be a normal."""
    content = parse_json(path, text)
    for key in LISTS:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(
                f"{path}: COCO needs a list '{key}', and there is none; take other JSON files away"
            )
    return content


def entry_id(entry: Any, key: str) -> int | str | None:
    """An id of an entry; none where there is none that could be one."""
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def category_names(categories: list) -> dict[Any, str]:
    """Names of the categories by id."""
    return {entry_id(entry, "id"): str(entry_id(entry, "name") or "") for entry in categories}
