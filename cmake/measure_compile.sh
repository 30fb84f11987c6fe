#!/usr/bin/env bash
# What including didact costs a user's compiler: bash cmake/measure_compile.sh [build folder]
# Prints each cost in processor seconds and its ratio to the limit. A limit holds on a machine that parses the reference,
# headers that are not didact's, in reference_seconds; the reference is parsed beside each measurement, as a machine may
# change its speed from one to the next. What is beyond its limit is measured again, and fails when it is five times.
set -euo pipefail
cd "$(dirname "$0")/.."
flags=${1:-build/release}/compile_flags.txt
compiler=${CXX:-c++}
[ -f "$flags" ] || { echo "$flags is missing; configure first: cmake --preset release" >&2; exit 2; }
[ -f include/didact/didact.hpp ] || { echo "skipped: there is no include/didact/didact.hpp"; exit 0; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo '#include "didact/didact.hpp"' > "$work/umbrella.cpp"
TIMEFORMAT='%U %S'
status=0

# seconds <arguments of the compiler...>: the processor seconds of one run
seconds() {
    { time "$compiler" "@$flags" "$@" 2>"$work/errors" || echo failed; } 2>&1 |
        awk '/failed/ { exit 1 } { print $1 + $2 }'
}

reference_seconds=0.95
printf '#include <%s>\n' Eigen/Dense algorithm functional iostream map memory random regex string thread \
    unordered_map vector > "$work/reference.cpp"

# of_reference: the processor seconds of the reference
of_reference() { seconds -fsyntax-only "$work/reference.cpp" || { cat "$work/errors" >&2; exit 2; }; }

# measure <name> <limit in seconds> <arguments of the compiler...>
measure() {
    local name=$1 limit=$2 before after cost
    shift 2
    for _ in 1 2 3 4 5; do
        before=$(of_reference)
        if ! cost=$(seconds "$@"); then
            cat "$work/errors" >&2
            echo "$name does not compile" >&2
            status=1
            return
        fi
        after=$(of_reference)
        awk -v name="$name" -v limit="$limit" -v cost="$cost" -v before="$before" -v after="$after" \
            -v usual="$reference_seconds" 'BEGIN {
                reference = before < after ? before : after
                ratio = cost / (limit * (reference > usual ? reference / usual : 1))
                printf "%-24s %5.2f s, reference %4.2f s, ratio to the limit %.2f\n", name, cost, reference, ratio
                exit (ratio > 1) }' && return
    done
    echo "$name: beyond the limit of $limit s" >&2
    status=1
}

# By the moment it takes 1.9 to 2.8 times as long as the reference; the limit is 3.2 times.
measure "umbrella, parsed" 3 -fsyntax-only "$work/umbrella.cpp"
measure "ten lines, built at -O2" 15 -O2 -c tests/consumer/ten_lines.cpp -o "$work/ten_lines.o"
# What reads JSON costs more; see didact/pretrained.hpp.
measure "pretrained, at -O2" 40 -O2 -c tests/consumer/pretrained_lines.cpp -o "$work/pretrained.o"
exit $status
