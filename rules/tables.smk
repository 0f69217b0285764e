# The tables of a dataset and of its parts.


rule tabulate:
    """Join a dataset's shards: images, lesions, and a row for every file that was not used."""
    input:
        images=of_all_shards("{root}/shards/{images}/images_{shard}.csv"),
        lesions=of_all_shards("{root}/shards/annotations/lesions_{shard}.csv"),
        decode_rejects=of_all_shards("{root}/shards/{images}/rejects_{shard}.csv"),
        annotate_rejects=of_all_shards("{root}/shards/annotations/rejects_{shard}.csv"),
        index=ancient(f"{DATA}/{{dataset}}/shards/index"),
        index_rejects=index_rejects,
    output:
        images=f"{DATA}/{{dataset}}/images.csv",
        lesions=f"{DATA}/{{dataset}}/lesions.csv",
        rejects=f"{DATA}/{{dataset}}/rejects.csv",
    log:
        "logs/tabulate/{dataset}.log",
    benchmark:
        "logs/tabulate/{dataset}.jsonl"
    conda:
        "../envs/imaging.yaml"
    params:
        share=lambda wildcards: CONFIG.datasets[wildcards.dataset].max_reject_share,
        code=code("tabulate.py"),
        run=program("tabulate.py"),
    message:
        "Tabulate {wildcards.dataset}"
    shell:
        "{params.run} --dataset {wildcards.dataset:q} --images {input.images:q}"
        " --lesions {input.lesions:q}"
        " --rejects {input.index_rejects:q} {input.decode_rejects:q} {input.annotate_rejects:q}"
        " --out-images {output.images:q} --out-lesions {output.lesions:q} --out-rejects {output.rejects:q}"
        " --max-reject-share {params.share} > {log:q} 2>&1"


rule part:
    """Take a part of a dataset, in keras-retinanet's format and with its images and lesions beside it."""
    input:
        images=f"{DATA}/{{dataset}}/images.csv",
        lesions=f"{DATA}/{{dataset}}/lesions.csv",
    output:
        table=f"{DATA}/{{dataset}}/{{part}}.csv",
        images=f"{DATA}/{{dataset}}/{{part}}.images.csv",
        lesions=f"{DATA}/{{dataset}}/{{part}}.lesions.csv",
    log:
        "logs/part/{dataset}_{part}.log",
    benchmark:
        "logs/part/{dataset}_{part}.jsonl"
    conda:
        "../envs/imaging.yaml"
    params:
        part=lambda wildcards: settings(CONFIG.datasets[wildcards.dataset].parts[wildcards.part]),
        labels=settings(CONFIG.labels),
        code=code("part.py"),
        run=program("part.py"),
    message:
        "Table {wildcards.part} of {wildcards.dataset}"
    shell:
        "{params.run} --images {input.images:q} --lesions {input.lesions:q} --part {params.part:q}"
        " --labels {params.labels:q} --out {output.table:q} > {log:q} 2>&1"


rule classes:
    """The class table of the label policy."""
    output:
        table=f"{DATA}/{CLASS_TABLE}",
    log:
        "logs/classes.log",
    benchmark:
        "logs/classes.jsonl"
    conda:
        "../envs/imaging.yaml"
    params:
        labels=settings(CONFIG.labels),
        code=code("classes.py"),
        run=program("classes.py"),
    shell:
        "{params.run} --labels {params.labels:q} --out {output.table:q} > {log:q} 2>&1"


use rule classes as dataset_classes with:
    output:
        table=f"{DATA}/{{dataset}}/{CLASS_TABLE}",
    log:
        "logs/classes/{dataset}.log",
    benchmark:
        "logs/classes/{dataset}.jsonl"
