#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""More servers over TLS and HTTPS: BIND and Knot Resolver over both, unbound over HTTPS, and a scripted one over TLS that resets,
stalls, lies, closes and changes its certificate."""
import itertools
import subprocess

from testing import ROOT, TMP, ahead, authority, becomes, certificate, main, serve, together, unbound

SCRIPTED, CLEAR = "192.0.2.81", 53
NAMED = f"""tls ours {{ cert-file "{TMP}/good.pem"; key-file "{TMP}/good.key"; }};
http ours {{ endpoints {{ "/dns-query"; }}; }};
options {{
	directory "{TMP}";
	listen-on port 853 tls ours {{ 127.0.0.1; }};
	listen-on port 443 tls ours http ours {{ 127.0.0.1; }};
	listen-on-v6 {{ none; }};
	recursion no;
	pid-file none;
	session-keyfile none;
	dnssec-validation no;
}};
controls {{ }};
zone "bind.test" {{ type primary; file "{TMP}/bind.zone"; }};
"""
ZONE = "$TTL 60\n@ SOA . . 1 60 60 60 60\n@ NS localhost.\n* A 192.0.2.78\n"
KRESD = f"""net.listen('127.0.0.3', 853, {{ kind = 'tls' }})
net.listen('127.0.0.3', 443, {{ kind = 'doh2' }})
net.tls('{TMP}/good.pem', '{TMP}/good.key')
net.ipv6 = false
trust_anchors.remove('.')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
cache.size = 10 * MB
policy.add(policy.suffix(policy.ANSWER({{ [kres.type.A] = {{ rdata = kres.str2ip('192.0.2.79'), ttl = 60 }} }}),
	policy.todnames({{'kresd.test'}})))
"""
numbers, script = itertools.count(), None


def ask_server(lab, url):
    """The lab's only upstream is this one."""
    lab.configure(upstreams={"servers": [{"address": url, "name": "it"}], "ca_file": f"{TMP}/ca.pem", "strict": True})


def it(lab):
    return lab.get("upstreams")["upstreams"][0]


def asks(lab, zone, word="a", may_fail=False):
    """What the client gets for a name that nobody has asked for."""
    return lab.result(f"{word}-{next(numbers)}.{zone}", may_fail=may_fail)


def real(lab, url, zone, address):
    """A server that answers for all names of the zone, by its right name and by a wrong one."""
    ask_server(lab, url)
    assert asks(lab, zone) == address
    over_https = url.startswith("https:")
    assert it(lab)["via"] == ("https" if over_https else "tls")
    assert not over_https or it(lab)["https"]["version"] == 2
    assert "TLSv1.3" in it(lab)["tls"]["about"]
    assert [asks(lab, zone) for _ in range(10)] == [address] * 10
    assert it(lab)["tcp_opened"] <= 4
    ask_server(lab, url.replace("dns.test", "else.test"))
    assert asks(lab, zone, may_fail=True) == "SERVFAIL"
    assert it(lab)["tls"]["failed_name"] >= 1


def scripted_log():
    return (TMP / "script.log").read_text().splitlines()


def present(name):
    """The certificate of the scripted server from here on."""
    script.stdin.write(f"{TMP}/{name}.pem {TMP}/{name}.key\n")
    script.stdin.flush()


def test_servers_start(lab):
    lab.server(CLEAR)
    authority("ca")
    authority("stranger")
    certificate("good", "ca", "DNS:dns.test")
    certificate("foreign", "stranger", "DNS:dns.test")
    for name, text in (("named.conf", NAMED), ("bind.zone", ZONE), ("kresd.conf", KRESD)):
        (TMP / name).write_text(text)
    (TMP / "kresd").mkdir()
    serve("named", "-g", "-4", "-n", 1, "-c", TMP / "named.conf", on=[("127.0.0.1", 853), ("127.0.0.1", 443)])
    serve("kresd", "-n", "-c", TMP / "kresd.conf", TMP / "kresd", on=[("127.0.0.3", 853), ("127.0.0.3", 443)],
          stdin=subprocess.DEVNULL)
    unbound("good", "192.0.2.77", ("127.0.0.4", 443))
    global script
    script = serve("/usr/bin/python3", ROOT / "tests/smoke/rig/dot_upstream.py", "127.0.0.5", 853, TMP / "good.pem",
                   TMP / "good.key", TMP / "script.log", on=[("127.0.0.5", 853)], stdin=subprocess.PIPE, text=True)


def test_servers_that_weir_does_not_ask(lab):
    ask_server(lab, "tls://dns.test@127.0.0.5")
    before = {key: it(lab)[key] for key in ("sent", "tcp_opened", "tls")}
    for url, transport in (("tls://dns.test@127.0.0.1", "tls"), ("https://dns.test@127.0.0.1/dns-query", "https"),
                           ("https://dns.test@127.0.0.4/dns-query", "https"),
                           ("tls://dns.test@127.0.0.5", "tls")):
        found = lab.post("upstreams/test", server=url)
        assert found[transport]["answered"], (url, found)
        assert set(found) == {"server", transport, "signed", "ad"}
    for url, transport, why in (("tls://else.test@127.0.0.1", "tls", "another name"),
                                ("https://else.test@127.0.0.4/dns-query", "https", "another name"),
                                ("https://dns.test@127.0.0.4/nowhere", "https", "HTTP status 404"),
                                ("tls://dns.test@127.0.0.9", "tls", "")):
        found = lab.post("upstreams/test", server=url)[transport]
        assert not found["answered"] and why in found.get("why", ""), (url, found)
    ahead(10)  # as many tests at once are refused
    assert "TLS: " in lab.weirctl("upstream test tls://dns.test@127.0.0.1")
    assert "TLS: no reply: the certificate" in lab.weirctl("upstream test tls://else.test@127.0.0.1", status=1)
    nowhere = f"https://dns.test@127.0.0.4/{'n' * 80}"  # longer than a server in use can be called
    assert "HTTP status 404" in lab.weirctl(f"upstream test {nowhere}", status=1)
    assert "clear text" in lab.refused("upstreams/test", server="127.0.0.1:5301")  # upstreams.strict
    assert {key: it(lab)[key] for key in before} == before


def test_bind_over_tls(lab):
    real(lab, "tls://dns.test@127.0.0.1", "bind.test", "192.0.2.78")


def test_bind_over_https(lab):
    real(lab, "https://dns.test@127.0.0.1/dns-query", "bind.test", "192.0.2.78")


def test_knot_resolver_over_tls(lab):
    real(lab, "tls://dns.test@127.0.0.3", "kresd.test", "192.0.2.79")


def test_knot_resolver_over_https(lab):
    real(lab, "https://dns.test@127.0.0.3/dns-query", "kresd.test", "192.0.2.79")


def test_unbound_over_https(lab):
    real(lab, "https://dns.test@127.0.0.4/dns-query", "unbound.test", "192.0.2.77")


def test_scripted_server_fails_in_each_way(lab):
    ask_server(lab, "tls://dns.test@127.0.0.5")
    assert asks(lab, "script.test") == SCRIPTED
    words = "reset", "stall", "id", "other", "half"  # at one time: each takes what a question has
    results = together(*(lambda word=word: asks(lab, "script.test", word, may_fail=True) for word in words))
    assert dict(zip(words, results)) == dict.fromkeys(words, "SERVFAIL")
    assert {line.split("-")[0] for line in scripted_log()} >= set(words)
    becomes(SCRIPTED, asks, lab, "script.test", may_fail=True)


def test_scripted_server_closes_after_each_answer(lab):
    assert [asks(lab, "script.test", "close") for _ in range(8)] == [SCRIPTED] * 8
    assert sum(line.startswith("close") and line.endswith(" resumed") for line in scripted_log()) >= 4


def test_scripted_server_changes_its_certificate(lab):
    present("foreign")
    asks(lab, "script.test", "close", may_fail=True)  # on the last connection of the right certificate, if one is open
    becomes("SERVFAIL", asks, lab, "script.test", may_fail=True)
    assert it(lab)["tls"]["failed_certificate"] >= 1
    present("good")
    becomes(SCRIPTED, asks, lab, "script.test", may_fail=True)


def test_nothing_in_clear_text(lab):
    assert lab.server(CLEAR).all() == []
    zones = "script.test", "bind.test", "kresd.test", "unbound.test"
    assert [query.name for query in lab.up1.all() if query.name.lower().endswith(zones)] == []


if __name__ == "__main__":
    main()
