# shellcheck shell=bash
# A real system manager in namespaces of its own, for tests where PID 1 is something else. Sourced by the tests here.
#
#   enter_namespaces "$@"     first thing: the script starts again where its mounts and processes are nobody else's
#   manager_up                    an overlay of / in $root, systemd on it as PID 1 of its own PID namespace
#   inside COMMAND ...            runs it in there
#   on_exit                       by trap: everything ends, cgroups go, and with the namespace the mounts
#
# install_into_root is the caller's: called between, with $root ready and nothing running.

skip() { echo "SKIP: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }

enter_namespaces() {
    ((EUID == 0)) || skip "a system manager wants root, this is uid $EUID"
    [[ -x /lib/systemd/systemd ]] || skip "no /lib/systemd/systemd here (package systemd)"
    for tool in unshare nsenter pivot_root mount; do
        command -v "$tool" >/dev/null || skip "no $tool here (package util-linux or mount)"
    done
    if [[ ${IN_NAMESPACES:-} != yes ]]; then
        unshare --mount --pid --fork --cgroup true 2>/dev/null || skip "namespaces are not allowed here"
        # A PID namespace too: whatever happens to this script, nothing that it started outlives it.
        IN_NAMESPACES=yes exec unshare --mount --propagation private --pid --fork --mount-proc --kill-child=KILL "$0" "$@"
    fi
    work=$(mktemp -d "${TMPDIR:-/tmp}/muster-systemd.XXXXXX")
    root=$work/root
    trap on_exit EXIT
    trap "exit 1" HUP INT TERM
}

# eventually SECONDS COMMAND ...: until it succeeds, or false.
eventually() {
    local limit=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < limit)) || return 1
        sleep 0.05
    done
}

own_cgroup() {
    local mounted
    mounted=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    if [[ ! $mounted ]]; then
        mkdir "$work/cgroup"
        mount -t cgroup2 cgroup2 "$work/cgroup" || skip "no cgroup v2 to be had here"
        mounted=$work/cgroup
    fi
    cgroup=$mounted$(sed -n 's/^0:://p' /proc/self/cgroup)/${work##*/}
    mkdir "$cgroup" 2>/dev/null || skip "cgroups cannot be made below $mounted"
}

manager_up() {
    mount -t tmpfs -o mode=0755 tmpfs "$work"
    mkdir "$root" "$work/upper" "$work/lower"
    mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/lower" overlay "$root" 2>/dev/null ||
        skip "no overlay of / to be had here"
    own_cgroup
    mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/etc/systemd/system"
    rm -f "$root/etc/machine-id"
    tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
    # These would reach the machine itself, or wait for what is not there.
    for unit in systemd-{sysctl,binfmt,modules-load,firstboot,networkd,logind,resolved,timesyncd,udevd,udev-trigger}.service \
        systemd-udevd-{control,kernel}.socket systemd-tmpfiles-setup-dev.service networking.service timers.target; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    : >"$root/etc/fstab"
    install_into_root

    (
        echo "$BASHPID" >"$cgroup/cgroup.procs"
        exec unshare --pid --fork --mount --cgroup --ipc --uts --kill-child=KILL \
            bash -c "$(declare -f become_systemd); become_systemd $(printf %q "$root")" </dev/null >"$work/console" 2>&1
    ) &
    unshare_pid=$!
    eventually 10 manager_pid || { cat "$work/console"; fail "systemd did not start"; }
    eventually 60 manager_runs || { cat "$work/console"; fail "systemd came up to: $(inside systemctl is-system-running)"; }
}

become_systemd() {
    set -e
    mount --make-rprivate /
    mount -t proc proc "$1/proc"
    mount --bind "$1/proc/sys" "$1/proc/sys"
    mount -o remount,bind,ro "$1/proc/sys"
    mount -t sysfs -o ro sysfs "$1/sys"
    mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
    # Not the machine's own /dev: systemd makes links and nodes in it.
    mount -t tmpfs -o mode=0755 tmpfs "$1/dev"
    for node in null zero full random urandom tty; do
        touch "$1/dev/$node"
        mount --bind "/dev/$node" "$1/dev/$node"
    done
    mkdir "$1/dev/pts" "$1/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$1/dev/pts"
    ln -s pts/ptmx "$1/dev/ptmx"
    ln -s /proc/self/fd "$1/dev/fd"
    mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
    mount -t tmpfs -o mode=0755 tmpfs "$1/run"
    mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
    mkdir "$1/run/before"
    cd "$1"
    pivot_root . run/before
    umount -l /run/before
    rmdir /run/before
    exec env -i container=muster-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
        /lib/systemd/systemd --system --unit=basic.target --log-target=journal --show-status=no
}

manager_pid() {
    manager=$(cat "/proc/$unshare_pid/task/$unshare_pid/children" 2>/dev/null) && manager=${manager% } && [[ $manager ]] &&
        [[ $(cat "/proc/$manager/comm" 2>/dev/null) == systemd ]]
}

manager_runs() { [[ $(inside systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]; }

inside() {
    nsenter -t "$manager" --all env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 "$@"
}

on_exit() {
    local status=$?
    trap - EXIT
    trap '' PIPE HUP INT TERM
    set +e
    if ((status != 0 && status != 77)) && [[ ${manager:-} ]]; then
        echo "--- journal"
        inside journalctl --no-pager -o short-monotonic -u 'musterd*' 2>&1 | tail -n 60
    fi
    if [[ ${cgroup:-} && -d $cgroup ]]; then
        if [[ -e $cgroup/cgroup.kill ]]; then echo 1 >"$cgroup/cgroup.kill"; elif [[ ${manager:-} ]]; then kill -KILL "$manager"; fi
        [[ ${unshare_pid:-} ]] && wait "$unshare_pid" 2>/dev/null
        eventually 10 remove_cgroups || echo "left: $cgroup"
    fi
    umount -l "$root" 2>/dev/null
    umount -l "$work" 2>/dev/null
    rmdir "$work"
    exit "$status"
}

remove_cgroups() {
    find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
    [[ ! -d $cgroup ]]
}
