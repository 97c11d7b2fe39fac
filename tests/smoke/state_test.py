#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What an operator has set or has to do is in the status, in the metrics and in ready: pauses, a rollback, reloads, settings that
wait for a restart, dead upstreams, Redis that takes nothing, a control plane that is down."""
import contextlib
import itertools
import re
import subprocess
import urllib.error
import urllib.request

from testing import TMP, becomes, main, run, wait

LAB = {"config": {"groups": [{"name": "kids", "clients": ["198.18.77.0/24"]}, {"name": "asleep", "clients": ["198.18.78.0/24"], "schedules": [{"name": "bed", "from": "00:00", "to": "24:00", "block_all": True}]}], "metrics": {"listen": "127.0.0.1"}}}
REDIS = {"redis": {"mode": "standalone", "addresses": ["127.0.0.1:6390"], "timeout_ms": 1000, "lookup_timeout_ms": 200}}
LIST = TMP / "blocked.list"
numbers = itertools.count()


def says(lab, pattern):
    return re.search(pattern, lab.weirctl("status")) is not None


def ready(lab):
    return lab.weirctl("ready").strip()


def whole(lab):
    return lab.weirctl("ready --strict").strip() == "ready"


def metric(lab, sample):
    return next(float(line.rpartition(" ")[2]) for line in lab.get("metrics").splitlines() if line.startswith(sample + " "))


def over(query=""):
    """The status of ready over TCP."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:9153/ready{query}", timeout=20) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def ask_new(lab, count=1):
    for _ in range(count):
        lab.ask(f"ok-{next(numbers)}.new.test", may_fail=True)


def reload_fails(lab):
    lab.weirctl("config reload", status=1)


def test_whole_at_first(lab):
    lab.stop("controlplane")  # it starts with the address for metrics
    lab.start("controlplane")
    wait(lambda: whole(lab))
    assert ready(lab) == "ready"
    assert metric(lab, "weir_config_last_reload_successful") == 1
    assert metric(lab, "weir_config_last_reload_timestamp_seconds") == 0


def test_l0_is_no_larger_than_its_region(lab):
    shown = float(re.match(r".* of ([0-9.]*) MiB \(", lab.weirctl("cache stats"))[1])  # which counts units
    assert 0 < shown * 1048576 <= lab.get("cache/stats")["l0"]["bytes"]


def news(lab):
    """What is no trouble, by id and what it is about; none of it makes a box less whole."""
    assert whole(lab)
    return {(one["id"], one["about"]) for one in lab.get("ready", **{"for": "human"})["reasons"] if one["severity"] == "info"}


def events_of(lab, kind):
    return [event["fields"] for event in lab.get("events", follow=0)["events"] if event["kind"] == kind]


def test_pauses(lab):
    assert news(lab) == set()
    lab.post("blocklist/pause", minutes=5)
    lab.post("blocklist/pause", minutes=5, group="kids")
    assert says(lab, "PAUSED for everyone") and says(lab, "PAUSED for group kids")
    assert metric(lab, "weir_blocking_groups_paused") == 1
    assert metric(lab, "weir_blocking_pause_seconds") > 200
    assert news(lab) == {("blocking_paused", ""), ("blocking_paused", "kids")}
    assert says(lab, "BLOCKED all the same, by a schedule: group asleep")
    assert "a schedule still blocks everything for asleep" in next(one["text"] for one in lab.get("ready", **{"for": "human"})["reasons"] if one["about"] == "")
    assert lab.get("status")["blocking"]["blocked_groups"] == ["asleep"]
    lab.post("blocklist/resume")
    lab.post("blocklist/resume", group="kids")
    assert lab.get("status")["blocking"]["blocked_groups"] == []
    assert not says(lab, "PAUSED")
    assert news(lab) == set()
    assert [(event["group"], event["minutes"], event["who"].partition(",")[0]) for event in events_of(lab, "blocking_paused")] == \
        [("", "5", "uid 0"), ("kids", "5", "uid 0")]
    assert [event["group"] for event in events_of(lab, "blocking_resumed")] == ["", "kids"]
    assert [metric(lab, f"weir_blocking_{what}") for what in ("groups_paused", "pause_seconds")] == [0, 0]


def test_rollback_is_held(lab):
    LIST.write_text(LIST.read_text() + "other.test\n")
    lab.activate("blocklist/reload")
    lab.activate("blocklist/rollback")
    assert says(lab, "HELD: the rules of a rollback")
    assert metric(lab, "weir_rules_held") == 1
    assert news(lab) == {("rules_held", "")}
    assert events_of(lab, "rules_rolled_back")[0]["who"].startswith("uid 0, pid ")
    reload_fails(lab)  # a reload of the configuration says so, and is no failed one
    assert not says(lab, "THE LAST RELOAD FAILED")
    assert metric(lab, "weir_config_last_reload_successful") == 1
    lab.post("blocklist/reload")
    assert not says(lab, "HELD")


def test_missing_list(lab):
    LIST.rename(TMP / "away")
    reload_fails(lab)
    assert says(lab, "NOT updated: list .*No such file")
    assert not says(lab, "THE LAST RELOAD FAILED")
    assert metric(lab, "weir_config_last_reload_successful") == 1
    (TMP / "away").rename(LIST)
    lab.post("blocklist/reload")
    assert not says(lab, "NOT updated")


def test_refused_file(lab):
    lab.write(nonsense=1)
    reload_fails(lab)
    assert says(lab, "THE LAST RELOAD FAILED.*nonsense")
    assert metric(lab, "weir_config_last_reload_successful") == 0
    assert "but: the last reload of the configuration failed" in ready(lab)
    lab.weirctl("ready --strict", status=1)
    assert [over(query) for query in ("", "?strict=1", "?strict=x")] == [200, 503, 400]


def test_settings_that_wait_for_a_restart(lab):
    lab.configure(dataplane={"main_lcore": None, "mbufs": 16383, "rx_descriptors": 512})
    assert says(lab, "needs a restart: .*dataplane.mbufs")
    assert metric(lab, "weir_config_restart_pending") >= 2
    assert metric(lab, "weir_config_last_reload_successful") == 1
    lab.configure()
    assert not says(lab, "needs a restart")
    assert metric(lab, "weir_config_restart_pending") == 0
    wait(lambda: whole(lab))


@contextlib.contextmanager
def redis():
    with open(TMP / "redis.log", "w") as log:
        server = subprocess.Popen(["redis-server", "--port", "6390", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                                   "--dir", TMP], stdout=log)
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def test_redis(lab):
    def full():
        ask_new(lab, 12)
        return says(lab, "Redis 127.0.0.1:6390: refusing") and re.search("but: Redis refuses every write: .*OOM", ready(lab))

    def writes():
        ask_new(lab, 12)
        return whole(lab)

    def away():
        ask_new(lab, 12)
        return "but: Redis is away" in ready(lab)
    with redis():
        lab.configure(**REDIS)
        wait(lambda: says(lab, "Redis 127.0.0.1:6390: up") and whole(lab))
        run("redis-cli", "-p", 6390, "CONFIG", "SET", "maxmemory", 1)
        wait(full, "a full Redis is up")
        assert metric(lab, 'weir_redis_state{state="refusing"}') == 1
        assert metric(lab, "weir_redis_oom_total") >= 8
        assert "every write is refused" in lab.weirctl("errors")
        run("redis-cli", "-p", 6390, "CONFIG", "SET", "maxmemory", 0)
        wait(writes, "Redis is not up again")
    wait(away, "Redis is not away")
    lab.configure()
    wait(lambda: whole(lab))


def test_dead_upstream(lab):
    def dead():
        ask_new(lab)
        return says(lab, "NO UPSTREAM ANSWERS")

    def status():
        ask_new(lab)
        return over()
    with lab.up1.silent():
        wait(dead, "the status does not say that no upstream answers")
        assert [metric(lab, f"weir_upstream_sets{what}") for what in ("_down", "")] == [1, 1]
        assert "but: no upstream answers" in ready(lab)
        assert over() == 200  # a load balancer sees it as ready, unless it shall not
        lab.configure(metrics={"ready_needs_upstream": True})
        becomes(503, status)


def test_without_a_control_plane(lab):
    becomes("198.18.200.1", lab.short, "ok-3000.cached.test")
    lab.stop("controlplane")
    assert "control plane is down; the data plane is up: it answers cache hits and blocked names" in lab.weirctl("status", status=1)
    assert lab.short("ok-3000.cached.test") == "198.18.200.1"
    assert re.search("control plane is down .*it answers cache hits and blocked names", lab.weirctl("ready", status=1))
    lab.stop("dataplane")
    assert "control plane is down; no client is answered" in lab.weirctl("status", status=1)
    lab.start("controlplane")
    lab.start("dataplane")


if __name__ == "__main__":
    main()
