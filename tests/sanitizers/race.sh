#!/bin/bash
# race/ under ThreadSanitizer, from the tsan preset's build, which scripts/test makes.
#
#   race.sh SOURCE_DIR
set -euo pipefail
program=$1/build/tsan/bin/test-race

if [[ ! -x $program ]]; then
    echo "SKIP: $program is not built: cmake --preset tsan && cmake --build --preset tsan --target test-race"
    exit 77
fi
# TSan's shadow map does not stand a wide address randomisation; where it may be switched off, do.
run=()
if setarch "$(uname -m)" -R true 2>/dev/null; then run=(setarch "$(uname -m)" -R); fi
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:history_size=6
exec "${run[@]}" "$program"
