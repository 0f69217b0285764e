# Ensembles: members chosen on validation, detections fused, a row for each member and one for the ensemble.


# A checkpoint, so that only chosen members look at the test sets for an ensemble's sake.
checkpoint members:
    """Name the members of an ensemble: as configured, or the best on validation. Test sets never choose anything."""
    input:
        candidates=lambda wildcards: snapshots_of(
            PLAN.candidates(wildcards.ensemble), "results/validation/{snapshot}.csv"
        ),
        trainings=lambda wildcards: trainings_of(PLAN.candidates(wildcards.ensemble)),
        late=lambda wildcards: late_snapshots_of(
            PLAN.candidates(wildcards.ensemble), "results/validation/{snapshot}.csv"
        ),
    output:
        table="results/ensembles/{ensemble}/members.csv",
    log:
        "logs/members/{ensemble}.log",
    benchmark:
        "logs/members/{ensemble}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        settings=lambda wildcards: settings(CONFIG.ensembles[wildcards.ensemble].members),
        code=code("members.py"),
        run=program("members.py"),
    message:
        "Choose the members of {wildcards.ensemble}"
    shell:
        "{params.run} --settings {params.settings:q} --candidates {input.candidates:q} {input.late:q}"
        " --out {output.table:q} > {log:q} 2>&1"


rule ensemble:
    """Fuse the members' detections on a test set; a row for each member, the ensemble's last."""
    input:
        chosen="results/ensembles/{ensemble}/members.csv",
        detections=member_detections,
        images=lambda wildcards: merged_test_set(wildcards.test_set).images,
        lesions=lambda wildcards: merged_test_set(wildcards.test_set).lesions,
    output:
        detections="results/ensembles/{ensemble}/{test_set}.detections.csv",
        table="results/ensembles/{ensemble}/{test_set}.csv",
    log:
        "logs/ensemble/{ensemble}_{test_set}.log",
    benchmark:
        "logs/ensemble/{ensemble}_{test_set}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        fusion=lambda wildcards: settings(CONFIG.ensembles[wildcards.ensemble].fusion),
        evaluation=settings(CONFIG.evaluation),
        code=code("ensemble.py"),
        run=program("ensemble.py"),
    message:
        "Fuse {wildcards.ensemble} on {wildcards.test_set}"
    shell:
        "{params.run} --name {wildcards.ensemble:q} --test-set {wildcards.test_set:q}"
        " --images {input.images:q} --lesions {input.lesions:q} --members {input.detections:q}"
        " --fusion {params.fusion:q} --evaluation {params.evaluation:q} --code {params.code:q}"
        " --out-detections {output.detections:q} --out-table {output.table:q} > {log:q} 2>&1"


rule ensemble_table:
    """All ensembles on one test set: the team's table."""
    input:
        tables=lambda wildcards: expand(
            "results/ensembles/{ensemble}/{test_set}.csv",
            ensemble=ensembles_on(wildcards.test_set),
            test_set=wildcards.test_set,
        ),
    output:
        table="results/ensemble_{test_set}.csv",
    log:
        "logs/ensemble_table/{test_set}.log",
    benchmark:
        "logs/ensemble_table/{test_set}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        code=code("collect.py"),
        run=program("collect.py"),
    message:
        "Table of the ensembles on {wildcards.test_set}"
    shell:
        "{params.run} --out {output.table:q} {input.tables:q} > {log:q} 2>&1"
