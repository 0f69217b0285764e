"""From raw tar and DICOM files to every number in the spreadsheet. This file is the table of contents."""

from snakemake.utils import min_version

min_version("9.27")

# A config file is complete in itself: one given with --configfile stands in place of config.yaml, never mixed into it.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/raw.smk"
include: "rules/images.smk"
include: "rules/tables.smk"
include: "rules/report.smk"
include: "rules/trainset.smk"
include: "rules/network.smk"
include: "rules/train.smk"
include: "rules/detect.smk"
include: "rules/evaluate.smk"
include: "rules/ensemble.smk"
include: "rules/pictures.smk"


rule all:
    """Every table of results and every picture that the config asks for."""
    default_target: True
    input:
        "results/data_report.html",
        "results/all_snapshots.csv",
        expand("results/ensemble_{test_set}.csv", test_set=ENSEMBLE_TESTS),
        [
            picture
            for test_set in ENSEMBLE_TESTS
            for ensemble in ensembles_on(test_set)
            for picture in (
                f"results/overlays/{ensemble}/{test_set}",
                f"results/gallery/{ensemble}/{test_set}",
                f"results/froc/{ensemble}_{test_set}.png",
                f"results/figures/{ensemble}/{test_set}/pr.png",
            )
        ],
        [
            f"results/ensembles/{ensemble}/{test_set}.gain.csv"
            for test_set in ENSEMBLE_TESTS
            for ensemble in ensembles_on(test_set)
        ],


rule sweeps:
    """The sweep of every ensemble with `fusion: sweep`: how each way to fuse does on validation."""
    input:
        [table for ensemble in CONFIG.ensembles for table in PLAN.sweep_table(ensemble)],


rule data:
    """All images, tables and merged sets, and what is true of them; trains nothing."""
    input:
        "results/data_report.html",
        expand(f"{DATA}/retinanet_train_{{name}}.csv", name=CONFIG.train_sets),
        expand(f"{DATA}/retinanet_test_{{name}}.csv", name=CONFIG.test_sets),
        [f"{DATA}/{table}.csv" for table in ALL_PARTS],
        [f"{DATA}/{dataset}/{CLASS_TABLE}" for dataset in CONFIG.datasets],
