#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The control plane answers UDP while no data plane does: on an interface shared by AF_XDP the client notices a kill -9 by
nothing, and the data plane has its queries back when it returns."""
import dns.flags

from testing import becomes, main, wait

LAB = {"options": ["--xdp"]}
OK, CACHED = "198.18.200.1", "ok-3000.cached.test"


def fallback(lab, field):
    return lab.get("status")["fallback"][field]


def says(lab, text, status=0):
    return f"\nUDP fallback    {text}" in "\n" + lab.weirctl("status", status=status)


def test_sockets_are_ready(lab):
    assert lab.short(CACHED) == OK
    becomes([2, 2, 0], lambda: [fallback(lab, field) for field in ("addresses", "bound", "alone")])
    assert says(lab, "ready")


def test_control_plane_answers_alone(lab):
    lab.kill("dataplane")
    lost = lab.lost
    assert lab.short(CACHED) == OK  # the first query, from the cache
    assert lab.lost == lost
    assert lab.short("ok-3000.new.test") == OK
    assert lab.short(CACHED, family=6) == OK
    assert lab.result("blocked.test") == "NXDOMAIN"
    assert lab.result("x.blocked.test", family=6) == "NXDOMAIN"
    assert lab.result("fail.broken.test", may_fail=True) == "SERVFAIL"
    assert lab.ask("big.large.test", "TXT").msg.flags & dns.flags.TC


def test_it_says_so_and_counts(lab):
    becomes(0, lambda: lab.get("status")["worker_rings"])
    lost = lab.lost
    assert lab.short("ok-3000.new.test") == OK
    assert lab.lost == lost
    assert fallback(lab, "alone") >= 1
    assert fallback(lab, "send_errors") == 0
    assert says(lab, "answers now", status=1)

    def settled():
        stats = lab.get("stats")
        got = stats["fallback"]
        return sum(stats["frontend"]["udp"]["verdicts"].values()) == got["received"] - got["too_long"] - got["bad_source"]
    wait(settled, "not every query has one verdict")


def test_data_plane_takes_its_queries_back(lab):
    lab.start("dataplane")
    becomes(True, lambda: lab.get("status")["link_up"])

    def taken_back():
        """The sockets hear nothing of what the data plane answers."""
        before = fallback(lab, "received")
        return (lab.short(CACHED), lab.short(CACHED, family=6), fallback(lab, "received")) == (OK, OK, before)
    wait(taken_back)
    assert lab.verdict("hit") >= 1


if __name__ == "__main__":
    main()
