"""The settings of the synthetic deliveries, with a description per key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mammo.errors import UserError

Count = Annotated[int, Field(ge=0, le=100_000)]
Range = Annotated[tuple[float, float], Field()]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FilmSettings(_Settings):
    """Size and noise of the films."""

    height: Annotated[int, Field(ge=128, le=8192)] = Field(512, description="Rows of a film, pixels.")
    width: Annotated[int, Field(ge=96, le=8192)] = Field(416, description="Columns of a film, pixels.")
    size_jitter: Annotated[float, Field(ge=0, le=0.3)] = Field(
        0.05, description="Digitised CBIS-DDSM films differ in size: sides vary by up to this share."
    )
    detector_noise: Annotated[float, Field(ge=0, le=0.2)] = Field(
        0.010, description="Standard deviation of the white noise, as a share of the brightness range."
    )


class DifficultySettings(_Settings):
    """What makes lesions easy or hard to find. Contrasts are shares of the brightness range."""

    lesion_contrast: Annotated[float, Field(gt=0, le=1)] = Field(0.28, description="Brightness a mass adds.")
    calcification_contrast: Annotated[float, Field(gt=0, le=1)] = Field(
        0.42, description="Brightness the grains of a cluster add."
    )
    contrast_spread: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.15, description="Contrasts of single lesions vary by up to this share."
    )
    lesion_radius: Range = Field((30.0, 52.0), description="Radius of lesions in pixels of a film 512 high.")
    distractors: Annotated[tuple[int, int], Field()] = Field(
        (3, 5), description="Smooth bright blobs and lymph nodes on every film, fewest and most."
    )
    distractor_contrast: Annotated[float, Field(ge=0, le=1)] = Field(0.25, description="Brightness they add.")
    distractor_radius: Range = Field((20.0, 42.0), description="Their radius in pixels of a film 512 high.")
    grains: Annotated[tuple[int, int], Field()] = Field(
        (3, 8), description="Single coarse calcifications on every film, fewest and most."
    )
    grain_contrast: Annotated[float, Field(ge=0, le=1)] = Field(0.45, description="Brightness they add.")
    fat_lobules: Annotated[tuple[int, int], Field()] = Field(
        (3, 6), description="Dark round gaps in the tissue on every film, fewest and most."
    )
    fat_lobule_contrast: Annotated[float, Field(ge=0, le=1)] = Field(
        0.14, description="Brightness they take away."
    )
    second_lesion: Annotated[float, Field(ge=0, le=1)] = Field(
        0.15, description="Share of abnormal films that carry two lesions."
    )

    @model_validator(mode="after")
    def _ordered(self) -> DifficultySettings:
        for key in ("lesion_radius", "distractors", "distractor_radius", "grains", "fat_lobules"):
            low, high = getattr(self, key)
            if not 0 <= low <= high:
                raise ValueError(
                    f"{key}: [{low}, {high}] must be two numbers from 0 upwards, the smaller one first"
                )
        if self.lesion_radius[0] < 8:
            raise ValueError(
                f"lesion_radius: {self.lesion_radius[0]} is too small to be drawn, the least is 8"
            )
        return self


class CbisSettings(_Settings):
    """CBIS-DDSM: digitised films, masks and crops, four description CSVs."""

    films: Count = Field(
        130, description="Films of invented patients (a film listed as Mass and Calc counts twice)."
    )
    csv: str | None = Field(
        None, description="Folder with real description CSVs; films are made for their first rows instead."
    )
    rows: Count = Field(40, description="Rows taken from each real CSV.")


class InbreastSettings(_Settings):
    """INbreast: full-field films, plist XML."""

    films: Count = Field(50, description="Films.")
    with_masses: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="Share of films with a mass.")


class NccSettings(_Settings):
    """The hospital's test set: tar files with a folder per case."""

    abn_1: Count = Field(40, description="Usable abnormal films in abn_1.")
    abn_2: Count = Field(40, description="Usable abnormal films in abn_2.")
    normal: Count = Field(50, description="Usable normal films.")


class NccTrainsetSettings(_Settings):
    """The hospital's training deliveries: tar files with one flat folder each."""

    abn_180116_1: Count = Field(60, description="Usable abnormal films, January, first reader.")
    abn_180116_2: Count = Field(60, description="Usable abnormal films, January, second reader.")
    abn_180517_1: Count = Field(60, description="Usable abnormal films, May, first reader.")
    abn_180517_2: Count = Field(60, description="Usable abnormal films, May, second reader.")
    normal_180130: Count = Field(50, description="Usable normal films.")


class HospitalSettings(_Settings):
    """Another hospital's deliveries, annotated in every form."""

    films_per_form: Count = Field(0, description="Films annotated in each form; 0: no such delivery.")


class PhantomSettings(_Settings):
    """Everything that decides what the synthetic deliveries hold."""

    seed: Annotated[int, Field(ge=0)] = Field(20180116, description="Same seed and settings, same bytes.")
    broken_files: bool = Field(True, description="Add the few files that the workflow must reject.")
    film: FilmSettings = Field(default_factory=FilmSettings, description="Size and noise of the films.")
    difficulty: DifficultySettings = Field(
        default_factory=DifficultySettings, description="What makes lesions easy or hard to find."
    )
    cbis: CbisSettings = Field(default_factory=CbisSettings, description="CBIS-DDSM.")
    inbreast: InbreastSettings = Field(default_factory=InbreastSettings, description="INbreast.")
    ncc: NccSettings = Field(default_factory=NccSettings, description="The hospital's test set.")
    ncc_trainset: NccTrainsetSettings = Field(
        default_factory=NccTrainsetSettings, description="The hospital's training deliveries."
    )
    hospital: HospitalSettings = Field(
        default_factory=HospitalSettings, description="Another hospital's deliveries, in every form."
    )

    @classmethod
    def tiny(cls, seed: int = 1, **changes: Any) -> PhantomSettings:
        """A few films of 160×128 in every delivery, every quirk present: for tests, made in about a second.

        `changes` replace whole keys of the top level, for example `broken_files=False` or `inbreast={"films":
        0}`.
        """
        few: dict[str, Any] = {
            "seed": seed,
            "film": {"height": 160, "width": 128},
            "cbis": {"films": 10},
            "inbreast": {"films": 8},
            "ncc": {"abn_1": 5, "abn_2": 4, "normal": 5},
            "ncc_trainset": dict.fromkeys(NccTrainsetSettings.model_fields, 4),
        }
        return cls.model_validate({**few, **changes})


def load_settings(
    path: Path | str, cbis_csv: Path | str | None = None, cbis_rows: int | None = None
) -> PhantomSettings:
    """Read phantom settings from YAML; a missing file, a wrong key or value is a `UserError` naming it.

    `cbis_csv` and `cbis_rows`, where given, take the place of the keys `cbis.csv` and `cbis.rows`.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{path}: phantom settings cannot be read ({error.strerror}); give --config a YAML file"
        ) from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: no valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(raw, dict):
        raise UserError(f"{path}: expected keys such as seed, film, cbis; found {type(raw).__name__}")
    over = {"csv": None if cbis_csv is None else str(cbis_csv), "rows": cbis_rows}
    given = {key: value for key, value in over.items() if value is not None}
    if given and isinstance(raw.get("cbis", {}), dict):
        raw = {**raw, "cbis": {**raw.get("cbis", {}), **given}}
    return check_settings(raw, str(path))


def check_settings(raw: dict[str, Any], where: str) -> PhantomSettings:
    """Validate settings given as a dict; every fault becomes part of one `UserError` with its key and
    value.
    """
    try:
        return PhantomSettings.model_validate(raw)
    except ValidationError as error:
        faults = [_fault(item) for item in error.errors()]
        raise UserError(f"{where}: {'; '.join(faults)}") from error


def _fault(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"]) or "settings"
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key, remove it or check its spelling"
    if item["type"] == "value_error":
        return f"{key}: {item['ctx']['error']}"
    return f"{key}: {item['input']!r} is not possible, {item['msg'][0].lower()}{item['msg'][1:]}"
