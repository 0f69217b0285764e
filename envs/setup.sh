#!/usr/bin/env bash
# Make a virtual environment from locks, or leave it alone if it is already just that.
#
#   bash envs/setup.sh VENV LOCK [LOCK...]       bash envs/setup.sh .venv requirements.lock develop.lock
#
# The first lock is the base: if it changed, if VENV was moved, or if an earlier set-up was interrupted, VENV is made
# anew. Further locks are installed on top. PYTHON=path/to/python chooses the interpreter. Everything that can be
# missing (Python, its venv module and headers, a C compiler) is looked for before anything is downloaded.
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
venv=$1; shift
locks=("$@")

outer_path=$(printf %s "$PATH" | tr ':' '\n' | grep -vxF -- "$PWD/$venv/bin" | paste -sd ':')
say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# Settings meant for another environment must not reach this one. Index, proxy and certificate settings stay.
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONOPTIMIZE PYTHONWARNINGS PYTHONDONTWRITEBYTECODE __PYVENV_LAUNCHER__
unset PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIREMENT PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PIP_NO_BINARY \
      PIP_ONLY_BINARY PIP_PREFER_BINARY PIP_UPGRADE PIP_FORCE_REINSTALL PIP_IGNORE_INSTALLED PIP_DRY_RUN PIP_EDITABLE \
      PIP_PLATFORM PIP_PYTHON_VERSION PIP_IMPLEMENTATION PIP_ABI PIP_PYTHON PIP_REQUIRE_VIRTUALENV PIP_REPORT PIP_LOG

# --- Is there anything to do? ---------------------------------------------------------------------------------------

stamp_of() { { printf '%s\n' "$PWD/$venv"; cat envs/build.lock "envs/$1"; } | sha256sum | cut -d ' ' -f 1; }
is_current() { [ "$(cat "$venv/.installed-$1" 2>/dev/null)" = "$(stamp_of "$1")" ]; }
identity() { "$1" -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null; }

base_is_sound() {
    [ ! -e "$venv/.incomplete" ] && is_current "${locks[0]}" && "$venv/bin/python" -c pass 2>/dev/null || return 1
    [ -z "${PYTHON:-}" ] || [ "$(identity "$PYTHON")" = "$(identity "$venv/bin/python")" ]
}

everything_is_sound() {
    base_is_sound || return 1
    local lock; for lock in "${locks[@]}"; do is_current "$lock" || return 1; done
}

if everything_is_sound; then exit 0; fi

if command -v flock >/dev/null; then    # two set-ups at once (make demo beside make test) take turns
    exec 9> envs/.setup.lock
    flock -n 9 || { say "Another set-up is running here; waiting for it."; flock 9; }
    if everything_is_sound; then exit 0; fi
fi

# --- What must be there already -------------------------------------------------------------------------------------

# Print why this interpreter cannot be used; nothing if it can.
shortcoming_of() {
    local python=$1 version include compiler
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        { echo "$python does not run."; return; }
    case $version in
        3.11|3.12|3.13) ;;
        *) echo "$python is Python $version; 3.11, 3.12 or 3.13 is needed (TensorFlow has no build for others)."; return ;;
    esac
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        { echo "$python has no venv module. On Debian or Ubuntu: apt install python$version-venv"; return; }
    compiler=$(compiler_for "$python")
    [ -n "$compiler" ] ||
        { echo "there is no C compiler (keras-retinanet has one extension to build). On Debian or Ubuntu: apt install build-essential"; return; }
    include=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
    [ -f "$include/Python.h" ] ||
        { echo "$python has no headers (Python.h) to build an extension with. On Debian or Ubuntu: apt install python$version-dev"; return; }
    echo '#include <Python.h>' | $compiler "-I$include" -fsyntax-only -x c - >/dev/null 2>&1 ||
        echo "the C compiler ($compiler) cannot compile an extension for $python. On Debian or Ubuntu: apt install build-essential"
}

# The compiler that builds extensions: the user's CC, the one this Python was built with, or any.
compiler_for() {
    local candidate
    for candidate in "${CC:-}" "$("$1" -c 'import sysconfig; print((sysconfig.get_config_var("CC") or "").split(" ")[0])')" cc gcc clang; do
        if [ -n "$candidate" ] && command -v "${candidate%% *}" >/dev/null; then echo "$candidate"; return; fi
    done
}

# The interpreter to make the environment with: never one of the environment that is to be removed, which may be active.
find_python() {
    local candidate problem first_problem=""
    local -x PATH=$outer_path
    for candidate in ${PYTHON:+"$PYTHON"} $([ -n "${PYTHON:-}" ] || echo python3.11 python3.12 python3.13 python3 python); do
        command -v "$candidate" >/dev/null || continue
        problem=$(shortcoming_of "$candidate")
        if [ -z "$problem" ]; then "$candidate" -c 'import sys; print(sys._base_executable)'; return; fi
        first_problem=${first_problem:-$problem}
    done
    [ -n "$first_problem" ] || first_problem="there is no ${PYTHON:-python3.11}. On Debian or Ubuntu: apt install python3.11 python3.11-venv python3.11-dev"
    say "error: the environment cannot be made: $first_problem"
    say "       Another interpreter can be named: make PYTHON=path/to/python3.11 ..."
    return 1
}

# --- Make it --------------------------------------------------------------------------------------------------------

pip_install() {  # three packages exist as source only; bytecode is compiled afterwards, by all processors at once
    "$venv/bin/python" -m pip install --require-hashes --no-deps --no-build-isolation --no-compile --no-user --no-input \
        --disable-pip-version-check --only-binary :all: --no-binary keras-retinanet,keras-resnet,connection-pool \
        $([ -t 2 ] || echo --quiet) "$@"
}

compile_bytecode() {  # without it Snakemake takes 5 to 9 s to start; a file that cannot be compiled (a template) does no harm
    "$venv/bin/python" -W ignore -m compileall -qq -j 0 "$venv"/lib/python3*/site-packages || true
}

mark_installed() { stamp_of "$1" > "$venv/.installed-$1.new" && mv -- "$venv/.installed-$1.new" "$venv/.installed-$1"; }

started=$SECONDS
if ! base_is_sound; then
    python=$(find_python)
    if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ] && [ ! -e "$venv/.incomplete" ]; then
        fail "$venv is in the way: it is no virtual environment. Move it elsewhere."
    fi
    say "Making $venv with $("$python" --version) ($python) from envs/${locks[0]}; some minutes the first time."
    rm -rf -- "$venv"
    mkdir -- "$venv"
    touch -- "$venv/.incomplete"
    CC=$(compiler_for "$python"); export CC
    "$python" -m venv "$venv"
    pip_install -r envs/build.lock
    pip_install -r "envs/${locks[0]}"
    "$venv/bin/python" -c 'import keras_retinanet.utils.compute_overlap' ||
        fail "keras-retinanet's extension was built and cannot be loaded; see above."
    compile_bytecode
    mark_installed "${locks[0]}"
    rm -- "$venv/.incomplete"
fi
for lock in "${locks[@]:1}"; do
    if is_current "$lock"; then continue; fi
    say "Adding envs/$lock to $venv."
    touch -- "$venv/.incomplete"
    pip_install -r "envs/$lock"
    compile_bytecode
    mark_installed "$lock"
    rm -- "$venv/.incomplete"
done
say "$venv is ready after $((SECONDS - started)) s."
