#!/bin/bash
# muster-soak's own tests. soak_test.sh PROGRAM kills|sabotage
set -u
soak=$1 what=$2
reports=$(mktemp -d)
report=$reports/report
trap 'wait; rm -rf "$reports"' EXIT
fail() {
    echo "FAILED: $*"
    cat "$report"
    exit 1
}
figure() { sed -n "s/.*$1 \([0-9]*\).*/\1/p" "$report" | head -1; }

if [[ $what == kills ]]; then
    "$soak" --kills 1000 --seed "${MUSTER_SEED:-$RANDOM}" >"$report" || fail "exit status $?"
    head -5 "$report"
    if [[ ${MUSTER_REPORTS:-} ]]; then
        mkdir -p "$MUSTER_REPORTS"
        { head -6 "$report"; grep '^laws checked\|^violations' "$report"; } >"$MUSTER_REPORTS/soak.txt"
    fi
    (($(figure 'kills:') >= 1000)) || fail "fewer kills than asked for"
    (($(figure 'of the service') >= 3)) || fail "the service was hardly killed"
    (($(figure 'changes rolled back:') >= 1)) || fail "nobody died inside a change"
    grep -q '^violations: 0$' "$report" || fail "violations"
    idle=$(awk '/, died in [0-9]+$/ { n++; if ($(NF - 3) + 0 == 0) print } END { if (n < 60) print n }' "$report")
    [[ -z $idle ]] || fail "operations that nobody did: $idle"
    exit 0
fi

# What is broken on purpose is noticed, under its law's name. Three at a time: most of it is to wait for the patience's end.
notices() {  # SABOTAGE LAW
    report=$reports/$1
    "$soak" --minutes 2 --pace 5 --patience 5 --sabotage "$1" >"$report"
    local status=$?
    [[ $status == 1 ]] || fail "sabotage '$1': exit status $status"
    grep -q "^  .*$2" "$report" || fail "sabotage '$1': not called '$2'"
    grep -q '^again: muster-soak --seed ' "$report" || fail "sabotage '$1': how to repeat it is not told"
    echo "$1: noticed"
}
pids=()
while IFS=: read -r sabotage law; do
    notices "$sabotage" "$law" &
    pids+=($!)
    ((${#pids[@]} < 3)) || { wait "${pids[0]}" || exit 1; pids=("${pids[@]:1}"); }
done <<'END'
lose:items put = got + left + accounted for: 
twice:an item is taken once: 
torn:every value is whole: 
count:counters are exact to the additions in flight: 
money:transfers move money and make none: 
hold:no lock stays held: \|nobody sleeps while there is something to do: 
asleep:nobody sleeps while there is something to do: worker 0 
leak:the directory has what was made: 
coin:coins move, and none is made: 
permit:permits free + held by the living = permits there were: 
END

for pid in "${pids[@]}"; do wait "$pid" || exit 1; done

# Bad input is one clear line.
for arguments in "" "--kills x" "--minutes -1" "--kills 1 --workers 0" "--kills 1 --sabotage nothing"; do
    # shellcheck disable=SC2086
    said=$("$soak" $arguments 2>&1 >"$report")
    [[ $? == 2 && $said == muster-soak:* && $said != *$'\n'* ]] || fail "'muster-soak $arguments' said: $said"
done
said=$("$soak" --kills 1 --address unix:/nowhere/muster.sock 2>&1 >"$report")
[[ $? == 3 && $said == muster-soak:* && $said != *$'\n'* ]] || fail "an address where nobody is: $said"
"$soak" --help | grep -q -- '--minutes' || fail "--help"
