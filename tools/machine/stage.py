# SPDX-License-Identifier: BSD-3-Clause
"""The package of weir, and disks that have it.

`package` is the .deb of this tree. `installed` is a disk where it was installed in the guest, made once for each image
and package and kept in the cache folder: tests whose subject is not the installation start from an overlay of it.
"""
import fcntl
import hashlib
import os
import re
import shutil
import subprocess

from scope import cache


def said(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def maker(root, kind, out):
    """The command that makes the .deb of a kind: tools/package on a machine of that kind, else tools/bare. The time for it."""
    here = said("bash", "-c", ". /etc/os-release && echo $VERSION_CODENAME; dpkg --print-architecture").split()
    if here == [kind.suite, kind.architecture]:
        return [root / "tools/package", "--out", out], 1500
    foreign = [kind.architecture] if here[1] != kind.architecture else []
    return [root / "tools/bare", kind.suite, *foreign, "--package", out], 5400


def package(root, kind):
    """The .deb of this tree: what WEIR_DEB names, or a new one. One of a clean commit is made once."""
    if os.environ.get("WEIR_DEB"):
        return os.environ["WEIR_DEB"]
    out = cache() / f"package-{kind.suite}-{kind.architecture}"
    version = re.sub(r"\+deb\d+$", f"+deb{kind.release}", said(root / "tools/package", "--version"))
    made = out / f"weir_{version}_{kind.architecture}.deb"
    if not made.exists() or ".dirty" in version:
        shutil.rmtree(out, ignore_errors=True)
        argv, seconds = maker(root, kind, out)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds)
        if done.returncode or not made.exists():
            raise RuntimeError(f"{argv[0]} failed:\n" + (done.stdout + done.stderr)[-2000:])
    return str(made)


def depends(deb):
    """Names of the packages that a .deb depends on; of alternatives the first."""
    line = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], capture_output=True, text=True, check=True).stdout
    return [re.match(r"[a-z0-9.+-]+", one.strip()).group() for one in line.split(",") if one.strip()]


def overlay(backing, path, kind="raw"):
    """A new disk on top of another one."""
    path.unlink(missing_ok=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, "-b", backing, path], check=True)
    return path


def raw(disk, path):
    """A raw copy of a disk."""
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, path], check=True, timeout=300)
    return path


def installed(image, kind, deb, make):
    """The disk with this package on this image, made by the kernel of this kind; `make(path)` makes a new one."""
    data = open(deb, "rb").read()
    base = cache()
    whose = f"{image.name} {kind.name}".encode()
    final = base / f"installed-{hashlib.sha256(data + whose).hexdigest()[:12]}.qcow2"
    with open(base / "installed.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.exists():
            part = final.with_suffix(".part")
            make(part)
            for old in sorted(base.glob("installed-*.qcow2"), key=lambda p: p.stat().st_mtime)[:-3]:
                old.unlink()
            part.rename(final)
    return final
