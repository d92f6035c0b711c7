#!/bin/sh
# Builds the fuzzers, or runs one of them for a while on its corpus.
#
#   run.sh build SOURCE
#   run.sh NAME SECONDS SOURCE     segment, varlink, dispatcher, codec; more arguments are libFuzzer's
#
# New inputs of a run go to a directory below $TMPDIR that is removed; an input that fails is kept beside the build, and
# its name printed. Exit code 77: no clang here, or one without libFuzzer.
set -eu
unset XDG_RUNTIME_DIR  # a compiler cache would put its files there, among the traces of tests
what=$1
[ "$what" = build ] || { seconds=$2; shift; }
source=$2
shift 2
bin=$source/build/fuzz/bin

if ! printf 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
    clang++ -x c++ -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null; then
    echo "SKIP: no clang++ with libFuzzer (Debian: clang, libclang-rt-14-dev)"
    exit 77
fi
if [ "$what" = build ]; then
    cd "$source"
    cmake --preset fuzz
    exec cmake --build --preset fuzz --parallel "${MUSTER_JOBS:-1}"
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/muster-fuzz-XXXXXX")
trap 'rm -rf "$scratch"' EXIT INT TERM
# Twice as long as the inputs need that are slow on a busy machine: -timeout is for those that never end.
"$bin/fuzz-$what" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=1500 -max_len=400 -len_control=20 -print_final_stats=1 \
    -verbosity=1 -artifact_prefix="$source/build/fuzz/$what-" "$@" "$scratch" "$source/tests/fuzz/corpus/$what" >"$scratch/log" 2>&1 ||
    { tail -n 60 "$scratch/log"; exit 1; }
executions=$(sed -n 's/^stat::number_of_executed_units: */fuzz executions: '"$what"' /p' "$scratch/log")
echo "$executions"
if [ -n "${MUSTER_REPORTS:-}" ]; then
    mkdir -p "$MUSTER_REPORTS"
    echo "$executions" >"$MUSTER_REPORTS/fuzz-$what.txt"
fi
