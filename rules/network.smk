# Films at network size: decoded and scaled once for a set and a pair of sides, whatever looks at them how often.


checkpoint network_films:
    """Bring a merged set's films to network size. A checkpoint: the index carries the digest of each film's pixels."""
    input:
        indexes=lambda wildcards: indexes_behind(PLAN.tables_behind(wildcards.merged_set)),
        # Carries the digest of every written film.
        images=lambda wildcards: merged_images(wildcards.merged_set),
    output:
        index=f"{DATA}/network_size/{{min_side}}x{{max_side}}x{{bits}}/{{merged_set}}.csv",
        pixels=f"{DATA}/network_size/{{min_side}}x{{max_side}}x{{bits}}/{{merged_set}}.pixels",
    log:
        "logs/network_films/{min_side}x{max_side}x{bits}_{merged_set}.log",
    benchmark:
        "logs/network_films/{min_side}x{max_side}x{bits}_{merged_set}.jsonl"
    conda:
        "../envs/imaging.yaml"
    threads: 2
    resources:
        mem_mb=1500,
    params:
        # Undeclared: Snakemake deletes outputs when a job starts, also where the films are the same as before.
        kept=f"{DATA}/network_size/{{min_side}}x{{max_side}}x{{bits}}/.kept",
        code=code("scale.py"),
        run=program("scale.py"),
    message:
        "Bring the films of {wildcards.merged_set} to {wildcards.min_side}x{wildcards.max_side}"
    shell:
        "{params.run} --images {input.images:q} --min-side {wildcards.min_side} --max-side {wildcards.max_side}"
        " --bits {wildcards.bits} --out {output.index:q} --kept {params.kept:q} --code {params.code:q}"
        " > {log:q} 2>&1"
