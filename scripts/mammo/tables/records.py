"""The rows of every table: what a column is, and what it may hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Text = Annotated[str, Field(min_length=1)]
# Breast density as BI-RADS a to d: almost entirely fat to extremely dense; empty where the delivery does not say.
Density = Literal["", "a", "b", "c", "d"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Row(BaseModel):
    """A row of a CSV table; its fields, in their order, are the table's columns."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Image(Row):
    """One image of images.csv."""

    image_id: Text = Field(description="Unique among all datasets: <dataset>.<film>.")
    path: Text = Field(description="The written image, relative to the table's folder.")
    dataset: Text
    delivery: str = Field(description="NCC delivery, or mass_train, … of CBIS-DDSM.")
    patient: Text = Field(description="Unique among all datasets: <name space>.<id>.")
    study: str = Field(description="Case or study; empty where the delivery has none.")
    laterality: str = Field(description="L, R or empty.")
    view: str = Field(description="CC, MLO, another view, or empty.")
    width: int = Field(gt=0, description="Pixels of the written image.")
    height: int = Field(gt=0, description="Pixels of the written image.")
    pixel_mm: float | None = Field(gt=0, description="Size of a pixel in millimetres, where known.")
    group: Text = Field(description="abn or normal.")
    lesion_types: str = Field(description="Lesion types of the film, sorted, separated by ;.")
    source: Text = Field(description="Raw file, relative to data_dir.")
    source_sha256: Sha256 = Field(description="Of the raw file.")
    sha256: Sha256 = Field(description="Of the written image.")
    density: Density = Field(
        "",
        description="Breast density, BI-RADS a to d; empty where not known, and in tables of before it was kept.",
    )


class Lesion(Row):
    """One lesion of lesions.csv: a half-open box in pixels of the written image, 0-based."""

    image_id: Text
    lesion_id: Text = Field(description="Unique within the image.")
    x1: float = Field(ge=0)
    y1: float = Field(ge=0)
    x2: float
    y2: float
    lesion_type: str = Field(description="mass, calcification, …; empty where the delivery does not say.")
    pathology: str = Field(description="malignant, benign or empty.")
    annotation_form: Text = Field(description="Where the box came from: mask, outline, plist, ….")

    @model_validator(mode="after")
    def _box_has_an_area(self) -> Lesion:
        if not (self.x1 < self.x2 and self.y1 < self.y2):
            raise ValueError(
                f"the box {self.x1},{self.y1},{self.x2},{self.y2} has no area: x1 < x2 and y1 < y2 must hold"
            )
        return self


class Reject(Row):
    """One file of rejects.csv that was not used, and why."""

    source: Text = Field(description="Raw file, relative to data_dir.")
    stage: Text = Field(description="index, decode, annotate or tabulate.")
    reason: Text


class Detection(Row):
    """One box that a snapshot or an ensemble found, in pixels of the written image, half-open."""

    image_id: Text
    x1: float
    y1: float
    x2: float
    y2: float
    score: float = Field(ge=0, le=1)
    label: Text = Field(description="Class name.")
