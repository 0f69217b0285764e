# What all rules share: the checked config, the names that exist, settings and code as parameters. No rules here.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from mammo.errors import UserError
from mammo.records.fingerprint import code_fingerprint
from mammo.records.plan import Plan
from mammo.settings import parse_config, section_json as settings

SCRIPTS = Path(workflow.basedir) / "scripts"
# Under --sdm conda the environment's own Python; else the one that runs Snakemake, activated or not.
PYTHON = "python" if "CONDA" in str(workflow.deployment_settings.deployment_method) else sys.executable


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
    looked_at=PLAN.pattern([*CONFIG.test_sets, "validation"]),
    experiment=PLAN.pattern(CONFIG.experiments),
    ensemble=PLAN.pattern(CONFIG.ensembles),
    backbone=PLAN.pattern(experiment.model.backbone for experiment in CONFIG.experiments.values()),
    images=PLAN.pattern(PLAN.image_folder(dataset) for dataset in CONFIG.datasets),
    epoch=r"\d{2,}",
    shard=r"\d{2}",
