# Pictures of an ensemble on a test set: films, curves, and what went wrong. Each rule is given only the settings it draws by.


rule overlays:
    """Draw lesions and the ensemble's detections on the films of a test set."""
    input:
        indexes=lambda wildcards: indexes_behind(CONFIG.test_sets[wildcards.test_set].tables),
        images=lambda wildcards: merged_test_set(wildcards.test_set).images,
        lesions=lambda wildcards: merged_test_set(wildcards.test_set).lesions,
        detections="results/ensembles/{ensemble}/{test_set}.detections.csv",
    output:
        folder=directory("results/overlays/{ensemble}/{test_set}"),
    log:
        "logs/overlays/{ensemble}_{test_set}.log",
    benchmark:
        "logs/overlays/{ensemble}_{test_set}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        settings=settings(
            CONFIG.report.model_dump(include={"overlays", "overlay_score", "overlay_side"}),
        ),
        code=code("overlays.py"),
        run=program("overlays.py"),
    message:
        "Draw {wildcards.ensemble} on {wildcards.test_set}"
    shell:
        "{params.run} --images {input.images:q} --lesions {input.lesions:q}"
        " --detections {input.detections:q} --settings {params.settings:q} --out {output.folder:q} > {log:q} 2>&1"


rule froc:
    """Draw the FROC curves of an ensemble and of its members on a test set."""
    input:
        chosen="results/ensembles/{ensemble}/members.csv",
        members=member_detections,
        images=lambda wildcards: merged_test_set(wildcards.test_set).images,
        lesions=lambda wildcards: merged_test_set(wildcards.test_set).lesions,
        ensemble="results/ensembles/{ensemble}/{test_set}.detections.csv",
    output:
        png="results/froc/{ensemble}_{test_set}.png",
        svg="results/froc/{ensemble}_{test_set}.svg",
    log:
        "logs/froc/{ensemble}_{test_set}.log",
    benchmark:
        "logs/froc/{ensemble}_{test_set}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        settings=settings(
            CONFIG.evaluation.model_dump(include={"score_threshold", "froc_hit_rule", "resamples", "seed"}),
        ),
        code=code("froc.py"),
        run=program("froc.py"),
    message:
        "Draw the FROC curve of {wildcards.ensemble} on {wildcards.test_set}"
    shell:
        "{params.run} --images {input.images:q} --lesions {input.lesions:q}"
        " --members {input.members:q} --name {wildcards.ensemble:q} --ensemble {input.ensemble:q}"
        " --settings {params.settings:q} --out-png {output.png:q} --out-svg {output.svg:q} > {log:q} 2>&1"


rule figures:
    """Draw precision and recall, ROC, scores and sensitivity by size of an ensemble and its members on a test set."""
    input:
        chosen="results/ensembles/{ensemble}/members.csv",
        members=member_detections,
        images=lambda wildcards: merged_test_set(wildcards.test_set).images,
        lesions=lambda wildcards: merged_test_set(wildcards.test_set).lesions,
        ensemble="results/ensembles/{ensemble}/{test_set}.detections.csv",
    output:
        pr=["results/figures/{ensemble}/{test_set}/pr.png", "results/figures/{ensemble}/{test_set}/pr.svg"],
        roc=["results/figures/{ensemble}/{test_set}/roc.png", "results/figures/{ensemble}/{test_set}/roc.svg"],
        scores=[
            "results/figures/{ensemble}/{test_set}/scores.png",
            "results/figures/{ensemble}/{test_set}/scores.svg",
        ],
        sizes=[
            "results/figures/{ensemble}/{test_set}/sizes.png",
            "results/figures/{ensemble}/{test_set}/sizes.svg",
        ],
    log:
        "logs/figures/{ensemble}_{test_set}.log",
    benchmark:
        "logs/figures/{ensemble}_{test_set}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        settings=settings(
            CONFIG.evaluation.model_dump(
                include={"score_threshold", "hit_rule", "froc_hit_rule", "resamples", "seed"}
            ),
        ),
        out="results/figures/{ensemble}/{test_set}",
        code=code("figures.py"),
        run=program("figures.py"),
    message:
        "Draw the figures of {wildcards.ensemble} on {wildcards.test_set}"
    shell:
        "{params.run} --images {input.images:q} --lesions {input.lesions:q}"
        " --members {input.members:q} --name {wildcards.ensemble:q} --ensemble {input.ensemble:q}"
        " --settings {params.settings:q} --out {params.out:q} > {log:q} 2>&1"


rule gallery:
    """Show what an ensemble got wrong on a test set, worst first, with crops at native resolution."""
    input:
        indexes=lambda wildcards: indexes_behind(CONFIG.test_sets[wildcards.test_set].tables),
        chosen="results/ensembles/{ensemble}/members.csv",
        members=member_detections,
        images=lambda wildcards: merged_test_set(wildcards.test_set).images,
        lesions=lambda wildcards: merged_test_set(wildcards.test_set).lesions,
        ensemble="results/ensembles/{ensemble}/{test_set}.detections.csv",
    output:
        folder=directory("results/gallery/{ensemble}/{test_set}"),
    log:
        "logs/gallery/{ensemble}_{test_set}.log",
    benchmark:
        "logs/gallery/{ensemble}_{test_set}.jsonl"
    conda:
        "../envs/reporting.yaml"
    params:
        evaluation=settings(
            CONFIG.evaluation.model_dump(include={"score_threshold", "hit_rule", "froc_hit_rule"}),
        ),
        report=settings(
            CONFIG.report.model_dump(include={"gallery", "gallery_crop", "overlay_score"}),
        ),
        code=code("gallery.py"),
        run=program("gallery.py"),
    message:
        "Show what {wildcards.ensemble} got wrong on {wildcards.test_set}"
    shell:
        "{params.run} --images {input.images:q} --lesions {input.lesions:q}"
        " --test-set {wildcards.test_set:q} --members {input.members:q} --name {wildcards.ensemble:q}"
        " --ensemble {input.ensemble:q} --evaluation {params.evaluation:q} --report {params.report:q}"
        " --out {output.folder:q} > {log:q} 2>&1"
