#!/bin/bash
# Recovery under valgrind's memcheck: the undo log, the heap, and objects whose users were killed.
#
#   memcheck.sh BUILD_DIR
set -euo pipefail
bin=$1/bin
here=$(dirname "$0")

if ! command -v valgrind >/dev/null; then
    echo "SKIP: there is no valgrind (scripts/setup installs it)"
    exit 77
fi
if grep -qE '^MUSTER_SANITIZE:[A-Z]+=.+' "$1/CMakeCache.txt"; then
    echo "SKIP: a build with a sanitizer does not run under valgrind"
    exit 77
fi
check() {
    echo "== $*"
    valgrind --quiet --error-exitcode=9 --suppressions="$here/valgrind.supp" "$@"
}
# Not what needs two processors: valgrind runs one thread at a time.
check "$bin/test-unit-tx" "~[processors]"
check "$bin/test-unit-heap"
check "$bin/test-unit-handles" "*kill*"
