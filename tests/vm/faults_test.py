#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What is missing or wrong in a machine: a disk without room, too few huge pages, and clocks that are years off. weir serves on
or says what is missing and how it is mended, goes on by itself when it is there, and loses nothing of what it stored.

usage: faults_test.py [disk|pages|clock]...    without a name all of them
"""
import subprocess
import sys
import threading
import time
import http.server
import ssl

import vmtest
from far import CLIENT, SERVICE
from vmtest import until

LISTED, SIGNED = "listed.example", "www.alpha"
UPSTREAM = "198.18.200.1"  # the address of each name ok.*
FILLER = "/var/lib/filler"
DNS_PORT = 5303


def query_store(box):
    return box.ctl("status || :").get("controlplane", {}).get("query_store", {"state": "", "why": "", "rows": 0})


def doctor(box, check):
    """The finding of one check."""
    return next(f for f in box.ctl(f"doctor {check} || :")["findings"] if f["check"] == check)


def restart(box, units="weir-dataplane weir-controlplane"):
    box.do(f"systemctl restart {units}", 180)


# --- no room on the disk

def fill(box):
    """Leaves no byte, not even of those that root may take."""
    box.do(f"fallocate -l $(($(stat -f -c '%f * %S' /) - (64 << 20))) {FILLER}; dd if=/dev/zero of={FILLER}.rest bs=1M 2>/dev/null; "
           f"dd if=/dev/zero of={FILLER}.rest2 bs=512 2>/dev/null; sync; df / | tail -n 1", 180)


def disk(t, box):
    box.put("/etc/weir/far.txt", f"{LISTED}\n")
    box.configure(vmtest.machine.config(lists="[{name: far, path: far.txt}]"))
    restart(box)
    t.check("disk: a listed name is blocked", box.far.until("NXDOMAIN", LISTED) is not None)
    t.check("disk: the query store has rows", until(lambda: query_store(box)["rows"]))
    box.do("printf 'second.example\\n' >>/etc/weir/far.txt")
    fill(box)
    load = box.far.load([f"ok{i}.full.test" for i in range(4000)], 20, 200)
    t.check("disk full: the query store says so", until(lambda: query_store(box)["state"] == "failing"), query_store(box))
    why = query_store(box)["why"]
    t.check("disk full: and why", "space" in why, why)
    t.check("disk full: ready says so", "query store" in str(box.ctl("ready || :")["degraded"]), box.do("weirctl ready || :"))
    status, said = box.run("weirctl blocklist reload", 60)
    t.check("disk full: a reload of the list says why it fails", status and "space" in said, said)
    t.same("disk full: the rules before it stay", "NXDOMAIN", box.far.ask(LISTED)[0])
    result = box.far.result(load)
    t.check("disk full: queries have answers", set(result["codes"]) == {"NOERROR"} and result["lost"] <= result["sent"] // 100, result)
    restart(box)
    t.check("disk full: after a restart weir serves", box.serves() is not None)
    t.check("disk full: with the rules of the list", box.far.until("NXDOMAIN", LISTED) is not None)
    t.same("disk full: both units are active and none has failed", "", box.active())
    box.do(f"rm {FILLER}*")
    box.do("weirctl blocklist reload", 60)
    t.check("disk with room again: a reload takes effect", box.far.until("NXDOMAIN", "second.example") is not None)
    before = query_store(box)["rows"]

    def stores():
        box.far.ask("here.lan")
        now = query_store(box)
        return now["state"] == "up" and now["rows"] > before
    t.check("disk with room again: the query store goes on by itself", until(stores), query_store(box))
    t.check("disk with room again: ready has nothing to say of it",
            until(lambda: "query store" not in str(box.ctl("ready || :")["degraded"])), box.do("weirctl ready || :"))


# --- too few huge pages

def log_of(box, unit):
    return box.do(f"journalctl -b -u {unit} --no-pager -o cat | tail -n 60")


def pages(t, box):
    box.do("sysctl -q vm.nr_hugepages=8")
    plain = vmtest.machine.config()
    box.configure(plain.replace("eal_hugepages: false", "eal_hugepages: true"))
    box.run("systemctl restart weir-dataplane weir-controlplane", 180)  # a start of both takes the file
    said = until(lambda: "vm.nr_hugepages" in log_of(box, "weir-dataplane"))
    t.check("few huge pages: the data plane says so, and the setting", said, log_of(box, "weir-dataplane"))
    t.check("few huge pages: it does not serve", not box.far.ask("here.lan")[0])
    found = doctor(box, "hugepages")
    t.check("few huge pages: doctor says so", found["verdict"] == "wrong", found)
    t.check("few huge pages: status says that the data plane is down", box.run("weirctl status")[0] != 0, box.run("weirctl status"))
    box.do(found["do"] if isinstance(found["do"], str) else " && ".join(found["do"]), 60)
    t.check("enough of them by doctor's command: weir serves by itself", box.serves() is not None, log_of(box, "weir-dataplane"))
    found = doctor(box, "hugepages")
    t.check("enough of them: doctor has nothing to say", found["verdict"] == "ok", found)
    box.do("sysctl -q vm.nr_hugepages=0; rm -f /etc/sysctl.d/60-weir-hugepages.conf")
    box.configure(plain)
    restart(box)
    t.check("without huge pages: weir serves in ordinary memory", box.serves() is not None)


# --- clocks

def sh(command, folder):
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def signed_root(folder):
    """Files for an NSD at the far end, with a root zone signed yesterday. The zone's key."""
    folder.mkdir()
    (folder / "root").write_text(". 300 SOA ns.host. mail.host. 1 3600 600 86400 300\n. 300 NS ns.host.\n"
                                 f"{SIGNED}. 300 A 198.18.200.7\nns.host. 300 A {CLIENT}\n")
    key = sh("ldns-keygen -a ECDSAP256SHA256 .", folder)
    sh(f"ldns-signzone -A -i $(date -u -d '-1 day' +%Y%m%d%H%M%S) -e $(date -u -d '+20 days' +%Y%m%d%H%M%S) -f signed -o . root {key}", folder)
    (folder / "nsd.conf").write_text(f"""server:
 ip-address: {CLIENT}@{DNS_PORT}
 username: ""
 chroot: ""
 zonesdir: "{folder}"
 zonelistfile: "{folder}/list"
 xfrdfile: "{folder}/xfrd"
 database: ""
 pidfile: ""
 server-count: 1
remote-control:
 control-enable: no
zone:
 name: .
 zonefile: signed
""")
    return (folder / f"{key}.key").read_text()


class Lists(threading.Thread):
    """A list server at the far end, over TLS, with a certificate of two days; `authority` is its CA in PEM."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        folder.mkdir()
        key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -x509 -days 2"
        sh(f"openssl req {key} -subj '/CN=an authority of this test' -keyout ca.key -out ca.pem -addext keyUsage=critical,keyCertSign && "
           f"openssl req {key} -subj /CN=lists -keyout s.key -out s.pem -CA ca.pem -CAkey ca.key -addext subjectAltName=IP:{CLIENT} "
           "-addext basicConstraints=critical,CA:FALSE", folder)
        self.authority = (folder / "ca.pem").read_text()
        (folder / "far.txt").write_text(f"{LISTED}\n")

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *more):
                super().__init__(*more, directory=str(folder))

            def log_message(self, *_):
                pass
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "s.pem", folder / "s.key")
        self.server = http.server.ThreadingHTTPServer((CLIENT, 8443), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.start()

    def run(self):
        self.server.serve_forever()


def clock_configuration(box, anchor, authority):
    box.put("/etc/weir/anchor.key", anchor)
    box.do("chmod 644 /etc/weir/anchor.key; mkdir -p /usr/local/share/ca-certificates")
    box.put("/usr/local/share/ca-certificates/far.crt", authority)
    box.do("update-ca-certificates 2>&1")
    lists = f"[{{name: far, url: 'https://{CLIENT}:8443/far.txt'}}]"
    box.configure(vmtest.machine.config(lists=lists, upstream=f"{CLIENT}:{DNS_PORT}",
                                        more="dnssec: {validate: true, anchors: /etc/weir/anchor.key, clock_grace: 0}\nquery_log: {requests: {enabled: true}}"))


def secure(box):
    return box.far.until("198.18.200.7", SIGNED, seconds=60) is not None


def logs(box):
    """Rows of the query store and lines of the request log that are there, of the days before as well."""
    rows = box.do("cd /var/lib/weir/log && for f in queries-*.sqlite; do sqlite3 -readonly $f 'SELECT count(*) FROM queries'; done", 120)
    lines = box.do("cat /var/lib/weir/requests/requests-* | wc -l")
    return sum(int(n) for n in rows.split()), int(lines)


def not_fewer(t, box, when, before):
    now = logs(box)
    t.check(f"{when}: no row and no line of the logs is gone", now[0] >= before[0] and now[1] >= before[1], f"{before} before, {now} now")
    return now


def wrong_clock(t, box, disk, year, reason, before):
    """A boot with the clock of `year`; then it is set right. EDE `reason` is what a signed name has until then."""
    when = f"clock of {year}"
    box.boot(disk, more=("-rtc", f"base={year}-06-01T12:00:00"))
    t.check(f"{when}: weir serves", box.serves() is not None)
    t.check(f"{when}: a name of the last list is blocked", box.far.until("NXDOMAIN", LISTED) is not None)
    said = []

    def refused():
        said[:] = [subprocess.run(["kdig", "+timeout=5", "+edns", f"@{SERVICE}", SIGNED, "A"], capture_output=True, text=True).stdout]
        return "SERVFAIL" in said[0] and f"EDE: {reason} " in said[0]
    t.check(f"{when}: a signed name is refused, with the reason", until(refused, 30), said[0])
    box.run("weirctl blocklist reload --force", 60)
    t.check(f"{when}: so is the certificate of the list server", until(lambda: "certificate" in box.do("weirctl blocklist status || :"), 30),
            box.do("weirctl blocklist status || :"))
    found = doctor(box, "clock")
    t.check(f"{when}: doctor says so", found["verdict"] == "wrong", found)
    not_fewer(t, box, when, before)
    box.do(f"date -u -s @{int(time.time())}")
    t.check(f"{when}, set right: the signed name is answered", secure(box))
    t.check(f"{when}, set right: doctor has no wrong clock", doctor(box, "clock")["verdict"] != "wrong", doctor(box, "clock"))
    # Without those that a clock of the past dated: they are old now, and may be deleted.
    before = not_fewer(t, box, f"{when}, set right", before)
    t.same(f"{when}, set right: both units are active and none has failed", "", box.active())
    return before


def jumps(t, box):
    """Steps of the clock under a load: each query has its answer."""
    load = box.far.load(["here.lan", "denied.example", LISTED], 12, 300)
    for step in ("+1 year", "-1 year", "-2 days", "+2 days"):
        box.do(f"date -u -s \"$(date -u -d '{step}')\"")
        time.sleep(1)
    result = box.far.result(load)
    t.check("clock that jumps: nothing is lost", result["lost"] == 0 and result["sent"] > 1000, result)
    t.same("clock that jumps: right answers", {"NOERROR", "NXDOMAIN"}, set(result["codes"]))


def clock(t, box):
    folder = box.folder / "signed"
    anchor = signed_root(folder)
    box.far.spawn("nsd", "-d", "-c", str(folder / "nsd.conf"))
    lists = Lists(box.folder / "tls")
    clock_configuration(box, anchor, lists.authority)
    restart(box)
    t.check("right clock: a listed name is blocked", box.far.until("NXDOMAIN", LISTED) is not None, box.do("weirctl blocklist status || :"))
    t.check("right clock: a signed name is answered", secure(box), box.far.ask(SIGNED))
    t.check("right clock: logs have lines", until(lambda: all(logs(box)), 60))
    jumps(t, box)
    before = logs(box)
    for year, reason in ((2040, 7), (2019, 8)):
        box.off()
        before = wrong_clock(t, box, box.folder / "installed.qcow2", year, reason, before)


ALL = {"disk": disk, "pages": pages, "clock": clock}


def main(t):
    names = sys.argv[1:] or list(ALL)
    box = t.box()
    t.say(f"runner ready {box.boot(box.installed()):.0f} s after power on")
    box.far.upstream()
    for name in names:
        ALL[name](t, box)
        t.say(f"{name}: done")


if set(sys.argv[1:]) - set(ALL):
    sys.exit(__doc__)
vmtest.run(main, 1500)
