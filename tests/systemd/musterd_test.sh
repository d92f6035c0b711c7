#!/bin/bash
# musterd.service under a real systemd: installed, checked, started, its service child killed, its keeper killed,
# stopped, started by its socket.
#
#   musterd_test.sh BUILD_DIRECTORY
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "$0")/manager.sh"
build=$1
enter_namespaces "$@"

install_into_root() {
    DESTDIR=$root cmake --install "$build" --prefix /usr >"$work/install.log" || { cat "$work/install.log"; fail "install"; }
}
manager_up

step() { echo "- $*"; }
property() { inside systemctl show --value -p "$2" "$1"; }
is() { [[ $(property "$1" "$2") == "$3" ]]; }
# field NAME: of the daemon's status
field() { inside musterctl status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
worker_pid() {
    inside musterctl ps --json |
        python3 -c 'import json, sys; print(*[p["pid"] for p in json.load(sys.stdin) if p["name"] == sys.argv[1]])' "$1"
}
members() { find "$cgroup/system.slice/musterd.service" -name cgroup.procs -exec cat {} + 2>/dev/null; }
nobody() { inside setpriv --reuid nobody --regid nogroup --groups muster "$@"; }

step "the units, the group and the directory are as systemd wants them"
inside systemd-analyze verify --man=no --recursive-errors=no /usr/lib/systemd/system/musterd.{service,socket}
inside env XDG_RUNTIME_DIR=/tmp systemd-analyze --user verify --man=no --recursive-errors=no /usr/lib/systemd/user/musterd.service
inside systemd-analyze security --offline=true --no-pager --threshold=90 /usr/lib/systemd/system/musterd.service >"$work/security" ||
    { cat "$work/security"; fail "systemd-analyze security"; }
inside getent group muster >/dev/null || fail "sysusers.d made no group"
[[ $(inside stat -c '%U %a' /run/muster) == "root 755" ]] || fail "tmpfiles.d made no /run/muster"

step "start returns when it is ready"
inside systemctl start musterd.service
is musterd.service ActiveState active || fail "not active"
[[ $(property musterd.service StatusText) ]] || fail "no STATUS"
keeper=$(property musterd.service MainPID)
[[ $(field keeper_pid) == "$keeper" ]] || fail "MainPID is not the keeper"

step "a user of the group has a worker run as himself"
nobody musterctl run --name sleeper -- sleep 1000
sleeper=$(worker_pid sleeper)
[[ $(inside stat -c %U "/proc/$sleeper") == nobody ]] || fail "the worker is not nobody's"

step "who is not in the group is refused in one line"
refused=0
said=$(inside setpriv --reuid nobody --regid nogroup --clear-groups musterctl status 2>&1) || refused=$?
[[ $refused == 4 && $said == *refused* && $(wc -l <<<"$said") == 1 ]] || fail "exit code $refused, '$said'"

step "kill -9 of the service: the same keeper, the same worker"
service=$(field service_pid)
inside sh -c "kill -KILL $service"
replaced() { local now; now=$(field service_pid 2>/dev/null) && [[ $now && $now != "$service" ]]; }
eventually 10 replaced || fail "no new service"
[[ $(property musterd.service MainPID) == "$keeper" ]] || fail "another keeper"
is musterd.service NRestarts 0 || fail "systemd restarted the unit"
[[ $(worker_pid sleeper) == "$sleeper" ]] || fail "the worker is another or gone"

step "kill -9 of the keeper: systemd starts the daemon anew, and nothing of the old one is left"
old=$(members)
(($(wc -w <<<"$old") >= 3)) || fail "keeper, service and worker are not in the unit's cgroup: '$old'"
inside sh -c "kill -KILL $keeper"
restarted() { is musterd.service NRestarts 1 && is musterd.service ActiveState active; }
eventually 30 restarted || fail "not restarted"
for pid in $old; do [[ ! -e /proc/$pid ]] || fail "process $pid outlived the keeper"; done
[[ $(worker_pid sleeper) == "" ]] || fail "a worker of the old keeper is listed"

step "stop ends the workers by the keeper, and leaves nothing"
nobody musterctl run --name sleeper -- sleep 1000
old=$(members)
(($(wc -w <<<"$old") >= 3)) || fail "keeper, service and worker are not in the unit's cgroup: '$old'"
inside systemctl stop musterd.socket musterd.service
is musterd.service ActiveState inactive || fail "not inactive"
is musterd.service Result success || fail "Result=$(property musterd.service Result)"
[[ ! $(members) ]] || fail "left in the cgroup: $(members)"
for pid in $old; do [[ ! -e /proc/$pid ]] || fail "process $pid is left"; done
inside test ! -e /run/muster/muster.sock || fail "the socket is left"

step "a connection to the socket starts it"
inside systemctl start musterd.socket
is musterd.service ActiveState inactive || fail "started without a client"
nobody musterctl status >/dev/null || fail "no answer by socket activation"
is musterd.service ActiveState active || fail "not active"
inside systemctl stop musterd.socket musterd.service

step "a user's own manager runs the user's unit"
inside systemd-run --quiet --unit=manager-of-nobody -p User=nobody -p Delegate=yes -p RuntimeDirectory=of-nobody \
    -E XDG_RUNTIME_DIR=/run/of-nobody /lib/systemd/systemd --user --log-target=journal
own() { inside setpriv --reuid nobody --regid nogroup --clear-groups env XDG_RUNTIME_DIR=/run/of-nobody "$@"; }
eventually 20 own systemctl --user --quiet is-active basic.target || fail "no user manager"
own systemctl --user start musterd.service
[[ $(own musterctl status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["mode"])') == user ]] ||
    fail "it is not the user's daemon that answers"
own systemctl --user stop musterd.service
own systemctl --user show --value -p Result musterd.service | grep -qx success || fail "it did not stop well"
inside systemctl stop manager-of-nobody.service

step "nothing failed in between"
[[ ! $(inside systemctl list-units --failed --plain --no-legend 'musterd*') ]] || fail "failed units"
echo "all as it should be"
