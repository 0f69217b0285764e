# What all rules share: the checked config, the names that exist, settings and code as parameters. No rules here.

import shlex
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from mammo.errors import UserError
from mammo.records.fingerprint import code_fingerprint
from mammo.records.plan import Plan
from mammo.settings import load_config, parse_config, section_json as settings

SCRIPTS = Path(workflow.basedir) / "scripts"
# Under --sdm conda the environment's own Python; else the one that runs Snakemake, activated or not.
PYTHON = "python" if "CONDA" in str(workflow.deployment_settings.deployment_method) else sys.executable


class program:
    """The command that starts a script of ours, for a rule's params.

    No builtin type, so that Snakemake leaves it out of its comparison: where this checkout lies changes no result.
    What a script does is compared by `code`.
    """

    def __init__(self, script):
        self.command = f"{shlex.quote(PYTHON)} {shlex.quote(str(SCRIPTS / script))}"

    def __str__(self):
        return self.command


def checked(function, *arguments):
    """Call into the library; what a user can mend ends the parsing with its sentence instead of a traceback."""
    try:
        return function(*arguments)
    except UserError as error:
        raise WorkflowError(str(error)) from None


def code(script):
    """Fingerprint of a script and of all our modules behind it: a parameter, since Snakemake does not see imports."""
    return code_fingerprint(SCRIPTS / script, SCRIPTS)


CONFIG = checked(
    parse_config, dict(config), ", ".join(map(str, workflow.overwrite_configfiles)) or "config.yaml"
)
PLAN = Plan(CONFIG)
DATA = CONFIG.data_dir
CLASS_TABLE = "class_2_malig_or_norm.csv"
ALL_PARTS = PLAN.parts()
ENSEMBLE_TESTS = PLAN.ensemble_tests()
ensembles_on = PLAN.ensembles_on


wildcard_constraints:
    dataset=PLAN.pattern(CONFIG.datasets),
    delivery=PLAN.pattern(name for dataset in CONFIG.datasets.values() for name in dataset.deliveries),
    part=PLAN.pattern(table.partition("/")[2] for table in ALL_PARTS),
    train_set=PLAN.pattern(CONFIG.train_sets),
    test_set=PLAN.pattern(CONFIG.test_sets),
    experiment=PLAN.pattern(CONFIG.experiments),
    model=PLAN.pattern(CONFIG.models),
    kind="csv|ema",
    ensemble=PLAN.pattern(CONFIG.ensembles),
    backbone=PLAN.pattern(experiment.model.backbone for experiment in CONFIG.experiments.values()),
    images=PLAN.pattern(PLAN.image_folder(dataset) for dataset in CONFIG.datasets),
    merged_set=PLAN.pattern(PLAN.merged_sets()),
    min_side=r"\d+",
    max_side=r"\d+",
    bits="8|16",
    epoch=r"\d\d+",
    shard=r"\d\d",


# --- input functions: what is known only once a checkpoint has run


def indexes_behind(tables):
    """The index of every dataset behind tables <dataset>/<part>, for rules that join datasets or read their films.

    While an index waits to be made again, all that lies behind it still looks up to date: without asking for it, a
    job would start on films that are about to be replaced. Ancient: it is asked for, and counts for nothing more.
    """
    return [ancient(index) for index in PLAN.indexes(tables)]


@cache
def was_there(path):
    """Whether a file was there when this run first asked: Snakemake removes outputs while it makes them again."""
    return Path(path).exists()


def once_known(checkpoint, **wildcards):
    """Output files of a checkpoint, once it is known how they come out; at once where they were never made.

    Snakemake looks for no reason to run a job as long as a checkpoint before it has yet to run, and runs no checkpoint
    that no job has asked for: with new sides or another train set, a finished workflow would find nothing to do.
    """
    output, _ = checkpoint.rule.expand_output(wildcards)
    return checkpoint.get(**wildcards).output if was_there(output[0]) else output


def shard_list(wildcards):
    """The films of one shard, once the index is known."""
    return f"{checkpoints.index.get(dataset=wildcards.dataset).output.folder}/shard_{wildcards.shard}.jsonl"


def of_all_shards(pattern):
    """Input function: a file of every shard of a dataset."""
    return lambda wildcards: [
        pattern.format(
            root=f"{DATA}/{wildcards.dataset}", images=PLAN.image_folder(wildcards.dataset), shard=shard
        )
        for shard in PLAN.shards(wildcards.dataset)
    ]


def index_rejects(wildcards):
    """Files that the index already refused."""
    return f"{checkpoints.index.get(dataset=wildcards.dataset).output.folder}/rejects.csv"


def member_detections(wildcards):
    """Input function: what each member of the ensemble found on the test set, once the members are known."""
    chosen = checkpoints.members.get(ensemble=wildcards.ensemble).output.table
    return [f"results/detections/{name}/{wildcards.test_set}.csv" for name in PLAN.members(chosen)]


def snapshots_of(models, pattern):
    """The pattern for each snapshot of the models whose number of epochs the config says."""
    return expand(pattern, snapshot=PLAN.snapshots(models))


def late_snapshots_of(models, pattern):
    """The pattern for each snapshot of the models whose training may stop early, once it has ended.

    None of a training that never ran; it must be asked for by `trainings_of`, after which Snakemake asks here again.
    """
    late = []
    for model in PLAN.open_ended(models):
        (manifest,) = PLAN.manifests([model])
        if Path(manifest).exists():
            checkpoints.train.get(experiment=PLAN.trained(model))
            late += expand(pattern, snapshot=PLAN.snapshots_in(manifest, model))
    return late


def trainings_of(models):
    """The tables of snapshots of the models whose training may stop early: all are asked for at once."""
    return [ancient(manifest) for manifest in PLAN.manifests(PLAN.open_ended(models))]


def merged_train_set(model):
    """Output files of the train set of a model, its validation set among them."""
    return once_known(checkpoints.train_set, train_set=PLAN.train_set(model))


def merged_test_set(name):
    """Output files of a test set."""
    return once_known(checkpoints.test_set, test_set=name)


def merged_images(merged_set):
    """Table of images of a merged set, named train_<name>, val_<name> or test_<name>."""
    kind, _, name = merged_set.partition("_")
    if kind == "test":
        return merged_test_set(name).images
    output = once_known(checkpoints.train_set, train_set=name)
    return output.images if kind == "train" else output.validation_images


# Films at network size. The index stands for the pixels, digest by digest; their own file may be larger than what
# Snakemake compares by content, so its time counts for nothing: a rule takes both.


def network_index(model, merged_set):
    """Index of a merged set's films at the model's network size."""
    return once_known(checkpoints.network_films, **PLAN.network_size(model), merged_set=merged_set).index


def network_pixels(model, merged_set):
    """The pixels beside the index."""
    return ancient(PLAN.network_index(model, merged_set).removesuffix(".csv") + ".pixels")


def training_index(wildcards):
    """Input function: index of the experiment's train set at network size."""
    return network_index(wildcards.experiment, PLAN.training_set(wildcards.experiment))


def training_pixels(wildcards):
    """Input function: its pixels."""
    return network_pixels(wildcards.experiment, PLAN.training_set(wildcards.experiment))


def validation_index(wildcards):
    """Input function: index of the experiment's validation set at network size; nothing where it has none."""
    merged_set = PLAN.validation_set(wildcards.experiment)
    return network_index(wildcards.experiment, merged_set) if merged_set else []


def validation_pixels(wildcards):
    """Input function: its pixels."""
    merged_set = PLAN.validation_set(wildcards.experiment)
    return network_pixels(wildcards.experiment, merged_set) if merged_set else []


def validation_table(wildcards):
    """Input function: table of the experiment's validation set; nothing where it has none."""
    if PLAN.validation_set(wildcards.experiment) is None:
        return []
    return merged_train_set(wildcards.experiment).validation


def validation_looked_at(wildcards):
    """Input function: a snapshot's validation set and what it found there; nothing where no patient is kept apart."""
    if PLAN.validation_set(wildcards.model) is None:
        return []
    merged = merged_train_set(wildcards.model)
    detections = f"results/detections/{wildcards.model}_{wildcards.epoch}/validation.csv"
    return [merged.validation_images, merged.validation_lesions, detections]


def looked_at_index(name):
    """Input function: index of a test set, or of the model's own `validation` set, at network size."""
    return lambda wildcards: network_index(wildcards.model, PLAN.looked_at_set(wildcards.model, name))


def looked_at_pixels(name):
    """Input function: its pixels."""
    return lambda wildcards: network_pixels(wildcards.model, PLAN.looked_at_set(wildcards.model, name))
