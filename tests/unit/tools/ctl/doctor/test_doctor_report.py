#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`weirctl doctor --report` on a machine and with a configuration in which each text that an owner chooses has a mark: it
says what machine it is, and no mark, address or path. usage: test_doctor_report.py WEIRCTL SBINDIR"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

WEIRCTL, SBIN = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2].lstrip("/")
WAIT_S = 120
MARK = "alice"  # part of each private text; six letters at most, as an interface's name has 15
MAC = "02:aa:bb:cc:dd:ee"
ADDRESS = "198.18.7.53"

CONFIG = """\
runtime: {{directory: {dir}/{m}-run, state_directory: {dir}/{m}-state, hugepages: off, group: {m}-admins}}
dataplane:
  main_lcore: 0
  worker_lcores: [0, 1]
  memory_mb: 128
  mbufs: 16384
  eal_hugepages: false
  ports:
    - {{device: "net_tap0,iface={m}tap,mac={mac}", exception: {m}exc}}
    - {{device: "0000:03:00.0", exception: {m}ex2, vlans: [7]}}
  service_addresses: [{address}/24, "fd53:a11c:e::53/64"]
upstreams: {{servers: [{{address: "tls://dns.{m}.example@198.18.7.9"}}]}}
blocking: {{lists: [{{name: {m}-list, path: {dir}/{m}-list.txt}}, {{name: {m}-other, url: "http://127.0.0.1:9/{m}.txt"}}]}}
local: {{records: [{{name: box.{m}.example, type: A, value: 198.18.7.1}}]}}
groups: [{{name: {m}-kids, clients: [198.18.7.77]}}]
"""

FILES = {
    "etc/os-release": f'PRETTY_NAME="{MARK} Linux"\nNAME="Debian"\nVERSION_ID="12"\nID=debian\nHOME_URL="https://{MARK}.example/"\n',
    "etc/hostname": f"{MARK}-box\n",
    "etc/hosts": f"198.18.7.1 {MARK}-box.example\n",
    "etc/passwd": f"root:x:0:0::/home/{MARK}:/bin/sh\n",
    "etc/resolv.conf": f"nameserver {ADDRESS}\nsearch {MARK}.example\n",
    "proc/sys/kernel/hostname": f"{MARK}-box\n",
    "proc/sys/kernel/domainname": f"{MARK}.example\n",
    "proc/sys/kernel/osrelease": f"6.12.48+deb13-amd64-{MARK}\n",
    "proc/cmdline": f"root=UUID=1234 {MARK}.secret=1\n",
    "proc/cpuinfo": f"processor\t: 0\nmodel name\t: Example CPU 9000 @ 1.60GHz\nflags\t\t: fpu hypervisor\nSerial\t\t: {MARK}100000\n",
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/meminfo": "MemTotal:       8388608 kB\nMemAvailable:   4194304 kB\n",
    "proc/mounts": f"//{MARK}/share /mnt cifs rw 0 0\n",
    "run/.containerenv": f'name="{MARK}"\n',
    "sys/devices/system/cpu/online": "0-3\n",
    "sys/devices/system/cpu/isolated": "2-3\n",
    "sys/devices/system/node/node0/x": "",
    "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "128\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "100\n",
    "sys/bus/pci/devices/0000:03:00.0/class": "0x020000\n",
    "sys/bus/pci/devices/0000:03:00.0/vendor": "0x8086\n",
    "sys/bus/pci/devices/0000:03:00.0/device": "0x1521\n",
    "sys/bus/pci/devices/0000:03:00.0/numa_node": "0\n",
    f"sys/class/net/{MARK}usb/address": f"{MAC}\n",
    f"sys/class/net/{MARK}usb/ifalias": f"{MARK}'s uplink\n",
    f"sys/class/net/{MARK}usb/queues/rx-0/x": "",
    f"sys/class/net/{MARK}usb/queues/rx-1/x": "",
    "sys/devices/usb1/idVendor": "0bda\n",
    "sys/devices/usb1/idProduct": "8153\n",
    "sys/devices/usb1/if0/x": "",
    "var/lib/dpkg/status": "".join(
        f"Package: {name}\nStatus: {state}\nMaintainer: {MARK} <{MARK}@example.org>\nArchitecture: all\nVersion: {version}\n\n"
        for name, state, version in (("librte-eal25", "install ok installed", "24.11.8-1~deb13u1"),
                                     ("libunbound8", "deinstall ok config-files", "1.26.1-1"),
                                     ("libssl3t64", "install ok installed", f"3.5.9-1+{MARK}2"),
                                     (f"{MARK}-payroll", "install ok installed", "1.0"))),
}
LINKS = {
    "sys/bus/pci/devices/0000:03:00.0/driver": "../../drivers/vfio-pci",
    f"sys/class/net/{MARK}usb/device": "../../../devices/usb1/if0",
    "sys/devices/usb1/if0/driver": "../../../bus/usb/drivers/r8152",
}
# The programs say their versions.
PROGRAM = "#!/bin/sh\n[ \"$1\" = --version ] && echo \"${0##*/} 0.1.0+git20261127.f766dca3\"\n"


class Report(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix=f"{MARK}-")
        self.addCleanup(scratch.cleanup)
        self.dir = pathlib.Path(scratch.name)
        self.root = self.dir / "root"
        for name, text in FILES.items():
            self.write(self.root / name, text)
        for name, to in LINKS.items():
            (self.root / name).symlink_to(to)
        for name in ("weir-dataplane", "weir-controlplane"):
            self.write(self.root / SBIN / name, PROGRAM)
            (self.root / SBIN / name).chmod(0o755)
        self.write(self.dir / f"{MARK}-list.txt", f"ads.{MARK}.example\n")
        self.config = self.dir / f"{MARK}.yaml"
        self.write(self.config, CONFIG.format(dir=self.dir, m=MARK, mac=MAC, address=ADDRESS))

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def doctor(self, *args):
        return subprocess.run([WEIRCTL, "-c", self.config, *args], capture_output=True, text=True, timeout=WAIT_S,
                              env={**os.environ, "WEIR_ROOT": str(self.root)})

    def report(self, *args):
        done = self.doctor(*args, "doctor", "--report")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def found(self, text):
        """What of a text is private."""
        shapes = (re.escape(MARK), r"\b\d+\.\d+\.\d+\.\d+\b", r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", r"0000:03:00", r"fd53", r"://",
                  r"(?:^|\s)\"?/\w", r"example\b", r"\b1234\b")
        return [m for shape in shapes for m in re.findall(shape, text, re.I | re.M)]

    def test_the_findings_have_the_marks_that_the_report_must_not_have(self):
        private = self.found(self.doctor("doctor").stdout)
        self.assertIn(MARK, private)
        self.assertIn("198.18.7.9", private)
        self.assertIn("0000:03:00", private)

    def test_nothing_private_is_in_it(self):
        said = self.report()
        self.assertEqual([], self.found(said.replace("Example CPU", "CPU")), said)
        said = self.report("--json")
        self.assertEqual([], self.found(said.replace("Example CPU", "CPU")), said)

    def test_a_file_that_cannot_be_used_leaks_nothing(self):
        self.write(self.config, f"nonsense-{MARK}: 1\n")
        said = self.report()
        self.assertEqual([], self.found(said.replace("Example CPU", "CPU")), said)
        self.assertRegex(said, r"(?m)^wrong +config")

    def test_it_says_what_machine_it_is(self):
        said = self.report().replace("\n" + 19 * " ", " ")
        for line in (r"weirctl +\d\S+$", r"weir-dataplane +0\.1\.0\+git20261127\.f766dca3, down$",
                     r"weir-controlplane +0\.1\.0\+git20261127\.f766dca3, down$",
                     rf"system +debian 12, {os.uname().machine}, kernel 6\.12\.48\+deb13-amd64-\?, no systemd, in a container",
                     r"processor +Example CPU 9000 @ 1\.60GHz, Raspberry Pi 5 Model B Rev 1\.0, cores: 4, isolated: 2, memory nodes: 1, virtual machine$",
                     rf"memory +8\.0 GiB, pages of {os.sysconf('SC_PAGESIZE') // 1024}\.0 KiB, huge pages of 2\.0 MiB: 128 \(100 free\)$",
                     r"libraries +librte-eal25 24\.11\.8-1~deb13u1, libssl3t64 3\.5\.9-1\+\?2$",
                     r"network card +PCI 8086:1521, driver vfio-pci, receive queues: 0, of these: 1$",
                     r"network card +USB 0bda:8153, driver r8152, receive queues: 2, of these: 1$",
                     r"port +net_tap, exception interface$", r"port +PCI, driver vfio-pci, exception interface, VLANs$",
                     r"workers +2$", r"wrong .*ports", r"ok +\w+"):
            self.assertRegex(said, "(?m)^" + line)

    def test_json_has_the_same(self):
        said = json.loads(self.report("--json"))
        self.assertEqual(["weirctl", "weir-dataplane", "weir-controlplane"], [p["program"] for p in said["programs"]])
        self.assertEqual([("PCI", "8086:1521", "vfio-pci"), ("USB", "0bda:8153", "r8152")],
                         [(c["bus"], c["model"], c["driver"]) for c in said["cards"]])
        self.assertEqual(["net_tap", "PCI"], [p["kind"] for p in said["ports"]])
        checks = {c["check"]: c for c in said["checks"]}
        self.assertEqual("wrong", checks["ports"]["verdict"])
        self.assertEqual({"check", "verdict", "ok", "warnings", "wrong", "not_checked"}, set(checks["config"]))

    def test_libraries_without_dpkg_are_those_of_their_files(self):
        (self.root / "var/lib/dpkg/status").unlink()
        self.write(self.root / "usr/lib/x86_64-linux-gnu/librte_eal.so.23.0", "")
        self.assertIn({"library": "librte_eal", "version": "23.0"}, json.loads(self.report("--json"))["libraries"])

    def test_it_takes_no_check(self):
        done = self.doctor("doctor", "--report", "ports")
        self.assertEqual((2, "weirctl: doctor takes a check, --report or --save\n"), (done.returncode, done.stderr))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
