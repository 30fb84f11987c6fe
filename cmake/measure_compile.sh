#!/usr/bin/env bash
# What including didact costs a user's compiler: bash cmake/measure_compile.sh [build folder]
# Prints each cost (processor seconds, best of three) and its ratio to the limit; fails beyond a limit.
# A limit holds on a machine that parses the reference, headers that are not didact's, in reference_seconds; on a slower
# one it grows by as much.
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

# best <arguments of the compiler...>: the processor seconds of the quickest of three runs
best() {
    for _ in 1 2 3; do
        { time "$compiler" "@$flags" "$@" 2>"$work/errors" || echo failed; } 2>&1
    done | awk '/failed/ { exit 1 } { cost = $1 + $2; if (NR == 1 || cost < best) best = cost } END { print best }'
}

reference_seconds=0.95
printf '#include <%s>\n' Eigen/Dense algorithm functional iostream map memory random regex string thread \
    unordered_map vector > "$work/reference.cpp"
reference=$(best -fsyntax-only "$work/reference.cpp") || { cat "$work/errors" >&2; exit 2; }
slower=$(awk -v now="$reference" -v then="$reference_seconds" 'BEGIN { print (now > then ? now / then : 1) }')
printf '%-24s %5.2f s: limits times %.2f\n' "reference, parsed" "$reference" "$slower"

# measure <name> <limit in seconds> <arguments of the compiler...>
measure() {
    local name=$1 limit=$2 cost
    shift 2
    cost=$(best "$@") || {
        cat "$work/errors" >&2
        echo "$name does not compile" >&2
        status=1
        return
    }
    awk -v name="$name" -v cost="$cost" -v limit="$limit" -v slower="$slower" 'BEGIN {
        ratio = cost / (limit * slower)
        printf "%-24s %5.2f s, limit %4.1f s, ratio %.2f%s\n", name, cost, limit * slower, ratio, (ratio > 1 ? ": TOO SLOW" : "")
        exit (ratio > 1) }' || status=1
}

measure "umbrella, parsed" 2.5 -fsyntax-only "$work/umbrella.cpp"
measure "ten lines, built at -O2" 15 -O2 -c tests/consumer/ten_lines.cpp -o "$work/ten_lines.o"
# What reads JSON costs more; see didact/pretrained.hpp.
measure "pretrained, at -O2" 40 -O2 -c tests/consumer/pretrained_lines.cpp -o "$work/pretrained.o"
exit $status
