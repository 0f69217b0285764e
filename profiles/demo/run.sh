#!/usr/bin/env bash
# The demo, from nothing to its table: `make demo` runs this from the project's folder, with its environment on PATH.
set -euo pipefail

mkdir -p demo
exec 9> demo/.running
if ! flock --nonblock 9; then
    echo "error: another demo is running in this folder" >&2
    exit 1
fi

# Snakemake's own lock is left behind when it is killed. It is released here, now that no other demo can be running,
# unless a job of the killed one still is: it would go on writing beside its successor.
if [ -n "$(ls -A demo/.snakemake/locks 2>/dev/null)" ]; then
    for folder in /proc/[0-9]*/cwd; do
        if [ "$(readlink "$folder" 2>/dev/null)" = "$PWD/demo" ]; then
            process=${folder#/proc/}
            echo "error: process ${process%/cwd}, left behind by a demo that was killed, still works in demo/;" \
                 "wait for it, or end it" >&2
            exit 1
        fi
    done
    python -m snakemake --profile profiles/demo --unlock
fi

python scripts/make_phantoms.py --config profiles/demo/phantoms.yaml --out demo/data
python -m snakemake --profile profiles/demo
python scripts/show_results.py demo/results
