#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Events of the real processes: what a stream of server-sent events and weirctl show of a reload, a refused one, a list that changes
and one that fails, an upstream server that is down and drained, and a data plane that comes and goes."""
import contextlib
import functools
import http.server
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from testing import CONFIG, PATIENCE, TMP, Refused, ahead, becomes, main, run, wait

OK, LIST = "198.18.200.1", TMP / "blocked.list"
numbers = itertools.count()


def newest(lab):
    return lab.get("events", follow=0)["newest"]


def seen(lab, after, kind, severity=None, text="", **fields):
    """Wait for an event behind that number: a field is the whole value or a pattern."""
    def found():
        return next((e for e in lab.get("events", follow=0, after=after)["events"] if e["kind"] == kind and text in e["text"]
                     and severity in (None, e["severity"]) and all(re.search(p, e["fields"].get(k, "")) for k, p in fields.items())), None)
    return wait(found, f"no event {kind} {severity or ''} {fields or ''}")


def human(lab):
    try:
        return lab.get("ready", **{"for": "human"})
    except Refused as error:  # 503
        return json.loads(error.text)


def ready(lab, profile):
    """The status of a reply."""
    try:
        lab.get("ready", **({"for": profile} if profile else {}))
    except Refused as error:
        return error.status
    return 200


def asks_until(lab, kind, first):
    def asked():
        lab.ask(f"{first}-{next(numbers)}.away.test", may_fail=True)
        return any(e["kind"] == kind and "5301" in e["fields"]["server"] for e in lab.get("events", follow=0)["events"])
    wait(asked, f"no event {kind}")


def test_start(lab):
    seen(lab, 0, "process_started", "info", process="^controlplane$")
    seen(lab, 0, "dataplane_came", incarnation="^.{16}$")


def test_reload(lab):
    last = newest(lab)
    weirctl = [os.environ["WEIR_BUILD"] + "/tools/ctl/weirctl", "-c", CONFIG]
    with lab.stream("events", after=last) as stream, open(TMP / "followed", "w") as file, \
            subprocess.Popen([*weirctl, "--json", "events", "--follow"], stdout=file) as follower:
        lab.activate("config/reload", keep=1)
        seen(lab, last, "config_reloaded", "info", "configuration reloaded")
        stream.wait(lambda event: event["kind"] == "config_reloaded")
        wait(lambda: '"config_reloaded"' in (TMP / "followed").read_text(), "who follows does not see it")
        follower.terminate()
    assert run("ss", "-Hltn", "sport = :9953") == ""  # without control.listen nobody listens on TCP
    lab.weirctl(f"wait event config_reloaded --since {last}")
    assert lab.weirctl(f"wait event config_refused --since {last} --for 0s", status=1).startswith("weirctl: not met after")
    lab.weirctl("wait generations")
    lab.weirctl("wait counter stats.dataplane.counters.rx_frames >= 1")
    assert "no such key: rx_frame; did you mean rx_frames?" in lab.weirctl(
        "wait counter stats.dataplane.counters.rx_frame > 0 --for 0s", status=1)


def test_refused_reload_is_an_alarm(lab):
    last = newest(lab)
    lab.write(nonsense=1)
    lab.refused("config/reload")
    seen(lab, last, "config_refused", "error", why="nonsense")
    seen(lab, last, "alarm_raised", alarm="^reload$")
    reason = next(one for one in human(lab)["reasons"] if one["id"] == "reload")
    assert reason["severity"] == "warning"
    assert reason["advice"].startswith("Correct the file")
    assert reason["begin_unix_ms"] / 1000 > time.time() - 60
    assert "    Correct the file as the text says" in lab.weirctl("ready --for human")
    assert 'weir_reason{id="reload"} 1' in lab.get("metrics").splitlines()
    lab.configure()
    ahead(5)  # the alarm lasts that long without its reason
    seen(lab, last, "alarm_over", text="over after ", alarm="^reload$")
    ended = human(lab)["ended"][0]
    assert ended["id"] == "reload"
    assert ended["end_unix_ms"] > ended["begin_unix_ms"]


def test_profiles_of_ready_and_drain(lab):
    last = newest(lab)
    assert [ready(lab, profile) for profile in ("balancer", "anycast", "robots")] == [200, 503, 400]
    assert "must be balancer, anycast or human" in lab.weirctl("ready --for robots", status=1)
    assert re.search("^anycast: withdrawn, for .* more of answers$", lab.weirctl("ready --for human"), re.M)
    lab.weirctl("drain")
    assert ready(lab, "balancer") == 503
    assert human(lab)["reasons"][0]["id"] == "drained"
    lab.weirctl("ready", status=1)
    status = lab.weirctl("status")
    assert "\nDRAINING " in status
    problems = status.split("\n")[3:6]  # behind both processes and their version
    assert problems[0].startswith("PROBLEMS") and "weirctl undrain" in "".join(problems), problems
    seen(lab, last, "alarm_raised", "info", alarm="^drained$")
    assert "draining, " in lab.weirctl("wait drained --for 0s", status=1)
    assert lab.short("ok-1.back.test") == OK
    waiter = threading.Thread(target=lab.weirctl, args=("wait ready",))
    waiter.start()
    assert lab.weirctl("undrain").startswith("in service")
    waiter.join()
    assert ready(lab, None) == 200


def test_drain_ends_connections_and_loses_no_answer(lab):
    idle = lab.connect("tcp")
    assert "connections end in " in lab.weirctl("drain --grace 60")
    assert re.search("^after .* drained$", lab.weirctl("drain --grace 1 --wait --for 30s"), re.M)
    idle.settimeout(PATIENCE)
    assert idle.recv(1) == b""  # an end, no reset
    idle.close()
    assert [lab.short("ok-1.back.test", over=over) for over in ("udp", "tcp")] == [OK, OK]
    assert lab.get("status")["readiness"]["drain"] == {"state": "drained", "grace_left_ms": 0, "connections": 0}
    assert lab.get("tcp")["ended"]["drained"] == 1
    assert "drained: /ready is 503" in lab.weirctl("drain")
    lab.weirctl("undrain")
    assert lab.short("ok-1.back.test", over="tcp") == OK
    lab.weirctl("wait drained --for 0s", status=1)


def test_status_fits_a_terminal(lab):
    weirctl = os.environ["WEIR_BUILD"] + "/tools/ctl/weirctl"
    screen = run("script", "-qec", f"stty cols 80 rows 24; {weirctl} -c {CONFIG} status", "/dev/null").splitlines()
    assert len(screen) <= 24
    assert max(map(len, screen)) <= 80


@contextlib.contextmanager
def list_server(folder):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 8099), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def test_lists(lab):
    last, folder = newest(lab), TMP / "lists"
    folder.mkdir()
    (folder / "one.list").write_text("fetched.test\n")
    lists = [{"url": "http://127.0.0.1:8099/one.list", "name": "one"}, *lab.base["blocking"]["lists"]]
    with list_server(folder):
        lab.write(blocking={"update": {"allow_private": True, "timeout": 5, "interval": 0}, "lists": lists})
        lab.post("config/reload", keep=1)
        seen(lab, last, "list_changed", list="^one$", bytes="^13$", url="one.list$")
        lab.weirctl("wait list one")
        (folder / "one.list").unlink()
        lab.post("blocklist/reload")
        seen(lab, last, "list_failed", list="^one$", why="404")
        seen(lab, last, "alarm_raised", alarm="^lists$")
        assert re.search("one: .*404", lab.weirctl("wait list one --for 50ms", status=1))
    LIST.rename(TMP / "away")
    lab.post("blocklist/reload")
    seen(lab, last, "list_failed", path=f"^{LIST}$")
    (TMP / "away").rename(LIST)


def test_upstream_server(lab):
    last = newest(lab)
    lab.post("upstream/drain", server="127.0.0.1:5301")
    seen(lab, last, "upstream_drained", server="^127.0.0.1:5301$")
    lab.post("upstream/undrain", server="127.0.0.1:5301")
    seen(lab, last, "upstream_undrained")
    with lab.up1.silent():
        asks_until(lab, "upstream_down", "away")
        seen(lab, last, "alarm_raised", alarm="^upstreams$")
        lab.weirctl("wait upstream 127.0.0.1:5301 down")
    asks_until(lab, "upstream_up", "ok")
    lab.weirctl("wait upstream 127.0.0.1:5301 up")


def test_data_plane_goes_and_comes(lab):
    last = newest(lab)
    os.kill(lab.pid("dataplane"), signal.SIGKILL)
    seen(lab, last, "dataplane_went", "warning", why="killed")
    seen(lab, last, "alarm_raised", alarm="^dataplane$")
    lab.start("dataplane")
    seen(lab, last, "dataplane_came")


def stream_text(until, after=None):
    """What a stream has at its begin, up to an event: server-sent events."""
    head = f"GET /events HTTP/1.1\r\nHost: weir\r\n{f'Last-Event-ID: {after}' + chr(13) + chr(10) if after else ''}\r\n"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect("/run/weir/control/control.sock")
        sock.sendall(head.encode())
        text = ""
        while not re.search(rf"^id: {until}\n(.*\n)*data: .*\}}\n", text.replace("\r", ""), re.M):
            text += sock.recv(65536).decode()
    return text


def test_stream(lab):
    last = newest(lab)
    text = stream_text(until=last)
    ids = list(map(int, re.findall(r"^id: (\d+)", text, re.M)))
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(re.findall(r"^data: \{.*\}\r?$", text, re.M)) >= len(ids)
    again = stream_text(until=last, after=ids[2])
    assert int(re.search(r"^id: (\d+)", again, re.M)[1]) == ids[3]  # a reader goes on behind its last event


def test_weirctl_events(lab):
    def as_many(since, command):
        return len(lab.weirctl(command).splitlines()) == len(lab.get("events", follow=0, after=since)["events"])
    last = newest(lab) - 5
    wait(lambda: as_many(0, "events"), "weirctl does not show a line for each event")
    wait(lambda: as_many(last, f"--json events --since {last}"))
    said = lab.weirctl("events")
    assert re.search("^[0-9-]{10} [0-9:]{8} warning dataplane_went the data plane has ended: ", said, re.M)
    assert len(lab.weirctl("events --since 1h").splitlines()) > 10
    assert lab.weirctl("events --since 2099-01-01") == ""
    lab.weirctl("events --since soon", status=2)
    assert 'weir_events_total{kind="config_refused"} 1' in lab.get("metrics").splitlines()


def test_readers_are_in_the_tables(lab):
    def readers():
        return next(table["used"] for table in lab.get("mem")["tables"] if table["name"] == "event_readers")
    becomes(0, readers)
    with lab.stream("events"), lab.stream("events"):
        becomes(2, readers)
    becomes(0, readers)


def test_wait_and_numbers_go_on_over_a_restart(lab):
    last = newest(lab)
    done = []
    waiter = threading.Thread(target=lambda: done.append(lab.weirctl(f"wait event process_started --since {last}")))
    waiter.start()
    lab.stop("controlplane")
    lab.start("controlplane")
    waiter.join()
    assert len(done) == 1
    assert seen(lab, last, "process_started")["number"] > last


def test_control_plane_that_dies_stays_drained(lab):
    lab.weirctl("drain --grace 1 --wait --for 30s")
    lab.kill("controlplane")
    lab.start("controlplane")
    lab.weirctl("wait drained --for 30s")
    assert ready(lab, "balancer") == 503
    assert lab.short("ok-1.back.test") == OK
    lab.stop("controlplane")  # an orderly stop ends the drain
    lab.start("controlplane")
    lab.weirctl("wait ready --for 30s")
    assert human(lab)["drain"]["state"] == "serving"
    assert human(lab)["anycast"]["withdrawals"] == 0


def test_control_plane_that_dies_is_held_down(lab):
    wait(lambda: ready(lab, "anycast") == 200, "not announced")  # 30 s: a clock that jumps makes looks bad
    lab.kill("controlplane")
    lab.start("controlplane")
    lab.weirctl("wait ready --for 30s")
    assert human(lab)["anycast"]["withdrawals"] == 1


if __name__ == "__main__":
    main()
