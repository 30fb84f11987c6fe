#!/usr/bin/env bash
# Runs every comparison of this folder with other libraries, one line of result each; logs go to BUILD/parity/.
#
#   cmake --preset release && cmake --build build/release
#   tests/parity/run.sh --venv venv --model FOLDER_OF_A_BERT_CHECKPOINT
#
#   --venv DIR      use the virtual environment DIR; it is made, with the packages below, where it does not exist
#   --python FILE   use this Python instead of python3
#   --build DIR     where the programs were built; default build/release
#   --model DIR     folder of a pretrained uncased BERT-type model; without it what needs one is left out
#   --text FILE     text for the language model; default ../shared/data/tinyshakespeare/input.txt where that exists
#
# Ends with 1 where a comparison failed. One whose program or Python packages are missing is skipped, and says so.
set -u -o pipefail

packages=(torch transformers safetensors peft numpy scipy scikit-learn seqeval tokenizers tensorboard)
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build/release python=python3 model='' text=$root/../shared/data/tinyshakespeare/input.txt
[ -f "$text" ] || text=''
while [ $# -gt 0 ]; do
    case $1${2+ with a value} in
    "--venv with a value")
        if [ ! -x "$2/bin/python" ]; then
            made=$2
            if ! { python3 -m venv "$made" && "$made/bin/pip" install --quiet "${packages[@]}"; }; then
                rm -rf "$made" # half of it would pass for the whole the next time
                exit 1
            fi
        fi
        python=$2/bin/python
        ;;
    "--python with a value") python=$2 ;;
    "--build with a value") build=$(cd "$2" && pwd) || exit 1 ;;
    "--model with a value") model=$2 ;;
    "--text with a value") text=$2 ;;
    *)
        sed -n '2,13s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
    esac
    shift 2
done
command -v "$python" >/dev/null || {
    echo "$python: there is no such program" >&2
    exit 2
}
logs=$build/parity
mkdir -p "$logs" || exit 1
failed=0

# compare NAME PROGRAM "PYTHON MODULES" COMMAND...: prints the last line of what COMMAND says.
compare() {
    local name=$1 program=$2 modules=$3 log=$logs/$1.log begin=$SECONDS state=passed
    shift 3
    if [ ! -f "$root/tests/parity/$name.py" ]; then return; fi
    if [ ! -x "$program" ]; then
        echo "skipped  $name: ${program#"$root"/} is not built"
        return
    fi
    for module in $modules; do
        if ! "$python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$module') is None)"; then
            echo "skipped  $name: $python has no package $module"
            return
        fi
    done
    if ! "$@" >"$log" 2>&1; then state=FAILED failed=1; fi
    echo "$state   $name: $(grep -v '^$' "$log" | tail -n 1) ($((SECONDS - begin)) s)"
}
script() { echo "$root/tests/parity/$1.py"; }
programs=$build/tests/programs

compare transformers_parity "$programs/parity_transformers" "torch transformers safetensors" \
    "$python" "$(script transformers_parity)" "$programs/parity_transformers" ${model:+--model "$model"}
compare shakespeare_torch "$build/examples/language_model" "torch transformers safetensors" \
    "$python" "$(script shakespeare_torch)" "$build/examples/language_model" ${text:+--text "$text"}
compare metrics "$programs/metrics_dump" "sklearn seqeval scipy" \
    "$python" "$(script metrics)" "$programs/metrics_dump"
compare safetensors_both_ways "$programs/safetensors_copy" "safetensors numpy" \
    "$python" "$(script safetensors_both_ways)" "$programs/safetensors_copy"
compare npy_both_ways "$programs/npy_copy" numpy "$python" "$(script npy_both_ways)" "$programs/npy_copy"
compare tensorboard_read "$build/tests/report_tests" tensorboard \
    env DIDACT_PYTHON="$python" "$build/tests/report_tests" --test-suite=parity
if [ -n "$model" ]; then
    compare tokenizer_ids "$programs/tokenizer_dump" "tokenizers transformers" \
        "$python" "$(script tokenizer_ids)" --dump "$programs/tokenizer_dump" --model "$model"
else
    echo "skipped  tokenizer_ids: it needs --model"
fi
exit $failed
