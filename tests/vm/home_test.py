#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The README at home, on a booted Debian: a machine with an address from a router installs the package, `weirctl setup` is
answered at a terminal, another machine asks; all within five minutes. After a reboot weir answers by itself."""
import shutil
import time

import vmtest

STEPS = ["apt install ./weir_*.deb", "weirctl setup", "kdig @ADDRESS www.debian.org"]
BOUND_S = 300
PACKAGE = "weir_0.deb"  # any version
# All but the list as setup proposes it. The question of the password drops what was typed before it.
ANSWERS = [("clients reach", ""), ("198.18.0.53/24]: ", ""), ("oisd-small]: ", "/etc/weir/ads.txt"), ("198.18.0.2]: ", ""), ("no page]: ", ""), ("no [no]: ", "yes")]
PERSON = "until grep -qaF '{}' /root/screen; do sleep 0.2; done; echo '{}'\n"


def steps(readme):
    """The commands of README.md at home, without sudo and comments."""
    block = readme.split("## At home", 1)[1].split("```")[1]
    return [line.split("#")[0].removeprefix("sudo ").strip() for line in block.strip().split("\n")]


def network(box):
    """What DHCP would do on the interface of the first NIC. One queue: QEMU loses what it hashes to some of Linux 6.12's."""
    link = box.do("udevadm settle; basename $(ls -d /sys/bus/pci/devices/0000:00:05.0/virtio*/net/*)")
    box.run(f"ethtool -L {link} combined 1")  # not once weir has it
    box.do(f"ip link set {link} up && ip addr add 198.18.0.53/24 dev {link} && ip route add default via 198.18.0.2"
           " && echo nameserver 198.18.0.2 >/etc/resolv.conf")
    return link


def install(box):
    """Step 1; the guest reaches no archive, and has what weir depends on."""
    shutil.copy(box.deb, box.share / PACKAGE)
    box.do("mkdir -p /mnt/share && mount -t 9p -o trans=virtio,version=9p2000.L share /mnt/share"
           f" && cp /mnt/share/{PACKAGE} /root && umount /mnt/share")
    return box.run(f"cd /root && DEBIAN_FRONTEND=noninteractive {STEPS[0].replace('install', 'install -y')} 2>&1", 240)


def setup(box):
    """Step 2, at a terminal that has the answers."""
    person = "".join(PERSON.format(prompt, answer) for prompt, answer in ANSWERS)
    return box.run(f": >/root/screen; (\n{person}) | script -qefc '{STEPS[1]}' /root/screen", 240)


def first_answers(t, box):
    far, start = box.far, time.monotonic()
    status, said = install(box)
    t.check("step 1: the package is installed", status == 0, said)
    installed = time.monotonic()
    box.put("/etc/weir/ads.txt", "ads.example\n")
    status, said = setup(box)
    t.check("step 2: weirctl setup", status == 0, said)
    done = time.monotonic()
    t.check("step 3: another machine gets an answer", far.until("198.18.200.1", "ok.first.weir.net") is not None, far.ask("ok.first.weir.net"))
    took = time.monotonic() - start
    t.check(f"within {BOUND_S} s", took < BOUND_S, took)
    t.say(f"step 1 took {installed - start:.0f} s, step 2 {done - installed:.0f} s, all three {took:.0f} s")
    t.same("and is blocked by the list", "NXDOMAIN", far.ask("ads.example")[0])


def main(t):
    t.same("the README has these steps", STEPS, steps((vmtest.ROOT / "README.md").read_text()))
    box = t.box()
    box.far.upstream()
    disk = box.fresh()
    box.boot(disk)
    link = network(box)
    first_answers(t, box)
    t.same("both units are active and none has failed", "", box.active())
    t.same("weir is on the interface that the kernel keeps", [link], [p["interface"] for p in box.ctl("xdp status")["ports"]])
    t.check("weirctl doctor finds nothing wrong", box.run("weirctl doctor")[0] == 0, box.run("weirctl doctor")[1])
    box.off()
    box.boot(disk)
    network(box)
    t.check("after a reboot it answers by itself", box.far.until("198.18.200.1", "ok.second.weir.net") is not None, box.far.ask("ok.second.weir.net"))
    t.same("and blocks", "NXDOMAIN", box.far.ask("ads.example")[0])


vmtest.run(main, 1200)
