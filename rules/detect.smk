# Detections are artifacts: a snapshot meets an image once.


rule detect:
    """Detect with one snapshot on one test set, or on the validation set of its model."""
    input:
        indexes=lambda wildcards: indexes_behind(
            PLAN.tables_behind(PLAN.looked_at_set(wildcards.model, wildcards.looked_at))
        ),
        images=looked_at_images,
        snapshot=lambda wildcards: PLAN.snapshot_file(wildcards.model, wildcards.epoch),
        classes=f"{DATA}/{CLASS_TABLE}",
    output:
        table="results/detections/{model}_{epoch}/{looked_at}.csv",
    log:
        "logs/detect/{model}_{epoch}_{looked_at}.log",
    benchmark:
        "logs/detect/{model}_{epoch}_{looked_at}.jsonl"
    conda:
        "../envs/detector.yaml"
    resources:
        gpu=1,
        mem_mb=4000,
    params:
        settings=lambda wildcards: PLAN.detection_settings(wildcards.model),
        code=code("detect.py"),
        run=program("detect.py"),
        gpu_slot=program("gpu_slot.py"),
    message:
        "Detect with {wildcards.model}_{wildcards.epoch} on {wildcards.looked_at}"
    shell:
        "{params.gpu_slot} -- {params.run} --snapshot {input.snapshot:q}"
        " --images {input.images:q} --classes {input.classes:q} --settings {params.settings:q}"
        " --out {output.table:q} > {log:q} 2>&1"
