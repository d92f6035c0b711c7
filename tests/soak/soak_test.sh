#!/bin/bash
# muster-soak's own tests. soak_test.sh PROGRAM kills|sabotage
set -u
soak=$1 what=$2
report=$(mktemp)
trap 'rm -f "$report"' EXIT
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

# What is broken on purpose is noticed, under its law's name.
while IFS=: read -r sabotage law; do
    "$soak" --minutes 2 --pace 5 --patience 2 --sabotage "$sabotage" >"$report"
    status=$?
    [[ $status == 1 ]] || fail "sabotage '$sabotage': exit status $status"
    grep -q "^  .*$law" "$report" || fail "sabotage '$sabotage': not called '$law'"
    grep -q '^again: muster-soak --seed ' "$report" || fail "sabotage '$sabotage': how to repeat it is not told"
    echo "$sabotage: noticed"
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

# Bad input is one clear line.
for arguments in "" "--kills x" "--minutes -1" "--kills 1 --workers 0" "--kills 1 --sabotage nothing"; do
    # shellcheck disable=SC2086
    said=$("$soak" $arguments 2>&1 >"$report")
    [[ $? == 2 && $said == muster-soak:* && $said != *$'\n'* ]] || fail "'muster-soak $arguments' said: $said"
done
said=$("$soak" --kills 1 --address unix:/nowhere/muster.sock 2>&1 >"$report")
[[ $? == 3 && $said == muster-soak:* && $said != *$'\n'* ]] || fail "an address where nobody is: $said"
"$soak" --help | grep -q -- '--minutes' || fail "--help"
