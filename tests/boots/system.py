"""A small Debian on a whole disk: GPT, Debian's cloud kernel, extlinux, one ext4 partition that has all of it.

It is made once, and kept in the cache of ``make hosts``. What runs in it takes commands by its serial line (``boots.guest``)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from fakes.loop_device import attached, sparse
from fakes.loop_image import at_directory, run
from hosts.cache import Cache, cache_directory, make_once, short_name

#: What making it and booting it calls, and the Debian package of each.
PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "extlinux": "extlinux",
    "debootstrap": "debootstrap",
    "mkfs.ext4": "e2fsprogs",
    "sfdisk": "fdisk",
    "sgdisk": "gdisk",
}
SIZE = 1 << 30
#: Where its only partition begins; behind it stands the second header of the GPT.
_START, _BEHIND = 1 << 20, 1 << 20
_MBR_CODE = 440
#: Comes with Debian's extlinux.
_GPT_CODE = Path("/usr/lib/EXTLINUX/gptmbr.bin")
_PACKAGES = ("linux-image-cloud-amd64", "udev")
#: A disk of a virtual machine, and what stands on it: nothing else is needed to boot, and decompressing takes long in software.
_MODULES = "virtio_pci\nvirtio_blk\ncrc32c_generic\next4\n"
_UNWANTED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists")
_MASKED = (
    "serial-getty@ttyS0.service",
    "getty@tty1.service",
    "ssh.service",
    "systemd-networkd-wait-online.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_reap.service",
    "systemd-timesyncd.service",
)
_SHELL = """#!/bin/sh
# Says what was booted, then does what comes by the serial line, a command a line.
stty -echo
size=$(df --output=size / | tail -n 1 | tr -d ' ')
echo "HIKAE-BOOTED marker=$(cat /marker) kilobytes=$size kernel=$(uname -r)" | tee /dev/tty1
while read -r line; do
    eval "$line"
    echo "HIKAE-DONE $?"
done
"""
_UNIT = """[Unit]
Description=What was booted, on the serial line
[Service]
Type=idle
ExecStart=/usr/local/sbin/serial-shell
StandardInput=tty
StandardOutput=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=multi-user.target
"""
_BOOT = """DEFAULT linux
PROMPT 0
LABEL linux
  KERNEL /boot/{kernel}
  INITRD /boot/{initrd}
  APPEND root=UUID={uuid} ro console=tty0 console=ttyS0,115200
"""


def what_is_missing() -> str:
    """Why this machine can make or boot none, for people; "" where it can."""
    if os.geteuid() != 0:
        return "a disk is made as root"
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    return f"these Debian packages are missing: {' '.join(missing)}" if missing else ""


def bootable_disk() -> Path:
    """The image, from the cache; to be copied. ``CalledProcessError`` where it has to be made and the mirror is away."""
    cache = Cache(cache_directory(), ())
    system = cache.fill_system()
    name = f"bootable-{short_name(''.join((_SHELL, _UNIT, _BOOT, _MODULES, *_PACKAGES, *_MASKED, str(SIZE))))}"
    make_once(cache.top, name, lambda into: _make(into, system))
    return cache.top / "bootable"


def _make(into: Path, system: Path) -> None:
    tree = into.with_name(f"{into.name}.tree")
    shutil.rmtree(tree, ignore_errors=True)
    try:
        run("cp", "-a", "--reflink=auto", f"{system}/.", str(tree))
        _install(tree)
        _settle(tree)
        _lay_out(into, tree)
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _install(tree: Path) -> None:
    """The kernel, by the tree's own apt; nothing is started in it, as nothing runs in it."""
    settings = tree / "etc/initramfs-tools"
    settings.mkdir(exist_ok=True)
    (settings / "conf.d").mkdir(exist_ok=True)
    (settings / "conf.d/small").write_text("MODULES=list\nCOMPRESS=gzip\n")
    (settings / "modules").write_text(_MODULES)
    (tree / "etc/kernel-img.conf").write_text("do_symlinks = no\n")
    apt = ("env", "DEBIAN_FRONTEND=noninteractive", "chroot", str(tree), "apt-get", "-qq", "--yes")
    for words in (
        ("update",),
        ("install", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", *_PACKAGES),
    ):
        subprocess.run([*apt, *words], check=True, stdout=subprocess.DEVNULL)


def _settle(tree: Path) -> None:
    """What it runs, and what it does not."""
    for one in _UNWANTED:
        shutil.rmtree(tree / one, ignore_errors=True)
    units = tree / "etc/systemd/system"
    for one in _MASKED:
        (units / one).unlink(missing_ok=True)
        (units / one).symlink_to("/dev/null")
    (tree / "usr/local/sbin/serial-shell").write_text(_SHELL)
    (tree / "usr/local/sbin/serial-shell").chmod(0o755)
    (units / "serial-shell.service").write_text(_UNIT)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants/serial-shell.service").symlink_to("../serial-shell.service")
    (tree / "etc/hostname").write_text("alpha\n")
    (tree / "marker").write_text("as-it-was-made\n")


def _lay_out(image: Path, tree: Path) -> None:
    """Table, boot code, filesystem and boot loader."""
    sparse(image, SIZE)
    table = f"label: gpt\nstart={_START // 512}, size={(SIZE - _START - _BEHIND) // 512}, type=linux, attrs=LegacyBIOSBootable\n"
    subprocess.run(["sfdisk", "--quiet", str(image)], input=table, text=True, check=True)
    with image.open("r+b") as file:
        file.write(_boot_code())
    span = ("--offset", str(_START), "--sizelimit", str(SIZE - _START - _BEHIND))
    with attached(image, *span) as device:
        # extlinux reads no ext4 of 64 bits.
        run("mkfs.ext4", "-q", "-O", "^64bit", "-d", str(tree), device)
        uuid = run("blkid", "-p", "-s", "UUID", "-o", "value", device).strip()
        with TemporaryDirectory() as where, at_directory(device, Path(where)) as root:
            _install_loader(root, uuid)


def _install_loader(root: Path, uuid: str) -> None:
    kernel, initrd = (next((root / "boot").glob(f"{kind}-*")).name for kind in ("vmlinuz", "initrd.img"))
    (root / "etc/fstab").write_text(f"UUID={uuid} / ext4 errors=remount-ro 0 1\n")
    place = root / "boot/extlinux"
    place.mkdir()
    (place / "extlinux.conf").write_text(_BOOT.format(kernel=kernel, initrd=initrd, uuid=uuid))
    run("extlinux", "--install", str(place))


def _boot_code() -> bytes:
    """What the firmware starts: it looks in the GPT for the partition that may be booted."""
    code = _GPT_CODE.read_bytes()
    assert len(code) <= _MBR_CODE, _GPT_CODE
    return code
