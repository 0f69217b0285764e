# Truth about the data before GPU time is spent: who could be recognised, what leaks, what no anchor covers.


rule audit:
    """Look through a shard's raw files for names, dates and numbers, and its images for text in margins."""
    input:
        # Ancient: the index is asked for, but only the shard's own list counts as newer.
        index=ancient(f"{DATA}/{{dataset}}/shards/index"),
        shard=shard_list,
        images=lambda wildcards: PLAN.images_of_shard(wildcards.dataset, wildcards.shard),
    output:
        table=f"{DATA}/{{dataset}}/shards/audit/audit_{{shard}}.csv",
        looks=f"{DATA}/{{dataset}}/shards/audit/looks_{{shard}}.csv",
    log:
        "logs/audit/{dataset}_{shard}.log",
    benchmark:
        "logs/audit/{dataset}_{shard}.jsonl"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=1500,
    params:
        # Only what it depends on: another contact sheet is no reason to look again.
        settings=settings({"allowed": list(CONFIG.data_report.allowed)}),
        data=lambda wildcards: DATA,
        root=lambda wildcards: f"{DATA}/{wildcards.dataset}",
        code=code("audit.py"),
        run=program("audit.py"),
    message:
        "Audit shard {wildcards.shard} of {wildcards.dataset}"
    shell:
        "{params.run} --shard {input.shard:q} --images {input.images:q} --data {params.data:q}"
        " --root {params.root:q} --settings {params.settings:q} --table {output.table:q}"
        " --looks {output.looks:q} > {log:q} 2>&1"


rule privacy:
    """Join the audits of a dataset; with data_report.privacy: stop, stop where it is not anonymised."""
    input:
        audits=of_all_shards("{root}/shards/audit/audit_{shard}.csv"),
    output:
        table=f"{DATA}/{{dataset}}/privacy.csv",
    log:
        "logs/privacy/{dataset}.log",
    benchmark:
        "logs/privacy/{dataset}.jsonl"
    conda:
        "../envs/imaging.yaml"
    params:
        settings=settings(
            {"privacy": CONFIG.data_report.privacy, "allowed": list(CONFIG.data_report.allowed)}
        ),
        code=code("privacy.py"),
        run=program("privacy.py"),
    message:
        "Check whether {wildcards.dataset} is anonymised"
    shell:
        "{params.run} {input.audits:q} --dataset {wildcards.dataset:q} --settings {params.settings:q}"
        " --out {output.table:q} > {log:q} 2>&1"


rule data_report:
    """Counts, duplicates, leakage, boxes against anchors, rejects, privacy, films with boxes: a page and a table."""
    input:
        indexes=indexes_behind(ALL_PARTS),
        tables=PLAN.tables_reported(),
        audits=PLAN.audits("audit"),
        looks=PLAN.audits("looks"),
    output:
        page="results/data_report.html",
        table="results/data_report.csv",
    log:
        "logs/data_report.log",
    benchmark:
        "logs/data_report.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        settings=PLAN.data_report_settings(),
        data=lambda wildcards: DATA,
        code=code("data_report.py"),
        run=program("data_report.py"),
    message:
        "Report on the data"
    shell:
        "{params.run} --data {params.data:q} --audits {input.audits:q} --looks {input.looks:q}"
        " --settings {params.settings:q} --out-page {output.page:q} --out-table {output.table:q}"
        " > {log:q} 2>&1"
