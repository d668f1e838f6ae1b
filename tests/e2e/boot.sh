#!/bin/bash
# Boot systemd as process 1 of namespaces of its own, from a tree made of this machine's /usr and of a few files.
#
#     boot.sh outside NAME FOLDER CHECKOUT PACKAGES PYTHON
#
# FOLDER/etc and FOLDER/usr are laid over the tree; FOLDER/root is where it is put together. NAME is that of the
# control group: systemd moves every process of the group that it takes for its root, so it gets one that holds
# nothing else, below the one that we are in, whose limits go on to count. Of older kernels' other hierarchies it
# sees and uses none. At SIGTERM, which a killed test run causes too, all processes end and the group goes.
set -euo pipefail

fail() {
    echo "$*" >&2
    exit 1
}

make_control_group() {
    local point path
    point=$(findmnt --first-only --noheadings --types cgroup2 --output TARGET) || fail "cgroup2 is mounted nowhere."
    path=$(sed --quiet 's/^0:://p' /proc/self/cgroup)
    GROUP=${point%/}${path%/}/$NAME
    mkdir "$GROUP" || fail "No control group can be made: a container has to be privileged."
}

end_all() {
    [ -z "${!:-}" ] || kill -KILL "$!" 2>/dev/null || true
    wait
    # Processes of a namespace that has lost its first one may need a moment.
    until find "$GROUP" -depth -type d -exec rmdir {} + 2>/dev/null; do
        sleep 0.05
    done
}

show() {
    mount --bind "$1" "$2"
    mount -o remount,bind,ro "$2"
}

make_tree() {
    mount -t tmpfs -o mode=755 root "$ROOT"
    cd "$ROOT"
    mkdir usr etc run tmp proc sys dev old .overlay .overlay/{upper,work} opt opt/{checkout,packages,python} root home
    mkdir -p var/{lib,log,tmp,cache,spool/rsyslog}
    chmod 1777 var/tmp
    ln -s usr/bin usr/sbin usr/lib .
    [ ! -e /usr/lib64 ] || ln -s usr/lib64 .
    ln -s ../run var/run
    mount -t overlay -o lowerdir=/usr,upperdir=.overlay/upper,workdir=.overlay/work overlay usr
    cp -a "$FOLDER/etc/." etc
    # Of the units of this machine only those are there that FOLDER/usr brings.
    mount -t tmpfs units usr/lib/systemd/system
    cp -a "$FOLDER/usr/." usr
    show "$CHECKOUT" opt/checkout
    show "$PACKAGES" opt/packages
    show "$PYTHON" opt/python
    mount -t tmpfs -o mode=755 run run
    mount -t tmpfs -o mode=1777 tmp tmp
    mount -t proc proc proc
    # Kernel settings belong to the whole machine.
    show proc/sys proc/sys
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 dev dev
    local device
    for device in null zero full random urandom tty; do
        touch "dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    ln -s /proc/self/fd dev/fd
    mkdir dev/shm dev/pts
    mount -t tmpfs -o mode=1777 shm dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666 pts dev/pts
    ln -s pts/ptmx dev/ptmx
}

stage=$1 NAME=$2 FOLDER=$3 CHECKOUT=$4 PACKAGES=$5 PYTHON=$6
ROOT=$FOLDER/root
case $stage in
    outside)
        [ "$EUID" = 0 ] || fail "Only root can boot a machine: run these tests as root."
        make_control_group
        trap end_all EXIT
        trap 'exit 143' TERM
        (
            echo "$BASHPID" >"$GROUP/cgroup.procs"
            exec setpriv --pdeathsig KILL unshare --cgroup --pid --mount --net --ipc --uts --fork --kill-child \
                --propagation private "$0" inside "${@:2}"
        ) &
        wait "$!"
        ;;
    inside)
        # Whoever has not left the group of others must not go on.
        grep --quiet --line-regexp '0::/' /proc/self/cgroup
        hostname booted
        make_tree
        pivot_root . old
        umount --lazy /old
        cd /
        exec env --ignore-environment PATH=/usr/sbin:/usr/bin container=test \
            /usr/lib/systemd/systemd --system --log-target=journal --show-status=no
        ;;
esac
