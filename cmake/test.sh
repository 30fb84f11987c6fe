#!/bin/sh
# Installs what is missing, builds everything and runs all tests:   sh cmake/test.sh
# Another preset of CMakePresets.json may be named:                 sh cmake/test.sh sanitize
set -eu
didact_root=$(cd "$(dirname "$0")/.." && pwd)
preset=${1:-release}
didact_needs="build test"
case $preset in
sanitize) didact_needs="$didact_needs clang" ;;
arm64) didact_needs="$didact_needs arm64" ;;
esac
. "$didact_root/cmake/install_dependencies.sh"

cd "$didact_root"
export CTEST_PARALLEL_LEVEL="${CTEST_PARALLEL_LEVEL:-$(getconf _NPROCESSORS_ONLN)}"
cmake --workflow --preset "$preset"
