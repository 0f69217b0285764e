# Ensembles: members chosen on validation, detections fused, a row for each member and one for the ensemble.
# Validation alone decides: who the members are, what each counts, and with `fusion: sweep` how they are fused.


rule sweep:
    """Try every way to fuse that the config lists, on validation films that no member was trained on; mark the best."""
    input:
        unpack(candidate_looks),
    output:
        table="results/ensembles/{ensemble}/sweep.csv",
    log:
        "logs/sweep/{ensemble}.log",
    benchmark:
        "logs/sweep/{ensemble}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        members=lambda wildcards: settings(CONFIG.ensembles[wildcards.ensemble].members),
        sweep=lambda wildcards: settings(CONFIG.ensembles[wildcards.ensemble].sweep),
        evaluation=settings(CONFIG.evaluation),
        code=code("sweep.py"),
        run=program("sweep.py"),
    message:
        "Sweep the fusion of {wildcards.ensemble} on validation"
    shell:
        "{params.run} --candidates {input.candidates:q} --detections {input.detections:q}"
        " --validation {input.validation:q} --members {params.members:q} --sweep {params.sweep:q}"
        " --evaluation {params.evaluation:q} --out {output.table:q} > {log:q} 2>&1"


rule greedy:
    """Choose members one after the other, by what each adds to the fused detections on validation."""
    input:
        unpack(candidate_looks),
    output:
        table="results/ensembles/{ensemble}/greedy.csv",
    log:
        "logs/greedy/{ensemble}.log",
    benchmark:
        "logs/greedy/{ensemble}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        members=lambda wildcards: settings(CONFIG.ensembles[wildcards.ensemble].members),
        fusion=lambda wildcards: settings(CONFIG.ensembles[wildcards.ensemble].fusion),
        evaluation=settings(CONFIG.evaluation),
        code=code("greedy.py"),
        run=program("greedy.py"),
    message:
        "Choose the members of {wildcards.ensemble} one after the other on validation"
    shell:
        "{params.run} --candidates {input.candidates:q} --detections {input.detections:q}"
        " --validation {input.validation:q} --members {params.members:q} --fusion {params.fusion:q}"
        " --evaluation {params.evaluation:q} --out {output.table:q} > {log:q} 2>&1"


# A checkpoint, so that only chosen members look at the test sets for an ensemble's sake.
checkpoint members:
    """Name the members of an ensemble and what each counts. Test sets never choose anything."""
    input:
        candidates=lambda wildcards: candidates_of(wildcards.ensemble, "results/validation/{snapshot}.csv"),
        trainings=lambda wildcards: trainings_of(PLAN.open_ended_candidates(wildcards.ensemble)),
        late=lambda wildcards: late_candidates_of(wildcards.ensemble, "results/validation/{snapshot}.csv"),
        greedy=lambda wildcards: PLAN.greedy_table(wildcards.ensemble),
        sweep=lambda wildcards: PLAN.sweep_table(wildcards.ensemble),
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
        " --greedy {input.greedy:q} --sweep {input.sweep:q} --out {output.table:q} > {log:q} 2>&1"


rule ensemble_validation:
    """Fuse the members' detections on the validation films that all share; empty tables where there are none."""
    input:
        chosen="results/ensembles/{ensemble}/members.csv",
        sweep=lambda wildcards: PLAN.sweep_table(wildcards.ensemble),
        detections=member_validation_detections,
        validation=member_validation_tables,
    output:
        images="results/ensembles/{ensemble}/validation.images.csv",
        lesions="results/ensembles/{ensemble}/validation.lesions.csv",
        detections="results/ensembles/{ensemble}/validation.detections.csv",
    log:
        "logs/ensemble_validation/{ensemble}.log",
    benchmark:
        "logs/ensemble_validation/{ensemble}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        fusion=lambda wildcards: PLAN.fusion_argument(wildcards.ensemble),
        code=code("fuse_validation.py"),
        run=program("fuse_validation.py"),
    message:
        "Fuse {wildcards.ensemble} on validation"
    shell:
        "{params.run} --chosen {input.chosen:q} --members {input.detections:q} --validation {input.validation:q}"
        " --fusion {params.fusion:q} --out-images {output.images:q} --out-lesions {output.lesions:q}"
        " --out-detections {output.detections:q} > {log:q} 2>&1"


rule ensemble:
    """Fuse the members' detections on a test set; a row for each member, the ensemble's last; a row a figure."""
    input:
        chosen="results/ensembles/{ensemble}/members.csv",
        sweep=lambda wildcards: PLAN.sweep_table(wildcards.ensemble),
        detections=member_detections,
        images=lambda wildcards: merged_test_set(wildcards.test_set).images,
        lesions=lambda wildcards: merged_test_set(wildcards.test_set).lesions,
        # What gives operating points their thresholds: of each member its own set, of the ensemble what all share.
        validation=member_validation_tables,
        looks=member_validation_detections,
        fused=expand(
            "results/ensembles/{{ensemble}}/validation.{table}.csv",
            table=["images", "lesions", "detections"],
        ),
    output:
        detections="results/ensembles/{ensemble}/{test_set}.detections.csv",
        table="results/ensembles/{ensemble}/{test_set}.csv",
        figures="results/ensembles/{ensemble}/{test_set}.figures.csv",
    log:
        "logs/ensemble/{ensemble}_{test_set}.log",
    benchmark:
        "logs/ensemble/{ensemble}_{test_set}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        fusion=lambda wildcards: PLAN.fusion_argument(wildcards.ensemble),
        evaluation=settings(CONFIG.evaluation),
        validation=ensemble_validation_arguments,
        code=code("ensemble.py"),
        run=program("ensemble.py"),
    message:
        "Fuse {wildcards.ensemble} on {wildcards.test_set}"
    shell:
        "{params.run} --name {wildcards.ensemble:q} --test-set {wildcards.test_set:q}"
        " --images {input.images:q} --lesions {input.lesions:q}"
        " --chosen {input.chosen:q} --members {input.detections:q} --validation {params.validation:q}"
        " --fusion {params.fusion:q} --evaluation {params.evaluation:q} --code {params.code:q}"
        " --out-detections {output.detections:q} --out-table {output.table:q} --out-figures {output.figures:q}"
        " > {log:q} 2>&1"


rule gain:
    """Hold an ensemble against its best member, its mean member and itself without each, with paired intervals."""
    input:
        chosen="results/ensembles/{ensemble}/members.csv",
        sweep=lambda wildcards: PLAN.sweep_table(wildcards.ensemble),
        detections=member_detections,
        validation=member_validation_figures,
        images=lambda wildcards: merged_test_set(wildcards.test_set).images,
        lesions=lambda wildcards: merged_test_set(wildcards.test_set).lesions,
    output:
        table="results/ensembles/{ensemble}/{test_set}.gain.csv",
    log:
        "logs/gain/{ensemble}_{test_set}.log",
    benchmark:
        "logs/gain/{ensemble}_{test_set}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        metric=lambda wildcards: CONFIG.ensembles[wildcards.ensemble].members.metric,
        fusion=lambda wildcards: PLAN.fusion_argument(wildcards.ensemble),
        evaluation=settings(CONFIG.evaluation),
        code=code("gain.py"),
        run=program("gain.py"),
    message:
        "Compare {wildcards.ensemble} with its members on {wildcards.test_set}"
    shell:
        "{params.run} --name {wildcards.ensemble:q} --test-set {wildcards.test_set:q}"
        " --images {input.images:q} --lesions {input.lesions:q} --chosen {input.chosen:q}"
        " --members {input.detections:q} --validation {input.validation:q} --metric {params.metric:q}"
        " --fusion {params.fusion:q} --evaluation {params.evaluation:q} --out {output.table:q} > {log:q} 2>&1"


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
