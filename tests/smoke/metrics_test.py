#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Metrics of the real binaries: well formed by promtool's word, of what happened, quick and small; traces and captures."""
import collections
import contextlib
import http.client
import itertools
import json
import re
import shutil
import socket
import subprocess
import threading

from testing import ROOT, TMP, becomes, main, query, run, wait

LAB = {"upstreams": 0, "options": ["--offline"], "config": {"metrics": {"listen": "127.0.0.1", "allow": ["127.0.0.1"], "hosts": ["weir1.lab.example"]}}}
NAME, PORT = "www.lab.example", 9153
numbers = itertools.count()


def samples(lab):
    """Of each sample, named with its labels, the value."""
    return dict(line.rsplit(" ", 1) for line in lab.get("metrics").splitlines() if not line.startswith("#"))


def value(lab, sample):
    return float(samples(lab)[sample])


def promtool_finds_nothing(text):
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr


def over(path, method="GET", source="127.0.0.1", **header):
    """The status and the text of a request over TCP."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20 if source == "127.0.0.1" else 2, source_address=(source, 0))
    with contextlib.closing(connection):
        connection.request(method, path, headers=header)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()


@contextlib.contextmanager
def asking(lab, *names):
    """Queries all the time, so that every figure has something to show; "new" stands for a name that nobody asked for before."""
    end = threading.Event()

    def ask():
        while not end.wait(0.1):
            for name in names:
                sock.send(query(name.replace("new", f"m{next(numbers)}")))
    with lab.connect() as sock:
        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()


def test_samples(lab):
    for _ in range(5):
        lab.ask(NAME)
    at_least = {
        'weir_frames_total{verdict="hit"}': 4, 'weir_questions_total{type="A"}': 5, 'weir_replies_total{rcode="NOERROR"}': 5,
        'weir_dataplane_batch_seconds_count{outcome="hit"}': 4, 'weir_dataplane_stage_seconds_count{stage="lookup"}': 1,
        'weir_resolver_answer_seconds_count{outcome="upstream"}': 1, 'weir_memory_account_bytes{account="resolver"}': 1000,
        "weir_scrape_samples": 300, "weir_list_copies_bytes": 1, 'weir_table_cap{table="waiters"}': 1}
    for sample, least in at_least.items():
        wait(lambda sample=sample, least=least: value(lab, sample) >= least, f"{sample} is less than {least}")
    found = samples(lab)
    for sample, want in (('weir_up{process="dataplane"}', "1"), ('weir_up{process="controlplane"}', "1"),
                         ('weir_table_refused_total{table="waiters"}', "0"), ("weir_scrape_left_out_total", "0")):
        assert found[sample] == want
    assert any(re.fullmatch(r'weir_upstream_up\{upstream=".*",address="127.0.0.1:[0-9]*"\}', s) and v == "1" for s, v in found.items())
    assert any(sample.startswith('weir_list_names{list="') for sample in found)
    of_build(lab, found)


def of_build(lab, found):
    """Both processes, the verb of the state and the programs say one version with its commit."""
    said = lab.weirctl("--version").split()[1]
    states = json.loads(lab.weirctl("status --json"))
    for process in ("controlplane", "dataplane"):
        state = states[process]
        start = f'weir_build_info{{process="{process}",version="{said}",commit="{state["commit"]}",abi="'
        assert state["version"] == said and any(sample.startswith(start) for sample in found), (process, said, state["version"])
        assert state["commit"] == "unknown" or f".{state['commit'][:8]}" in said
    assert re.search(rf"^version +{re.escape(said)}$", lab.weirctl("status"), re.M)


def test_text_is_well_formed(lab):
    text = lab.get("metrics")
    promtool_finds_nothing(text)
    names = collections.Counter(line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#"))
    assert [name for name, count in names.items() if count > 1] == []
    (TMP / "metrics").write_text(text)
    run("/usr/bin/python3", ROOT / "tools/docs/metrics_md.py", ROOT, TMP / "metrics", "--check")  # the list of metrics has these


def test_ready_without_an_error(lab):
    wait(lambda: lab.weirctl("ready"))
    assert re.findall(r"E[0-9a-f]{8}.*", lab.weirctl("errors")) == []


def test_trace(lab):
    with asking(lab, NAME, "other.lab.example"):
        said = lab.weirctl(f"trace --name {NAME} --seconds 20 --limit 3")
    assert re.search(r"www.lab.example.? A hit NOERROR.*\n +rx ", said), said  # with the stages of a hit
    assert "other.lab" not in said


def test_trace_of_a_miss_has_the_steps_of_both_processes(lab):
    with asking(lab, "new.misses.lab.example"):
        said = lab.weirctl("--json trace --name misses.lab.example --verdict upstream --seconds 20 --limit 1")
    found = json.loads(said.splitlines()[0])
    assert (found["verdict"], found["outcome"], found.get("incomplete", False)) == ("miss", "upstream", False)
    assert "stage_ns" in found
    steps = list(dict.fromkeys(event["step"] for event in found["events"]))  # an upstream that is late is asked again
    order = ["received", "l0_miss", "began", "udp_sent", "reply", "answered", "ended"]
    assert [step for step in steps if step in order] == order
    assert [step for step in steps if step.startswith("worker_")] == ["worker_took", "worker_sent"]
    assert all(event["server"] for event in found["events"] if event["step"] in ("udp_sent", "reply")), found
    times = [event["at_us"] for event in found["events"]]
    assert times == sorted(times)


def test_capture(lab):
    from scapy.all import DNS, rdpcap
    with asking(lab, NAME, "other.lab.example"):
        lab.weirctl(f"capture --verdict hit --client 198.18.0.0/15 --seconds 20 --limit 4 -o {TMP}/hits.pcap")
    assert [(p[DNS].qd.qtype, p.dport) for p in rdpcap(f"{TMP}/hits.pcap")] == [(1, 53)] * 4


def test_second_watch_is_refused(lab):
    old, new = TMP / "old.pcap", TMP / "new.pcap"
    old.write_text("kept")
    with lab.stream("watch", name="none.example", seconds=60):
        becomes([1], lambda: [table["used"] for table in lab.get("mem")["tables"] if table["name"] == "watch"])
        for path in (old, new):
            lab.weirctl(f"capture --seconds 1 -o {path}", status=1)
    assert (old.read_text(), new.exists()) == ("kept", False)
    with asking(lab, NAME):  # another watch right behind
        becomes("0 queries, 0 more missed\n", lab.weirctl, "trace --verdict malformed --seconds 1")


def test_address_for_metrics_that_another_program_has(lab):
    with socket.create_server(("127.0.0.1", PORT)):
        lab.stop("controlplane")
        lab.start("controlplane")
        wait(lambda: re.search("metrics.*NOT LISTENING: Address already in use", lab.weirctl("status")))
        wait(lambda: "metrics.listen" in lab.weirctl("ready"))
        wait(lambda: re.search("E[0-9a-f]{8} .*metrics.listen", lab.weirctl("errors")))
        becomes(0, value, lab, "weir_metrics_listening")
        assert value(lab, "weir_metrics_listen_failures_total") >= 1
    wait(lambda: over("/metrics")[0] == 200)
    wait(lambda: "metrics.listen" not in lab.weirctl("ready"))


def test_metrics_over_tcp(lab):
    wait(lambda: '\nweir_up{process="dataplane"} 1\n' in over("/metrics")[1])
    promtool_finds_nothing(over("/metrics")[1])
    statuses = {path: over(path)[0] for path in ("/health", "/ready", "/status", "/errors", "/debug/heap")}
    assert statuses == {"/health": 200, "/ready": 200, "/status": 404, "/errors": 404, "/debug/heap": 404}
    assert over("/metrics", "POST")[0] == 405
    # A page of rebound.example that has become a name of this box asks for all there is.
    asked = {name: [over(path, Host=name)[0] for path in ("/metrics", "/health", "/ready")]
             for name in ("rebound.example:9153", "localhost:9153", "weir1.lab.example:9153")}
    assert asked == {"rebound.example:9153": [421] * 3, "localhost:9153": [200] * 3, "weir1.lab.example:9153": [200] * 3}, asked
    assert value(lab, "weir_metrics_listen_hosts_refused_total") == 3
    try:
        assert over("/health", source="127.0.0.2")[0] == 403  # where this kernel lets weir attach no filter
    except OSError:
        pass  # the kernel drops connections of a client that is not named


def test_prometheus_scrapes_it(lab):
    if not shutil.which("prometheus"):
        return
    (TMP / "prometheus.yml").write_text(
        f"scrape_configs:\n- {{job_name: weir, scrape_interval: 1s, static_configs: [{{targets: [127.0.0.1:{PORT}]}}]}}\n")

    def scraped():
        connection = http.client.HTTPConnection("127.0.0.1", 9190, timeout=20)
        connection.request("GET", "/api/v1/query?query=weir_up%7Bjob=%22weir%22,process=%22dataplane%22%7D")
        reply = connection.getresponse()
        return reply.status == 200 and json.loads(reply.read())["data"]["result"][0]["value"][1] == "1"
    with open(TMP / "prometheus.log", "w") as log:
        server = subprocess.Popen(["prometheus", f"--config.file={TMP}/prometheus.yml", f"--storage.tsdb.path={TMP}/tsdb",
                                   "--web.listen-address=127.0.0.1:9190"], stdout=log, stderr=log)
    try:
        wait(scraped, "Prometheus has no sample")
    finally:
        server.terminate()
        server.wait()


def test_data_plane_that_was_killed(lab):
    wait(lambda: "dataplane.anonymous" in lab.weirctl("mem slope --seconds 60"))
    lab.kill("dataplane")
    becomes(0, value, lab, 'weir_up{process="dataplane"}')
    becomes(1, value, lab, 'weir_process_ends{process="dataplane",end="killed or crashed"}')
    wait(lambda: re.search("no data plane; the control plane answers|no data plane, and no fallback", lab.weirctl("ready", status=1)))
    catalogue = (ROOT / "docs/reference/errors.md").read_text()
    known = re.search(r"^\| .(W[0-9a-f]*). \| controlplane \| data plane closed its link \|", catalogue, re.M)[1]
    wait(lambda: re.search(f"{known} *controlplane", lab.weirctl("errors")))
    lab.start("dataplane")


if __name__ == "__main__":
    main()
