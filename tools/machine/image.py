# SPDX-License-Identifier: BSD-3-Clause
"""The image: a Debian system on an ext4 file system, its kernels, and for each an initrd that mounts it.

Made once for each list of packages (`cache()/image-HASH/`), by mmdebstrap with the machine's own apt sources. The folder
gets its name when it is whole, under a lock, so an interrupted run leaves none.
"""
import fcntl
import hashlib
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import time

import kind as kinds
from scope import cache

HERE = pathlib.Path(__file__).resolve().parent
DISK = "3G"
# Modules of the running system; those that they need come along. Without the others the image is 300 MB smaller.
MODULES = """virtio_pci virtio_blk virtio_console virtio_net ext4 e1000e e1000 vmxnet3 vfio_pci vfio_iommu_type1 tun 9p
9pnet_virtio crc32c_generic af_packet 8021q dummy veth xsk_diag sch_multiq cls_flower act_mirred sch_ingress cls_u32 nf_tables
binfmt_misc configfs fuse autofs4 loop ip_tables x_tables button msr xfs""".split()
# What the initrd loads, in this order and with what each of them needs.
EARLY = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"]
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$module; done
while [ ! -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 -o rw /dev/vda /root
exec /bin/busybox switch_root /root /sbin/init
"""


def packages(kind, more):
    """The names of guest.packages, the kernels, and `more`."""
    lines = (HERE / "guest.packages").read_text().replace("{dpdk}", kind.dpdk).split("\n")
    names = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    return sorted(names | {one.kernel for one in kinds.beside(kind)} | set(more))


def digest(kind, names):
    """Of all that the image depends on but the state of the archive."""
    parts = [kind.suite, kind.architecture, DISK, *names, pathlib.Path(__file__).read_text()]
    parts += [path.read_text() for path in sorted((HERE / "guest").iterdir())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def needed(root, version, names):
    """The files of these modules and of all that they need, each after what it needs."""
    depends = {}
    for line in (root / "lib/modules" / version / "modules.dep").read_text().split("\n"):
        if ":" in line:
            path, rest = line.split(":")
            depends[path] = rest.split()
    by_name = {re.sub(r"\.ko(\.xz)?$", "", path.rsplit("/", 1)[-1]).replace("-", "_"): path for path in depends}
    order = []
    for name in names:
        path = by_name.get(name)
        for one in reversed([path, *depends.get(path, [])]):
            if one and one not in order:
                order.append(one)
    return order


def initrd(root, version, out):
    """A cpio of busybox, the modules of EARLY and INIT."""
    tree = out.parent / "initrd.tree"
    for name in ("bin", "proc", "sys", "dev", "root", "modules"):
        (tree / name).mkdir(parents=True)
    shutil.copy2(root / "bin/busybox", tree / "bin/busybox")
    order = [root / "lib/modules" / version / path for path in needed(root, version, EARLY)]
    for path in order:
        plain = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        (tree / "modules" / path.name.removesuffix(".xz")).write_bytes(plain)
    (tree / "modules/order").write_text(" ".join(path.name.removesuffix(".xz") for path in order))
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    with open(out, "wb") as file:
        find = subprocess.Popen(["find", ".", "-print0"], cwd=tree, stdout=subprocess.PIPE)
        subprocess.run(["cpio", "--null", "-o", "-H", "newc", "--quiet"], cwd=tree, stdin=find.stdout, stdout=file, check=True)
        find.wait()
    shutil.rmtree(tree)


def prune(root, version):
    """Leaves the modules that a test needs."""
    base = root / "lib/modules" / version
    keep = set(needed(root, version, MODULES))
    for path in base.rglob("*.ko*"):
        if str(path.relative_to(base)) not in keep:
            path.unlink()
    subprocess.run(["chroot", root, "depmod", version], check=True)


def furnish(root):
    """Settings of a machine under test, and the runner."""
    shutil.copy2(HERE / "guest/weir-runner", root / "usr/local/sbin/weir-runner")
    shutil.copy2(HERE / "guest/weir-runner.service", root / "etc/systemd/system/weir-runner.service")
    wants = root / "etc/systemd/system/sysinit.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "weir-runner.service").symlink_to("/etc/systemd/system/weir-runner.service")
    (root / "etc/hostname").write_text("box\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost box\n")
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
    (root / "etc/systemd/system.conf.d").mkdir(exist_ok=True)
    (root / "etc/systemd/system.conf.d/weir.conf").write_text("[Manager]\nDefaultTimeoutStartSec=180s\nDefaultDeviceTimeoutSec=600s\n")
    # Emulated, these cost seconds of each boot and serve no test.
    for unit in ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
                 "dpkg-db-backup.timer", "getty@tty1.service", "systemd-update-utmp.service", "dpdk.service"):
        (root / "etc/systemd/system" / unit).unlink(missing_ok=True)
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (root / "etc/machine-id").write_text("c0ffee00c0ffee00c0ffee00c0ffee00\n")


def install(kind, names, root, out):
    """Makes a system of these packages in the folder `root`."""
    log = out / "mmdebstrap.log"
    for file, function in (("sources.list", f"apt_sources {kind.suite}"), ("apt.conf", "apt_settings")):
        said = subprocess.run(["bash", "-c", f". {HERE.parent}/common.sh && {function}"], capture_output=True, text=True, check=True)
        (out / file).write_text(said.stdout)
    argv = ["mmdebstrap", "--variant=apt", "--mode=root", f"--architectures={kind.architecture}", "--include=" + ",".join(names),
            "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*", '--aptopt=APT::Install-Recommends "false"', f"--aptopt={out}/apt.conf", kind.suite, str(root)]
    if (out / "sources.list").stat().st_size:
        argv.append(f"{out}/sources.list")
    with open(log, "wb") as file:
        made = subprocess.run(argv, stdout=file, stderr=file, timeout=kind.make_seconds, env={**os.environ, "INITRD": "No", "TMPDIR": str(out)})
    if made.returncode:
        raise RuntimeError("mmdebstrap failed:\n" + log.read_text()[-2000:])


def pack(kind, root, out):
    """The kernels and the disk of a system."""
    for one in kinds.beside(kind):
        version = next(path.name for path in (root / "lib/modules").iterdir() if path.name.endswith(one.flavour))
        shutil.copy2(root / "boot" / ("vmlinuz-" + version), out / f"vmlinuz-{one.name}")
        initrd(root, version, out / f"initrd-{one.name}")
        prune(root, version)
    furnish(root)
    for path in (root / "boot").iterdir():
        path.unlink()
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", root, out / "disk.raw", DISK], check=True, capture_output=True)
    shutil.rmtree(root)


def build(kind, names, out):
    """Makes the image in the folder `out`."""
    root = out / "root"
    install(kind, names, root, out)
    pack(kind, root, out)


def image(kind, more=()):
    """The folder of the image with `more` packages beside those of guest.packages; built if it does not exist."""
    names = packages(kind, more)
    final = cache() / ("image-" + digest(kind, names))
    with open(cache() / "image.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if final.exists():
            return final
        start = time.monotonic()
        part = final.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        build(kind, names, part)
        for old in sorted(cache().glob("image-????????????"), key=lambda p: p.stat().st_mtime)[:-3]:
            shutil.rmtree(old)
        part.rename(final)
        print(f"image of {len(names)} packages made in {time.monotonic() - start:.0f} s", flush=True)
    return final
