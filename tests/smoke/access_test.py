#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Who may ask, and how often, with the real binaries: silence, REFUSED, a rate, and who has none."""
import contextlib
import select
import time

import dns.flags

from testing import becomes, main, query, wait

DENIED, OUTSIDE, NAME = "198.18.0.66", "198.19.7.7", "www.lab.example"
LAB = {"upstreams": 0, "options": ["--offline"], "clients": [DENIED]}
OWN = ["private", "198.18.0.0/15"]
RATE = {"allow": ["any"], "unlimited": ["fd53::/48"], "rate": 20, "network_rate": 0, "burst": 1, "slip": 0}


def access(lab, **section):
    """This is the section of the configuration, in place of the lab's own."""
    lab.configure(access={"allow": None, "unlimited": None, **section})


def check_silence(lab, client):
    """A query of this client is dropped as one that may not ask, and no reply comes."""
    before = lab.verdict("drop_denied")
    with lab.connect(client=client) as sock:
        sock.send(query(NAME))
        wait(lambda: lab.verdict("drop_denied") > before, "it is not dropped")
        assert select.select([sock], [], [], 0)[0] == []


def test_denied_client_gets_nothing(lab):
    assert lab.ask(NAME).rcode == "NOERROR"
    access(lab, allow=OWN, deny=[DENIED], unlimited=["any"])
    check_silence(lab, DENIED)
    with contextlib.suppress(OSError):  # it has no connection either
        lab.exchange(query(NAME), over="tcp", client=DENIED)
        raise AssertionError("it has a reply over TCP")
    wait(lambda: lab.get("tcp")["refused_denied"] >= 1)
    assert lab.ask(NAME).rcode == "NOERROR"


def test_denied_client_is_refused(lab):
    access(lab, allow=OWN, deny=[DENIED], unlimited=["any"], denied="refuse")
    for over in ("udp", "tcp"):
        reply = lab.ask(NAME, client=DENIED, over=over, edns=True)
        assert (reply.rcode, reply.ede) == ("REFUSED", [18])


def test_own_network_may_ask_by_default(lab):
    access(lab)
    assert lab.ask(NAME).rcode == "NOERROR"
    lab.client("ip", "addr", "add", f"{OUTSIDE}/32", "dev", "wt0")
    check_silence(lab, OUTSIDE)


def check_limited(lab, count):
    """A client that asks 20 times as often as it may, from so many ports, gets what the rate allows."""
    dropped, began, replies, sent = lab.verdict("drop_limited"), time.monotonic(), 0, 0
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(lab.connect()) for _ in range(count)]
        while sent < 1000:
            socks[sent % count].send(query(NAME))
            sent += 1
            time.sleep(0.0025)
            for sock in select.select(socks, [], [], 0)[0]:
                sock.recv(512)
                replies += 1

        def settled():
            nonlocal replies
            for sock in select.select(socks, [], [], 0)[0]:
                sock.recv(512)
                replies += 1
            return replies + lab.verdict("drop_limited") - dropped >= sent
        wait(settled, "a query is neither answered nor counted")
        most = 20 + 20 * (time.monotonic() - began) + 25  # two workers may each give a burst between two looks
    assert 20 <= replies
    assert replies <= most


def test_rate(lab):
    access(lab, **RATE)
    check_limited(lab, 1)


def test_reply_over_the_rate_leads_to_tcp(lab):
    access(lab, **{**RATE, "rate": 1, "slip": 1})

    def truncated():
        """Ten at once, or a machine that takes a second for each would have asked no more than it may."""
        with lab.connect() as sock:
            for _ in range(10):
                sock.send(query(NAME))
            flags = [int.from_bytes(sock.recv(512)[2:4], "big") for _ in range(10)]
        return any(flag & dns.flags.TC for flag in flags)
    wait(truncated, "no reply has TC")
    assert lab.ask(NAME, over="tcp").rcode == "NOERROR"
    before = lab.verdict("drop_limited")
    for _ in range(800):
        assert lab.ask(NAME, family=6).rcode == "NOERROR"  # unlimited
    assert lab.verdict("drop_limited") == before


def test_one_rate_whichever_the_worker(lab):
    """Ports are spread over two."""
    lab.stop("dataplane")
    cores = lab.base["dataplane"]["worker_lcores"]
    lab.base["dataplane"]["worker_lcores"] = [lab.base["dataplane"]["main_lcore"], *cores]
    lab.write(access={"allow": None, "unlimited": None, **RATE})
    lab.post("config/reload", keep=1)
    lab.start("dataplane")
    wait(lab.activated)
    lab.client("ip", "addr", "replace", f"{OUTSIDE}/32", "dev", "wt0")
    check_limited(lab, 24)
    becomes([True, True], lambda: [worker["verdicts"].get("drop_limited", 0) > 0 for worker in lab.stats()["workers"]])


if __name__ == "__main__":
    main()
