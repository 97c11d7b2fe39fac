#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What open pages cost: `tools/bench --goals page`.

The real binaries on a memif port, one worker on the first CPU, all else on the second; the generator asks at a steady rate. By turns no page is open,
and 50 are: some in Chromium, each of the others as two connections over TLS that do what the page's first view does, a stream of samples, four
requests each minute, and two of them 10 s apart at most when there are new events. Printed are the worker's cycles for a query with and without pages and their ratio, and how much more of a core the control plane
takes. Prints JSON lines as bench_path does. Exit status 1: an answer was wrong, a page got an error or too few
samples, or a bound was passed.
"""

import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "smoke/rig"))
import bench_rig  # noqa: E402
import log_run  # noqa: E402

PORT = 9953
LOOK_S, APART_S, MINUTE_S = 10, 2, 60  # LOOK_MS, APART_MS, MINUTE_MS of controlplane/page/files/now.js
LOOKS = ["/v1/ready?for=human", "/v1/upstreams"]
MINUTE = ["/v1/status", *LOOKS, "/v1/memory/history?limit=12"]  # at the opening the whole day
SAMPLE_S = 2  # EVERY_MS of controlplane/api/api_live.c
OPEN_S = 0.06  # between two connections: weir takes 50 a second, and 20 from one address
PACKET_PATH_MOST, CONTROL_PLANE_MOST = 1.02, 2.0  # the ratio of cycles, and percent of a core
tmp = pathlib.Path("/run/page-bench")


class Page(threading.Thread):
    """A page at its first view, without a browser."""

    def __init__(self, token, number):
        super().__init__(daemon=True)
        self.token, self.start_s, self.source, self.why, self.closed = token, 2 * number * OPEN_S, f"127.0.1.{number + 1}", "", threading.Event()
        self.samples, self.newest, self.sockets = 0, None, []

    def connect(self):
        c = http.client.HTTPSConnection("127.0.0.1", PORT, timeout=20, context=ssl._create_unverified_context(), source_address=(self.source, 0))
        c.connect()
        self.sockets.append(c.sock)  # of a stream, the reply takes it from the connection
        return c

    def request(self, c, path):
        c.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
        reply = c.getresponse()
        if reply.status not in (200, 503):  # 503 of /ready is its answer
            raise OSError(f"{path}: {reply.status}")
        return reply

    def ask(self, paths):
        with contextlib.closing(self.connect()) as c:  # weir closes one that is idle for 30 s
            for path in paths:
                json.loads(self.request(c, path).read())

    def look(self):
        rest_s = MINUTE_S * random.random()  # of its first minute: as if it had been open for long
        while not self.closed.is_set():
            self.ask(MINUTE)
            looked, minute, seen = time.monotonic(), time.monotonic() + rest_s, self.newest
            rest_s = MINUTE_S
            while time.monotonic() < minute and not self.closed.wait(SAMPLE_S):
                if self.newest == seen or time.monotonic() - looked < LOOK_S:
                    continue
                looked, seen = time.monotonic(), self.newest
                if not self.closed.wait(APART_S * random.random()):
                    self.ask(LOOKS)

    def guarded(self, work):
        try:
            work()
        except (OSError, ValueError, http.client.HTTPException) as e:
            if not self.closed.is_set():
                self.why = f"{type(e).__name__}: {e}"

    def stream(self):
        reply = self.request(self.connect(), "/v1/live")
        while not self.closed.is_set() and (line := reply.readline()):
            if line.startswith(b"data:"):
                self.newest = json.loads(line[5:])["newest_event"]
                self.samples += 1
        if not self.closed.is_set():
            raise OSError("the stream of samples ended")

    def run(self):
        if self.closed.wait(self.start_s):
            return
        other = threading.Thread(target=self.guarded, args=(self.look,), daemon=True)
        other.start()
        self.guarded(self.stream)
        other.join()

    def close(self):
        self.closed.set()
        for s in self.sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)


def browsers(count, token):
    """Chromium for a page each; a tab of its own would be hidden, and a hidden page asks for nothing."""
    import page_browser
    page_browser.STEP_S = 60  # on a CPU that it shares with all else
    out = [page_browser.Browser() for _ in range(count)]
    for b in out:
        b.call("Network.setExtraHTTPHeaders", headers={"Authorization": f"Bearer {token}"})
    return out


class Pages:
    """All pages, as a context: open within it."""

    def __init__(self, token, count, chromium):
        self.token, self.count, self.samples = token, count - chromium, 0
        self.chromium = browsers(chromium, token)

    def __enter__(self):
        for b in self.chromium:
            b.call("Page.navigate", url=f"https://127.0.0.1:{PORT}/")
            b.until("!!document.querySelector('.tile')")
        self.open = [Page(self.token, i) for i in range(self.count)]
        for p in self.open:
            p.start()
        time.sleep(2 * OPEN_S * self.count + 1)
        self.opened, self.had = time.monotonic(), [p.samples for p in self.open]
        return self

    def __exit__(self, *_):
        least = (time.monotonic() - self.opened) / SAMPLE_S - 2  # one may be on its way, another late
        few = sum(p.samples - had < least for p, had in zip(self.open, self.had))
        for p in self.open:
            p.close()
        for p in self.open:
            p.join()
        for b in self.chromium:
            b.call("Page.navigate", url="about:blank")
        wrong = [p.why for p in self.open if p.why] + [f for b in self.chromium for f in b.found] + ["too few samples"] * few
        self.samples += sum(p.samples for p in self.open)
        if wrong:
            raise bench_rig.Failed(f"{len(wrong)} pages: {wrong[0]}")

    def end(self):
        for b in self.chromium:
            b.close()


def measure(rig, control, token, args):
    pages = Pages(token, args.pages, args.chromium)
    wait_s = 2 * OPEN_S * args.pages + 10
    generator = log_run.traffic_starts(rig, args.rate, int(args.turns * (2.5 * args.seconds + wait_s) + 30))
    spent = {True: [], False: []}
    try:
        for _ in range(args.turns):
            spent[False].append(log_run.turn(rig, control, args.seconds))
            with pages:
                spent[True].append(log_run.turn(rig, control, args.seconds))
        if log_run.traffic_result(rig, generator)["bad"]:
            raise bench_rig.Failed("an answer was wrong")
    finally:
        pages.end()
        bench_rig.stop(generator)
    # Others disturb the worker's turns upward only.
    on, off = (min(cycles for cycles, _ in spent[k]) for k in (True, False))
    busy, idle = (statistics.median(share for _, share in spent[k]) for k in (True, False))
    name = f"{args.pages} pages, {args.rate} queries a second"
    rows = [bench_rig.row("page", name, *figures) for figures in (
        ("cycles_with_pages", round(on), "cycles/query"), ("cycles_without", round(off), "cycles/query"), ("packet_path", round(on / off, 3), "of without"),
        ("control_plane_with_pages", round(busy, 2), "% of a core"), ("control_plane_without", round(idle, 2), "% of a core"),
        ("control_plane_more", round(busy - idle, 2), "% of a core"), ("samples", pages.samples, "samples"))]
    return rows, args.quick or (on / off <= PACKET_PATH_MOST and busy - idle <= CONTROL_PLANE_MOST)


def run_all(args):
    bench_rig.certificate(tmp, "subjectAltName=IP:127.0.0.1")
    with log_run.running(args, tmp / "run", f"""\
control: {{page: true, listen: [127.0.0.1], allow: [127.0.0.0/8], connections: 192, source_connections: 192,
  certificates: [{{cert: "{tmp}/cert.pem", key: "{tmp}/key.pem"}}]}}
""") as (rig, control):
        token = subprocess.run([rig.program("tools/ctl/weirctl"), "-c", rig.run / "weir.yaml", "token", "create", "page", "--role", "read"],
                               capture_output=True, text=True, check=True).stdout.split()[-1]
        os.sched_setaffinity(0, {rig.cpus[1]})
        rows, right = measure(rig, control, token, args)
    bench_rig.say(*rows)
    return right


def main():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--chromium", type=int, default=2, help="so many of them in browsers")
    parser.add_argument("--rate", type=int, default=50000)
    parser.add_argument("--turns", type=int, default=8, help="of each kind")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--niceness", type=int, default=0, help="of all that runs, below 0: before other programs")
    args = bench_rig.parse(parser, turns=1, seconds=2, pages=12)
    if args.chromium and not shutil.which("chromium"):
        args.chromium = 0
    bench_rig.enter(tmp)
    os.setpriority(os.PRIO_PROCESS, 0, args.niceness)
    try:
        return 0 if run_all(args) else 1
    except bench_rig.Failed as why:
        print(why, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
