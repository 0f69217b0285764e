"""Every knob of the job: the models that config.yaml is held against, one section a stage.

The models are the single source of types, bounds, defaults and explanations: `schemas/config.schema.json` is generated
from them. Sections travel to the scripts as canonical JSON, so a stage sees only the part of the config that it uses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from mammo.errors import UserError
from mammo.files import canonical_json

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*(_[A-Za-z0-9.-]+)*$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
# One spelling of a path: Snakemake compares them as texts.
Folder = Annotated[str, Field(min_length=1), AfterValidator(lambda path: str(PurePosixPath(path)))]
Colour = Literal["red", "green", "dark_red", "blue", "yellow", "magenta", "cyan"]
# The forms in which an annotation comes, in the order in which `auto` looks for them: first what was written down as
# an annotation, then what was drawn into pictures. `mammo/annotations` has a module for each.
Form = Literal["seg", "gsps", "sr", "mask", "plist", "overlay", "outline", "burned_in", "white_marks"]


class FormatFolders(NamedTuple):
    """Where a raw format lies below its dataset's folder: raw folders, folder of written images, tar files or not."""

    raw: tuple[str, ...]
    images: str
    archives: bool = False


# Every raw format; the module that reads it stands under the same name in mammo/datasets/formats.py.
FORMATS: dict[str, FormatFolders] = {
    "cbis-ddsm": FormatFolders(raw=("csv", "dicom"), images="img"),
    "inbreast": FormatFolders(raw=("raw_files",), images="imgs"),
    "ncc": FormatFolders(raw=("tar",), images="img_retinanet", archives=True),
    "hospital": FormatFolders(raw=("tar",), images="imgs", archives=True),
    "coco": FormatFolders(raw=("raw_files",), images="imgs"),
    "pascal": FormatFolders(raw=("raw_files",), images="imgs"),
    "retinanet": FormatFolders(raw=("raw_files",), images="imgs"),
    "mias": FormatFolders(raw=("raw_files",), images="imgs"),
    "vindr": FormatFolders(raw=("raw_files",), images="imgs"),
}
Format = Literal[tuple(FORMATS)]  # type: ignore[valid-type]


class Section(BaseModel):
    """A part of the config: unknown keys, wrong types and later changes are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


# --- images and annotations -------------------------------------------------------------------------------------------


class DisplaySettings(Section):
    """How stored DICOM pixels become the 8-bit image that readers and networks see."""

    window: Literal["voi", "percentile", "minmax"] = Field(
        "voi",
        description="voi: the file's own VOI LUT or window, percentile where it has none; percentile: always the "
        "robust window of the breast; minmax: the stored range (washed out on most films).",
    )
    window_index: int = Field(0, ge=0, description="Which window to take where a file offers several.")
    window_explanation: str = Field(
        "",
        description="Take the window or VOI LUT that the file explains so (capitals do not matter); window_index "
        "where none is.",
    )
    percentiles: tuple[float, float] = Field(
        (0.5, 99.8),
        description="Lower and upper percentile of the breast's pixels (padding and air left out).",
    )
    image_format: Literal["jpeg", "png", "png16"] = Field(
        "jpeg",
        description="jpeg: 8-bit grey; png: the same without loss; png16: 16-bit grey without loss.",
    )
    jpeg_quality: int = Field(95, ge=1, le=100, description="Quality of the written grey JPEG.")

    @model_validator(mode="after")
    def _ordered(self) -> DisplaySettings:
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise ValueError(f"percentiles must rise within 0..100, found {low}, {high}")
        return self


class OutlineSettings(Section):
    """Recognition of a lesion outlined in colour in the JPEG beside a DICOM file."""

    colours: tuple[Colour, ...] = Field(
        ("red", "green", "dark_red"), min_length=1, description="Colours that readers used."
    )
    min_chroma: int = Field(
        40,
        ge=1,
        le=255,
        description="Distance from grey (largest minus smallest of R, G, B) from which a pixel is coloured.",
    )
    close_gap: int = Field(
        9, ge=0, description="Widest gap of a line, in pixels of the JPEG, that is closed."
    )
    min_side: int = Field(
        12, ge=1, description="Outlines narrower or lower than this, in pixels of the JPEG, are dropped."
    )


class MarkSettings(Section):
    """Recognition of marks without colour: white ones, by comparison with the clean twin, and planes, masks, SEG."""

    min_difference: int = Field(
        40,
        ge=1,
        le=255,
        description="Grey levels (of 255) by which a marked pixel is brighter than its twin's.",
    )
    close_gap: int = Field(
        9, ge=0, description="Widest gap of a line, in pixels of the marked copy or plane, that is closed."
    )
    min_side: int = Field(
        12, ge=1, description="Marks narrower or lower than this, in its pixels, are dropped."
    )


class AnnotationSettings(Section):
    """Where a film's lesions are looked for, and how what is found is recognised."""

    forms: tuple[Form, ...] | Literal["auto"] = Field(
        "auto",
        description="Forms to look for; the first that yields a lesion is taken, in the order given. auto: all, in the "
        "order seg, gsps, sr, mask, plist, overlay, outline, burned_in, white_marks.",
    )
    outline: OutlineSettings = Field(OutlineSettings(), description="Forms outline and burned_in.")
    marks: MarkSettings = Field(MarkSettings(), description="Forms white_marks, overlay, gsps, seg and mask.")

    @model_validator(mode="after")
    def _forms_once(self) -> AnnotationSettings:
        if self.forms != "auto" and (not self.forms or len(set(self.forms)) < len(self.forms)):
            raise ValueError("forms must name at least one form, each once, or be auto")
        return self


class ClassSettings(Section):
    """What a class name of a delivery's annotations means."""

    lesion_type: str = Field("", description="Lesion type; empty: the class name in small letters.")
    pathology: Literal["malignant", "benign", ""] = Field("", description="Where the class says it.")
    use: bool = Field(True, description="false: boxes of this class are no lesions.")


class DeliverySettings(Section):
    """One delivery of a dataset that comes in archives: which ones, and what it holds."""

    group: Literal["abn", "normal", "mixed"] = Field(
        description="abn: every film must carry an annotation; normal: none does; mixed: films that carry one are abn, "
        "all others count as normal."
    )
    tars: tuple[str, ...] = Field(
        (),
        description="Archives in the dataset's tar folder; empty: <delivery>.tar, .tar.gz, .tgz, .tar.bz2 or .tar.xz.",
    )
    annotations: AnnotationSettings | None = Field(
        None, description="Overrides the dataset's annotation settings (readers and workstations differ)."
    )


class PartSettings(Section):
    """A table data_*.csv of a dataset: which of its images and lesions it takes. Empty lists take all."""

    deliveries: tuple[str, ...] = Field(
        (), description="Deliveries (NCC), or mass_train, calc_test, … (CBIS-DDSM)."
    )
    groups: tuple[Literal["abn", "normal"], ...] = Field((), description="abn, normal.")
    lesion_types: tuple[str, ...] = Field(
        (),
        description="Lesion types to take, e.g. [mass]. Images with other lesions only are left out, not made normals.",
    )


class DatasetSettings(Section):
    """A folder under data_dir: its raw format, how it is cut into work, its tables."""

    format: Format = Field(description="The module of mammo/datasets that reads it.")
    shards: int = Field(
        8, ge=1, le=64, description="Jobs that share the dataset's films; membership by hash of the name."
    )
    patients: str = Field(
        "",
        description="Name space of patient ids; empty: the dataset's own. Datasets with the same name share patients.",
    )
    max_reject_share: Fraction = Field(
        0.1, description="Stop when a larger share of the dataset's files is rejected."
    )
    frames: Literal["reject", "each"] = Field(
        "reject",
        description="Files of several frames. reject: turned down; each: every frame is an image of its own.",
    )
    deliveries: dict[Name, DeliverySettings] = Field(
        default_factory=dict, description="Formats that come in archives only: the deliveries by name."
    )
    letters: dict[str, str] = Field(
        default_factory=dict,
        description="NCC only: lesion type of each letter in the folder names, e.g. {A: mass}.",
    )
    annotations: AnnotationSettings = Field(
        AnnotationSettings(), description="Where lesions are looked for; for formats that leave it open."
    )
    classes: dict[str, ClassSettings] = Field(
        default_factory=dict,
        description="Formats whose boxes carry class names only: what the names mean. Others count as lesions.",
    )
    patient_pattern: str = Field(
        "",
        description="Formats without patients, and hospital: a regular expression searched in a film's path; its group "
        "'patient' (or the first) is the patient. Empty: every film is a patient of its own (hospital: the header's).",
    )
    parts: dict[Name, PartSettings] = Field(
        min_length=1, description="Tables by file stem: data_a → data_a.csv."
    )

    @model_validator(mode="after")
    def _deliveries_fit_the_format(self) -> DatasetSettings:
        archives = FORMATS[self.format].archives
        if archives and not self.deliveries:
            raise ValueError(f"a dataset of format {self.format} must list its deliveries")
        if "" in self.letters.values():
            raise ValueError("letters: a letter stands for no lesion type; write for instance {X: mass}")
        if not archives and self.deliveries:
            raise ValueError(
                f"deliveries mean nothing for format {self.format}, which comes without archives"
            )
        if self.format != "ncc" and self.letters:
            raise ValueError(f"letters mean nothing for format {self.format}")
        _check_pattern(self.patient_pattern)
        for part, settings in self.parts.items():
            if not part.startswith("data"):
                raise ValueError(f"part '{part}' must begin with 'data', as its file data_*.csv does")
            unknown = [
                name for name in settings.deliveries if self.deliveries and name not in self.deliveries
            ]
            if unknown:
                raise ValueError(
                    f"part '{part}' names deliveries that the dataset does not have: {', '.join(unknown)}"
                )
        return self


def _check_pattern(pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"patient_pattern: no regular expression ({error})") from error
    if pattern and not groups:
        raise ValueError("patient_pattern: needs a group around the patient, e.g. '(?P<patient>p[0-9]+)_'")


class UnpackSettings(Section):
    """Limits for archives, which come from outside."""

    max_gb: Positive = Field(500.0, description="Largest unpacked size of one archive, in 10^9 bytes.")
    max_members: Count = Field(2_000_000, description="Most members of one archive.")


# --- tables -----------------------------------------------------------------------------------------------------------


class LabelSettings(Section):
    """Label policy: which class a lesion is for the network."""

    policy: Literal["all_malignant", "by_pathology", "malignant_only"] = Field(
        "all_malignant",
        description="all_malignant: every lesion is the class malignant; by_pathology: classes benign and malignant; "
        "malignant_only: benign lesions are left out (their films stay, as background).",
    )
    unknown_pathology: Literal["malignant", "benign", "leave_out"] = Field(
        "malignant", description="What a lesion without pathology counts as (NCC outlines carry none)."
    )


class ValidationSettings(Section):
    """The split that chooses epochs and members: by patient."""

    fraction: Fraction = Field(0.1, description="Share of the patients; 0: no validation.")
    seed: int = Field(1, ge=0, description="Another seed is another split.")
    folds: int | None = Field(
        None,
        ge=2,
        description="Instead of a share: the patients are cut into so many folds, one of which is the validation set. "
        "experiments.*.folds sets both for all folds.",
    )
    fold: int | None = Field(None, ge=1, description="Which of the folds, from 1.")

    @model_validator(mode="after")
    def _fold_of_folds(self) -> ValidationSettings:
        if (self.folds is None) != (self.fold is None):
            raise ValueError("folds and fold go together")
        if self.folds is not None and self.fold is not None and self.fold > self.folds:
            raise ValueError(f"there are {self.folds} folds, found fold {self.fold}")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether no patient is kept apart."""
        return self.fraction == 0 and self.folds is None


class TrainSetSettings(Section):
    """A merged training table retinanet_train_<name>.csv."""

    tables: tuple[str, ...] = Field(min_length=1, description="<dataset>/<part>, e.g. CBIS-DDSM/data_all.")
    validation: ValidationSettings = Field(
        ValidationSettings(), description="Patients kept apart from training."
    )


class TestSetSettings(Section):
    """A set that is only ever tested on."""

    __test__ = False  # not a pytest class
    tables: tuple[str, ...] = Field(min_length=1, description="<dataset>/<part>, e.g. NCC/data_abn_1.")


# --- the detector -----------------------------------------------------------------------------------------------------


class AnchorSettings(Section):
    """The boxes that the network starts from (keras_retinanet.utils.anchors)."""

    pyramid_levels: tuple[int, ...] = Field(
        (3, 4, 5, 6, 7), description="Levels of the feature pyramid; 3, 4 and 5 always."
    )
    sizes: tuple[Positive, ...] = Field(
        (32.0, 64.0, 128.0, 256.0, 512.0), description="Side in network pixels, one a level."
    )
    strides: tuple[Count, ...] = Field(
        (8, 16, 32, 64, 128), description="Step in network pixels, one a level."
    )
    ratios: tuple[Positive, ...] = Field((0.5, 1.0, 2.0), description="Height over width.")
    scales: tuple[Positive, ...] = Field(
        (1.0, 2 ** (1 / 3), 2 ** (2 / 3)), description="Factors of each size."
    )
    negative_overlap: Fraction = Field(
        0.4, description="Below this IoU with every lesion an anchor is background."
    )
    positive_overlap: Fraction = Field(
        0.5, description="From this IoU on an anchor is the lesion; between the two: ignored."
    )

    @model_validator(mode="after")
    def _consistent(self) -> AnchorSettings:
        if self.negative_overlap > self.positive_overlap:
            raise ValueError(
                f"negative_overlap {self.negative_overlap} is above positive_overlap {self.positive_overlap}"
            )
        if not len(self.pyramid_levels) == len(self.sizes) == len(self.strides):
            raise ValueError("pyramid_levels, sizes and strides need one entry for each level")
        if not {3, 4, 5} <= set(self.pyramid_levels) or not set(self.pyramid_levels) <= {2, 3, 4, 5, 6, 7}:
            raise ValueError("pyramid_levels must hold 3, 4 and 5, and nothing outside 2..7")
        if list(self.pyramid_levels) != sorted(set(self.pyramid_levels)):
            raise ValueError("pyramid_levels must rise")
        if 7 in self.pyramid_levels and 6 not in self.pyramid_levels:
            raise ValueError("pyramid level 7 is made from level 6: add 6")
        if any(stride != 2**level for level, stride in zip(self.pyramid_levels, self.strides, strict=True)):
            raise ValueError("the stride of pyramid level p is 2^p pixels")
        return self


class ModelSettings(Section):
    """The network."""

    backbone: str = Field(
        "resnet50",
        pattern=r"^(plain|resnet(50|101|152)|vgg(16|19)|densenet(121|169|201)|mobilenet(128|160|192|224)_[0-9.]+)$",
        description="resnet50|101|152, vgg16|19, densenet121|169|201, mobilenet<128|160|192|224>_<alpha>, or plain (a "
        "small five-stage network of ours for tests and the demo).",
    )
    plain_channels: tuple[Count, ...] = Field(
        (16, 24, 32, 48, 64),
        min_length=5,
        max_length=5,
        description="plain only: channels of its five stages.",
    )
    pyramid_features: int = Field(256, ge=8, description="Channels of the feature pyramid.")
    head_features: int = Field(256, ge=8, description="Channels of the two heads.")
    prior_probability: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.01, description="Initial score of every anchor."
    )
    anchors: AnchorSettings = Field(AnchorSettings(), description="Anchor boxes and what counts as overlap.")


class SideSettings(Section):
    """Size at which the network sees a film: the shorter side becomes min, unless the longer would exceed max."""

    min: int = Field(800, ge=32, description="Shorter side in network pixels.")
    max: int = Field(1333, ge=32, description="Longer side in network pixels.")

    @model_validator(mode="after")
    def _ordered(self) -> SideSettings:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class AugmentationSettings(Section):
    """Ranges of the random changes of a training film; [0, 0] and probabilities of 0 switch one off."""

    rotation: tuple[float, float] = Field((-0.1, 0.1), description="Radians.")
    translation: tuple[float, float] = Field((-0.1, 0.1), description="Share of the side.")
    shear: tuple[float, float] = Field((-0.1, 0.1), description="Radians.")
    scaling: tuple[Positive, Positive] = Field((0.9, 1.1), description="Factor.")
    flip_x: Fraction = Field(0.5, description="Probability of a left-right flip.")
    flip_y: Fraction = Field(0.5, description="Probability of an upside-down flip.")
    contrast: tuple[Positive, Positive] = Field((0.9, 1.1), description="Factor about the film's mean.")
    brightness: tuple[float, float] = Field((-0.1, 0.1), description="Added, as a share of full scale.")
    noise: Fraction = Field(0.0, description="Standard deviation of added noise, as a share of full scale.")

    @model_validator(mode="after")
    def _ranges_rise(self) -> AugmentationSettings:
        for key in ("rotation", "translation", "shear", "scaling", "contrast", "brightness"):
            low, high = getattr(self, key)
            if low > high:
                raise ValueError(f"{key} must rise, found {low}, {high}")
        return self


# What a history of epochs holds to go by. A loss is better when smaller, everything else when larger.
Monitor = Literal[
    "loss", "val_loss", "val_sensitivity", "val_clean_images", "val_froc_mean", "val_ap50", "val_sens_at_1"
]


class LossSettings(Section):
    """keras-retinanet's losses."""

    focal_alpha: Fraction = Field(0.25, description="Weight of lesions against background.")
    focal_gamma: float = Field(2.0, ge=0, description="How much easy anchors are discounted.")
    smooth_l1_sigma: Positive = Field(
        3.0, description="Where the box loss turns from square to linear: 1/σ²."
    )
    class_weights: dict[str, Positive] = Field(
        default_factory=dict,
        description="Factor of both losses by class name, e.g. {malignant: 2.0}; others have 1.",
    )


class ScheduleSettings(Section):
    """Learning rate by epoch."""

    kind: Literal["constant", "cosine", "step", "plateau"] = Field(
        "plateau",
        description="plateau: times factor after `patience` epochs in which `monitor` got no better.",
    )
    monitor: Monitor = Field("loss", description="plateau: what is watched.")
    warmup_epochs: int = Field(0, ge=0, description="Epochs of linear rise from a tenth.")
    factor: Annotated[float, Field(gt=0, lt=1)] = Field(0.1, description="step and plateau.")
    step_epochs: Count = Field(10, description="step: epochs between two falls.")
    patience: Count = Field(2, description="plateau.")
    over_epochs: int | None = Field(
        None, ge=1, description="cosine: epochs down to zero; empty: all of them."
    )


class FreezeSettings(Section):
    """Layers of the backbone that are left as they are, by depth."""

    through: Literal["none", "C2", "C3", "C4", "C5"] = Field(
        "none",
        description="The last stage that is frozen, with all before it; C5: the whole backbone. Cn is the stage whose "
        "output is 2^n times smaller than the film.",
    )
    thaw_epoch: int | None = Field(
        None, ge=2, description="From this epoch on everything is trained; empty: never."
    )


class EarlyStoppingSettings(Section):
    """When a training ends before its last epoch."""

    monitor: Monitor = Field("val_froc_mean", description="What must get better.")
    patience: Count = Field(10, description="Epochs in a row that may bring nothing better.")
    min_delta: float = Field(0.0, ge=0, description="From which difference on a value is better.")
    min_epochs: Count = Field(1, description="Epochs before which nothing is stopped.")


class WeightSettings(Section):
    """Where the weights come from before the first step."""

    source: Literal["imagenet", "none", "file", "snapshot"] = Field(
        "imagenet", description="file: weights by layer name."
    )
    path: str = Field(
        "", description="imagenet: a local file, if the machine is offline; file and snapshot: the HDF5 file."
    )

    @model_validator(mode="after")
    def _path_where_needed(self) -> WeightSettings:
        if self.source in ("file", "snapshot") and not self.path:
            raise ValueError(f"weights.path is needed for source {self.source}")
        return self


class TrainSettings(Section):
    """Optimisation."""

    epochs: Count = Field(50, description="Passes; one snapshot each.")
    steps: int | Literal["auto"] = Field(
        "auto", description="Batches an epoch; auto: one pass over the films."
    )
    batch_size: Count = Field(1, description="Films a step.")
    learning_rate: Positive = Field(1e-5, description="Adam's, at the start of the schedule.")
    schedule: ScheduleSettings = Field(ScheduleSettings(), description="How it changes.")
    clip_norm: Positive = Field(0.001, description="Largest norm of each gradient.")
    accumulate: Count = Field(
        1, description="Batches whose gradients are added before a step: a larger batch in the same memory."
    )
    devices: Count = Field(
        1, description="GPUs that share a step, each with a batch of its own; the job asks for so many."
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32",
        description="What the network computes in; weights, losses and snapshots stay float32. bfloat16, float16: for "
        "GPUs; float16 with loss scaling.",
    )
    xla: bool = Field(False, description="Compile the step with XLA: for GPUs; on the CPU it does not pay.")
    freeze: FreezeSettings = Field(FreezeSettings(), description="Layers that are not trained.")
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="Keep a running mean of the weights, with this decay a step, and write it as one more snapshot of "
        "each epoch, <experiment>-ema_<NN>; empty: no. Typical: 0.999.",
    )
    oversample_lesions: Count = Field(
        1, description="How often a film with lesions stands in a pass over the films."
    )
    early_stopping: EarlyStoppingSettings | None = Field(
        None, description="End when nothing gets better; empty: never."
    )
    on_nan: Literal["stop", "rollback"] = Field(
        "stop",
        description="When a loss is not finite. stop: end with an error; rollback: go back to the last whole epoch and "
        "on with a smaller learning rate.",
    )
    rollback_factor: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="What each rollback multiplies the learning rate by; after five the training stops."
    )
    save_minutes: Annotated[float, Field(ge=0)] = Field(
        15.0, description="How often the state is saved within an epoch; 0: after every step."
    )
    board_films: int = Field(
        4, ge=0, description="Films with lesions and current detections that TensorBoard shows each epoch."
    )
    group_by: Literal["ratio", "random", "none"] = Field(
        "ratio",
        description="ratio: films of like shape share a batch; random: shuffled each epoch; none: in order.",
    )
    seed: int = Field(0, ge=0, description="Initial weights, order of films, augmentation.")

    @model_validator(mode="after")
    def _steps_positive(self) -> TrainSettings:
        if self.steps != "auto" and self.steps < 1:
            raise ValueError(f"steps must be at least 1 or auto, found {self.steps}")
        return self


class DetectSettings(Section):
    """What is stored of a snapshot's look at a film. Thresholds of metrics come later and cost no second look."""

    score_floor: Fraction = Field(0.01, description="Boxes below are not stored.")
    max_detections: Count = Field(300, description="Most boxes an image.")
    nms_threshold: Fraction = Field(
        0.5, description="IoU above which the weaker of two boxes of one network is dropped."
    )
    flip: bool | Literal["only"] = Field(
        False,
        description="true: look at each film and at its mirror image, and pool what is found: twice the time. only: at "
        "the mirror image alone, which is how ensembles.*.members.flips looks.",
    )
    pad: bool = Field(
        True,
        description="Lay films on multiples of 32 pixels, as training does. false: at their own size, as "
        "keras-retinanet's evaluate does; for snapshots that it trained.",
    )


class ExperimentSettings(Section):
    """One training: a train set, a network, a way to train it."""

    train_set: Name = Field(description="One of train_sets.")
    test_sets: tuple[Name, ...] = Field(
        (), description="Test sets on which all_snapshots.csv wants every snapshot; empty: all."
    )
    model: ModelSettings = Field(ModelSettings(), description="The network.")
    weights: WeightSettings = Field(WeightSettings(), description="Initial weights.")
    sides: SideSettings = Field(SideSettings(), description="Image sides.")
    bits: Literal[8, 16] = Field(
        8, description="Grey levels that the network sees; 16 needs display.image_format: png16."
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=50,
        description="k-fold by patient: the block becomes k experiments, <name>-fold1 to <name>-fold<k>, on train sets "
        "of which each keeps another fold of the patients for validation.",
    )
    augmentation: AugmentationSettings = Field(
        AugmentationSettings(), description="Random changes while training."
    )
    losses: LossSettings = Field(LossSettings(), description="Losses.")
    train: TrainSettings = Field(TrainSettings(), description="Optimisation.")
    averages: tuple[tuple[Count, ...], ...] = Field(
        (),
        description="Epochs whose weights are averaged, a list for each average: one more snapshot each, "
        "<experiment>-avg_<NN>, numbered in this order.",
    )
    detect: DetectSettings = Field(DetectSettings(), description="Stored detections.")

    @model_validator(mode="after")
    def _averages_of_epochs(self) -> ExperimentSettings:
        for epochs in self.averages:
            if len(set(epochs)) < max(2, len(epochs)):
                raise ValueError(
                    f"averages: an average is of two different epochs or more, found {list(epochs)}"
                )
            if max(epochs) > self.train.epochs:
                raise ValueError(
                    f"averages: asks for epoch {max(epochs)}, and train.epochs is {self.train.epochs}"
                )
        return self


# --- figures ----------------------------------------------------------------------------------------------------------

HitRule = Literal["lesion_centre_in_detection", "detection_centre_in_lesion", "iou_0.1", "iou_0.2", "iou_0.5"]


class EvaluationSettings(Section):
    """How figures are computed from stored detections."""

    score_threshold: Fraction = Field(
        0.1, description="The team's protocol: detections from this score on count."
    )
    hit_rule: HitRule = Field(
        "lesion_centre_in_detection",
        description="The team's protocol: what hits a lesion (sensitivity, lesions_hit).",
    )
    froc_hit_rule: HitRule = Field(
        "detection_centre_in_lesion", description="What hits a lesion in FROC (sens_at_*)."
    )
    operating_fppi: float = Field(
        1.0,
        gt=0,
        description="Operating point: false positives per image on validation that the score threshold keeps to.",
    )
    resamples: int = Field(
        2000, ge=100, le=100_000, description="Of the bootstrap over patients, for intervals."
    )
    seed: int = Field(0, ge=0, description="Of the bootstrap.")


FusionMethod = Literal["wbf", "wcf", "nmw", "nms", "soft_nms", "team_drop", "team_mean"]


class FusionSettings(Section):
    """How detections of several snapshots become one set; docs/ensembles.md defines every method."""

    method: FusionMethod = Field(
        "wbf",
        description="wbf: weighted boxes fusion; wcf: weighted cluster fusion; nmw: non-maximum weighted; nms: pooled, "
        "best box kept; soft_nms: pooled, overlapping boxes lose score; team_drop: the team's rule, covered boxes "
        "dropped; team_mean: the same with scores averaged.",
    )
    iou: Fraction = Field(
        0.55,
        description="Overlap above which two boxes are one finding; best above detect.nms_threshold, so that a "
        "member's own neighbouring boxes are not taken for agreement. The team's rules have shares of their own.",
    )
    score_floor: Fraction = Field(
        0.01, description="Boxes of members below are not fused; nor are those that soft_nms brings below."
    )
    soft_nms_decay: Literal["gaussian", "linear"] = Field(
        "gaussian",
        description="soft_nms, of an overlap u: gaussian: exp(-u²/soft_nms_sigma); linear: 1 - u above iou.",
    )
    soft_nms_sigma: Positive = Field(0.5, description="soft_nms, gaussian: the greater, the less is lost.")
    wcf_penalty: float = Field(
        1.0,
        ge=0,
        description="wcf: power of the share of members that saw a finding, of those that looked; 0: no penalty, "
        "1: who saw nothing counts as score 0.",
    )
    team_cover: Share = Field(
        0.75, description="The team's rules: a box goes if another covers so much of its own area."
    )
    team_equal: Share = Field(
        0.9, description="The team's rules: of two that cover each other by so much, the lower score goes."
    )

    @model_validator(mode="after")
    def _equal_is_covered(self) -> FusionSettings:
        if self.team_equal < self.team_cover:
            raise ValueError(
                f"team_equal must be at least team_cover, found {self.team_equal} below {self.team_cover}"
            )
        return self


Metric = Literal["froc_mean", "sensitivity", "ap50", "sens_at_1"]

# A value that is a word or a block. The tags tell which one an error is about, and are left out of its key.
_WORD, _BLOCK = "~word", "~block"


def _word_or_block(value: Any) -> str:
    return _WORD if isinstance(value, str) else _BLOCK


class SweepSettings(Section):
    """What `fusion: sweep` tries on the validation set: every combination."""

    methods: tuple[FusionMethod, ...] = Field(
        ("wbf", "wcf", "nmw", "nms"), min_length=1, description="fusion.method."
    )
    ious: tuple[Fraction, ...] = Field((0.4, 0.5, 0.55, 0.6, 0.7), min_length=1, description="fusion.iou.")
    score_floors: tuple[Fraction, ...] = Field(
        (0.01, 0.05, 0.1), min_length=1, description="fusion.score_floor."
    )
    k: tuple[Count, ...] = Field(
        (), description="How many members, the best by members.metric; empty: all of them."
    )
    metric: Metric = Field("froc_mean", description="What wins; equal values go by the order tried.")

    @model_validator(mode="after")
    def _each_once(self) -> SweepSettings:
        for key in ("methods", "ious", "score_floors", "k"):
            values = getattr(self, key)
            if len(set(values)) < len(values):
                raise ValueError(f"{key}: a value stands twice")
        return self


class MemberSettings(Section):
    """Who belongs to an ensemble: snapshots by name or pattern, or chosen on the validation set."""

    names: tuple[str, ...] = Field(
        (),
        description="<experiment>_<NN>, e.g. resnet50-ncc_17; of its running mean: resnet50-ncc-ema_17; of its "
        "averages: resnet50-ncc-avg_01.",
    )
    pattern: str | None = Field(
        None,
        min_length=1,
        description="Shell pattern of snapshots' names, e.g. resnet50-*_4?: all that match.",
    )
    best: int | None = Field(None, ge=1, description="Take the best so many snapshots of `experiments`.")
    greedy: int | None = Field(
        None,
        ge=1,
        description="Begin with the best snapshot of `experiments` and add, one after the other, the one that raises "
        "the metric of the fused detections most; end when none does, or with so many.",
    )
    per_experiment: bool = Field(False, description="best: so many of each experiment, not of all together.")
    experiments: tuple[Name, ...] = Field(
        (),
        description="Where to look; empty: all. An experiment with folds stands for all of them; <experiment>-ema is "
        "its running mean, <experiment>-avg its averages.",
    )
    metric: Metric = Field("froc_mean", description="On validation.")
    weights: Annotated[
        Annotated[Literal["equal", "validation"], Tag(_WORD)] | Annotated[dict[str, Positive], Tag(_BLOCK)],
        Discriminator(_word_or_block),
    ] = Field(
        "equal",
        description="What each member's boxes count in fusion. equal; validation: the metric on validation; or a "
        "number by snapshot's name.",
    )
    flips: bool = Field(
        False, description="Each member's look at the mirror images is one more member: twice the time."
    )

    @property
    def ways(self) -> list[str]:
        """Which of names, pattern, best and greedy the config gives: exactly one, or it is refused."""
        return [key for key in ("names", "pattern", "best", "greedy") if getattr(self, key) not in (None, ())]

    @model_validator(mode="after")
    def _one_way(self) -> MemberSettings:
        if len(self.ways) != 1:
            found = " and ".join(self.ways) or "none"
            raise ValueError(f"members needs exactly one of names, pattern, best and greedy, found {found}")
        if self.per_experiment and self.best is None:
            raise ValueError(f"members.per_experiment goes with best, found {self.ways[0]}")
        return self


class EnsembleSettings(Section):
    """One ensemble; its rows stand in results/ensemble_<test set>.csv."""

    members: MemberSettings = Field(description="Who belongs to it.")
    test_sets: tuple[Name, ...] = Field((), description="Where it is tested; empty: all test sets.")
    fusion: Annotated[
        Annotated[Literal["sweep"], Tag(_WORD)] | Annotated[FusionSettings, Tag(_BLOCK)],
        Discriminator(_word_or_block),
    ] = Field(
        FusionSettings(), description="How detections are fused; sweep: as is best on the validation set."
    )
    sweep: SweepSettings = Field(SweepSettings(), description="What fusion: sweep tries.")

    @property
    def swept(self) -> bool:
        """Whether the validation set decides how detections are fused."""
        return self.fusion == "sweep"

    @model_validator(mode="after")
    def _greedy_has_fusion(self) -> EnsembleSettings:
        if self.swept and self.members.greedy is not None:
            raise ValueError(
                "members.greedy chooses by fused detections and needs the settings of fusion: write them, or choose "
                "members otherwise for fusion: sweep"
            )
        return self


class ReportSettings(Section):
    """Pictures."""

    overlays: int = Field(
        40, ge=0, description="Films drawn for each ensemble and test set; those with lesions first."
    )
    overlay_score: Fraction = Field(0.1, description="Detections below are not drawn.")
    overlay_side: int = Field(1024, ge=128, description="Longer side of an overlay, in pixels.")
    gallery: int = Field(
        20,
        ge=0,
        description="Missed lesions, and as many false positives, shown for each ensemble and test set.",
    )
    gallery_crop: int = Field(
        512,
        ge=64,
        le=4096,
        description="Side of a gallery's crop in pixels of the image; larger around a lesion that needs it.",
    )


class DataReportSettings(Section):
    """What is said about the data before GPU time is spent on them."""

    contact_sheet: int = Field(
        48, ge=0, description="Films with boxes drawn for each dataset and merged set."
    )
    contact_side: int = Field(
        320, ge=64, description="Longer side of a film on the contact sheet, in pixels."
    )
    privacy: Literal["report", "stop"] = Field(
        "report",
        description="What names, dates and numbers left in headers, or text burned into the films' margins, do: stand "
        "in the report, or stop the workflow.",
    )
    allowed: tuple[str, ...] = Field(
        (), description="Header elements (DICOM keywords) that may hold what the audit would report."
    )


class Config(Section):
    """The whole of config.yaml."""

    data_dir: Folder = Field(
        "data", description="Folder of the datasets; absolute, or relative to the working folder."
    )
    unpack: UnpackSettings = Field(UnpackSettings(), description="Limits for archives.")
    display: DisplaySettings = Field(DisplaySettings(), description="The display image.")
    labels: LabelSettings = Field(LabelSettings(), description="Label policy.")
    datasets: dict[Name, DatasetSettings] = Field(min_length=1, description="By folder name under data_dir.")
    train_sets: dict[Name, TrainSetSettings] = Field(
        default_factory=dict, description="Merged training tables."
    )
    test_sets: dict[Name, TestSetSettings] = Field(default_factory=dict, description="Test sets.")
    experiments: dict[Name, ExperimentSettings] = Field(default_factory=dict, description="Trainings.")
    evaluation: EvaluationSettings = Field(EvaluationSettings(), description="Figures.")
    ensembles: dict[Name, EnsembleSettings] = Field(default_factory=dict, description="Ensembles.")
    report: ReportSettings = Field(ReportSettings(), description="Pictures.")
    data_report: DataReportSettings = Field(DataReportSettings(), description="The truth about the data.")

    @property
    def models(self) -> dict[str, Model]:
        """What is trained, by name: <experiment>, its running mean <experiment>-ema, its averages <experiment>-avg."""
        models = {name: Model(name) for name in self.experiments}
        for name, settings in self.experiments.items():
            if settings.train.ema_decay:
                models[f"{name}-ema"] = Model(name, "ema")
        for name, settings in self.experiments.items():
            if settings.averages:
                models[f"{name}-avg"] = Model(name, "avg")
        return models

    @property
    def mirrored(self) -> dict[str, Model]:
        """<model>-flip: a model's looks at mirror images only, of those among which an ensemble with flips chooses."""
        models = self.models
        wanted = {
            name
            for ensemble in self.ensembles.values()
            if ensemble.members.flips
            for name in self.models_of(ensemble.members)
        }
        return {
            mirrored_name(name): model._replace(mirrored=True)
            for name, model in models.items()
            if name in wanted
        }

    def models_of(self, members: MemberSettings) -> list[str]:
        """Models among whose snapshots members are named or chosen."""
        if members.names:
            return list(dict.fromkeys(name.rpartition("_")[0] for name in members.names))
        return list(members.experiments or self.models)

    def matching(self, members: MemberSettings) -> list[str]:
        """Snapshots that can be members, <model>_<NN>, as if every training went to its end."""
        if members.names:
            return list(members.names)
        every = [
            f"{name}_{number:02d}"
            for name in self.models_of(members)
            if name in self.models
            for number in range(1, self.snapshot_count(name) + 1)
        ]
        return [name for name in every if fnmatchcase(name, members.pattern or "*")]

    def snapshot_count(self, model: str) -> int:
        """How many snapshots a model has, at most: its training may stop early."""
        experiment, kind, _ = self.models[model]
        settings = self.experiments[experiment]
        return len(settings.averages) if kind == "avg" else settings.train.epochs


class Model(NamedTuple):
    """Whose weights a model's snapshots hold, and how it looks.

    `kind`, as in their files' names: csv, an epoch's end; ema, the running mean; avg, the mean of several epochs.
    `mirrored`: it looks at the mirror images only.
    """

    experiment: str
    kind: Literal["csv", "ema", "avg"] = "csv"
    mirrored: bool = False


def mirrored_name(name: str) -> str:
    """Of a model or one of its snapshots, when it looks at the mirror images: <model>-flip, <model>-flip_<NN>."""
    model, underscore, number = name.rpartition("_")
    return f"{model}-flip_{number}" if underscore and number.isdigit() else f"{name}-flip"


# --- reading ----------------------------------------------------------------------------------------------------------


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key stands once in its mapping; PyYAML by itself takes the last and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping. Raises `yaml.YAMLError` naming the key and its line."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key.value}' stands twice in one mapping", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load_config(path: Path | str) -> Config:
    """Read and check a YAML config file. Raises `UserError` with one line for each fault, naming the key."""
    try:
        raw = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable YAML file: {error}") from error
    return parse_config(raw, str(path))


def parse_config(raw: Any, origin: str = "config.yaml") -> Config:
    """Check a config as read from YAML; experiments with folds come out as the experiments that they stand for.

    `origin` names it in errors. Raises `UserError`.
    """
    if not isinstance(raw, dict):
        raise UserError(f"{origin}: a config is a mapping of keys, found {type(raw).__name__}")
    try:
        config = Config.model_validate(_tuples(raw))
    except ValidationError as error:
        raise UserError("\n".join(f"{origin}: {line}" for line in _lines(error))) from error
    unfolded = with_folds(config)
    faults = [*_broken_sets(config), *_broken_experiments(config, unfolded), *_broken_ensembles(unfolded)]
    if faults:
        raise UserError("\n".join(f"{origin}: {fault}" for fault in faults))
    return unfolded


def with_folds(config: Config) -> Config:
    """The config in which every experiment with `folds: k` has become k experiments on train sets of their own.

    <name> becomes <name>-fold1 to <name>-fold<k>, trained on <train set>-fold1of<k> and so on, which all experiments
    with this train set and k share. Where an ensemble looks at <name>, it looks at all its folds. An experiment whose
    train set does not exist stays as it is.
    """
    experiments: dict[str, ExperimentSettings] = {}
    train_sets = dict(config.train_sets)
    folded: dict[str, list[str]] = {}
    for name, settings in config.experiments.items():
        whole = config.train_sets.get(settings.train_set)
        if settings.folds is None or whole is None:
            experiments[name] = settings
            continue
        folded[name] = _fold_names(name, settings)
        for fold, fold_name in enumerate(folded[name], 1):
            fold_set = _fold_set(settings, fold)
            experiments[fold_name] = settings.model_copy(update={"train_set": fold_set, "folds": None})
            split = ValidationSettings(folds=settings.folds, fold=fold, seed=whole.validation.seed)
            train_sets[fold_set] = whole.model_copy(update={"validation": split})
    ensembles = {
        name: ensemble.model_copy(update={"members": _with_all_folds(ensemble.members, folded)})
        for name, ensemble in config.ensembles.items()
    }
    return config.model_copy(
        update={"experiments": experiments, "train_sets": train_sets, "ensembles": ensembles}
    )


def _fold_names(name: str, settings: ExperimentSettings) -> list[str]:
    return [f"{name}-fold{fold}" for fold in range(1, (settings.folds or 0) + 1)]


def _fold_set(settings: ExperimentSettings, fold: int) -> str:
    return f"{settings.train_set}-fold{fold}of{settings.folds}"


def _with_all_folds(members: MemberSettings, folded: dict[str, list[str]]) -> MemberSettings:
    all_folds = folded | {
        f"{name}-{kind}": [f"{fold}-{kind}" for fold in folds]
        for name, folds in folded.items()
        for kind in ("ema", "avg")
    }
    looked_at = [one for name in members.experiments for one in all_folds.get(name, [name])]
    return members.model_copy(update={"experiments": tuple(looked_at)})


Settings = TypeVar("Settings", bound=Section)


def parse_section(model: type[Settings], text: str) -> Settings:
    """Read a section that came as JSON on a command line. Raises `UserError` naming the key."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise UserError("; ".join(_lines(error))) from error


def section_json(*sections: Section | dict[str, Any] | str | int | None) -> str:
    """Canonical JSON of one section, or of several as a list: the form in which rules hand settings to scripts."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in sections]
    return canonical_json(plain[0] if len(plain) == 1 else plain)


def _tuples(value: Any) -> Any:
    """YAML knows lists only; strict models want tuples. Integers are welcome where YAML wrote 1 for 1.0."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _lines(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        key = ".".join(str(part) for part in fault["loc"] if part not in (_WORD, _BLOCK)) or "(top)"
        message = re.sub(r"^Value error, ", "", fault["msg"])
        if fault["type"] == "extra_forbidden":
            message = "unknown key; see config.yaml and schemas/config.schema.json for those that exist"
        elif fault["type"] == "missing":
            message = "is missing"
        elif fault["type"] != "value_error":
            message = f"{message}, found {_shown(fault['input'])}{_hint(fault['type'], fault['input'])}"
        yield f"{key}: {message}"


def _shown(value: Any) -> str:
    """A value as its user wrote it: lists in square brackets, long ones cut."""
    text = repr(list(value)) if isinstance(value, tuple) else repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _hint(kind: str, value: Any) -> str:
    """The way out of a trap of YAML 1.1, where there is one."""
    if isinstance(value, bool) and kind in ("literal_error", "string_type"):
        return " (YAML reads yes, no, on and off as true and false: put the word in quotes)"
    if not isinstance(value, str) or not kind.startswith(("float", "int", "literal")):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    exponent = re.fullmatch(r"([+-]?\d+)[eE]([+-]?)(\d+)|([+-]?\d*\.\d*)[eE](\d+)", value.strip())
    if exponent is None:
        return f" (a text: write {value.strip()} without quotes)" if math.isfinite(number) else ""
    if "." in value:
        return f" (YAML reads it as text: write {exponent[4]}e+{exponent[5]})"
    return f" (YAML reads it as text: write {exponent[1]}.0e{exponent[2] or '+'}{exponent[3]})"


# Names that point to nothing, names that would collide, and sections that contradict each other.


def _broken_sets(config: Config) -> Iterator[str]:
    for kind, sets in (("train_sets", config.train_sets), ("test_sets", config.test_sets)):
        for name, settings in sets.items():
            for table in settings.tables:
                dataset, _, part = table.partition("/")
                if dataset not in config.datasets:
                    yield f"{kind}.{name}.tables: '{table}' names no dataset; there are {', '.join(config.datasets)}"
                elif part not in config.datasets[dataset].parts:
                    parts = ", ".join(config.datasets[dataset].parts)
                    yield f"{kind}.{name}.tables: '{table}' names no part of {dataset}; there are {parts}"
            if len(set(settings.tables)) < len(settings.tables):
                yield f"{kind}.{name}.tables: a table stands twice"
    if "validation" in config.test_sets:
        yield "test_sets.validation: the name is taken by each experiment's own validation set"


def _broken_experiments(config: Config, unfolded: Config) -> Iterator[str]:
    for name, experiment in config.experiments.items():
        if re.search(r"_\d+$", name):
            yield f"experiments.{name}: a name may not end in _<number>, which marks a snapshot's epoch"
        if experiment.train_set not in config.train_sets:
            yield (
                f"experiments.{name}.train_set: '{experiment.train_set}' is no train set; there are "
                + ", ".join(config.train_sets)
            )
        yield from _unknown(f"experiments.{name}.test_sets", experiment.test_sets, config.test_sets)
        if experiment.model.backbone == "plain" and experiment.weights.source == "imagenet":
            yield (
                f"experiments.{name}.weights.source: there are no ImageNet weights for the backbone plain; write none, "
                "or name a file or a snapshot"
            )
        yield from _broken_folds(config, name, experiment)
        yield from _unseen_figures(config, name, experiment)
    taken = {**config.experiments, **unfolded.experiments}
    for name, model in unfolded.models.items():
        if model.kind != "csv" and name in taken:
            what = {"ema": "running mean", "avg": "averages"}[model.kind]
            why = {"ema": "train.ema_decay", "avg": "averages"}[model.kind]
            yield (
                f"experiments.{name}: the name is taken by the {what} of {model.experiment}, which its {why} asks for; "
                "choose another"
            )
    for name in unfolded.mirrored:
        if name in taken:
            yield (
                f"experiments.{name}: the name is taken by looks at mirror images, which ensembles.*.members.flips "
                "asks for; choose another"
            )


def _unseen_figures(config: Config, name: str, experiment: ExperimentSettings) -> Iterator[str]:
    """A training that goes by figures on a validation set, and has none."""
    train_set = config.train_sets.get(experiment.train_set)
    if train_set is None or experiment.folds is not None or not train_set.validation.is_empty:
        return
    train = experiment.train
    watched = {"early_stopping": train.early_stopping.monitor if train.early_stopping else "loss"}
    if train.schedule.kind == "plateau":
        watched["schedule"] = train.schedule.monitor
    for key, monitor in watched.items():
        if monitor != "loss":
            yield (
                f"experiments.{name}.train.{key}.monitor: {monitor} is a figure on the validation set, and "
                f"{experiment.train_set} keeps no patient apart; write loss, or raise its validation.fraction"
            )


def _broken_folds(config: Config, name: str, experiment: ExperimentSettings) -> Iterator[str]:
    if experiment.folds is None or experiment.train_set not in config.train_sets:
        return
    if config.train_sets[experiment.train_set].validation.folds is not None:
        yield (
            f"experiments.{name}.folds: the train set {experiment.train_set} is one of several folds already; take its "
            "validation.folds and validation.fold out, or these folds"
        )
    for fold, taken in enumerate(_fold_names(name, experiment), 1):
        if taken in config.experiments:
            yield f"experiments.{taken}: the name is taken by a fold of experiments.{name}; choose another"
        if _fold_set(experiment, fold) in config.train_sets:
            yield (
                f"train_sets.{_fold_set(experiment, fold)}: the name is taken by a fold of experiments.{name}; choose "
                "another"
            )


def _broken_ensembles(config: Config) -> Iterator[str]:
    for name, ensemble in config.ensembles.items():
        yield from _unknown(f"ensembles.{name}.test_sets", ensemble.test_sets, config.test_sets)
        yield from _unknown(
            f"ensembles.{name}.members.experiments", ensemble.members.experiments, config.models
        )
        yield from _broken_members(config, name, ensemble.members)


def _broken_members(config: Config, ensemble: str, members: MemberSettings) -> Iterator[str]:
    key = f"ensembles.{ensemble}.members"
    yield from _broken_names(config, key, members)
    if len(set(members.experiments)) < len(members.experiments):
        yield f"{key}.experiments: an experiment stands twice"
    models = [name for name in config.models_of(members) if name in config.models]
    yield from _too_few(config, key, members, models)
    yield from _broken_looks(config, key, members, models)
    yield from _broken_weights(config, key, members)
    settings = config.ensembles[ensemble]
    if members.names and members.weights != "validation" and not settings.swept:
        return
    (way,) = members.ways
    there_are = {"best": members.best, "names": len(members.names), "pattern": len(config.matching(members))}
    for k in settings.sweep.k if settings.swept and not members.per_experiment else ():
        if k > (there_are.get(way) or k):
            yield f"ensembles.{ensemble}.sweep.k: asks for {k} members, and there are {there_are[way]}"
    for name in models:
        train_set = config.train_sets.get(config.experiments[config.models[name].experiment].train_set)
        if train_set and train_set.validation.is_empty:
            yield f"{key}.{way}: {name} has no validation set to choose on (its validation.fraction is 0)"


def _broken_names(config: Config, key: str, members: MemberSettings) -> Iterator[str]:
    for member in members.names:
        model, _, number = member.rpartition("_")
        if model not in config.models or not re.fullmatch("[0-9]+", number):
            yield f"{key}.names: '{member}' is no <experiment>_<NN>; experiments are {', '.join(config.models)}"
        elif not 1 <= int(number) <= config.snapshot_count(model):
            what = "averages" if config.models[model].kind == "avg" else "epochs"
            yield f"{key}.names: '{member}': {model} has {config.snapshot_count(model)} {what}"
        elif number != f"{int(number):02d}":
            yield f"{key}.names: '{member}' is no snapshot's name: write {model}_{int(number):02d}"
    if len(set(members.names)) < len(members.names):
        yield f"{key}.names: a snapshot stands twice"


def _too_few(config: Config, key: str, members: MemberSettings, models: list[str]) -> Iterator[str]:
    """Fewer snapshots than are asked for, though every training should go to its end."""
    if len(models) < len(config.models_of(members)):
        return  # named in another line
    counts = [config.snapshot_count(name) for name in models]
    if members.best is not None:
        there_are = min(counts, default=0) if members.per_experiment else sum(counts)
        if members.best > there_are:
            each = " of each experiment" if members.per_experiment else ""
            yield f"{key}.best: asks for {members.best} snapshots{each}, and there are {there_are}; see train.epochs"
    if members.greedy is not None and not sum(counts):
        yield f"{key}.greedy: there is no snapshot to choose among; see experiments"
    if members.pattern is not None and not config.matching(members):
        yield (
            f"{key}.pattern: '{members.pattern}' matches none of the {sum(counts)} snapshots of {', '.join(models)}; a "
            "snapshot is named <experiment>_<NN>"
        )


def _broken_looks(config: Config, key: str, members: MemberSettings, models: list[str]) -> Iterator[str]:
    for name in models if members.flips else []:
        if config.experiments[config.models[name].experiment].detect.flip:
            yield (
                f"{key}.flips: {name} looks at mirror images already; take its detect.flip out, or these flips"
            )


def _broken_weights(config: Config, key: str, members: MemberSettings) -> Iterator[str]:
    if isinstance(members.weights, str):
        return
    if not members.weights:
        yield f"{key}.weights: names no snapshot; write equal"
    could_be = set(members.names) if members.names else set(config.matching(members))
    for name in members.weights:
        if name not in could_be:
            yield f"{key}.weights: '{name}' can be no member; members are named <experiment>_<NN>"
    for name in members.names:
        if name not in members.weights:
            yield f"{key}.weights: has none for the member {name}; give each member its own, or write equal"


def _unknown(key: str, names: tuple[str, ...], known: dict[str, Any]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{key}: '{name}' does not exist; there are {', '.join(known)}"
