#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Local data in a running lab: each type of record, wildcards, zones, hosts files and special-use names, with and without the
control plane; local CNAMEs and forwarding zones; what a changed configuration flushes."""
from testing import TMP, becomes, main

LAB = {"upstreams": 2, "clients": ["198.18.0.3"]}
HOSTS = TMP / "hosts"
RECORDS = [dict(zip(("name", "type", "value", "ttl"), record)) for record in (
    ("nas.lan", "A", "192.168.7.10", 77), ("nas.lan", "A", "192.168.7.11"), ("nas.lan", "AAAA", "fd00:7::10"),
    ("lan", "MX", "10 nas.lan"), ("_sip._udp.lan", "SRV", "1 2 5060 nas.lan"), ("text.lan", "TXT", "v=x two words"),
    ("10.7.168.192.in-addr.arpa", "PTR", "nas.lan"), ("svc.lan", "HTTPS", "1 . alpn=h2,h3 port=8443"),
    ("svc.lan", "SVCB", "1 nas.lan alpn=dot"), ("lan", "CAA", "0 issue ca.example"), ("www.lan", "CNAME", "Nas.lan"),
    ("*.apps.lan", "A", "192.168.7.12"), ("one.apps.lan", "A", "192.168.7.13"))]
ANSWERS = {  # what the data plane answers by itself: its records, sorted, or the code
    "nas.lan A": "192.168.7.10 192.168.7.11",
    "nas.lan AAAA": "fd00:7::10",
    "lan MX": "10 nas.lan.",
    "_sip._udp.lan SRV": "1 2 5060 nas.lan.",
    "text.lan TXT": '"v=x two words"',
    "10.7.168.192.in-addr.arpa PTR": "nas.lan.",
    "svc.lan HTTPS": '1 . alpn="h2,h3" port="8443"',
    "svc.lan SVCB": '1 nas.lan. alpn="dot"',
    "lan CAA": '0 issue "ca.example"',
    "www.lan A": "192.168.7.10 192.168.7.11 Nas.lan.",
    "a.b.apps.lan A": "192.168.7.12",
    "one.apps.lan A": "192.168.7.13",
    "nas.lan TXT": "NOERROR",
    "none.lan A": "NXDOMAIN",
    "apps.lan A": "NOERROR",
    "web.lan A": "192.168.7.20",
    "web.lan AAAA": "fd00:7::20",
    "20.7.168.192.in-addr.arpa PTR": "web.lan.",
    "0.2.0.0." + "0.0.0.0." * 5 + "7.0.0.0.0.0.d.f.ip6.arpa PTR": "web.lan.",
    "x.localhost A": "127.0.0.1",
    "localhost AAAA": "::1",
    "1.0.0.127.in-addr.arpa PTR": "localhost.",
    "_dns.resolver.arpa SVCB": "NOERROR",
    **{f"{name} A": "NXDOMAIN" for name in ("a.invalid", "a.onion", "a.local", "use-application-dns.net", "1.2.3.10.in-addr.arpa",
                                            "x.home.arpa")}}
TARGET, OK = "ok-3000.target.test.", "198.18.200.1"
TO_SECOND = ["127.0.0.1:5302"]


def configure(lab, more=(), hosts="", **changes):
    HOSTS.write_text("127.0.0.1 localhost\n192.168.7.20 web.lan web   # two names\nfd00:7::20   web.lan\n" + hosts)
    lab.configure(local={"test_names": True, "hosts_files": [str(HOSTS)], "zones": [{"name": "lan"}], "records": RECORDS + list(more)},
                  **changes)


def cname(name, value):
    return {"name": name, "type": "CNAME", "value": value}


def forwarded(servers, target="target"):
    """Local CNAMEs to others' names, and zones with a server of their own."""
    return {"more": [cname("out.lan", f"ok-3000.{target}.test"), cname("deep.lan", "ok-3000.www.corp.test"),
                     cname("*.star.lan", "out.lan")],
            "forward_zones": [{"name": name, "servers": servers} for name in ("corp.test", "3.10.in-addr.arpa")]}


def answers(lab):
    replies = {question: lab.ask(*question.split()) for question in ANSWERS}
    return {question: " ".join(sorted(reply.texts)) or reply.rcode for question, reply in replies.items()}


def test_answers(lab):
    configure(lab)
    becomes("192.168.7.10 192.168.7.11", lambda: " ".join(sorted(lab.ask("nas.lan").texts)))
    assert answers(lab) == ANSWERS
    assert lab.ask("nas.lan").ttl == 77
    local = ("lan", "arpa", "onion", "local", "localhost", "invalid")
    assert [query.name for query in lab.up1.all() if query.name.lower().rpartition(".")[2] in local] == []
    assert lab.verdict("local") > 30


def test_answers_without_the_control_plane(lab):
    lab.kill("controlplane")
    assert answers(lab) == ANSWERS
    lab.start("controlplane")
    becomes(OK, lab.short, "ok-3000.again.test")


def test_cname_to_a_name_of_others(lab):
    configure(lab, **forwarded(TO_SECOND))
    assert lab.short("out.lan") == f"{TARGET} {OK}"
    once = lab.up1.asked("ok-3000.target.test")  # 1, or more when this upstream was late
    assert once >= 1
    assert lab.short("out.lan") == f"{TARGET} {OK}"
    assert lab.up1.asked("ok-3000.target.test") == once  # it is cached whole
    assert lab.short("x.star.lan") == f"out.lan. {TARGET} {OK}"
    assert lab.short("out.lan", "CNAME") == TARGET


def test_forwarded_zone(lab):
    assert lab.short("ok-3000.www.corp.test") == OK
    assert lab.up2.asked("ok-3000.www.corp.test") >= 1
    assert lab.up1.asked("ok-3000.www.corp.test") == 0
    assert lab.short("deep.lan") == f"ok-3000.www.corp.test. {OK}"
    lab.ask("ok-3000.3.10.in-addr.arpa")
    assert lab.up2.asked("ok-3000.3.10.in-addr.arpa") >= 1
    assert lab.result("ok-3000.4.10.in-addr.arpa") == "NXDOMAIN"


def test_changed_target_and_server_count_at_once(lab):
    configure(lab, **forwarded(["127.0.0.1:5301"], "other"))
    becomes(f"ok-3000.other.test. {OK}", lab.short, "out.lan")
    becomes(f"out.lan. ok-3000.other.test. {OK}", lab.short, "x.star.lan")  # behind a CNAME that stayed
    becomes(True, lambda: lab.short("ok-3000.www.corp.test") and lab.up1.asked("ok-3000.www.corp.test") >= 1)
    assert "changed name not flushed" not in lab.log["controlplane"].text()


def test_group_with_its_own(lab):
    own = [{"name": "nas.lan", "type": "A", "value": "192.168.9.9"}, cname("own.lan", "ok-3000.kids.test")]
    configure(lab, groups=[{"name": "kids", "clients": ["198.18.0.3/32"], "local_records": own}])
    becomes("192.168.9.9", lab.short, "nas.lan", client="198.18.0.3")
    assert lab.short("www.lan", client="198.18.0.3") == "Nas.lan. 192.168.9.9"  # everyone's CNAME
    assert lab.short("own.lan", client="198.18.0.3") == f"ok-3000.kids.test. {OK}"
    assert lab.short("a.apps.lan", client="198.18.0.3") == "192.168.7.12"
    assert lab.result("own.lan") == "NXDOMAIN"


def test_changed_hosts_file(lab):
    configure(lab, hosts="192.168.7.21 new.lan\n")
    becomes("192.168.7.21", lab.short, "new.lan")


def test_private_relay(lab):
    assert lab.short("ok-3000.mask.icloud.com") == OK
    with lab.configured(local={"relay_canary": True}):
        becomes("NXDOMAIN", lab.result, "ok-3000.mask.icloud.com")
        assert lab.result("mask.icloud.com") == "NXDOMAIN"
        assert lab.result("mask-h2.icloud.com", "AAAA") == "NXDOMAIN"
        assert "(local.relay_canary)" in lab.weirctl("why", "mask.icloud.com")


def test_types_that_a_name_lacks(lab):
    records = [{"name": "ok-3000.nas.test", "type": "A", "value": "192.168.7.30"}, {"name": "*.wild.test", "type": "A", "value": "192.168.7.31"},
               cname("alias.test", "ok-3000.nas.test"), {"name": "nx-3000.nas.test", "type": "A", "value": "192.168.7.32"}]
    local = {"test_names": True, "zones": [], "hosts_files": [], "records": records}
    lab.configure(local=local)
    becomes("192.168.7.31", lab.short, "ok-3000.x.wild.test")
    assert lab.ask("ok-3000.nas.test", "AAAA").rcode == "NOERROR" and not lab.ask("ok-3000.nas.test", "AAAA").texts
    assert lab.ask("ok-3000.x.wild.test", "AAAA").texts == []
    assert lab.up1.asked("ok-3000.nas.test", "AAAA") == 0
    forwards = {**local, "missing_types": "forward"}
    with lab.configured(local=forwards):
        becomes(True, lambda: bool(lab.ask("ok-3000.nas.test", "AAAA").texts))
        assert lab.short("ok-3000.nas.test") == "192.168.7.30"
        assert lab.up1.asked("ok-3000.nas.test", "AAAA") >= 1
        assert lab.short("ok-3000.x.wild.test") == "192.168.7.31"
        six = lab.short("ok-3000.nas.test", "AAAA")
        assert lab.short("ok-3000.x.wild.test", "AAAA") == six
        assert lab.short("alias.test") == "ok-3000.nas.test. 192.168.7.30"
        assert lab.short("alias.test", "AAAA") == f"ok-3000.nas.test. {six}"
        assert lab.short("nx-3000.nas.test") == "192.168.7.32"
        assert lab.result("nx-3000.nas.test", "AAAA") == "NODATA"  # the name exists
        assert "(local.missing_types: forward)" in lab.weirctl("why", "ok-3000.nas.test", "--type", "AAAA")
        assert "missing_types" not in lab.weirctl("why", "ok-3000.nas.test", "--type", "A")
    with lab.configured(local={**local, "missing_types": "forward"}, blocking={"deny": ["ok-3000.nas.test"], "mode": "nxdomain"}):
        becomes("NXDOMAIN", lab.result, "ok-3000.nas.test", "AAAA")
        assert lab.short("ok-3000.nas.test") == "192.168.7.30"
    lab.configure(local=local)
    becomes("NODATA", lab.result, "ok-3000.nas.test", "AAAA")


def test_without_local_data_the_name_is_asked_upstream(lab):
    lab.configure(local={"test_names": None, "special_names": False, "doh_canary": False})
    becomes(OK, lab.short, "ok-3000.nas.lan")


if __name__ == "__main__":
    main()
