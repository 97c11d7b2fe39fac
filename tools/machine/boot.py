# SPDX-License-Identifier: BSD-3-Clause
"""One QEMU: a machine with an IOMMU and NICs on TAPs, by plain emulation, as not every host has a KVM that works.

A busy host can stop a virtual CPU for as long as the kernel waits for its first timer interrupts, so it does not look for
them (`no_timer_check`).

The disk is a qcow2 file on the host's page cache. What the host wrote survives the kill of QEMU, so a kill alone loses
what the guest had in memory; `log` makes QEMU write down each write and each flush, for platter.py.
"""
import json
import os
import signal
import socket
import subprocess
import time

# PCI slots of NICs, from this one on.
SLOT = 5


def nic_device(number, nic):
    """The properties of a NIC's device, for -device and for device_add."""
    queues = nic.get("queues", 1)
    device = {"driver": nic["model"], "id": f"nic{number}", "netdev": f"n{number}", "romfile": "",
              "mac": f"52:54:00:00:00:0{number + 1}"}
    if nic["model"] == "virtio-net-pci":
        device |= {"vectors": f"{2 * queues + 2}", "iommu_platform": "on", "disable-legacy": "on"}
        if queues > 1:
            device |= {"mq": "on", "rss": "on"}
    return device | ({"bus": nic["bus"]} if nic.get("bus") else {"addr": f"{SLOT + number:x}"})


def nic_arguments(number, nic):
    """nic: {model, queues, tap, bus}. bus: the name of a PCIe port, out of which the NIC can be pulled; else it is built in."""
    net = f"tap,id=n{number},ifname={nic['tap']},script=no,downscript=no"
    if nic.get("queues", 1) > 1:
        net += f",queues={nic['queues']}"
    device = ",".join(f"{key}={value}" for key, value in nic_device(number, nic).items())
    port = ["-device", f"pcie-root-port,id={nic['bus']},chassis={number + 1},addr={SLOT + number:x}"] if nic.get("bus") else []
    return [*port, "-netdev", net, "-device", device]


class Qemu:
    """image: folder of the kernel; disk: a qcow2 file; folder: of the sockets; share: folder that the guest may mount."""

    def __init__(self, kind, image, disk, folder, nics, share, *, log=None, memory=0, cpus=2, more=()):
        self.command = folder / "runner.sock"
        self.qmp = folder / "qmp.sock"
        self.console = folder / "console.log"
        for path in (self.command, self.qmp):
            path.unlink(missing_ok=True)
        argv = [*kind.qemu, "-accel", "tcg,thread=multi", "-smp", str(cpus), "-m", str(memory or kind.memory),
                "-nodefaults", "-nographic", "-no-reboot",
                "-kernel", str(image / f"vmlinuz-{kind.name}"), "-initrd", str(image / f"initrd-{kind.name}"),
                "-append", f"root=/dev/vda rw quiet panic=1 {kind.append}",
                "-serial", f"file:{self.console}",
                "-blockdev", f"driver=file,node-name=file,filename={disk}",
                "-blockdev", "driver=qcow2,node-name=disk,file=file"]
        top = "disk"
        if log:
            log.write_bytes(b"")
            argv += ["-blockdev", f"driver=file,node-name=logfile,filename={log}",
                     "-blockdev", "driver=blklogwrites,node-name=logged,file=disk,log=logfile,log-sector-size=512,log-super-update-interval=1"]
            top = "logged"
        argv += ["-device", f"virtio-blk-pci,drive={top},addr=1e",
                 "-device", "virtio-serial-pci", "-chardev", f"socket,path={self.command},server=on,wait=off,id=c0",
                 "-device", "virtserialport,chardev=c0,name=org.weir.0",
                 "-qmp", f"unix:{self.qmp},server=on,wait=off", *kind.iommu]
        if share:
            argv += ["-virtfs", f"local,path={share},mount_tag=share,security_model=none,readonly=on"]
        for number, nic in enumerate(nics):
            argv += nic_arguments(number, nic)
        self.errors = folder / "qemu.log"
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen([*argv, *more], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        self.start = time.monotonic()
        self.line = None

    def alive(self):
        return self.process.poll() is None

    def listens(self):
        """Waits until the sockets are there."""
        end = time.monotonic() + 30
        while not (self.command.exists() and self.qmp.exists()):
            if not self.alive() or time.monotonic() > end:
                raise RuntimeError("QEMU did not start:\n" + self.errors.read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def ask(self, command, seconds=60, **arguments):
        """One command of QMP; its return value."""
        if not self.line:
            self.line = socket.socket(socket.AF_UNIX)
            self.line.settimeout(30)
            self.line.connect(str(self.qmp))
            self.file = self.line.makefile("rw")
            self.file.readline()
            self.ask("qmp_capabilities")
        self.line.settimeout(seconds)
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            said = json.loads(self.file.readline() or '{"error": "QEMU closed its monitor"}')
            if "error" in said:
                raise RuntimeError(f"{command}: {said['error']}")
            if "return" in said:
                return said["return"]

    def human(self, command):
        """One command of the monitor for people (savevm, loadvm)."""
        said = self.ask("human-monitor-command", 120, **{"command-line": command})
        if said:
            raise RuntimeError(f"{command}: {said}")

    def wait_end(self, seconds):
        """Waits until the guest turned itself off."""
        self.process.wait(seconds)

    def kill(self):
        """The power cut."""
        if self.alive():
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
