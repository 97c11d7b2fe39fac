#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""AF_XDP on NICs that the kernel keeps: virtio with queues to spare and without, e1000e, vmxnet3. For each: the mode of the
program and what weir says of it, answers of the workers, a restart under load, a kill, and the kernel's answers meanwhile."""
import time

import vmtest
from probe import Probe

# The first is the one that the disk binds at boot. A kernel's virtio driver has XDP of its own, and wants a TX queue for each
# CPU beside the others; without them it sends in a slower mode, and says so. e1000e has none, vmxnet3 none before Linux 6.3, and
# closes its link for a tenth of a second and more where a program is attached or removed.
CPUS = 3
NICS = (vmtest.machine.VIRTIO,
        {"model": "virtio-net-pci", "queues": 2 * CPUS, "name": "virtio, 6 queues", "workers": 2, "native": True},
        {"model": "virtio-net-pci", "queues": 2, "name": "virtio, 2 queues", "workers": 2, "native": True},
        {"model": "e1000e", "name": "e1000e", "workers": 1, "native": False},
        {"model": "vmxnet3", "name": "vmxnet3", "workers": 1, "native": vmtest.KIND.suite != "bookworm", "most_lost": 250})
NO_QUEUE = "will operate in a slower locked tx mode"


def interface(box, number):
    """The kernel's name of a NIC."""
    device = f"/sys/bus/pci/devices/0000:00:{5 + number:02x}.0"
    return box.do(f"udevadm settle; for one in {device}/net/* {device}/virtio*/net/*; do test ! -e $one || basename $one; done")


def program(box):
    return box.ctl("xdp status")["ports"][0]


def steered(box):
    return program(box)["counters"]["steered"]


def serves(box):
    """Waits until the workers answer, and not the control plane, which has the queries that are not steered."""
    end = time.monotonic() + 180
    while box.serves() is not None and time.monotonic() < end:
        before = steered(box)
        if box.far.ask("here.lan")[0] == "NOERROR" and steered(box) > before:
            return True
    return False


def modes(t, box, name, nic, link):
    """What the kernel did, and what weir says of it."""
    state = program(box)
    t.same(f"{name}: the program is weir's, and a data plane lives", ("ours", True), (state["attached"], state["dataplane"]))
    t.same(f"{name}: weirctl xdp says {'native' if nic['native'] else 'generic'}", nic["native"], state["native"])
    shown = box.do(f"ip -details link show {link}")
    t.same(f"{name}: so does the kernel", nic["native"], "xdpgeneric" not in shown)
    said = box.do("weirctl doctor 2>&1 || :")
    word = "has XDP of its own; frames are copied" if nic["native"] else "is not known to have XDP"
    t.check(f"{name}: weirctl doctor says what to expect of it", any(link in line and word in line for line in said.split("\n")), said)
    log = box.do("journalctl -u weir-dataplane -o cat --no-pager -n 60")
    t.check(f"{name}: the log has the sockets, which copy", f"AF_XDP: {nic['workers']} sockets, 0 of them without copies" in log, log)
    port = next(p for p in box.ctl("ports")["ports"] if p["xdp"])
    t.same(f"{name}: a queue for each worker", nic["workers"], port["queues"])
    if nic["model"] == "virtio-net-pci":
        lines = [line for line in box.do("dmesg | grep 'XDP request' || :").split("\n") if link in line]
        t.same(f"{name}: the kernel misses queues for it", nic["queues"] == 2, any(NO_QUEUE in line for line in lines))
        t.say(f"{name}: kernel: {lines}")


def under_load(t, box, name, what, action):
    """The time without a reply and the lost queries of a restart at 500 q/s."""
    load, probe = box.far.load(["here.lan", "denied.example"], 120, 500), Probe()
    time.sleep(2)
    start = time.monotonic()
    action()
    took = time.monotonic() - start
    t.check(f"{name}: {what}: the workers answer again", serves(box))
    t.check(f"{name}: {what}: the load lasts until then", load.poll() is None)
    result, gap = box.far.result(load, end=True), probe.end()
    t.same(f"{name}: {what}: each reply is right", {"NOERROR", "NXDOMAIN"}, set(result["codes"]))
    t.say(f"{name}: {what}: took {took:.1f} s; {result['lost']} of {result['sent']} lost, no reply for {1000 * gap:.0f} ms")
    return result


def without_dataplane(t, box, name, link):
    box.do("systemctl stop weir-dataplane", 60)
    t.check(f"{name}: the control plane answers without a data plane", box.serves(20) is not None)
    t.same(f"{name}: no program is left", "", box.do(f"ip link show {link} | grep xdp || :"))


def one(t, box, number, nic):
    name, link = nic["name"], interface(box, number)
    box.far.use(f"tap{number}")
    box.do(f"ip link set {link} up")
    if nic["model"] == "virtio-net-pci":
        box.do(f"ethtool -L {link} combined {nic['workers']} || ethtool -l {link} | grep -q 'Combined:.*{nic['workers']}'")
    box.configure(vmtest.machine.config(port=f"{{xdp: {link}}}", workers=str(list(range(1, nic["workers"] + 1)))))
    box.do("systemctl restart weir-dataplane weir-controlplane", 180)
    if t.check(f"{name}: the workers answer", serves(box)):
        modes(t, box, name, nic, link)
        result = box.far.result(box.far.load(["here.lan", "denied.example"], 4, 500, clients=64))
        t.check(f"{name}: nothing is lost at 500 q/s", result["lost"] == 0 and result["sent"] > 500, result)
        result = under_load(t, box, name, "restart", lambda: box.do("systemctl restart weir-dataplane", 60))
        most = nic.get("most_lost", 50)
        t.check(f"{name}: restart: it loses fewer queries than {most / 500} seconds have", result["lost"] < most, result)
        under_load(t, box, name, "kill", lambda: box.do("systemctl kill -s KILL weir-dataplane"))
        without_dataplane(t, box, name, link)
    box.do(f"systemctl stop weir-dataplane; ip addr flush dev {link}; ip link set {link} down")


def main(t):
    box = t.box(nics=NICS, cpus=CPUS)
    t.say(f"runner ready {box.boot(box.installed()):.0f} s after power on")
    for number, nic in list(enumerate(NICS))[1:]:
        one(t, box, number, nic)


vmtest.run(main, 1500)
