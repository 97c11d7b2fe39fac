#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""NICs that DPDK drives: virtio with two queues, e1000e, vmxnet3. For each: bind, queues, spread over the workers, answers out
of a silence, sleep, link down and up, frames with a VLAN tag and for another host."""
import re
import time

import vmtest
from vmtest import address, port, until

# Of emulated NICs: no RX interrupt on e1000e, no spread of UDP by its ports but on virtio (docs/measurements/appliance.md).
NICS = ({"model": "virtio-net-pci", "queues": 2, "spreads": True, "interrupts": True},
        {"model": "e1000e", "spreads": False, "interrupts": False},
        {"model": "vmxnet3", "spreads": False, "interrupts": True})
WORKERS = 2


def workers(box):
    return box.ctl("stats --interval 0")["dataplane"]["workers"]


def frames(box):
    return [w["counters"]["rx_frames"] for w in workers(box)]


def vfio_interrupts(box):
    """Interrupts of queues that vfio delivered by now."""
    lines = box.do("grep vfio /proc/interrupts || :").split("\n")
    return sum(int(n) for line in lines for n in re.findall(r"(?<=\s)\d+(?=\s)", line))


def answers(t, box, name, nic):
    """A load of many source ports, all of it answered; then queries out of silences."""
    before = frames(box)
    result = box.far.result(box.far.load(["here.lan", "denied.example"], 4, 500, clients=64))
    t.check(f"{name}: nothing is lost at 500 q/s", result["lost"] == 0 and result["sent"] > 500, result)
    got = [now - then for now, then in zip(frames(box), before)]
    if nic["spreads"]:
        t.check(f"{name}: both workers get a part of 64 source ports", min(got) > sum(got) / 5, got)
    then = vfio_interrupts(box)
    missing = 0
    for _ in range(5):
        time.sleep(0.4)
        missing += box.far.ask("here.lan")[0] != "NOERROR"
    t.same(f"{name}: queries out of a silence are answered", 0, missing)
    if nic["interrupts"]:
        t.check(f"{name}: RX interrupts arrive", vfio_interrupts(box) > then, f"{then} before and after")
    t.check(f"{name}: workers sleep", box.ctl("stats --interval 0")["dataplane"]["counters"]["sleeps"] > 0)
    t.say(f"{name}: frames of the workers {got}")


def frames_of_others(t, box, name):
    """With the tag of a VLAN, and for another host."""
    reply = repr(box.far.frame("here.lan", vlan=7) or box.far.frame("here.lan", vlan=7))
    t.check(f"{name}: the reply to a frame of VLAN 7 has its tag", "vlan=7" in reply and "198.18.0.77" in reply, reply)
    t.check(f"{name}: a frame of VLAN 8, which is not configured, has no reply", box.far.frame("here.lan", vlan=8) is None)
    t.check(f"{name}: a frame for another host has no reply", box.far.frame("here.lan", other=True) is None)


def link(t, box, name, number):
    box.qemu.ask("set_link", name=f"nic{number}", up=False)
    t.check(f"{name}: weir sees that the link is down", until(lambda: not port(box)["link_up"]))
    t.same(f"{name}: no answer comes through a link that is down", "", box.far.ask("here.lan")[0])
    box.qemu.ask("set_link", name=f"nic{number}", up=True)
    t.check(f"{name}: weir sees that it is up", until(lambda: port(box)["link_up"]))
    t.check(f"{name}: it serves again", box.serves(30) is not None)


def one(t, box, number, nic):
    name = nic["model"]
    box.far.use(f"tap{number}")
    if number:
        box.bind(address(number))
    box.configure(vmtest.machine.config(port=f'{{device: "{address(number)}", exception: weir0, vlans: [0, 7]}}', workers="[1, 2]"))
    box.do("systemctl restart weir-dataplane weir-controlplane", 180)
    if not t.check(f"{name}: weir serves", box.serves() is not None):
        return
    t.same(f"{name}: vfio-pci has it", "vfio-pci", box.do(f"basename $(readlink /sys/bus/pci/devices/{address(number)}/driver)"))
    t.same(f"{name}: a queue for each worker", WORKERS, port(box)["queues"])
    answers(t, box, name, nic)
    frames_of_others(t, box, name)
    link(t, box, name, number)
    t.same(f"{name}: both units are active and none has failed", "", box.active())
    box.do("systemctl reset-failed")


def main(t):
    box = t.box(nics=NICS, cpus=3)
    t.say(f"runner ready {box.boot(box.installed()):.0f} s after power on")
    for number, nic in enumerate(NICS):
        one(t, box, number, nic)


vmtest.run(main, 1200)
