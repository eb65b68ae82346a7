#!/bin/sh
# Programs that tests on loop devices and of the systemd units call. Root gets the Debian packages that are missing;
# for others a sentence, and the tests that need them are skipped and say why.
set -eu
PATH="$PATH:/usr/sbin:/sbin"

missing=""
need() {
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need mkfs.ext4 e2fsprogs
need losetup mount
need systemd-analyze systemd
need mkfs.xfs xfsprogs
need mkfs.btrfs btrfs-progs
need stress-ng stress-ng
need fio fio
need tc iproute2
need rsync rsync
need fusermount3 fuse3
need haproxy haproxy
need keepalived keepalived
need curl curl
need promtool prometheus
need redis-server redis-server
need sfdisk fdisk
need sgdisk gdisk
need psql postgresql
if [ "${1:-}" = boots ]; then
    need qemu-system-x86_64 qemu-system-x86
    need extlinux extlinux
    need debootstrap debootstrap
fi

[ -n "$missing" ] || exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests:$missing"
    # shellcheck disable=SC2086 # a list of names
    sh "$(dirname "$0")/apt-install.sh" $missing
else
    echo "Some tests will be skipped, as these Debian packages are missing:$missing (as root: apt-get install$missing)"
fi
