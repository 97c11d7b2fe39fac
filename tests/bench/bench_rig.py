# SPDX-License-Identifier: BSD-3-Clause
"""What the scripts of tools/bench share: namespaces of their own, rows, weir in a lab beside other servers, dnsperf, queries for
a pcap port, and what a process used."""

import argparse
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(root / "tests/smoke/rig"))
from wire import capture, query, udp4  # noqa: E402

SPACE = "unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private --".split()
MOUNTS = "mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /dev/shm && ip link set lo up"
SERVICE, CLIENT, CLIENT_ADDRESS = "198.18.0.53", ["nsenter", "--net=/run/netns/weir-client", "--"], "198.18.0.2"
TARGETS = ["controlplane/weir-controlplane", "dataplane/weir-dataplane", "tools/ctl/weirctl"]
UNBOUND = """server:
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  verbosity: 0
  do-ip6: no
  do-not-query-localhost: no
  so-rcvbuf: 4m
"""
NSD = """server:
  ip-address: {address}
  username: root
  zonesdir: {directory}
  database: ""
  pidfile: ""
  xfrdfile: {directory}/xfrd.state
  zonelistfile: {directory}/zone.list
  rrl-ratelimit: 0
  tcp-count: 1000
remote-control:
  control-enable: no
"""
# Every name has an address.
ROOT_ZONE = "$TTL 3600\n. SOA ns. root. 1 3600 600 86400 3600\n. NS ns.\nns. A 198.18.200.1\n*. A 198.18.200.1\n"
PCAP_MAC, CLIENT_MAC = b"\2pcap\0", b"\2\0\0\0\0\2"  # of a net_pcap port, and of its client


class Failed(Exception):
    """What went wrong, in one line."""


def enter(directory):
    """Runs this program again with an empty /run and /dev/shm and a network of its own, all of which goes when it ends, so that
    it touches nothing of the machine and leaves nothing behind; makes `directory` there."""
    name = pathlib.Path(sys.argv[0]).stem
    if os.geteuid() != 0:
        sys.exit(f"{name}: needs root for namespaces")
    if os.environ.get("WEIR_BENCH_INSIDE") != name:
        os.environ["WEIR_BENCH_INSIDE"] = name
        os.execvp(SPACE[0], SPACE + [sys.executable, *sys.argv])
    os.environ.pop("WEIR_CLOCK", None)  # of a smoke test that runs this: it lies in its /run
    subprocess.run(MOUNTS, shell=True, check=True)
    pathlib.Path(directory).mkdir()


def remove(run):
    """Removes the runtime directory of a weir, and its folder on huge pages, which is named after its identity."""
    instance = pathlib.Path(run) / "instance"
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        huge = [line.split()[1] for line in mounts if line.split()[2] == "hugetlbfs"]
    if instance.exists():
        identity = instance.read_text(encoding="ascii").split()[0]
        for folder in (found for mount in huge for found in glob.glob(f"{mount}/*.{identity}")):
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(run, ignore_errors=True)


def options(doc):
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--build", default=str(root / "build-bench"))
    return parser


def parse(parser, **quick):
    """The arguments; with --quick those have these values."""
    parser.add_argument("--quick", action="store_true", help="a second or two of each: whether it works, not how fast")
    args = parser.parse_args()
    vars(args).update(quick if args.quick else {})
    return args


def two_cpus():
    """A worker's, and that of all else."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Failed("needs two CPUs: one for the worker, one for the rest")
    return cpus


def row(goal, case, metric, value, unit, reference=None, digits=None):
    """`reference`: what the goal asks for."""
    ratio = round(value / reference, 3) if reference and value is not None else None
    value = value if digits is None else round(value, digits)
    return dict(goal=goal, case=case, metric=metric, value=value, unit=unit, reference=reference, ratio=ratio)


def say(*rows):
    print("\n".join(map(json.dumps, rows)), flush=True)


def cpu_s(pid):
    """User and system time of a process, in s."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid, what="VmRSS", file="status"):
    return int(re.search(rf"^{what}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/{file}").read_text(), re.M)[1]) * 1024


def tasks(pid, of_worker=True):
    """The folders in /proc of a data plane's worker threads, or of its others."""
    return [task for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            if (task / "comm").read_text().startswith(("rte-worker", "lcore-worker", "dpdk-worker")) == of_worker]


def ran_ns(task):
    """CPU time of a thread by the scheduler."""
    return int((task / "schedstat").read_text().split()[0])


def lab(build, *words, targets=TARGETS):
    """tools/lab with this build."""
    own = {"WEIR_BUILD": build, "build_targets": " ".join(targets)}
    return subprocess.run([f"{root}/tools/lab", *words], env={**os.environ, **own}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)


def lab_up(build, *words, targets=TARGETS):
    up = lab(build, "up", *words, targets=targets)
    if up.returncode != 0:
        sys.exit(up.stdout)


def lab_pid(process="controlplane"):
    return int(pathlib.Path(f"/run/weir/lab/{process}.pid").read_text().split()[0])


def weirctl(build, *words):
    """What it says of the lab, or None where it fails."""
    done = subprocess.run([f"{build}/tools/ctl/weirctl", "-c", "/run/weir/lab/weir.yaml", *words], stdout=subprocess.PIPE, text=True)
    return done.stdout if done.returncode == 0 else None


def weirctl_must(build, *words):
    if weirctl(build, *words) is None:
        sys.exit(f"weirctl {' '.join(words)} failed")


def start(directory, command, **kw):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(directory / "log").open("a"), **kw)


def stop(process):
    """SIGTERM, then SIGKILL; True if it ended well by itself."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return process.returncode == 0


def dnsdist(directory, text):
    """Its command line with this configuration."""
    (directory / "dnsdist.conf").write_text(text)
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", str(directory / "dnsdist.conf")]


def unbound(directory, address, clients, *lines, port=53, asks=None):
    """The same of unbound, which answers `clients`; `asks`: a port on loopback that has all names."""
    text = UNBOUND + "".join(f"  {line}\n" for line in (f"interface: {address}", f"port: {port}", f'directory: "{directory}"',
                                                       f"access-control: {clients} allow", *lines))
    text += "remote-control:\n  control-enable: no\n"
    text += f'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@{asks}\n' if asks else ""
    (directory / "unbound.conf").write_text(text)
    return ["unbound", "-d", "-c", str(directory / "unbound.conf")]


def nsd(directory, address, zones):
    """Starts NSD as the server that others ask; `zones`: names with the dot at their end, and the text of each, or None where the
    file NAMEzone lies there."""
    text = NSD.format(address=address, directory=directory)
    for name, records in zones.items():
        if records:
            (directory / f"{name}zone").write_text(records)
        text += f"zone:\n  name: {name}\n  zonefile: {name}zone\n"
    (directory / "nsd.conf").write_text(text)
    return subprocess.Popen(["nsd", "-d", "-c", str(directory / "nsd.conf")], stdout=subprocess.DEVNULL,
                            stderr=(directory / "nsd.log").open("w"))


def certificate(directory, *extensions, name="box"):
    """key.pem and cert.pem (P-256) of two days."""
    more = [word for extension in extensions for word in ("-addext", extension)]
    subprocess.run([*"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(), "-subj", f"/CN={name}",
                    *more, "-keyout", directory / "key.pem", "-out", directory / "cert.pem"], check=True, stderr=subprocess.DEVNULL)


def dnsperf(prefix, address, port, names, *words, file):
    """A running dnsperf that asks for the addresses of `names`, written to `file`."""
    with open(file, "w", encoding="ascii") as out:
        out.writelines(f"{name} A\n" for name in names)
    return subprocess.Popen([*prefix, "dnsperf", "-s", address, "-p", str(port), "-d", str(file), *map(str, words)],
                            stdout=subprocess.PIPE, text=True)


def figures(out, *patterns):
    """The number behind each in what a program printed; 0 for what is not there."""
    return tuple(int((re.search(what, out) or [0, "0"])[1]) for what in patterns)


def dnsperf_figures(process):
    """Waits for its end: sent, completed, and of these NOERROR."""
    return figures(process.communicate()[0], r"Queries sent:\s+(\d+)", r"Queries completed:\s+(\d+)", r"NOERROR (\d+)")


def frame(name, number):
    """A client's query to the service as it reaches a net_pcap port, without UDP checksum."""
    made = udp4(CLIENT_MAC, PCAP_MAC, CLIENT_ADDRESS, 1024 + number % 60000, query(name, ident=number & 0xFFFF))
    return made[:40] + b"\0\0" + made[42:]


def write_pcap(path, names):
    """A query for each."""
    capture(path, (frame(name, number) for number, name in enumerate(names)))
