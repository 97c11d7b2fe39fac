# SPDX-License-Identifier: BSD-3-Clause
"""A machine under test: its disk, QEMU, NICs, the far end, and weir in it.

    box = Box(root)                      the image, the package, the far end
    box.boot(disk)                       a machine on a disk; returns when the guest runs commands
    box.do("weirctl status")             in the guest
    box.far.ask("ok.a.test")             from the far end
    box.off(), box.cut()                 shut down, power cut
"""
import base64
import json
import os
import pathlib
import shutil
import time

import kind as kinds
import scope
import stage
from boot import Qemu, nic_device
from far import CLIENT, Far
from guest import Guest, GuestError
from image import image

VIRTIO = {"model": "virtio-net-pci", "queues": 2}
NIC = "0000:00:05.0"  # the first one

CONFIG = """runtime:
  directory: /run/weir
  state_directory: /var/lib/weir
dataplane:
  main_lcore: 0
  worker_lcores: {workers}
  memory_mb: 128
  eal_hugepages: false
  ports: [{port}]
  service_addresses: [198.18.0.53/24, "fd53::53/64"]
  poll: {poll}
access:
  allow: [private, 198.18.0.0/15]
  unlimited: [private, 198.18.0.0/15]
limits: {{zone_inflight: 0, client_waiters: 0}}
cache: {{l0_mb: 32}}
blocking:
  lists: {lists}
  update: {{allow_private: true}}
  deny: [denied.example]
local:
  test_names: true
  records: [{{name: here.lan, type: A, value: 198.18.0.77}}]
upstreams: {{servers: [{{address: {upstream}}}]}}
{more}
"""


def config(**values):
    """The text of a weir.yaml."""
    known = {"workers": "[1]", "port": f'{{device: "{NIC}", exception: weir0}}', "poll": "adaptive", "lists": "[]",
             "upstream": CLIENT, "more": ""}
    return CONFIG.format(**{**known, **values})


def prepare(root, kind):
    """What needs the machine's network, so before scope.enter: the package and the image, named in the environment."""
    if scope.outside():
        os.environ["WEIR_DEB"] = stage.package(pathlib.Path(root), kind)
        os.environ["WEIR_VM_IMAGE"] = str(image(kind, stage.depends(os.environ["WEIR_DEB"])))


class Box:
    """root: of the source tree; needs `prepare`. nics: of each a dict {model, queues}; the first is at NIC, behind tap0."""

    def __init__(self, root, nics=(VIRTIO,), cpus=2, kind=kinds.DEFAULT):
        self.root = pathlib.Path(root)
        self.kind = kind
        self.cpus = cpus
        self.folder = scope.folder()
        self.share = self.folder / "share"
        self.share.mkdir()
        self.deb = os.environ["WEIR_DEB"]
        shutil.copy(self.deb, self.share / "weir.deb")
        self.image = pathlib.Path(os.environ["WEIR_VM_IMAGE"])
        self.nics = [{**nic, "tap": f"tap{number}"} for number, nic in enumerate(nics)]
        self.far = Far(self.root, self.folder)
        for nic in self.nics:
            self.far.add(nic["tap"], nic.get("queues", 1))
        self.far.use("tap0")
        self.qemu = None
        self.guest = None

    def fresh(self, name="fresh.qcow2"):
        """A disk of the image, without weir."""
        return stage.overlay(self.image / "disk.raw", self.folder / name)

    def installed(self, name="installed.qcow2"):
        """A disk of its own with weir installed and its first NIC bound at each boot; and it runs a plain configuration."""
        def make(path):
            self.boot(stage.overlay(self.image / "disk.raw", path))
            self.install()
            self.bind()
            self.configure(config())
            self.start()
            self.off()
        return stage.overlay(stage.installed(self.image, self.kind, self.deb, make), self.folder / name, "qcow2")

    def keep(self, disk):
        """Keeps a disk that has weir installed, its NIC bound and its records, for the tests that start from one."""
        stage.installed(self.image, self.kind, self.deb, lambda path: shutil.copy(disk, path))

    # --- the machine

    def boot(self, disk, *, log=None, more=(), memory=0, ready=True):
        """Starts a machine and waits for its runner. Seconds that it took."""
        self.qemu = Qemu(self.kind, self.image, disk, self.folder, self.nics, self.share, log=log, more=more, memory=memory, cpus=self.cpus)
        self.qemu.listens()
        self.guest = Guest(self.qemu.command)
        if ready:
            self.guest.ready(self.kind.boot_seconds)
        return self.age()

    def age(self):
        """Seconds since QEMU started."""
        return time.monotonic() - self.qemu.start

    def off(self, seconds=120):
        """An orderly end. (A systemctl that does not wait: the runner ends with the machine.)"""
        self.guest.do("systemctl --no-block poweroff")
        self.guest.close()
        self.qemu.wait_end(seconds * self.kind.slower)

    def cut(self):
        """A power cut."""
        self.guest.close()
        self.qemu.kill()

    def unplug(self, number):
        """Asks the guest to let go of a NIC that has a `bus`, and returns at once."""
        self.qemu.ask("device_del", id=f"nic{number}")

    def plug(self, number):
        """Plugs it again."""
        self.qemu.ask("device_add", **nic_device(number, self.nics[number]))

    def close(self):
        if self.qemu:
            self.cut()
        self.far.close()

    def run(self, command, seconds=120):
        return self.guest.run(command, seconds * self.kind.slower)

    def do(self, command, seconds=120):
        return self.guest.do(command, seconds * self.kind.slower)

    def put(self, path, text):
        """Writes a file; one that is there keeps its owner and its mode."""
        self.do(f"base64 -d >{path} <<<'{base64.b64encode(text.encode()).decode()}'")

    # --- weir in it

    def install(self, name="weir.deb"):
        """Installs a package from the folder that the guest shares. What apt and dpkg said."""
        self.do("mkdir -p /mnt/share && (mountpoint -q /mnt/share || mount -t 9p -o trans=virtio,version=9p2000.L share /mnt/share)")
        said = self.do(f"dpkg --force-confold -i /mnt/share/{name} 2>&1", 180)
        self.do("umount /mnt/share")
        return said

    def bind(self, nic=NIC):
        """Gives a NIC to weir, at each boot as well."""
        return self.do(f"weirctl nic bind {nic} 2>&1", 60)

    def configure(self, text):
        self.put("/etc/weir/weir.yaml", text)

    def start(self):
        self.do("systemctl enable weir-dataplane weir-controlplane 2>&1; systemctl restart weir-dataplane weir-controlplane", 180)

    def ctl(self, words):
        """The JSON that weirctl answers."""
        return json.loads(self.do(f"weirctl --json {words}"))

    def active(self):
        """Are both units active, and has no unit failed? What is the matter, or nothing."""
        return self.do("systemctl is-active weir-dataplane weir-controlplane | grep -v '^active$'; "
                       "systemctl --failed --plain --no-legend || :")

    def serves(self, seconds=180):
        """Waits for an answer from the NIC. Seconds, or None."""
        return self.far.until("198.18.0.77", "here.lan", seconds=seconds * self.kind.slower)

    def state(self):
        """Units, logs and console of the machine, for a test that failed."""
        parts = []
        if not self.guest:
            return "no machine was started"
        for command in ("systemctl --failed --no-legend", "journalctl -b -u 'weir*' --no-pager -o cat | tail -n 40", "dmesg | tail -n 10"):
            try:
                parts.append(f"--- {command}\n" + self.run(command, 30)[1])
            except (OSError, GuestError) as error:  # the machine may be gone
                parts.append(f"--- {command}: {error}")
        if self.qemu and self.qemu.console.exists():
            parts.append("--- console\n" + self.qemu.console.read_text(errors="replace")[-1500:])
        return "\n".join(parts)
