#!/bin/sh
# Training steps of didact beside PyTorch, PEFT and Avalanche on the same work, in turn:   sh benchmarks/peers.sh
#
# Needs the peers' scripts (torch_transformer.py, torch_small.py, torch_optim.py), which are not part of this repository:
# in ../shared/peers or where --peers DIR says. Installs what is missing, the peers into a virtual environment (6 GB;
# --venv DIR, the first flag, names another place), builds, runs both sides in turn and writes table, picture and all
# measurements to benchmarks/results/. Needs a machine that does nothing else meanwhile, and two hours; --resume goes on
# where a run ended early. Other flags go to benchmarks/peers/compare.py, whose --help lists them:
#
#   sh benchmarks/peers.sh --only MiniLM --rounds 7
set -eu
didact_root=$(cd "$(dirname "$0")/.." && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/didact/peers
if [ "${1:-}" = --venv ]; then
    venv=${2:?"--venv needs a folder"}
    shift 2
fi
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac

# Before anything is installed.
compare=$didact_root/benchmarks/peers/compare.py
scripts=$didact_root/../shared/peers previous=
for argument in "$@"; do
    case $argument in
    --venv | --venv=*)
        echo "didact: --venv DIR is the first flag" >&2
        exit 2
        ;;
    -h | --help | --list) exec python3 "$compare" "$@" ;;
    --peers=*) scripts=${argument#--peers=} ;;
    esac
    [ "$previous" != --peers ] || scripts=$argument
    previous=$argument
done
for script in torch_transformer.py torch_small.py torch_optim.py; do
    [ -f "$scripts/$script" ] || {
        echo "didact: $scripts/$script: there is no such file; --peers DIR says where the peers' scripts are" >&2
        exit 2
    }
done
if command -v python3 >/dev/null; then python3 "$compare" --list "$@" >/dev/null; fi

didact_needs="build test peers"
. "$didact_root/cmake/install_dependencies.sh"

if ! "$venv/bin/python" -c "import torch, transformers, peft, avalanche" 2>/dev/null; then
    echo "didact: installing the peers to $venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet torch transformers peft avalanche-lib
fi
(cd "$didact_root" && cmake --preset release)
cmake --build "$didact_root/build/release" --target peers
exec python3 "$compare" --python "$venv/bin/python" "$@"
