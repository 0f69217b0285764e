#!/usr/bin/env bash
# Snakemake runs this inside the conda environment of detector.yaml, once, after conda has made it.
# Made by 'make lock'; do not edit. Both packages come as source and want exactly what is there already.
set -euo pipefail
python -m pip install --no-deps --no-build-isolation --no-input --require-hashes -r /dev/stdin <<'PINS'
keras-resnet==0.2.0 \
    --hash=sha256:8ce27ba782d1b45b127af51208aefdceb2de8d2c54646bac5fc786506ce558c0
keras-retinanet==1.0.0 \
    --hash=sha256:895c08949fefbb6915a6b94722ff78e3bed000ab62005b720204c05b476cdea8
PINS
