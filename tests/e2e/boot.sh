#!/bin/bash
# Boot systemd as process 1 of namespaces of its own, from a tree made of this machine's /usr and of a few files.
#
#     boot.sh outside NAME FOLDER CHECKOUT PACKAGES PYTHON
#
# FOLDER/etc and FOLDER/usr are laid over the tree; FOLDER/root is where it is put together. NAME is that of the
# control group: systemd moves every process of the group that it takes for its root, so it gets one that holds
# nothing else, in each hierarchy, and cannot see the others.
set -euo pipefail

enter_control_group() {
    local kind point
    while read -r kind point; do
        mkdir "$point/$NAME"
        if [ -e "$point/cpuset.mems" ] && [ "$kind" = cgroup ]; then
            cat "$point/cpuset.cpus" >"$point/$NAME/cpuset.cpus"
            cat "$point/cpuset.mems" >"$point/$NAME/cpuset.mems"
        fi
        echo $$ >"$point/$NAME/cgroup.procs"
    done < <(findmnt --list --noheadings --types cgroup,cgroup2 --output FSTYPE,TARGET)
    # Whoever has not left the root must not go on.
    grep --quiet "^0::/.*$NAME\$" /proc/self/cgroup
    ! grep --invert-match "/$NAME\$" /proc/self/cgroup
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
    mount --bind "$CHECKOUT" opt/checkout
    mount --bind "$PACKAGES" opt/packages
    mount --bind "$PYTHON" opt/python
    mount -t tmpfs -o mode=755 run run
    mount -t tmpfs -o mode=1777 tmp tmp
    mount -t proc proc proc
    # Kernel settings belong to the whole machine.
    mount --bind proc/sys proc/sys
    mount -o remount,bind,ro proc/sys
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
        enter_control_group
        exec unshare --cgroup --pid --mount --net --ipc --uts --fork --kill-child --propagation private \
            "$0" inside "${@:2}"
        ;;
    inside)
        grep --quiet '^0::/$' /proc/self/cgroup
        hostname booted
        make_tree
        pivot_root . old
        umount --lazy /old
        cd /
        exec env --ignore-environment PATH=/usr/sbin:/usr/bin container=test \
            /usr/lib/systemd/systemd --system --log-target=journal --show-status=no
        ;;
esac
