#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The package for arm64 on a booted machine: pages of the kernel's size, an answer on a TAP, through AF_XDP, and through vfio
behind an SMMU; rights, doctor, huge pages, and a reboot after which weir answers by itself.

usage: arm64_test.py 4k|16k      pages of the kernel
"""
import rights
import vmtest
from far import CLIENT, SERVICE
from vmtest import KIND, address, machine

PAGES = {"4k": 4096, "16k": 16384}
# A kernel with larger pages than 4 KiB serves a device of vfio-pci only so (docs/how-to/nic.md).
VFIO_HUGE = "true" if KIND.name == "16k" else "false"
CPUS = 2
# The kernel's virtio driver wants a TX queue for each CPU beside the others for XDP.
NICS = (machine.VIRTIO, {"model": "virtio-net-pci", "queues": 2 * CPUS})
TAP = '{device: "net_tap0,iface=wt0,persist", exception: weir0}'


def kernel(t, box):
    t.same("the machine is arm64", "aarch64", box.do("uname -m"))
    t.same("its kernel has pages of this size", str(PAGES[KIND.name]), box.do("getconf PAGESIZE"))
    t.say(f"kernel {box.do('uname -r')}")


def restart(box):
    box.do("systemctl restart weir-dataplane weir-controlplane", 180)


def one_queue(box):
    """The kernel's name of the second NIC, which is up, with one queue: QEMU loses what it hashes to some of several."""
    link = box.do(f"udevadm settle; basename $(ls -d /sys/bus/pci/devices/{address(1)}/virtio*/net/*)").strip()
    box.do(f"ip link set {link} up && ethtool -L {link} combined 1")
    return link


def speed(t, box, port):
    """The emulator's figure for docs/reference/machines.md, with 100 queries under way. No check judges the rate."""
    seconds = 10
    result = box.far.result(box.far.load(["here.lan", "denied.example"], seconds, 1_000_000))
    t.check(f"{port}: it answers under load", result["codes"].get("NOERROR", 0) > 0, result)
    t.say(f"{port}: {(result['sent'] - result['lost']) / seconds:.0f} answers a second, {result['lost']} lost")


def on_tap(t, box, link):
    """For a client in a network namespace of the guest, which has the other end of the TAP."""
    t.check("the package is installed", "Setting up weir" in box.install())
    t.say("package installed")
    t.same("TAP: both units are active and none has failed", "", box.active())
    box.configure(machine.config(port=TAP))
    restart(box)
    t.check("TAP: it is there", vmtest.until(lambda: box.run("test -e /sys/class/net/wt0")[0] == 0))
    box.do("ip netns add client && ip link set wt0 netns client && "
           f"ip -n client addr add {CLIENT}/24 dev wt0 && ip -n client link set wt0 up")

    def ask(*words):
        return box.run(" ".join(["ip netns exec client kdig +short +timeout=5 +retry=0", f"@{SERVICE}", *words]))[1].strip()
    t.check("TAP: an answer over UDP", vmtest.until(lambda: ask("here.lan") == "198.18.0.77"), ask("here.lan"))
    t.same("TAP: the same over TCP", "198.18.0.77", ask("here.lan", "+tcp"))
    t.same("TAP: a denied name has no address", "", ask("denied.example"))
    # The same for the far end: each frame of the second NIC goes to the TAP, and back.
    box.far.use("tap1")
    box.do("ip -n client link set wt0 netns 1 && ip netns delete client")
    for one, other in (("wt0", link), (link, "wt0")):
        box.do(f"ip link set {one} promisc on up && tc qdisc add dev {one} ingress && tc filter add dev {one} parent ffff: protocol all u32 "
               f"match u32 0 0 action mirred egress redirect dev {other}")
    t.check("TAP: an answer by the second NIC", box.far.until("198.18.0.77", "here.lan") is not None)
    speed(t, box, "TAP")
    box.do(f"tc qdisc del dev {link} ingress; ip link set {link} promisc off")


def steered(box):
    return box.ctl("xdp status")["ports"][0]["counters"]["steered"]


def on_xdp(t, box, link):
    box.far.use("tap1")
    box.configure(machine.config(port=f"{{xdp: {link}}}"))
    restart(box)

    def worker_answers():
        before = steered(box)
        return box.far.ask("here.lan")[0] == "NOERROR" and steered(box) > before
    t.check("AF_XDP: a worker answers", box.serves() is not None and vmtest.until(worker_answers))
    state = box.ctl("xdp status")["ports"][0]
    t.same("AF_XDP: the program is weir's, in native mode", ("ours", True), (state["attached"], state["native"]))
    result = box.far.result(box.far.load(["here.lan", "denied.example"], 4, 200))
    t.check("AF_XDP: nothing is lost at 200 q/s", result["lost"] == 0 and result["sent"] > 200, result)
    speed(t, box, "AF_XDP")
    t.same("AF_XDP: both units are active and none has failed", "", box.active())
    box.do(f"systemctl stop weir-dataplane; ip addr flush dev {link}; ip link set {link} down")


def answers(t, box, when):
    t.check(f"{when}: weir serves", box.serves() is not None)
    t.same(f"{when}: a denied name over IPv6", "NXDOMAIN", box.far.ask("denied.example", server="fd53::53")[0])
    t.check(f"{when}: an answer over TCP", box.far.until("198.18.0.77", "here.lan", "A", "+tcp") is not None)
    t.same(f"{when}: both units are active and none has failed", "", box.active())


def huge_findings(box):
    return box.ctl("doctor hugepages || :")["findings"]


def reserve(t, box, verdict):
    """Huge pages, by the command that doctor gives."""
    found = [f for f in huge_findings(box) if f["verdict"] == verdict]
    t.check(f"huge pages: doctor has a command for each {verdict}", found and all(f.get("do") for f in found), found)
    for command in [f["do"] for f in found]:
        box.do(command if isinstance(command, str) else " && ".join(command))
    restart(box)


def on_vfio(t, box):
    box.far.use("tap0")
    box.bind()
    box.configure(machine.config().replace("eal_hugepages: false", f"eal_hugepages: {VFIO_HUGE}"))
    if VFIO_HUGE == "true":
        reserve(t, box, "wrong")
    else:
        restart(box)
    answers(t, box, "vfio")
    device = f"/sys/bus/pci/devices/{machine.NIC}"
    t.same("vfio: vfio-pci has the NIC", "vfio-pci", box.do(f"basename $(readlink {device}/driver)"))
    t.check("vfio: the NIC is behind an SMMU", "smmu" in box.do(f"basename $(readlink -f {device}/iommu)"))
    rights.check(t, box, "vfio")
    status, said = box.run("weirctl doctor")
    t.check("vfio: weirctl doctor finds nothing wrong", status == 0, said)


def huge_pages(t, box):
    if VFIO_HUGE == "false":
        reserve(t, box, "warning")
    t.check("huge pages: weir serves", box.serves() is not None)

    def where():
        return box.ctl("status || :").get("controlplane", {}).get("generations", {}).get("l0_where")
    t.check("huge pages: the cache is on them after a restart", vmtest.until(lambda: where() == "hugetlbfs", 30), where())
    t.same("huge pages: doctor has nothing to say", {"ok"}, {f["verdict"] for f in huge_findings(box)})


def reboot(t, box, disk):
    box.off()
    t.say(f"runner ready {box.boot(disk):.0f} s after power on")
    answers(t, box, "reboot")
    t.say(f"answered by itself {box.age():.0f} s after power on")
    rights.check(t, box, "reboot")
    rights.reload_and_stop(t, box)
    rights.watchdog(t, box, "weir-dataplane")


def main(t):
    box = t.box(nics=NICS, cpus=CPUS)
    box.far.upstream()
    disk = box.fresh()
    t.say(f"runner ready {box.boot(disk):.0f} s after power on")
    kernel(t, box)
    link = one_queue(box)
    on_tap(t, box, link)
    on_xdp(t, box, link)
    on_vfio(t, box)
    huge_pages(t, box)
    reboot(t, box, disk)


if KIND.name not in PAGES:
    vmtest.scope.skip(__doc__.rsplit("\n\n", 1)[1].strip())
vmtest.run(main, 1200)
