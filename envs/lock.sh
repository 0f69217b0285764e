#!/usr/bin/env bash
# Make every lock and conda file of this folder anew from the *.in files (`make lock`).
#
#   bash envs/lock.sh              keep today's pins, add or drop what the *.in files ask for
#   bash envs/lock.sh --upgrade    move every pin to the newest release that fits
#
# One set of versions serves Python 3.11 and newer (--fork-strategy fewest), so that a number does not depend on
# the interpreter. Two packages that others ask for are left out on purpose:
#   tensorflow     tf-keras asks for it by name; requirements.lock has tensorflow-cpu, a fifth of the size, instead
#   opencv-python  keras-retinanet asks for it; opencv-python-headless is the same without a window system
set -euo pipefail
cd -- "$(dirname -- "$0")"

TENSORFLOW=2.21.0
UV=${UV:-uv}
command -v "$UV" >/dev/null || { echo "envs/lock.sh: uv is missing; 'make lock' installs it, or set UV=path/to/uv" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
echo tensorflow > "$work/no-tensorflow"
echo opencv-python > "$work/no-opencv"
echo "tensorflow-cpu==$TENSORFLOW" > "$work/cpu.in"
echo "tensorflow[and-cuda]==$TENSORFLOW" > "$work/gpu.in"

compile() { "$UV" pip compile --quiet --python-version 3.11 --no-annotate --no-header --no-emit-index-url "$@" >/dev/null; }
universal=(--universal --fork-strategy fewest --generate-hashes)
everything=(library.in imaging.in detector.in reporting.in workflow.in)

# The lock for any computer. The other locks and the conda files take their versions from it.
lock() {  # lock NAME.lock "what it is" compile-options...
    local target=$1 title=$2; shift 2
    [ ! -f "$target" ] || cp -- "$target" "$work/$target"      # uv keeps the pins that it finds in its output file
    compile "${universal[@]}" "$@" -o "$work/$target"
    { echo "# $title"; echo "# Made by 'make lock' from the *.in files beside it; do not edit."; grep -v '^#' "$work/$target"; } > "$target.new"
    mv -- "$target.new" "$target"
}
lock requirements.lock "Everything the workflow runs with, on any computer" "$@" \
    --excludes "$work/no-tensorflow" --excludes "$work/no-opencv" "${everything[@]}" "$work/cpu.in"
lock build.lock "What keras-retinanet and keras-resnet are built with; installed first" -c requirements.lock build.in
lock develop.lock "Tests, lint and format; installed on top of requirements.lock" "$@" -c requirements.lock develop.in
lock gpu.lock "As requirements.lock, with TensorFlow's CUDA wheels" "$@" -c requirements.lock \
    --excludes "$work/no-opencv" "${everything[@]}" "$work/gpu.in"

# A conda file for each kind of work: conda brings Python, pip the pins of the lock.
pins() {  # pins LOCK compile-options...: name==version lines for Python 3.11 on Linux
    local lock=$1; shift
    compile --python-platform x86_64-manylinux_2_28 -c "$lock" --excludes "$work/no-opencv" "$@" -o "$work/pins"
    grep -E '^[A-Za-z0-9._-]+==' "$work/pins" | sort
    rm -- "$work/pins"
}
conda() {  # conda NAME "what for": a conda file with the pins read from standard input
    {
        echo "# $2"
        echo "# Made by 'make lock'; do not edit. The pins are those of the locks: one set of versions, whichever way it is installed."
        printf 'name: ncc-mammography-%s\nchannels:\n  - conda-forge\n  - nodefaults\n' "$1"
        printf 'dependencies:\n  - python=3.11\n  - pip\n  - pip:\n'
        sed 's/^/      - /'
    } > "$1.yaml.new"
    mv -- "$1.yaml.new" "$1.yaml"
}
pins requirements.lock library.in imaging.in | conda imaging "Raw deliveries to films, lesions and tables"
pins requirements.lock library.in reporting.in | conda reporting "Merging, fusion, metrics, figures"
# keras-retinanet and keras-resnet are left to detector.post-deploy.sh: they must be installed without their
# dependencies and without build isolation, which a conda file cannot say.
pins gpu.lock library.in detector.in "$work/gpu.in" | grep -vE '^keras-(retinanet|resnet)==' |
    conda detector "Training and detection, on a GPU if there is one; see detector.post-deploy.sh beside it"
source_packages=$(awk '/^keras-(retinanet|resnet)==/ { keep = 1 } keep { print } keep && !/\\$/ { keep = 0 }' requirements.lock)
cat > detector.post-deploy.sh <<SCRIPT
#!/usr/bin/env bash
# Snakemake runs this inside the conda environment of detector.yaml, once, after conda has made it.
# Made by 'make lock'; do not edit. Both packages come as source and want exactly what is there already.
set -euo pipefail
python -m pip install --no-deps --no-build-isolation --no-input --require-hashes -r /dev/stdin <<'PINS'
$source_packages
PINS
SCRIPT
