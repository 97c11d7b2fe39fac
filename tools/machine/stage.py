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


def architecture():
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def package(root):
    """The .deb of this tree: what WEIR_DEB names, or made by tools/package. One of a clean commit is made once."""
    if os.environ.get("WEIR_DEB"):
        return os.environ["WEIR_DEB"]
    out = cache() / "package"
    version = subprocess.run([root / "tools/package", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    made = out / f"weir_{version}_{architecture()}.deb"
    if not made.exists() or version.endswith(".dirty"):
        shutil.rmtree(out, ignore_errors=True)
        done = subprocess.run([root / "tools/package", "--out", out], capture_output=True, text=True, timeout=1500)
        if done.returncode or not made.exists():
            raise RuntimeError("tools/package failed:\n" + (done.stdout + done.stderr)[-2000:])
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


def installed(image, deb, make):
    """The disk with this package on this image; `make(path)` makes a new one."""
    data = open(deb, "rb").read()
    base = cache()
    final = base / f"installed-{hashlib.sha256(data + image.name.encode()).hexdigest()[:12]}.qcow2"
    with open(base / "installed.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.exists():
            part = final.with_suffix(".part")
            make(part)
            for old in sorted(base.glob("installed-*.qcow2"), key=lambda p: p.stat().st_mtime)[:-3]:
                old.unlink()
            part.rename(final)
    return final
