# Merged sets. Checkpoints: what is days of GPU time away from them is spared when they come out the same. Their
# images.csv carries the digest of every film, so that "the same" means the same pixels.


checkpoint train_set:
    """Merge tables into a train set, keep validation patients apart, refuse patients that a test set holds."""
    input:
        indexes=lambda wildcards: indexes_behind(PLAN.tables_compared(wildcards.train_set)),
        tables=lambda wildcards: PLAN.tables(CONFIG.train_sets[wildcards.train_set].tables),
        beside=lambda wildcards: PLAN.beside(PLAN.tables(CONFIG.train_sets[wildcards.train_set].tables)),
        tests=lambda wildcards: PLAN.test_tables_of(wildcards.train_set),
        beside_tests=lambda wildcards: PLAN.beside(PLAN.test_tables_of(wildcards.train_set)),
        # Only where the config stops at what is not anonymised.
        privacy=lambda wildcards: PLAN.privacy_gates(CONFIG.train_sets[wildcards.train_set].tables),
    output:
        table=f"{DATA}/retinanet_train_{{train_set}}.csv",
        images=f"{DATA}/retinanet_train_{{train_set}}.images.csv",
        lesions=f"{DATA}/retinanet_train_{{train_set}}.lesions.csv",
        validation=f"{DATA}/retinanet_val_{{train_set}}.csv",
        validation_images=f"{DATA}/retinanet_val_{{train_set}}.images.csv",
        validation_lesions=f"{DATA}/retinanet_val_{{train_set}}.lesions.csv",
    log:
        "logs/train_set/{train_set}.log",
    benchmark:
        "logs/train_set/{train_set}.jsonl"
    conda:
        "../envs/imaging.yaml"
    params:
        labels=settings(CONFIG.labels),
        validation=lambda wildcards: settings(CONFIG.train_sets[wildcards.train_set].validation),
        code=code("merge.py"),
        run=program("merge.py"),
    message:
        "Merge train set {wildcards.train_set}"
    shell:
        "{params.run} {input.tables:q} --labels {params.labels:q} --out {output.table:q}"
        " --validation {params.validation:q} --out-validation {output.validation:q} --tests {input.tests:q}"
        " > {log:q} 2>&1"


checkpoint test_set:
    """Merge tables into a test set."""
    input:
        indexes=lambda wildcards: indexes_behind(CONFIG.test_sets[wildcards.test_set].tables),
        tables=lambda wildcards: PLAN.tables(CONFIG.test_sets[wildcards.test_set].tables),
        beside=lambda wildcards: PLAN.beside(PLAN.tables(CONFIG.test_sets[wildcards.test_set].tables)),
        privacy=lambda wildcards: PLAN.privacy_gates(CONFIG.test_sets[wildcards.test_set].tables),
    output:
        table=f"{DATA}/retinanet_test_{{test_set}}.csv",
        images=f"{DATA}/retinanet_test_{{test_set}}.images.csv",
        lesions=f"{DATA}/retinanet_test_{{test_set}}.lesions.csv",
    log:
        "logs/test_set/{test_set}.log",
    benchmark:
        "logs/test_set/{test_set}.jsonl"
    conda:
        "../envs/imaging.yaml"
    params:
        labels=settings(CONFIG.labels),
        code=code("merge.py"),
        run=program("merge.py"),
    message:
        "Merge test set {wildcards.test_set}"
    shell:
        "{params.run} {input.tables:q} --labels {params.labels:q} --out {output.table:q}" " > {log:q} 2>&1"
