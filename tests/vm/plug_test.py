#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A NIC is unplugged while weir serves, and plugged again: the data plane ends with a message, weirctl says what is the
matter, and weir serves again by itself. With two ports, weir goes on with the other one once the port is taken out."""
import time

import vmtest
from vmtest import machine

VIRTIO = {"model": "virtio-net-pci", "queues": 2}
NICS = ({**VIRTIO, "bus": "port0"}, {**VIRTIO, "bus": "port1"})
FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"
PLUG_SECONDS = 60
PORTS = f'{{device: "{FIRST}", exception: weir0}}, {{device: "{SECOND}"}}'


def wait(condition, seconds=PLUG_SECONDS):
    """Waits until the condition holds. Seconds that it took, or None."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if condition():
            return time.monotonic() - start
        time.sleep(0.5)
    return None


def present(box, address):
    return box.run(f"test -e /sys/bus/pci/devices/{address}")[0] == 0


def log_since(box, mark):
    """What the data plane's unit logged since the time of the guest `mark`."""
    return box.do(f"journalctl -u weir-dataplane -o cat --no-pager --since @{mark}")


def clock(box):
    return box.do("date +%s")


def restarts(box):
    return int(box.do("systemctl show -P NRestarts weir-dataplane"))


def doctor(box):
    """The texts of what `weirctl doctor` finds wrong with the ports, and its status."""
    status, out = box.run("weirctl doctor 2>&1")
    return status, "\n".join(line for line in out.split("\n") if "0000:" in line)


def unplugged(t, box, number, address):
    """Unplugs a NIC of which weir has a port. What the data plane logged from there on."""
    mark, before = clock(box), restarts(box)
    box.unplug(number)
    gone = wait(lambda: not present(box, address))
    t.check(f"{address}: the kernel gets it back", gone is not None)
    t.say(f"{address}: gone after {gone or 0:.1f} s")
    ended = f"port {address}: its device was removed"
    t.check(f"{address}: the data plane ends with a message", wait(lambda: ended in log_since(box, mark)) is not None,
            log_since(box, mark))
    t.check(f"{address}: its unit starts it again and again", wait(lambda: restarts(box) > before + 1) is not None)
    said = log_since(box, mark)
    t.check(f"{address}: each start says that the device is missing", f"this machine has no PCI device {address}" in said, said)
    t.check(f"{address}: it was no crash", "code=killed" not in said and "code=dumped" not in said, said)
    return said


def diagnosed(t, box, address):
    """What an operator sees meanwhile."""
    status = box.do("weirctl status 2>&1 || :")
    t.check(f"{address}: weirctl status says that the data plane is down", "data plane" in status and "down" in status, status)
    code, said = doctor(box)
    t.check(f"{address}: weirctl doctor says which device is missing", code != 0 and f"no PCI device {address}" in said, said)
    t.same(f"{address}: the control plane is active", "active", box.run("systemctl is-active weir-controlplane")[1].strip())


def bound(box, address):
    return wait(lambda: "vfio-pci" in box.run(f"readlink /sys/bus/pci/devices/{address}/driver")[1])


def plugged(t, box, number, address):
    box.plug(number)
    start = time.monotonic()
    t.check(f"{address}: weir serves again by itself", box.serves() is not None)
    t.say(f"{address}: first answer {time.monotonic() - start:.1f} s after the plug")
    t.check(f"{address}: vfio-pci has it", bound(box, address) is not None)
    code, said = doctor(box)
    t.check(f"{address}: weirctl doctor has no complaint about it", f"{address}: bound to vfio-pci" in said, f"{code}: {said}")
    t.same(f"{address}: both units are active and none has failed", "", box.active())


def two_ports(t, box):
    """No port of two goes on while the other one's device is missing, until its port is taken out."""
    box.bind(SECOND)
    box.configure(machine.config(port=PORTS))
    box.do("systemctl restart weir-dataplane weir-controlplane", 180)
    t.check("two ports: weir serves on the first", box.serves() is not None)
    unplugged(t, box, 1, SECOND)
    t.same("two ports: the first does not serve alone", "", box.far.ask("here.lan")[0])
    diagnosed(t, box, SECOND)
    box.configure(machine.config(port=f'{{device: "{FIRST}", exception: weir0}}'))
    box.do("weirctl config apply", 60)
    t.check("two ports: without the other's port it does, by itself", box.serves() is not None)
    box.plug(1)
    t.check(f"{SECOND}: vfio-pci has it", bound(box, SECOND) is not None)
    box.configure(machine.config(port=PORTS))
    box.do("weirctl config apply && systemctl restart weir-dataplane", 180)
    box.far.use("tap1")
    t.check("two ports: both serve after a restart with both", box.serves() is not None)


def main(t):
    box = t.box(nics=NICS)
    disk = box.fresh()
    t.say(f"runner ready {box.boot(disk):.0f} s after power on")
    box.install()
    box.bind(FIRST)
    box.configure(machine.config(port=f'{{device: "{FIRST}", exception: weir0}}'))
    box.start()
    t.check("weir serves", box.serves() is not None)
    for turn in ("first", "second"):
        t.say(f"{turn} turn")
        unplugged(t, box, 0, FIRST)
        diagnosed(t, box, FIRST)
        plugged(t, box, 0, FIRST)
    two_ports(t, box)


vmtest.run(main, 1500)
