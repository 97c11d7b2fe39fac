#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""First boot and reboot: the package is installed in the guest, a NIC is bound, weir answers through it; after a reboot it
answers by itself, with the rules of its last life, though no list server and no upstream can be reached. Users, rights and
the watchdog are checked as well."""
import vmtest
import rights

LISTED, UPSTREAM = "listed.example", "198.18.200.1"


def configuration(machine):
    lists = "[{name: far, url: 'http://198.18.0.2:8080/far.txt'}]"
    return machine.config(lists=lists)


def answers(t, box, when):
    """Over UDP and TCP, IPv4 and IPv6: a record of its own, a denied name, a listed one."""
    far = box.far
    t.check(f"{when}: a listed name is blocked", far.until("NXDOMAIN", LISTED) is not None, far.ask(LISTED))
    t.same(f"{when}: a denied name over IPv6", "NXDOMAIN", far.ask("denied.example", server="fd53::53")[0])
    t.check(f"{when}: an answer over TCP", far.until("198.18.0.77", "here.lan", "A", "+tcp") is not None)


def healthy(t, box, when):
    t.same(f"{when}: both units are active and none has failed", "", box.active())
    driver = box.do(f"basename $(readlink /sys/bus/pci/devices/{vmtest.machine.NIC}/driver)")
    t.same(f"{when}: vfio-pci has the NIC", "vfio-pci", driver)
    ports = box.ctl("ports")
    t.check(f"{when}: weir reads the NIC", vmtest.machine.NIC in str(ports), ports)
    rights.check(t, box, when)


def first_boot(t, box, disk):
    far = box.far
    upstream, lists = far.upstream(), far.lists()
    (box.folder / "lists/far.txt").write_text(f"{LISTED}\n")
    t.say(f"runner of the guest ready {box.boot(disk):.0f} s after power on")
    box.install()
    t.say("package installed")
    box.bind()
    box.configure(configuration(vmtest.machine))
    box.start()
    t.check("the service answers", box.serves() is not None)
    t.say("first answer")
    answers(t, box, "first boot")
    t.check("a name of the upstream", far.until(UPSTREAM, "ok.first.test") is not None, far.ask("ok.first.test"))
    healthy(t, box, "first boot")
    far.stop(upstream)
    far.stop(lists)
    box.off()
    t.say("off")


def reboot(t, box, disk):
    far = box.far
    box.boot(disk, ready=False)
    seconds = far.until("NXDOMAIN", LISTED, seconds=vmtest.KIND.boot_seconds)
    t.check("reboot: a name of the last list is blocked, without list server and upstream", seconds is not None)
    t.say(f"cold start: first blocked answer {box.age():.0f} s after power on")
    box.guest.ready(vmtest.KIND.boot_seconds)
    answers(t, box, "reboot")
    healthy(t, box, "reboot")
    far.upstream()
    t.check("reboot: the upstream is used when it is back", far.until(UPSTREAM, "ok.second.test") is not None)
    rights.reload_and_stop(t, box)
    for unit in rights.UNITS:
        rights.watchdog(t, box, unit)
    box.off()
    t.say("off")


def main(t):
    box = t.box()
    t.say(f"image {box.image.name}, package {box.deb}")
    disk = box.fresh()
    first_boot(t, box, disk)
    box.keep(disk)
    reboot(t, box, disk)


vmtest.run(main, 1200)
