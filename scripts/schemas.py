"""Write the JSON schemas of config.yaml and of the tables, generated from the models that check them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pydantic import BaseModel

from mammo.errors import run_main
from mammo.files import write_text_atomic
from mammo.metrics.figure_rows import FigureRow
from mammo.metrics.row import ResultRow
from mammo.settings import Config
from mammo.tables.records import Detection, Image, Lesion, Reject

MODELS: dict[str, type[BaseModel]] = {
    "config": Config,
    "images": Image,
    "lesions": Lesion,
    "rejects": Reject,
    "detections": Detection,
    "results": ResultRow,
    "figures": FigureRow,
}


def main() -> None:
    """Parse, generate, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, type=Path, help="folder for <name>.schema.json")
    args = parser.parse_args()
    for name, model in MODELS.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | model.model_json_schema()
        write_text_atomic(
            args.out / f"{name}.schema.json", json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        )


if __name__ == "__main__":
    run_main(main)
