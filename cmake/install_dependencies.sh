#!/bin/sh
# Installs what building didact needs, where it is missing:   sh cmake/install_dependencies.sh
# With root or sudo by the system's package manager; on Debian and its kin without either, by unpacking packages into
# .deps/root, for which the variables that a build needs are set (source this file, or set what it prints).
# apt is tried in every run of the checks; dnf and brew were written from their package lists and never run.
#
# didact_needs (build, test, model, peers, clang, arm64; default the first three) chooses what for. DIDACT_NO_INSTALL=1
# leaves the system as it is.

# Where bash sources this file $0 is bash; another shell that is sourcing it may need didact_root set.
# shellcheck disable=SC3028
didact_root=${didact_root:-$(cd "$(dirname "${BASH_SOURCE:-$0}")/.." && pwd)}
didact_needs=${didact_needs:-build test model}
didact_local=$didact_root/.deps/root

didact_stop() {
    echo "didact: $*" >&2
    exit 1
}

didact_have() { command -v "$1" >/dev/null 2>&1; }

# didact_packages <column>: the packages of one manager (1 apt, 2 dnf, 3 brew) for all that is needed.
didact_packages() {
    for need in $didact_needs; do
        case $need in
        build) cat <<'END' ;;
ca-certificates       ca-certificates    -
libeigen3-dev         eigen3-devel       eigen
nlohmann-json3-dev    json-devel         nlohmann-json
libxtensor-dev        xtensor-devel      xtensor
libutf8proc-dev       utf8proc-devel     utf8proc
zlib1g-dev            zlib-devel         -
libdnnl-dev           onednn-devel       onednn
libcli11-dev          cli11-devel        cli11
END
        test) cat <<'END' ;;
doctest-dev           doctest-devel           doctest
libbenchmark-dev      google-benchmark-devel  google-benchmark
END
        clang) cat <<'END' ;;
clang                 clang              llvm
llvm                  llvm               -
-                     compiler-rt        -
END
        arm64) cat <<'END' ;;
g++-aarch64-linux-gnu -                  -
qemu-user-static      -                  -
END
        model) cat <<'END' ;;
python3               python3            python
python3-pip           python3-pip        -
END
        peers) cat <<'END' ;;
python3               python3            python
python3-venv          -                  -
END
        esac
    done | awk -v column="$1" '$column != "-" { print $column }'
    # Tools count as present wherever they come from.
    didact_have "${CXX:-c++}" || didact_have clang++ || didact_column "$1" g++ gcc-c++ gcc
    didact_have cmake || didact_column "$1" cmake cmake cmake
    didact_have ninja || didact_column "$1" ninja-build ninja-build ninja
}

didact_column() { shift "$1" && echo "$1"; }

didact_installed() {
    case $1 in
    apt) dpkg-query -W -f '${Status}' "$2" 2>/dev/null | grep -q '^install ok installed' ;;
    dnf) rpm -q "$2" >/dev/null 2>&1 ;;
    brew) brew list "$2" >/dev/null 2>&1 ;;
    esac
}

# Runs a command as root, or fails.
didact_as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif didact_have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        return 127
    fi
}

# Downloads and unpacks packages and what they depend on; needs no root, not even for the package lists.
didact_unpack_packages() {
    [ -d "$didact_local.for.$(echo "$*" | cksum | tr ' ' -)" ] && return 0
    apt=$didact_root/.deps/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$didact_local" || return 1
    set -- "$apt" "$@"
    (
        cd "$1" || exit 1
        shift
        options="-o Dir::State::lists=$apt/lists -o Dir::Cache=$apt/cache -o Debug::NoLocking=1 -o APT::Sandbox::User="
        # shellcheck disable=SC2086  # options and package names are words
        apt-get -q $options update &&
            missing=$(apt-get $options -s install --no-install-recommends "$@" | awk '/^Inst/ { print $2 }') &&
            apt-get -q $options download $missing
    ) || return 1
    for package in "$apt"/*.deb; do
        dpkg -x "$package" "$didact_local" || return 1
    done
    shift
    mkdir -p "$didact_local.for.$(echo "$*" | cksum | tr ' ' -)"
}

didact_use_local() {
    [ -d "$didact_local/usr" ] || return 0
    architecture=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")
    PATH=$PATH:$didact_local/usr/bin
    CMAKE_PREFIX_PATH=$didact_local/usr${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
    CPATH=${CPATH:+$CPATH:}$didact_local/usr/include
    LIBRARY_PATH=${LIBRARY_PATH:+$LIBRARY_PATH:}$didact_local/usr/lib/$architecture
    LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$didact_local/usr/lib/$architecture
    PYTHONPATH=${PYTHONPATH:+$PYTHONPATH:}$didact_local/usr/lib/python3/dist-packages
    export PATH CMAKE_PREFIX_PATH CPATH LIBRARY_PATH LD_LIBRARY_PATH PYTHONPATH
}

didact_install() {
    for manager in apt dnf brew; do
        case $manager in
        apt) didact_have apt-get && column=1 && break ;;
        dnf) didact_have dnf && column=2 && break ;;
        brew) didact_have brew && column=3 && break ;;
        esac
        manager=
    done
    if [ -z "$manager" ]; then
        echo "didact: no apt, dnf or brew here; assuming that a C++20 compiler, cmake, ninja and these are installed:" \
            "Eigen 3.4, nlohmann_json, xtensor, doctest" >&2
        return 0
    fi

    missing=
    for package in $(didact_packages "$column"); do
        didact_installed "$manager" "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    case $manager in
    apt) command="apt-get update && apt-get install -y --no-install-recommends$missing" ;;
    dnf) command="dnf install -y$missing" ;;
    brew) command="brew install$missing" ;;
    esac
    if [ -n "${DIDACT_NO_INSTALL:-}" ]; then
        echo "didact: not installed, as asked:$missing" >&2
        return 0
    fi

    echo "didact: installing$missing"
    # shellcheck disable=SC2086  # package names are words
    case $manager in
    apt)
        if DEBIAN_FRONTEND=noninteractive didact_as_root apt-get -q update &&
            DEBIAN_FRONTEND=noninteractive didact_as_root apt-get -q install -y --no-install-recommends $missing; then
            return 0
        fi
        if [ "$(id -u)" != 0 ] && didact_unpack_packages $missing; then
            return 0
        fi
        ;;
    dnf) didact_as_root dnf install -y $missing && return 0 ;;
    brew) brew install $missing && return 0 ;;
    esac
    case $manager in brew) ;; *) command="as root: $command" ;; esac
    didact_stop "could not install what is missing. Run $command"
}

didact_install
didact_use_local

case ${0##*/} in
install_dependencies.sh)
    if [ -d "$didact_local/usr" ]; then
        echo "didact: packages are unpacked in $didact_local; before a build of your own set"
        for name in PATH CMAKE_PREFIX_PATH CPATH LIBRARY_PATH LD_LIBRARY_PATH PYTHONPATH; do
            eval "echo \"export $name='\$$name'\""
        done
    fi
    ;;
esac
