#!/bin/bash
# Installs the build tree, moves what was installed, builds README's first program against it, by CMake's find_package
# and by pkg-config, and runs it with the installed daemon.
#
#   outside_test.sh BUILD_DIRECTORY COMPILER [SANITIZERS]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 compiler=$2 sanitize=${3:-}

work=$(mktemp -d "${TMPDIR:-/tmp}/muster-install.XXXXXX")
daemon=
cleanup() {
    if [[ $daemon ]] && kill -TERM "$daemon"; then wait "$daemon" || true; fi
    rm -rf "$work"
}
trap cleanup EXIT
flags=()
if [[ $sanitize ]]; then flags=("-fsanitize=$sanitize"); fi

# With others beside it, to other places: each is whole, and names itself.
others=()
for place in {1..4}; do
    cmake --install "$build" --prefix "$work/other-$place" >"$work/other-$place.log" 2>&1 &
    others+=($!)
done
cmake --install "$build" --prefix "$work/first" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
for place in {1..4}; do
    wait "${others[place - 1]}" || { cat "$work/other-$place.log"; exit 1; }
    for unit in "$work/other-$place"/lib/systemd/{system,user}/musterd.service; do
        grep -q "^ExecStart=$work/other-$place/bin/musterd" "$unit" || { echo "names another place: $unit"; exit 1; }
    done
done
rm -rf "$work"/other-*
mv "$work/first" "$work/prefix"   # nothing that programs are built with may know where it was installed to
prefix=$work/prefix

shopt -s globstar   # a pattern that matches nothing stays as it is, and is then missed
cd "$prefix"
for expected in bin/musterd bin/musterctl include/muster/ipc.hpp lib/**/libmuster-ipc.a lib/**/muster.pc \
    lib/**/musterConfig.cmake lib/systemd/{system,user}/musterd.service lib/systemd/system/musterd.socket \
    lib/{sysusers,tmpfiles}.d/muster.conf share/doc/muster/{README.md,CHANGELOG.md,LICENSE}; do
    [[ -s $expected ]] || { echo "not installed: $expected"; find . -type f; exit 1; }
done
if leaked=$(grep -rlIF -e "$build" -e "$work/first" . --include='*.cmake' --include='*.pc' --include='*.hpp'); then
    echo "installed files name the build tree or the prefix: $leaked"
    exit 1
fi

cmake -S "$here/outside" -B "$work/by-cmake" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="${flags[*]}" >"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/by-cmake"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name muster.pc)")
export PKG_CONFIG_PATH
pkg-config --exists --print-errors 'muster >= 0.1'
# Word splitting is how pkg-config's answer is meant to be used.
# shellcheck disable=SC2046
"$compiler" "${flags[@]}" "$here/outside/first.cpp" -o "$work/by-pkg-config" $(pkg-config --cflags --libs muster)

export MUSTER_ADDRESS=unix:$work/s
mkfifo "$work/ready"
"$prefix/bin/musterd" --address "$MUSTER_ADDRESS" 3<>"$work/ready" --ready-fd 3 &
daemon=$!
read -r -t 30 _ <>"$work/ready" || { echo "the installed musterd is not ready"; exit 1; }
"$work/by-cmake/first" | tee "$work/said"
grep -qx 'runs: 10' "$work/said"
"$work/by-pkg-config" | tee "$work/said"
grep -qx 'runs: 20' "$work/said"   # the dict has outlived the first program
[[ $("$prefix/bin/musterctl" dict get totals runs) == 20 ]]
kill -TERM "$daemon"
wait "$daemon"
daemon=
