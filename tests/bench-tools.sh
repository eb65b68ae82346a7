#!/bin/sh
# The programs that `make bench` measures hikae beside. Root gets the Debian packages that are missing, without any service of
# theirs being started; for others a sentence, and the rows that need them say why they are empty.
set -eu
PATH="$PATH:/usr/sbin:/sbin"

missing=""
need() {
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need rsync rsync
need ssh openssh-client
need sshd openssh-server
need lsyncd lsyncd
need syncthing syncthing
need restic restic
need borg borgbackup
need ss iproute2
need mkfs.ext4 e2fsprogs
need losetup mount

[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Some rows will be empty, as these Debian packages are missing:$missing (as root: apt-get install$missing)"
    exit 0
fi

echo "installing to measure beside:$missing"
# shellcheck disable=SC2086 # a list of names
sh "$(dirname "$0")/apt-install.sh" $missing || echo "Some rows will be empty: not everything could be installed" >&2
