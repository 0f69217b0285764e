# Training. What it needs to go on after a kill lies in an undeclared folder that Snakemake never deletes.


# A checkpoint: where a training may stop early, its own table says how many snapshots there are.
checkpoint train:
    """Train an experiment; a snapshot an epoch, published by rule snapshot. Goes on where a killed run stopped."""
    input:
        indexes=lambda wildcards: indexes_behind(PLAN.tables_behind(PLAN.training_set(wildcards.experiment))),
        table=lambda wildcards: merged_train_set(wildcards.experiment).table,
        films=training_index,
        pixels=training_pixels,
        validation=validation_table,
        validation_films=validation_index,
        validation_pixels=validation_pixels,
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
        gpu=lambda wildcards: PLAN.devices(wildcards.experiment),
        mem_mb=8000,
    params:
        settings=lambda wildcards: PLAN.training_settings(wildcards.experiment),
        # Left out where no patient is kept apart.
        validation=lambda wildcards, input: [
            word
            for option, file in (
                ("--validation", input.validation),
                ("--validation-films", input.validation_films),
            )
            if file
            for word in (option, file)
        ],
        devices=lambda wildcards: PLAN.devices(wildcards.experiment),
        state="snapshots/{experiment}/.state",
        logs="snapshots/{experiment}/logs",
        code=code("train.py"),
        run=program("train.py"),
        gpu_slot=program("gpu_slot.py"),
    message:
        "Train {wildcards.experiment} (progress: {log})"
    shell:
        "{params.gpu_slot} --devices {params.devices} -- {params.run} --train {input.table:q} --films {input.films:q}"
        " {params.validation:q} --classes {input.classes:q} --settings {params.settings:q} --code {params.code:q}"
        " --state {params.state:q} --logs {params.logs:q} --manifest {output.manifest:q} --history {output.history:q}"
        " > {log:q} 2>&1"


rule snapshot:
    """Publish the snapshot of one epoch under its name, or the running mean's, after checking its digest."""
    input:
        manifest="snapshots/{experiment}/snapshots.csv",
    output:
        snapshot="snapshots/{experiment}/{backbone}_{kind}_{epoch}.h5",
    log:
        "logs/snapshot/{experiment}_{backbone}_{kind}_{epoch}.log",
    benchmark:
        "logs/snapshot/{experiment}_{backbone}_{kind}_{epoch}.jsonl"
    conda:
        "../envs/detector.yaml"
    params:
        state="snapshots/{experiment}/.state",
        ema=lambda wildcards: "--ema" if wildcards.kind == "ema" else "",
        code=code("snapshot.py"),
        run=program("snapshot.py"),
    message:
        "Publish epoch {wildcards.epoch} of {wildcards.experiment}"
    shell:
        "{params.run} --manifest {input.manifest:q} --state {params.state:q}"
        " --epoch {wildcards.epoch} {params.ema} --out {output.snapshot:q} > {log:q} 2>&1"


rule average:
    """The mean of the weights of chosen epochs as one more snapshot; no training waits for it."""
    input:
        snapshots=lambda wildcards: PLAN.averaged(wildcards.experiment, wildcards.epoch),
        films=training_index,
        pixels=training_pixels,
        indexes=lambda wildcards: indexes_behind(PLAN.tables_behind(PLAN.training_set(wildcards.experiment))),
        classes=f"{DATA}/{CLASS_TABLE}",
    output:
        snapshot="snapshots/{experiment}/{backbone}_avg_{epoch}.h5",
    log:
        "logs/average/{experiment}_{backbone}_{epoch}.log",
    benchmark:
        "logs/average/{experiment}_{backbone}_{epoch}.jsonl"
    conda:
        "../envs/detector.yaml"
    resources:
        gpu=1,
        mem_mb=4000,
    params:
        settings=lambda wildcards: PLAN.averaging_settings(wildcards.experiment),
        code=code("average.py"),
        run=program("average.py"),
        gpu_slot=program("gpu_slot.py"),
    message:
        "Average {wildcards.epoch} of {wildcards.experiment}"
    shell:
        "{params.gpu_slot} -- {params.run} --snapshots {input.snapshots:q} --films {input.films:q}"
        " --classes {input.classes:q} --settings {params.settings:q} --out {output.snapshot:q} > {log:q} 2>&1"
