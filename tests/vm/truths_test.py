#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What weir says of NICs that DPDK drives, against what they do: MAC filters, promiscuous mode, checksums, MTU and frames above
it, rules in the NIC."""
import itertools
import logging
import subprocess
import time

import vmtest
from far import CLIENT, CLIENT6, SERVICE, SERVICE6
from vmtest import address, port, until
logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # here it says that lo has no address
from scapy.all import DNS, DNSQR, IP, UDP, Ether, IPv6, Raw, conf, get_if_hwaddr, raw, sendp, srp1  # noqa: E402

# counts: the frames above its MTU that the NIC drops, or weir; QEMU's e1000e drops them uncounted.
NICS = ({"model": "virtio-net-pci", "queues": 2, "macs": True, "counts": True},
        {"model": "e1000e", "macs": True, "counts": False},
        {"model": "vmxnet3", "macs": False, "counts": True})
NO_RULES = "frames other than DNS stay on the workers' queues: "
LOG = "journalctl -u weir-dataplane -o cat --no-pager"
SOURCE_PORTS = itertools.count(20000)  # one for each query, so that no late reply is taken for another one's
ROUTER = "00:00:5e:00:01:05"  # of VRRP
GROUP = "01:00:5e:00:00:12"
LARGE = 15  # TXT records of 250 bytes
LARGE_MTU = 4096 + 48
RECORDS = "".join(f", {{name: large.lan, type: TXT, value: '{chr(97 + n) * 250}'}}" for n in range(LARGE))


def mac(number):
    return f"52:54:00:00:00:{number + 1:02x}"


def configuration(number, macs="[]", reply=1232):
    port = f'{{device: "{address(number)}", exception: weir0, macs: {macs}}}'
    text = vmtest.machine.config(port=port)
    for old, new in (("  poll:", "  flow_rules: auto\n  poll:"), ("limits: {", f"limits: {{udp_reply_size: {reply}, "),
                     ("198.18.0.77}]", "198.18.0.77}" + RECORDS + "]")):
        assert old in text, old
        text = text.replace(old, new)
    return text


def dataplane(box):
    return box.ctl("stats --interval 0")["dataplane"]


def verdict(box, name):
    return dataplane(box)["verdicts"][name]


def query(box, to, v6=False, name="here.lan"):
    ip = IPv6(src=CLIENT6, dst=SERVICE6) if v6 else IP(src=CLIENT, dst=SERVICE)
    return Ether(src=get_if_hwaddr(box.far.tap), dst=to) / ip / UDP(sport=next(SOURCE_PORTS), dport=53) / DNS(rd=1, qd=DNSQR(qname=name))


def ask(box, frame):
    return srp1(frame, iface=box.far.tap, timeout=3, verbose=0)


def send(box, frame, count=1):
    sendp(frame, iface=box.far.tap, count=count, verbose=0)


def sums_fit(reply):
    """Are the checksums of a reply those that scapy computes?"""
    again = Ether(raw(reply))
    again[UDP].chksum = None
    if IP in again:
        again[IP].chksum = None
    return raw(Ether(raw(again))) == raw(reply)


def counted(t, box, text, name, frame):
    """A frame has no reply and adds one to a verdict."""
    before = verdict(box, name)
    t.check(f"{text} has no reply", ask(box, frame) is None)
    t.check(f"{text} is counted: {name}", until(lambda: verdict(box, name) == before + 1), f"{before} before, {verdict(box, name)} after")


def macs(t, box, name, number, nic):
    for to in (mac(number), ROUTER)[:1 + nic["macs"]]:
        reply = ask(box, query(box, to)) or ask(box, query(box, to))
        t.check(f"{name}: a query to {to} is answered from there", reply is not None and reply.src == to, repr(reply))
    t.check(f"{name}: weirctl ports shows its MAC, and no promiscuous mode",
            port(box)["mac"] == mac(number) and not port(box)["features"]["promiscuous"], port(box))
    counted(t, box, f"{name}: a query to a group address", "drop_mac", query(box, GROUP))
    before, others = dataplane(box)["counters"]["rx_frames"], verdict(box, "drop_other_host")
    send(box, query(box, "52:54:00:00:00:99"), 50)
    t.check(f"{name}: a query behind 50 frames for another host is answered", ask(box, query(box, mac(number))) is not None)
    after = dataplane(box)["counters"]["rx_frames"]
    t.check(f"{name}: the NIC keeps frames for other hosts from weir", before < after < before + 25, f"{before} to {after}")
    t.same(f"{name}: so weir drops none", others, verdict(box, "drop_other_host"))


def checksums(t, box, name, number):
    for version in (4, 6):
        for asked in ("here.lan", "denied.example", "version.bind", "a.here.lan"):
            reply = ask(box, query(box, mac(number), version == 6, asked)) or ask(box, query(box, mac(number), version == 6, asked))
            t.check(f"{name}: IPv{version}: the checksums of the reply for {asked} are right", reply is not None and sums_fit(reply), repr(reply))
        bad = query(box, mac(number), version == 6)
        bad[UDP].chksum = 0x1234
        counted(t, box, f"{name}: IPv{version}: a query with a wrong UDP checksum", "drop_udp_csum", bad)
    bad = query(box, mac(number))
    bad[IP].chksum = 0x1234
    counted(t, box, f"{name}: a query with a wrong checksum of its IP header", "drop_ip_csum", bad)


def rules(t, box, name, mark):
    """No emulated NIC has rte_flow."""
    log = box.do(f"{LOG} --since @{mark}")
    t.check(f"{name}: the log says why no rule of the NIC steers", NO_RULES in log, log)
    t.check(f"{name}: weirctl ports shows no steering", not port(box)["features"]["steering"], port(box))
    box.do("weirctl drops add 198.51.100.0/24 30")
    want = "in force on a port: 0, of which in part: 0"
    t.check(f"{name}: no port takes a drop rule, which weirctl drops says", until(
        lambda: "refused by all ports since start: 1" in box.do("weirctl drops list")) and want in box.do("weirctl drops list"),
            box.do("weirctl drops list"))
    box.do("weirctl drops remove 198.51.100.0/24")
    t.say(f"{name}: {[line for line in log.split(chr(10)) if NO_RULES in line]}; features {[k for k, v in port(box)['features'].items() if v]}")


def above_mtu(t, box, name, number, nic):
    """Frames of 3,000 bytes at an MTU of 1,500, and an answer that is too long for it."""
    t.same(f"{name}: weirctl ports shows MTU 1500", 1500, port(box)["mtu"])

    def lost():
        one = port(box)
        return verdict(box, "drop_chained") + one["ierrors"] + one["imissed"]
    before = lost()
    frame = query(box, mac(number)) / Raw(b"x" * 3000)
    t.check(f"{name}: a frame of {len(frame)} bytes has no reply", ask(box, frame) is None)
    send(box, frame, 9)
    want = before + 10 * nic["counts"]
    time.sleep(2)  # the statistics are of each second
    t.same(f"{name}: of 10 such frames {want - before} are counted", want, lost())
    t.check(f"{name}: weir serves on", box.serves(20) is not None)
    t.say(f"{name}: above the MTU: drop_chained {verdict(box, 'drop_chained')}, {port(box)}")
    answer = box.far.ask("large.lan", "TXT", "+bufsize=4096", "+ignore")
    t.check(f"{name}: a long answer is cut", answer[0] == "NOERROR" and len(answer[1]) < LARGE, answer)


def large(t, box, name, number):
    """With limits.udp_reply_size 4096."""
    mark = box.do("date +%s")
    box.configure(configuration(number, reply=4096))
    box.do("systemctl restart weir-dataplane weir-controlplane", 180)
    if not t.check(f"{name}: weir serves with large replies", box.serves() is not None):
        return
    t.same(f"{name}: weirctl ports shows the MTU that they need", LARGE_MTU, port(box)["mtu"])
    t.same(f"{name}: no port says that it cannot set it", "", box.do(f"{LOG} --since @{mark} | grep 'cannot set MTU' || :"))
    answer = box.far.ask("large.lan", "TXT", "+bufsize=4096", "+ignore")
    t.check(f"{name}: a long answer comes whole", answer[0] == "NOERROR" and len(answer[1]) == LARGE, answer)


def one(t, box, number, nic):
    name, mark = nic["model"], box.do("date +%s")
    box.far.use(f"tap{number}")
    subprocess.run(["ip", "link", "set", box.far.tap, "mtu", "9000"], check=True)
    if number:
        box.bind(address(number))
    box.configure(configuration(number, f"['{ROUTER}']"))
    box.run("systemctl restart weir-dataplane weir-controlplane", 180)
    if not nic["macs"]:
        said = f"does not take the MAC {ROUTER} beside its own"
        t.check(f"{name}: weir does not start with a MAC that the NIC does not take, and says so",
                until(lambda: said in box.do(f"{LOG} --since @{mark}")))
        box.configure(configuration(number))
        box.do("systemctl restart weir-dataplane", 180)
    if not t.check(f"{name}: weir serves", box.serves() is not None):
        return
    macs(t, box, name, number, nic)
    checksums(t, box, name, number)
    rules(t, box, name, mark)
    above_mtu(t, box, name, number, nic)
    large(t, box, name, number)
    t.same(f"{name}: each frame has a verdict", 0, dataplane(box)["verdict_gap"])
    t.same(f"{name}: both units are active and none has failed", "", box.active())


def main(t):
    box = t.box(nics=NICS)
    conf.ifaces.reload()  # scapy knows those from before
    t.say(f"runner ready {box.boot(box.installed()):.0f} s after power on")
    for number, nic in enumerate(NICS):
        one(t, box, number, nic)


vmtest.run(main, 1500)
