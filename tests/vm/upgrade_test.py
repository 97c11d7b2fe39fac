#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Upgrade and downgrade under load, and an upgrade to a version that refuses the configuration.

usage: upgrade_test.py [--other DEB]     DEB: a package of another commit; without it, this package under other versions
"""
import argparse
import subprocess
import time

import vmtest
from probe import Probe


def renamed(box, version):
    """This package under another version, in the folder that the guest sees. Its file name."""
    tree = box.folder / "repack"
    subprocess.run(["rm", "-rf", tree], check=True)
    subprocess.run(["dpkg-deb", "-R", box.deb, tree], check=True)
    control = tree / "DEBIAN/control"
    lines = [f"Version: {version}" if line.startswith("Version:") else line for line in control.read_text().split("\n")]
    control.write_text("\n".join(lines))
    name = f"weir_{version}.deb"
    subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "-b", tree, box.share / name], check=True, capture_output=True)
    return name


def version(box):
    return box.do("dpkg-query -W -f '${Version}' weir")


def pids(box):
    return box.do("systemctl show -P MainPID weir-dataplane weir-controlplane").split()


def change(t, box, what, package):
    """Installs a package under load. Both processes are new ones afterwards, and only the gap of the start is lost."""
    before = pids(box)
    load = box.far.load(["here.lan", "denied.example"], 600, 500)
    probe = Probe()
    time.sleep(2)
    start = time.monotonic()
    box.install(package)
    t.say(f"{what}: dpkg took {time.monotonic() - start:.0f} s")
    t.check(f"{what}: weir serves", box.serves() is not None)
    t.check(f"{what}: the load lasts until then", load.poll() is None)
    result, gap = box.far.result(load, end=True), probe.end()
    t.check(f"{what}: each reply has the right status", set(result["codes"]) == {"NOERROR", "NXDOMAIN"}, result)
    t.check(f"{what}: the load got answers", result["sent"] > result["lost"] >= 0, result)
    t.check(f"{what}: single queries have replies", probe.replies > 50, probe.replies)
    t.say(f"{what}: {result['sent']} queries of the load, {result['lost']} lost; no reply for {gap:.1f} s")
    after = pids(box)
    t.check(f"{what}: both processes are new", not set(before) & set(after) and "0" not in after, f"{before} {after}")
    t.same(f"{what}: both units are active and none has failed", "", box.active())


def refused(t, box, package):
    """With a configuration that the new version refuses the old processes go on."""
    good = box.do("cat /etc/weir/weir.yaml") + "\n"
    before = pids(box)
    box.configure(good + "no_such_key: 1\n")
    said = box.install(package)
    t.check("refused: the package says so", "refuses" in said, said)
    t.same("refused: the same processes run", before, pids(box))
    t.check("refused: they answer", box.serves(20) is not None)
    box.configure(good)
    box.do("systemctl restart weir-dataplane weir-controlplane", 180)
    t.check("refused: with the file corrected the new version serves", box.serves() is not None)


def main(t):
    options = argparse.ArgumentParser()
    options.add_argument("--other")
    other = options.parse_args().other
    box = t.box()
    first = subprocess.run(["dpkg-deb", "-f", box.deb, "Version"], capture_output=True, text=True, check=True).stdout.strip()
    if other:
        subprocess.run(["cp", other, box.share / "other.deb"], check=True)
    newer = "other.deb" if other else renamed(box, first + ".1")
    box.boot(box.installed())
    t.check("weir serves", box.serves() is not None)
    change(t, box, "upgrade" if not other else "to the other one", newer)
    t.check("the other version is installed", version(box) != first, version(box))
    change(t, box, "downgrade" if not other else "and back", "weir.deb")
    t.same("the first version is installed", first, version(box))
    refused(t, box, newer)


vmtest.run(main, 1200)
