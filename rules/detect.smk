# Detections are artifacts: a snapshot meets a film once. What it found on a set is kept in an undeclared folder, by a
# key of all that it depends on, so that neither another test set nor a kill costs a second look.


rule detect:
    """Detect with one snapshot on all test sets: the network is loaded once."""
    input:
        # A function each: Snakemake then asks for all sets at once, not for one after the other.
        *[looked_at_index(name) for name in CONFIG.test_sets],
        *[looked_at_pixels(name) for name in CONFIG.test_sets],
        indexes=indexes_behind(table for sets in CONFIG.test_sets.values() for table in sets.tables),
        snapshot=lambda wildcards: PLAN.snapshot_file(wildcards.model, wildcards.epoch),
        classes=f"{DATA}/{CLASS_TABLE}",
    output:
        # A rule needs an output; without test sets nobody asks for this one.
        tables=expand(
            "results/detections/{{model}}_{{epoch}}/{test_set}.csv",
            test_set=CONFIG.test_sets or ["no_test_set"],
        ),
    log:
        "logs/detect/{model}_{epoch}.log",
    benchmark:
        "logs/detect/{model}_{epoch}.jsonl"
    conda:
        "../envs/detector.yaml"
    resources:
        gpu=1,
        mem_mb=4000,
    params:
        settings=lambda wildcards: PLAN.detection_settings(wildcards.model),
        sets=lambda wildcards: PLAN.look_arguments(wildcards.model, CONFIG.test_sets),
        store="results/detections/.looked/{model}_{epoch}",
        out="results/detections/{model}_{epoch}",
        code=code("detect.py"),
        run=program("detect.py"),
        gpu_slot=program("gpu_slot.py"),
    message:
        "Detect with {wildcards.model}_{wildcards.epoch} on all test sets"
    shell:
        "{params.gpu_slot} -- {params.run} --snapshot {input.snapshot:q} --sets {params.sets:q}"
        " --classes {input.classes:q} --settings {params.settings:q} --code {params.code:q}"
        " --store {params.store:q} --out {params.out:q} > {log:q} 2>&1"


# It chooses members and waits for no test set.
use rule detect as detect_validation with:
    input:
        looked_at_index("validation"),
        looked_at_pixels("validation"),
        indexes=lambda wildcards: indexes_behind(
            PLAN.tables_behind(PLAN.looked_at_set(wildcards.model, "validation"))
        ),
        snapshot=lambda wildcards: PLAN.snapshot_file(wildcards.model, wildcards.epoch),
        classes=f"{DATA}/{CLASS_TABLE}",
    output:
        tables=["results/detections/{model}_{epoch}/validation.csv"],
    log:
        "logs/detect_validation/{model}_{epoch}.log",
    benchmark:
        "logs/detect_validation/{model}_{epoch}.jsonl"
    params:
        settings=lambda wildcards: PLAN.detection_settings(wildcards.model),
        sets=lambda wildcards: PLAN.look_arguments(wildcards.model, ["validation"]),
        store="results/detections/.looked/{model}_{epoch}",
        out="results/detections/{model}_{epoch}",
        code=code("detect.py"),
        run=program("detect.py"),
        gpu_slot=program("gpu_slot.py"),
    message:
        "Detect with {wildcards.model}_{wildcards.epoch} on its validation set"
