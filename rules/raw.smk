# Raw deliveries: archives unpacked, films found and cut into shards.


rule unpack:
    """Unpack the archives of an NCC delivery; nothing may leave its folder."""
    input:
        tars=lambda wildcards: checked(PLAN.archives, wildcards.dataset, wildcards.delivery),
    output:
        folder=directory(f"{DATA}/{{dataset}}/dicom/{{delivery}}"),
        manifest=f"{DATA}/{{dataset}}/dicom/{{delivery}}.files.csv",
    log:
        "logs/unpack/{dataset}_{delivery}.log",
    benchmark:
        "logs/unpack/{dataset}_{delivery}.jsonl"
    conda:
        "../envs/imaging.yaml"
    params:
        settings=settings(CONFIG.unpack),
        code=code("unpack.py"),
        run=program("unpack.py"),
    message:
        "Unpack {wildcards.delivery} of {wildcards.dataset}"
    shell:
        "{params.run} --tars {input.tars:q} --delivery {wildcards.delivery:q} --out {output.folder:q}"
        " --manifest {output.manifest:q} --settings {params.settings:q} > {log:q} 2>&1"


# A checkpoint, so that shards whose list comes out the same are not done again.
checkpoint index:
    """Find a dataset's films with their annotations and labels; cut them into shards by the hash of their names."""
    input:
        manifests=lambda wildcards: PLAN.unpacked(wildcards.dataset),
    output:
        folder=directory(f"{DATA}/{{dataset}}/shards/index"),
    log:
        "logs/index/{dataset}.log",
    benchmark:
        "logs/index/{dataset}.jsonl"
    conda:
        "../envs/imaging.yaml"
    params:
        settings=lambda wildcards: PLAN.index_settings(wildcards.dataset),
        raw=lambda wildcards: checked(PLAN.raw_state, wildcards.dataset),
        root=lambda wildcards: f"{DATA}/{wildcards.dataset}",
        code=code("index.py"),
        run=program("index.py"),
    message:
        "Find the films of {wildcards.dataset}"
    shell:
        "{params.run} --dataset {wildcards.dataset:q} --root {params.root:q}"
        " --settings {params.settings:q} --out {output.folder:q} > {log:q} 2>&1"
