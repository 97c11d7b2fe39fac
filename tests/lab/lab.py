# SPDX-License-Identifier: BSD-3-Clause
"""The lab of a test: both processes, started by tools/lab in namespaces of the test's own, upstreams in this process, and its
configuration."""
import contextlib
import copy
import functools
import pathlib
import subprocess
import sys

import yaml

from ask import DnsClient, client_namespace
from control import CONFIG, Control
from logs import Log
from upstream import Upstream
from wait import NotYet, wait

ROOT = pathlib.Path(__file__).resolve().parents[2]
TMP = pathlib.Path("/run/smoke")
LOGS = pathlib.Path("/run/weir/lab")
sys.path.insert(0, str(ROOT / "tests/smoke/rig"))


class Dumper(yaml.SafeDumper):
    """weir's configuration has no aliases."""

    def ignore_aliases(self, data):
        return True


def run(*command, status=0):
    """What a command prints, on both outputs; it must end with that status."""
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != status:
        raise NotYet(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")
    return done.stdout


@contextlib.contextmanager
def own_disk(folder):
    """The folder, with what is in it, is on a file system of its own, which has 4 MiB."""
    kept = TMP / f"kept-{folder.name}"
    run("cp", "-a", folder, kept)
    run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)
    try:
        run("cp", "-aT", kept, folder)
        yield
    finally:
        run("rm", "-r", kept)
        run("cp", "-a", folder, kept)
        run("umount", "-l", folder)  # weir may just write there
        run("find", folder, "-mindepth", 1, "-delete")
        run("cp", "-aT", kept, folder)
        run("rm", "-r", kept)


def region(pattern):
    """The file of a shared region: of several generations the newest."""
    places = [pathlib.Path("/run/weir"), pathlib.Path("/dev/shm")]
    mounts = (line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines())
    places += [pathlib.Path(place) for _, place, kind, *_ in mounts if kind == "hugetlbfs"]
    files = [path for place in places for depth in ("", "*/") for path in place.glob(depth + pattern)]
    return max(files, key=lambda path: [int(word) if word.isdigit() else word for word in path.name.split(".")])


def merged(old, new):
    """A configuration with changes: mappings are merged, None removes a key, other values replace the old ones."""
    out = copy.deepcopy(old)
    for key, value in new.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            out[key] = merged(out.get(key) or {}, value)
        else:
            out[key] = value
    return out


class Lab(Control, DnsClient):
    """Lab(...).up() starts it:
    lists     name of a file in /run/smoke -> its text: block lists of the configuration
    config    what its configuration has besides, a mapping as `configure` takes it; or a function that returns one
    clients   more addresses of the client
    upstreams how many there are on 127.0.0.1, from port 5301 on: lab.up1 (which the configuration has), lab.up2 ...
    by_port   the one upstream is at 198.18.0.2 in the client namespace: weir asks it through the port
    options   more options of `tools/lab up`
    """

    def __init__(self, *, lists=None, config=None, clients=(), upstreams=1, by_port=False, options=()):
        self.lists = {"blocked.list": "blocked.test\n"} if lists is None else lists
        self.changes, self.clients, self.upstreams, self.by_port, self.options = config or {}, clients, upstreams, by_port, options
        self.log = {what: Log(LOGS / f"{what}.log") for what in ("controlplane", "dataplane")}

    @staticmethod
    @functools.cache
    def server(port):
        """One for all labs of a file."""
        return Upstream(port)

    def up(self):
        words = []
        for name, text in self.lists.items():
            (TMP / name).write_text(text)
            words += ["--list", TMP / name]
        for number in range(1, 1 + (0 if self.by_port else self.upstreams)):
            setattr(self, f"up{number}", self.server(5300 + number))
        words += ["--upstream-by-port"] if self.by_port else ["--upstream", "127.0.0.1:5301"] if self.upstreams else []
        run(ROOT / "tools/lab", "up", *words, *self.options)
        if self.by_port:
            run(ROOT / "tools/lab", "stop", "authority")
            self.up1 = Upstream(53, "198.18.0.2", client_namespace)
        self.clients_come()
        self.base = yaml.safe_load(pathlib.Path(CONFIG).read_text())
        if self.by_port:
            self.base["upstreams"]["servers"] = [{"address": "198.18.0.2"}]
        changes = self.changes() if callable(self.changes) else self.changes
        if changes or self.by_port:
            self.base = merged(self.base, changes)
            self.configure()
        return self

    def down(self):
        run(ROOT / "tools/lab", "down")

    def clients_come(self):
        """The client's further addresses, which go with the port of a data plane that ends."""
        for address in self.clients:
            prefix, kind = (64, "-6") if ":" in address else (24, "-4")
            self.client("ip", kind, "addr", "replace", f"{address}/{prefix}", "dev", "wt0", *(["nodad"] if prefix == 64 else []))

    # Processes.
    def stop(self, what):
        run(ROOT / "tools/lab", "stop", what)

    def kill(self, what):
        run(ROOT / "tools/lab", "kill", what)

    def start(self, what):
        run(ROOT / "tools/lab", "start", what)
        if what == "dataplane":
            self.clients_come()

    @staticmethod
    def client(*command, status=0):
        """What a command prints that runs in the client namespace."""
        return run("nsenter", "--net=/run/netns/weir-client", "--", *command, status=status)

    @staticmethod
    def pid(what):
        return int((LOGS / f"{what}.pid").read_text().split()[0])

    # Configuration.
    def write(self, **changes):
        """The file with these changes of the lab's own configuration."""
        pathlib.Path(CONFIG).write_text(yaml.dump(merged(self.base, changes), Dumper=Dumper, sort_keys=False, allow_unicode=True))

    def configure(self, **changes):
        """The lab's own configuration with these changes is in force: configure(groups=[...], blocking={"deny": [...]}). weir
        keeps it whatever happens to its health."""
        self.write(**changes)
        return self.activate("config/reload", keep=1)

    @contextlib.contextmanager
    def configured(self, **changes):
        """The same until the end of the block, and then the lab's own again."""
        self.configure(**changes)
        try:
            yield
        finally:
            self.configure()

    def config_refused(self, **changes):
        """Why weir refuses the configuration with these changes; the file is as before again."""
        before = pathlib.Path(CONFIG).read_text()
        self.write(**changes)
        try:
            return self.refused("config/reload")
        finally:
            pathlib.Path(CONFIG).write_text(before)

    # Statistics.
    def stats(self):
        """Of the data plane: verdicts, counters, groups, workers, ports."""
        return self.get("dataplane")["stats"]

    def verdict(self, name):
        return self.stats()["verdicts"].get(name, 0)

    def resolver(self, name):
        return self.get("stats")["resolver"][name]

    # What holds for every lab at its end.
    def check_verdicts(self):
        """Every frame has one verdict. One that is on its way through the stages has none yet."""
        def adds_up():
            stats = self.stats()
            frames, verdicts = stats["counters"].get("rx_frames", 0), sum(stats["verdicts"].values())
            if frames != verdicts:
                raise NotYet(f"{frames} frames, {verdicts} verdicts")
            return True
        wait(adds_up, "not every frame has one verdict")

    def check_audit(self):
        """Each change that the state directory shows has its entry in the audit log, which is written in the background."""
        import audit_judge

        def audited():
            gone, _ = audit_judge.missing(LOGS / "state", [LOGS / "controlplane.log"])
            if gone:
                raise NotYet(f"not in the audit log: {gone}")
            return True
        wait(audited, "the audit log lacks changes")
