#!/bin/bash
# Installs the build tree, moves what was installed, and builds and runs an outside program against it, by CMake's
# find_package and by pkg-config.
#
#   outside_test.sh BUILD_DIRECTORY COMPILER [SANITIZERS]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 compiler=$2 sanitize=${3:-}

work=$(mktemp -d "${TMPDIR:-/tmp}/muster-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
flags=()
if [[ $sanitize ]]; then flags=("-fsanitize=$sanitize"); fi

cmake --install "$build" --prefix "$work/first" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
mv "$work/first" "$work/prefix"   # nothing installed may know where it was installed to
prefix=$work/prefix

shopt -s globstar   # a pattern that matches nothing stays as it is, and is then missed
cd "$prefix"
for expected in include/muster/error.hpp lib/**/libmuster-ipc.a lib/**/muster.pc lib/**/musterConfig.cmake; do
    [[ -s $expected ]] || { echo "not installed: $expected"; find . -type f; exit 1; }
done
if leaked=$(grep -rlIF -e "$build" -e "$work/first" . --include='*.cmake' --include='*.pc' --include='*.hpp'); then
    echo "installed files name the build tree: $leaked"
    exit 1
fi

cmake -S "$here/outside" -B "$work/by-cmake" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="${flags[*]}" >"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/by-cmake"
"$work/by-cmake/outside"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name muster.pc)")
export PKG_CONFIG_PATH
pkg-config --exists --print-errors 'muster >= 0.1'
# Word splitting is how pkg-config's answer is meant to be used.
# shellcheck disable=SC2046
"$compiler" "${flags[@]}" "$here/outside/main.cpp" -o "$work/by-pkg-config" $(pkg-config --cflags --libs muster)
"$work/by-pkg-config"
