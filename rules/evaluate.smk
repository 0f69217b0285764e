# Figures of single snapshots, computed from stored detections.


rule evaluate:
    """Figures of one snapshot: a row a test set."""
    input:
        sets=lambda wildcards: [
            path for test_set in PLAN.tests_of(wildcards.experiment) for path in merged_test_set(test_set)
        ],
        detections=lambda wildcards: expand(
            "results/detections/{experiment}_{epoch}/{test_set}.csv",
            experiment=wildcards.experiment,
            epoch=wildcards.epoch,
            test_set=PLAN.tests_of(wildcards.experiment),
        ),
    output:
        table="results/snapshot_{experiment}_{epoch}.csv",
    log:
        "logs/evaluate/{experiment}_{epoch}.log",
    benchmark:
        "logs/evaluate/{experiment}_{epoch}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        settings=settings(CONFIG.evaluation),
        sets=lambda wildcards: PLAN.evaluation_arguments(
            wildcards.experiment, wildcards.epoch, PLAN.tests_of(wildcards.experiment)
        ),
        code=code("evaluate.py"),
        run=program("evaluate.py"),
    message:
        "Evaluate {wildcards.experiment}_{wildcards.epoch}"
    shell:
        "{params.run} --test-sets {params.sets:q}"
        " --model {wildcards.experiment}_{wildcards.epoch} --settings {params.settings:q} --code {params.code:q}"
        " --out {output.table:q} > {log:q} 2>&1"


rule validate:
    """Figures of one snapshot on its own validation set: what chooses members of ensembles."""
    input:
        images=lambda wildcards: merged_train_set(wildcards.experiment).validation_images,
        lesions=lambda wildcards: merged_train_set(wildcards.experiment).validation_lesions,
        detections="results/detections/{experiment}_{epoch}/validation.csv",
    output:
        table="results/validation/{experiment}_{epoch}.csv",
    log:
        "logs/validate/{experiment}_{epoch}.log",
    benchmark:
        "logs/validate/{experiment}_{epoch}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        settings=settings(CONFIG.evaluation),
        sets=lambda wildcards: PLAN.evaluation_arguments(
            wildcards.experiment, wildcards.epoch, ["validation"]
        ),
        code=code("evaluate.py"),
        run=program("evaluate.py"),
    message:
        "Validate {wildcards.experiment}_{wildcards.epoch}"
    shell:
        "{params.run} --test-sets {params.sets:q}"
        " --model {wildcards.experiment}_{wildcards.epoch} --settings {params.settings:q} --code {params.code:q}"
        " --out {output.table:q} > {log:q} 2>&1"


rule all_snapshots:
    """One table of all snapshots of all experiments."""
    input:
        tables=expand("results/snapshot_{snapshot}.csv", snapshot=PLAN.snapshots()),
    output:
        table="results/all_snapshots.csv",
    log:
        "logs/all_snapshots.log",
    benchmark:
        "logs/all_snapshots.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        code=code("collect.py"),
        run=program("collect.py"),
    message:
        "Collect the figures of all snapshots"
    shell:
        "{params.run} --out {output.table:q} {input.tables:q} > {log:q} 2>&1"
