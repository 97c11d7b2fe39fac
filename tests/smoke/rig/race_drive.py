#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Everything that an operator, a monitor and a bad day do to weir, at once, for race_test.sh.

usage: race_drive.py LAB FOLDER SECONDS SEED CLICKHOUSE_PID

Runs in the namespace of the servers. Configures the lab with every part that has a thread, then for SECONDS: reads each
endpoint of the control API, reloads (some are refused), turns toggles, flushes, pauses, builds lists; kills and stops Redis,
ClickHouse (CLICKHOUSE_PID; 0: no ClickHouse), an upstream and the data plane. Prints what it did as JSON; exit status 1 when
something of it never happened, or a process of the lab ended by itself.
"""
import glob
import http.client
import http.server
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

import redis_rig
from soak_rig import eventually

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lab"))
from control import Socket  # noqa: E402

LAB, FOLDER, SECONDS, SEED, CLICKHOUSE = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
HERE = os.path.dirname(os.path.abspath(__file__))
RUN = "/run/weir"
CONFIG, LIST, HOSTS = f"{RUN}/lab/weir.yaml", f"{FOLDER}/blocked.list", f"{FOLDER}/hosts"
HTTP_PORT, METRICS_PORT, CLICKHOUSE_PORT = 8090, 9153, 8121
PATIENCE_S = 60
VIEWS_GRACE_S = 10  # VIEWS_GRACE_MS of the control plane
LATE_S = 240  # more than SECONDS, on a machine so busy that something has not happened yet
NAMES = ("ok-3000.cached.test", "ok-1.short.test", "h1.hot.soak.test", "b3.blocked.test", "cname_h1_test.test", "host.lan.test")
# The parameters for each endpoint that has some, by turns.
PARAMS = {
    "/why": [{"name": n, "type": t} for n in NAMES for t in ("A", "AAAA")] + [{"name": NAMES[3], "group": "kids"}],
    "/cache": [{"name": n} for n in NAMES],
    "/top": [{"limit": "5"}, {}],
    "/refresh": [{"minutes": "5"}, {}],
    "/log/search": [{"name": NAMES[0]}, {"limit": "20"}, {"verdict": "blocked"}],
    "/events": [{}, {"after": "1"}],
    "/log/tail": [{}, {"name": NAMES[0]}],
    "/watch": [{"name": n} for n in NAMES[:3]],
    "/memory/slope": [{"seconds": "5"}],
    "/memory/history": [{"limit": "10"}],
}
STREAMS = ("/events", "/live", "/log/tail", "/watch")


def call(verb, path, params=(), stream_s=0.0, sent=None):
    """(status, body); status 0: no answer, as while the control plane starts."""
    conn = Socket("weir")
    try:
        conn.request(verb, path + ("?" + urllib.parse.urlencode(params) if params else ""), sent)
        reply = conn.getresponse()
        if not stream_s:
            return reply.status, reply.read()
        conn.sock.settimeout(stream_s)
        end = time.monotonic() + stream_s
        while time.monotonic() < end and reply.read1(4096):
            pass
        return reply.status, b""
    except TimeoutError:
        return (200 if stream_s else 0), b""
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        conn.close()


def endpoints():
    """(those that are read, those that change something, those whose whole state is put) of each api_part."""
    reads, changes, puts = [], [], []
    for name in sorted(n for room in ("api", "verbs", "remote") for n in glob.glob(f"{HERE}/../../../controlplane/{room}/*.c")):
        with open(name) as source:
            for path, flags in re.findall(r'\{"(/[a-z/]+)",\s+serve_\w+([^}]*)\}', source.read()):
                (puts if "API_PUT" in flags else changes if "API_POST" in flags else reads).append(path)
    return reads, changes, puts


def lab(*words):
    done = subprocess.run([LAB, *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"lab {' '.join(words)}: {done.stdout}{done.stderr}")


def pid_of(what):
    with open(f"{RUN}/lab/{what}.pid") as record:
        return int(record.read().split()[0])


class Server(http.server.BaseHTTPRequestHandler):
    """A list that is another one now and then, and a receiver of webhooks."""
    serial = 0
    rng = random.Random(SEED)

    def reply(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        Server.serial += 1
        if self.rng.random() < 0.2:
            return self.reply(404)
        return self.reply(200, "".join(f"w{i}-{Server.serial // 4}.web.test\n" for i in range(500)).encode())

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.rng.random() < 0.2:
            time.sleep(0.5)
        self.reply(500 if self.rng.random() < 0.2 else 200)

    def log_message(self, *args):
        pass


class Configuration:
    """The lab's own with all that has a thread or a message of its own; another one with each `serial`."""

    def __init__(self):
        with open(CONFIG) as file:
            self.base = file.read()

    def text(self, serial, groups=()):
        clickhouse = f"  clickhouse: {{url: 'http://127.0.0.1:{CLICKHOUSE_PORT}', flush_ms: {100 + serial % 3 * 100}}}\n"
        base = self.base.replace("blocking:\n", f"blocking:\n  update: {{allow_private: true, interval: {60 + serial % 3}, jitter: 0}}\n"
                                 f"  services: [{('tiktok', 'discord')[serial % 2]}]\n"
                                 f"  deny: [denied{serial % 5}.test, '/^ads[0-9]+{serial % 3}\\./']\n"
                                 f"  rebinding: {{enabled: {('true', 'false')[serial % 2]}}}\n")
        base = base.replace("  lists:\n", f"  lists:\n    - {{name: web, url: 'http://127.0.0.1:{HTTP_PORT}/list.txt'}}\n")
        base = base.replace("  test_names: true\n", f"  test_names: true\n  hosts_files: [{HOSTS}]\n"
                            f"  records: [{{name: own{serial % 4}.test, type: A, value: 198.18.200.9}}]\n")
        if groups:  # nothing to build, so that they follow each other
            base = re.sub(r"(?m)^blocking:\n(  .*\n)*", "", base)
        return base + (
            f"redis: {{mode: {('standalone', 'standalone', 'off')[serial % 3]}, addresses: ['127.0.0.1:6401']}}\n"
            f"refresh: {{hit_window: 15, sweep_interval: 5, hot_threshold_rate: {5 + serial % 9}}}\n"
            f"query_log:\n  sample: {1 + serial % 2}\n  anonymize: {('none', 'hash', 'truncate')[serial % 3]}\n"
            f"  requests: {{enabled: true, directory: {FOLDER}/requests, format: json}}\n"
            f"  dnstap: {{socket: {FOLDER}/dnstap.sock}}\n"
            f"  webhooks: [{{url: 'http://127.0.0.1:{HTTP_PORT}/hook', on_block: true, on_error: true, summary: true}}]\n"
            f"{clickhouse if CLICKHOUSE else ''}"
            f"metrics: {{listen: '127.0.0.1:{METRICS_PORT}'}}\n"
            "fallback: {udp: on}\n"
            f"clients: [{{name: one, addresses: [198.18.0.2]}}, {{name: many, addresses: [198.18.{64 + serial % 8}.0/24]}}]\n"
            "forward_zones: [{name: lan.test, servers: ['127.0.0.1:5302']}]\n"
            "groups:\n"
            f"- {{name: kids, clients: [198.18.128.0/20], upstreams: [{{address: '127.0.0.1:{5301 + serial % 2}'}}],\n"
            f"   safe_search: {{google: true}}, allow: [b{serial % 7}.blocked.test],\n"
            "   schedules: [{name: always, from: '00:00', to: '23:59', services: [discord]}]}\n"
            f"- {{name: bare, clients: [198.18.160.0/20], disable_cache: true, blocking: {('true', 'false')[serial % 2]}}}\n"
            + "".join(groups))

    def write(self, text):
        with open(CONFIG + ".new", "w") as file:
            file.write(text)
        os.replace(CONFIG + ".new", CONFIG)


class Drive:
    def __init__(self):
        self.config, self.rng, self.stop = Configuration(), random.Random(SEED), threading.Event()
        self.reads, self.changes, self.puts = endpoints()
        self.did, self.lock, self.serial, self.wrong = {}, threading.Lock(), 0, []
        self.redis = redis_rig.Standalone(f"{FOLDER}/redis")

    def count(self, what, n=1):
        with self.lock:
            self.did[what] = self.did.get(what, 0) + n

    def post(self, path, good=(200,), sent=None, /, **params):
        status, body = call("POST", path, params, sent=sent)
        self.count(f"POST {path}", status in good)
        if status == 0:
            self.count("no answer")
        return status, body

    # What readers do.
    def read_all(self, seed):
        rng = random.Random(seed)
        while not self.stop.is_set():
            paths = list(self.reads)
            rng.shuffle(paths)
            for path in paths:
                if self.stop.is_set():
                    return
                params = rng.choice(PARAMS.get(path, [{}]))
                status, _ = call("GET", path, params, 0.3 if path in STREAMS else 0)
                # What is not there as asked for, or comes too soon, is an answer of that endpoint too.
                # So is that the other loop is late: this build has a tenth of the speed; and that a ClickHouse of 2018 binds no parameters.
                self.count(f"GET {path}", status in (200, 400, 404, 409, 429, 502, 503, 504))
                if status == 500:
                    self.wrong.append(f"GET {path}: {status}")
                self.stop.wait(0.02)
            self.scrape()

    def scrape(self):
        conn = http.client.HTTPConnection("127.0.0.1", METRICS_PORT, timeout=5)
        try:
            conn.request("GET", "/metrics")
            self.count("scrape", conn.getresponse().status == 200)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            conn.close()

    # What an operator does.
    def reload(self, groups=()):
        self.serial += 1
        self.config.write(self.config.text(self.serial, groups))
        with open(HOSTS, "w") as file:
            file.write(f"198.18.200.8 h{self.serial % 3}.hosts.test\n")
        return self.post("/config/reload", (200, 400, 503))

    def reload_plain(self):
        status, body = self.reload()
        self.count("reloaded", status == 200)
        # 503: another reload runs, or a thread hangs, as some do now and then at the sanitizer's pace.
        if status == 400 and b"in use" not in body:
            self.wrong.append(f"reload: {body[:300]}")

    def reload_until_refused(self):
        """Groups with 120 views that none had before: the fourth time within 10 s there is no room. Under the sanitizer four
        reloads may take longer than that."""
        begun = []
        for _ in range(12):
            begun.append(time.monotonic())
            if len(begun) > 4 and begun[-1] - begun[-5] > VIEWS_GRACE_S:
                self.count("too slow to be refused")
                break
            made = [f"- {{name: g{self.serial}x{i}, clients: [10.{self.serial % 250}.{i}.0/24], safe_search: {{google: true}},\n"
                    f"   upstreams: [{{address: '127.0.0.1:{10000 + self.serial * 60 % 50000 + i}'}}]}}\n" for i in range(60)]
            status, body = self.reload_when_free(made)
            if status == 400 and b"still in use" in body:
                self.count("refused by the resolver")
                break
        self.reload_plain()

    def reload_when_free(self, groups):
        """Not 503: another reload runs, or a thread is so slow that it counts as one that hangs."""
        end = time.monotonic() + VIEWS_GRACE_S
        while (reply := self.reload(groups))[0] == 503 and time.monotonic() < end:
            time.sleep(0.2)
        return reply

    def reload_broken(self):
        self.config.write(self.config.text(self.serial) + "groups: [\n")
        end = time.monotonic() + VIEWS_GRACE_S
        while (status := self.post("/config/reload", (400,))[0]) == 503 and time.monotonic() < end:  # another one runs
            time.sleep(0.2)
        self.count("refused by the file", status == 400)
        self.config.write(self.config.text(self.serial))

    def hang_up(self):
        os.kill(pid_of("controlplane"), signal.SIGHUP)
        self.count("SIGHUP")

    def toggle(self):
        _, body = call("GET", "/toggles")
        names = [toggle["name"] for toggle in json.loads(body)["toggles"]] if body else []
        for name in self.rng.sample(names, min(3, len(names))):
            self.post("/set", toggle=name, value="3" if name.endswith("recycle") else "off")
            self.stop.wait(0.1)
            self.post("/set", toggle=name, value="default")

    def flush(self):
        below = {"name": "soak.test", "below": "1"}
        for params in ({"name": self.rng.choice(NAMES)}, {"name": NAMES[0]}, below, {"all": "1"}):
            self.post("/cache/flush", **params)

    def lists(self):
        with open(LIST + ".new", "w") as file:
            file.writelines(f"b{i}.blocked.test\n" for i in range(200 + self.rng.randrange(2000)))
        os.replace(LIST + ".new", LIST)
        self.post("/blocklist/reload", (200, 500), force=self.rng.choice("01"))

    def hold(self):
        self.post("/blocklist/rollback", (200, 409, 503))
        self.post("/blocklist/resume", (200, 409))
        self.post("/blocklist/reload", (200, 500))

    def pause(self):
        for params in ({"minutes": "1"}, {"minutes": "1", "block_all": "1"}, {"minutes": "1", "group": "kids"}):
            self.post("/blocklist/pause", **params)
        for params in ({}, {"group": "kids"}):
            self.post("/blocklist/resume", (200, 409), **params)

    def drops(self):
        source = f"198.18.{self.rng.randrange(64, 200)}.0/24"
        self.post("/drops/add", source=source, minutes="1")
        self.post("/drops/remove", source=source)

    def heap(self):
        self.post("/heap/on", (200, 409, 429))
        self.post("/heap/off", (200, 409))

    def upstreams(self):
        server = f"127.0.0.1:{5301 + self.rng.randrange(2)}"
        for verb in ("drain", "test", "undrain"):
            self.post(f"/upstream/{verb}", (200, 404, 503), server=server)
        self.post("/upstreams/test", (200, 503), server=server)

    def versions(self):
        _, body = call("GET", "/config/history")
        numbers = [v["number"] for v in json.loads(body)["versions"]] if body else []
        busy = (200, 400, 404, 503)
        self.post("/config/apply", busy, dry_run="1")
        self.post("/config/apply", busy, why="as it is", keep="1")
        if numbers:
            self.post("/config/rollback", busy, version=str(self.rng.choice(numbers)), keep="1")

    def drain(self):
        self.post("/drain", grace_s="1")
        self.post("/undrain")
        self.post("/doctor/run", (200, 409, 429, 503))  # 409: no systemd; 503: searches run

    def fleet(self):
        self.post("/sync", (400,))  # without a form
        self.post("/fleet/promote", (200, 409, 503))  # 409: a version is being rolled out
        self.post("/fleet/stop", (200, 409), back="1")
        self.post("/fleet/apply", (200, 409), all="1")
        self.post("/fleet/leave", (200, 503))

    def put(self):
        for path in self.puts:
            _, state = call("GET", path + "?own=1" * (path == "/groups"))
            status, _ = call("PUT", path, sent=state)
            self.count(f"PUT {path}", status in (200, 503))  # 503: another change runs

    # What is there already, gone already, in the file, or comes while another change runs, is refused.
    def edit(self):
        n, good = self.rng.randrange(4), (200, 400, 404, 409, 503)
        entry = {"name": f"e{n}.entry.test", "verdict": self.rng.choice(("allow", "deny"))}
        self.post("/entries/add", good, seconds="3", **entry)
        self.post("/entries/remove", good, **entry)
        name = {"name": f"race{n}"}
        self.post("/lists/add", good, place=LIST, **name)
        for verb in ("disable", "enable", "remove"):
            self.post(f"/lists/{verb}", good, **name)
        record = {"name": f"r{n}.local.test", "type": "A", "value": "192.0.2.1"}
        self.post("/local/add", good, **record)
        self.post("/local/remove", good, **record)
        client = {"client": f"192.0.2.{n}", "group": "kids"}
        for verb in ("add", "move", "remove"):
            self.post(f"/groups/{verb}", good, **client)
        self.post("/upstreams/add", good, server=f"127.0.0.1:{5401 + n}")
        self.post("/upstreams/remove", good, server=f"127.0.0.1:{5401 + n}")
        self.post("/config/set", good, path=f"groups[race{n}].clients", yaml=f"198.18.7.{n}")
        self.post("/config/override", good, yaml='{"blocking": {"ttl": %d}}' % (60 + n), replace="blocking.ttl")
        self.post("/config/unset", good, path=f"groups[race{n}]")
        for verb in ("block", "allow"):
            self.post(f"/services/{verb}", good, service="tiktok")
        for path in ("blocking.ttl", "blocking.services"):
            self.post("/config/clear", good, path=path)
        self.post("/config/restore", good, "entries: [{", of=40 + n)
        self.post("/config/restore", (409, 503), "x", at=11, of=40 + n, id=f"{n:032x}")
        self.post("/config/restore", good, f"entries: [{{name: back{n}.test, verdict: deny}}]\n", version=1 + n)

    def access(self):
        name = {"name": f"t{self.serial % 5}"}
        self.post("/token/create", (200, 409, 503), role="read", **name)
        self.post("/token/revoke", (200, 404, 409, 503), **name)
        self.post("/password/set", (200, 400, 503), role="read", **name)
        self.post("/password/remove", (200, 404, 409, 503), **name)
        self.post("/session", (200, 401, 429))
        self.post("/session/end", (200, 409))

    def operate(self):
        acts = [self.reload_plain, self.reload_broken, self.hang_up, self.toggle, self.flush, self.lists, self.hold, self.pause,
                self.drops, self.heap, self.upstreams, self.versions, self.drain, self.edit, self.put, self.access,
                self.fleet]
        turns = acts + [self.reload_until_refused]  # first each once, so that a short run has them all
        while not self.stop.wait(0.05):
            if not turns:
                turns = self.rng.choices(acts, k=29) + [self.reload_until_refused]
                self.rng.shuffle(turns)
            turns.pop(0)()

    # What a bad day does.
    def fault_redis(self):
        self.redis.servers[0].kill()
        self.stop.wait(1)
        self.redis.servers[0].start()
        self.count("Redis restarted")

    def fault_upstream(self):
        down = f"{FOLDER}/up.log.down"
        open(down, "w").close()
        self.stop.wait(2)
        os.unlink(down)
        self.count("upstream silent")

    def fault_clickhouse(self):
        if not CLICKHOUSE:
            return
        os.kill(CLICKHOUSE, signal.SIGSTOP)
        self.stop.wait(2)
        os.kill(CLICKHOUSE, signal.SIGCONT)
        self.count("ClickHouse stopped")

    def fault_dataplane(self):
        lab("stop", "dataplane")
        self.stop.wait(2)
        lab("start", "dataplane")
        self.count("data plane restarted")

    def fail(self):
        faults = [self.fault_redis, self.fault_upstream, self.fault_clickhouse, self.fault_dataplane]
        while not self.stop.is_set():
            for fault in faults:
                if self.stop.wait(2):
                    return
                fault()

    def watched(self, work, *args):
        try:
            work(*args)
        except BaseException as error:  # a thread that ended must not be taken for one that found nothing
            self.wrong.append(f"{work.__name__}: {error!r}")

    def start(self):
        open(HOSTS, "w").close()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", HTTP_PORT), Server)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.config.write(self.config.text(0))
        lab("stop", "controlplane")
        lab("start", "controlplane")
        eventually("the control plane answers", lambda: call("GET", "/health")[0] == 200)

    def missing(self):
        wanted = [f"{verb} {p}" for verb, paths in (("GET", self.reads), ("POST", self.changes), ("PUT", self.puts)) for p in paths] + [
            "reloaded", "refused by the file", "SIGHUP", "scrape", "Redis restarted",
            "upstream silent", "data plane restarted"] + (["ClickHouse stopped"] if CLICKHOUSE else [])
        if not self.did.get("too slow to be refused"):
            wanted.append("refused by the resolver")
        return [what for what in wanted if not self.did.get(what)]

    def run(self):
        self.start()
        pid = pid_of("controlplane")
        threads = [threading.Thread(target=self.watched, args=args, daemon=True) for args in (
            *((self.read_all, SEED + i) for i in range(3)), (self.operate,), (self.fail,))]
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        while (now := time.monotonic()) < end or self.missing() and now < end + LATE_S:
            time.sleep(0.2)
        self.stop.set()
        for thread in threads:
            thread.join(4 * PATIENCE_S)
            if thread.is_alive():
                self.wrong.append("a part does not end")
        if pid_of("controlplane") != pid or not os.path.exists(f"/proc/{pid}"):
            self.wrong.append("the control plane ended")
        self.wrong += [f"never: {what}" for what in self.missing()]
        print(json.dumps({"did": self.did, "wrong": self.wrong}))
        return 1 if self.wrong else 0


if __name__ == "__main__":
    sys.exit(Drive().run())
