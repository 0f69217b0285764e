# Training. What it needs to go on after a kill lies in an undeclared folder that Snakemake never deletes.


rule train:
    """Train an experiment; a snapshot an epoch, published by rule snapshot. Goes on where a killed run stopped."""
    input:
        indexes=lambda wildcards: indexes_behind(PLAN.tables_behind(wildcards.experiment, "validation")),
        table=lambda wildcards: merged_train_set(wildcards.experiment).table,
        images=lambda wildcards: merged_train_set(wildcards.experiment).images,
        classes=f"{DATA}/{CLASS_TABLE}",
        weights=lambda wildcards: PLAN.initial_weights(wildcards.experiment),
    output:
        manifest="snapshots/{experiment}/snapshots.csv",
        history="snapshots/{experiment}/history.csv",
    log:
        "logs/train/{experiment}.log",
    benchmark:
        "logs/train/{experiment}.jsonl"
    conda:
        "../envs/detector.yaml"
    # Feeding one GPU; --set-threads train=N changes it. All cores would keep a second training off a second GPU.
    threads: 4
    resources:
        gpu=1,
        mem_mb=8000,
    params:
        settings=lambda wildcards: PLAN.training_settings(wildcards.experiment),
        state="snapshots/{experiment}/.state",
        logs="snapshots/{experiment}/logs",
        code=code("train.py"),
        run=program("train.py"),
        gpu_slot=program("gpu_slot.py"),
    message:
        "Train {wildcards.experiment} (progress: {log})"
    shell:
        "{params.gpu_slot} -- {params.run} --train {input.table:q}"
        " --classes {input.classes:q} --settings {params.settings:q} --code {params.code:q} --state {params.state:q}"
        " --logs {params.logs:q} --manifest {output.manifest:q} --history {output.history:q} > {log:q} 2>&1"


rule snapshot:
    """Publish the snapshot of one epoch under its name, after checking its digest."""
    input:
        manifest="snapshots/{experiment}/snapshots.csv",
    output:
        snapshot="snapshots/{experiment}/{backbone}_csv_{epoch}.h5",
    log:
        "logs/snapshot/{experiment}_{backbone}_{epoch}.log",
    benchmark:
        "logs/snapshot/{experiment}_{backbone}_{epoch}.jsonl"
    conda:
        "../envs/detector.yaml"
    params:
        state="snapshots/{experiment}/.state",
        code=code("snapshot.py"),
        run=program("snapshot.py"),
    message:
        "Publish epoch {wildcards.epoch} of {wildcards.experiment}"
    shell:
        "{params.run} --manifest {input.manifest:q} --state {params.state:q}"
        " --epoch {wildcards.epoch} --out {output.snapshot:q} > {log:q} 2>&1"
