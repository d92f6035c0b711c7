#!/bin/bash
# Builds kill_everywhere against the installed library, as a stranger would, and lets it kill with the installed daemon.
#
#   outside_test.sh BUILD_DIRECTORY COMPILER [SANITIZERS [--all | --kills N]]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 compiler=$2 sanitize=${3:-}
shift $(($# < 3 ? $# : 3))

work=$(mktemp -d "${TMPDIR:-/tmp}/muster-kill.XXXXXX")
daemon=
cleanup() {
    if [[ $daemon ]] && kill -TERM "$daemon"; then wait "$daemon" || true; fi
    rm -rf "$work"
}
trap cleanup EXIT
flags=()
if [[ $sanitize ]]; then flags=("-fsanitize=$sanitize"); fi
if [[ $sanitize && $# == 0 ]]; then set -- --kills 5; fi   # they multiply instructions

prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
cmake -S "$here" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_CXX_FLAGS="-O1 -g1 -Wall -Wextra -Werror ${flags[*]}" >"$work/cmake.log" ||
    { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/build" --parallel 2

export MUSTER_ADDRESS=unix:$work/s
mkfifo "$work/ready"
"$prefix/bin/musterd" --address "$MUSTER_ADDRESS" --private 3<>"$work/ready" --ready-fd 3 2>"$work/musterd.log" &
daemon=$!
read -r -t 30 _ <>"$work/ready" || { echo "the installed musterd is not ready"; cat "$work/musterd.log"; exit 1; }
"$work/build/kill_everywhere" "$prefix/bin/musterctl" "$@" | tee "$work/report"
grep -qx 'findings: 0' "$work/report"
kill -TERM "$daemon"
wait "$daemon"
daemon=
