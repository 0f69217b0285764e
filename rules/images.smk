# Films and annotations, shard by shard.


rule decode:
    """Decode the films of a shard to grey images as readers see them."""
    input:
        # Ancient: the index is asked for, but only the shard's own list counts as newer.
        index=ancient(f"{DATA}/{{dataset}}/shards/index"),
        shard=shard_list,
    output:
        images=directory(f"{DATA}/{{dataset}}/{{images}}/{{shard}}"),
        table=f"{DATA}/{{dataset}}/shards/{{images}}/images_{{shard}}.csv",
        rejects=f"{DATA}/{{dataset}}/shards/{{images}}/rejects_{{shard}}.csv",
    log:
        "logs/decode/{dataset}_{images}_{shard}.log",
    benchmark:
        "logs/decode/{dataset}_{images}_{shard}.jsonl"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=1500,
    params:
        settings=settings(CONFIG.display),
        data=lambda wildcards: DATA,
        root=lambda wildcards: f"{DATA}/{wildcards.dataset}",
        code=code("decode.py"),
        run=program("decode.py"),
    message:
        "Decode shard {wildcards.shard} of {wildcards.dataset}"
    shell:
        "{params.run} --shard {input.shard:q} --data {params.data:q} --root {params.root:q}"
        " --images {output.images:q} --table {output.table:q} --rejects {output.rejects:q}"
        " --settings {params.settings:q} > {log:q} 2>&1"


rule annotate:
    """Recognise the lesions of a shard's films; boxes in native pixels."""
    input:
        # Ancient: the index is asked for, but only the shard's own list counts as newer.
        index=ancient(f"{DATA}/{{dataset}}/shards/index"),
        shard=shard_list,
    output:
        table=f"{DATA}/{{dataset}}/shards/annotations/lesions_{{shard}}.csv",
        rejects=f"{DATA}/{{dataset}}/shards/annotations/rejects_{{shard}}.csv",
    log:
        "logs/annotate/{dataset}_{shard}.log",
    benchmark:
        "logs/annotate/{dataset}_{shard}.jsonl"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=1500,
    params:
        settings=lambda wildcards: PLAN.annotation_settings(wildcards.dataset),
        data=lambda wildcards: DATA,
        code=code("annotate.py"),
        run=program("annotate.py"),
    message:
        "Annotate shard {wildcards.shard} of {wildcards.dataset}"
    shell:
        "{params.run} --shard {input.shard:q} --data {params.data:q} --table {output.table:q}"
        " --rejects {output.rejects:q} --settings {params.settings:q} > {log:q} 2>&1"
