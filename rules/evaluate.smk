# Figures of single snapshots, computed from stored detections.


rule evaluate:
    """Figures of one snapshot: a row a test set, and a row a figure with its definition and interval."""
    input:
        sets=lambda wildcards: [
            path for test_set in PLAN.tests_of(wildcards.model) for path in merged_test_set(test_set)
        ],
        detections=lambda wildcards: expand(
            "results/detections/{model}_{epoch}/{test_set}.csv",
            model=wildcards.model,
            epoch=wildcards.epoch,
            test_set=PLAN.tests_of(wildcards.model),
        ),
        # What gives the operating point its threshold: never a test set.
        validation=validation_looked_at,
    output:
        table="results/snapshot_{model}_{epoch}.csv",
        figures="results/figures/{model}_{epoch}.csv",
    log:
        "logs/evaluate/{model}_{epoch}.log",
    benchmark:
        "logs/evaluate/{model}_{epoch}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        settings=settings(CONFIG.evaluation),
        sets=lambda wildcards: PLAN.evaluation_arguments(
            wildcards.model, wildcards.epoch, PLAN.tests_of(wildcards.model)
        ),
        validation=lambda wildcards: PLAN.validation_arguments(wildcards.model, wildcards.epoch),
        code=code("evaluate.py"),
        run=program("evaluate.py"),
    message:
        "Evaluate {wildcards.model}_{wildcards.epoch}"
    shell:
        "{params.run} --test-sets {params.sets:q} {params.validation:q}"
        " --model {wildcards.model}_{wildcards.epoch} --settings {params.settings:q} --code {params.code:q}"
        " --out {output.table:q} --out-figures {output.figures:q} > {log:q} 2>&1"


rule validate:
    """Figures of one snapshot on its own validation set: what chooses members of ensembles."""
    input:
        images=lambda wildcards: merged_train_set(wildcards.model).validation_images,
        lesions=lambda wildcards: merged_train_set(wildcards.model).validation_lesions,
        detections="results/detections/{model}_{epoch}/validation.csv",
    output:
        table="results/validation/{model}_{epoch}.csv",
    log:
        "logs/validate/{model}_{epoch}.log",
    benchmark:
        "logs/validate/{model}_{epoch}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        settings=settings(CONFIG.evaluation),
        sets=lambda wildcards: PLAN.evaluation_arguments(wildcards.model, wildcards.epoch, ["validation"]),
        code=code("evaluate.py"),
        run=program("evaluate.py"),
    message:
        "Validate {wildcards.model}_{wildcards.epoch}"
    shell:
        "{params.run} --test-sets {params.sets:q}"
        " --model {wildcards.model}_{wildcards.epoch} --settings {params.settings:q} --code {params.code:q}"
        " --out {output.table:q} > {log:q} 2>&1"


rule all_snapshots:
    """One table of all snapshots of all experiments."""
    input:
        tables=snapshots_of(CONFIG.models, "results/snapshot_{snapshot}.csv"),
        trainings=trainings_of(CONFIG.models),
        late=lambda wildcards: late_snapshots_of(CONFIG.models, "results/snapshot_{snapshot}.csv"),
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
        "{params.run} --out {output.table:q} {input.tables:q} {input.late:q} > {log:q} 2>&1"
