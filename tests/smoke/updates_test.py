#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The update notice of the real processes, with files that the commands of docs/how-to/updates.md make: a newer version in the state,
the metrics and the events, kept over a restart, and what is refused."""
import functools
import http.server
import re
import threading

from testing import ROOT, TMP, main, run, wait

HERE = "127.0.0.1"
KEYS, FILE = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/how-to/updates.md").read_text(), re.S)
WEB = TMP / "web"
heard, key, server = [], "", None


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        heard.append((self.path, dict(self.headers)))
        super().do_GET()

    def log_message(self, *_):
        pass


def sh(text):
    return run("bash", "-e", "-c", f"cd {WEB}\n{text}")


def config():
    global key, server
    WEB.mkdir()
    key = sh(KEYS).strip()
    server = http.server.ThreadingHTTPServer((HERE, 0), functools.partial(Handler, directory=WEB))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return {}


def sign(version):
    sh(FILE.replace("version 0.2.0", f"version {version}"))


def state(lab):
    return lab.get("status").get("updates")


def settings(interval, **changes):
    """Another interval makes weir ask at once."""
    return {"blocking": {"update": {"allow_private": True}},
            "updates": {"check": True, "url": f"http://{HERE}:{server.server_port}/update", "key": key, "interval": interval, "jitter": 0, **changes}}


def events(lab, kind):
    return [e for e in lab.get("events", follow=0)["events"] if e["kind"] == kind]


def sample(lab, name):
    return next((line.rsplit(" ", 1)[1] for line in lab.get("metrics").splitlines() if line.startswith(f"{name} ")), None)


def test_nothing_is_asked_for_by_default(lab):
    assert state(lab) is None and sample(lab, "weir_update_available") is None and heard == []


def test_a_newer_version(lab):
    sign("99.0.0")
    lab.configure(**settings(3600))
    wait(lambda: state(lab)["available"])
    assert state(lab)["version"] == "99.0.0" and state(lab)["good"] == 1
    assert "UPDATE          version 99.0.0 is there" in lab.weirctl("status")
    assert sample(lab, "weir_update_available") == "1"
    assert [e["fields"]["version"] for e in events(lab, "update_available")] == ["99.0.0"]
    assert [path for path, _ in heard] == ["/update"]
    assert set(heard[0][1]) <= {"Host", "User-Agent", "Accept", "Accept-Encoding"} and heard[0][1]["User-Agent"] == "weir", heard[0][1]


def test_a_restart_keeps_it(lab):
    lab.configure(**settings(3600, jitter=86400))
    lab.stop("controlplane")
    lab.start("controlplane")
    wait(lambda: state(lab)["available"])
    assert state(lab)["version"] == "99.0.0" and state(lab)["tried_unix_s"] == 0
    assert events(lab, "update_available") == []


def test_a_downgrade_is_refused(lab):
    sign("98.0.0")
    lab.configure(**settings(3601))
    wait(lambda: state(lab)["older"] == 1)
    assert state(lab)["version"] == "99.0.0"
    assert "THE LAST CHECK FAILED: the file names 98.0.0, which is older than 99.0.0 of a former file" in lab.weirctl("status")
    assert sample(lab, 'weir_update_checks_total{result="older"}') == "1"
    assert [e["fields"]["why"] for e in events(lab, "update_refused")] == ["older"]


def test_a_changed_file_is_refused(lab):
    sign("99.0.1")
    (WEB / "update").write_text((WEB / "update").read_text().replace("99.0.1", "99.0.2"))
    lab.configure(**settings(3602))
    wait(lambda: state(lab)["unsigned"] == 1)
    assert state(lab)["version"] == "99.0.0"


def test_off_again(lab):
    lab.configure()
    assert state(lab) is None
    assert "updates.key: `updates.check` needs it" in str(lab.config_refused(updates={"check": True, "url": "http://weir.test/"}))


LAB = {"lists": {}, "upstreams": 0, "options": ["--offline"], "config": config}
if __name__ == "__main__":
    main()
