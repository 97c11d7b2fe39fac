#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Fetched lists with the real binaries: by name through the bootstrap server, changed, failing, redirected to where they must not
go; a start before there is a network; the way back, held through a restart; a pause."""
import os
import re
import shutil

from testing import CONFIG, LOGS, ROOT, TMP, becomes, main, run, serve, wait

HOST, OUTSIDE = "198.18.200.1", "1.2.3.4"  # on this namespace's loopback alone: nothing leaves it
WEB = TMP / "web"
PASSWORD = "pass-word"
PAGE = 'list "web1" not fetched (no line is a rule; most are: a line of an HTML page); still 2 names from 20'
web = None


def web_starts():
    global web
    web = serve("/usr/bin/python3", ROOT / "tests/smoke/rig/sources_http.py", WEB, TMP / "web.log", TMP / "web.pem",
                f"{HOST}:8080", f"{HOST}:8443", f"{OUTSIDE}:8080", on=[(HOST, 8080)])


def web_stops():
    web.kill()
    web.wait()


def requests():
    """Of the web server: "ADDRESS STATUS PATH"."""
    return (TMP / "web.log").read_text().splitlines()


def with_list(lab, url, private=True, start="fast"):
    """The lab's configuration with this list besides."""
    return {"blocking": {"lists": [*lab.base["blocking"]["lists"], {"name": "web1", "url": url}],
                         "update": {"allow_private": private, "timeout": 3, "start": start}}}


def blocked(lab, name):
    return {"NXDOMAIN": True, HOST: False}[lab.result(name)]


def web1(lab):
    return next(one for one in lab.get("blocklist")["lists"] if one["name"] == "web1")


def reload_fails(lab):
    return lab.weirctl("blocklist reload", status=1)


def restart(lab):
    lab.stop("controlplane")
    lab.start("controlplane")
    wait(lab.activated)


def fetch_fails(lab, pattern, url, **how):
    """A fetch of the list from there fails for that reason."""
    lab.configure(**with_list(lab, url, **how))
    wait(lambda: re.search(pattern, web1(lab)["fetch_error"]), pattern)


def test_list_by_url(lab):
    for address in (HOST, OUTSIDE):
        run("ip", "addr", "add", f"{address}/32", "dev", "lo")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", "/CN=ok.lists.test", "-addext",
        "subjectAltName=DNS:ok.lists.test", "-keyout", TMP / "key.pem", "-out", TMP / "cert.pem")
    (TMP / "web.pem").write_text((TMP / "key.pem").read_text() + (TMP / "cert.pem").read_text())
    WEB.mkdir()
    (WEB / "list").write_text("ads.web.test\n")
    web_starts()
    lab.write(**with_list(lab, f"http://user:{PASSWORD}@ok.lists.test:8080/list"))
    lab.weirctl("config check")
    lab.post("config/reload")
    becomes(True, blocked, lab, "ok.ads.web.test")
    assert lab.up1.asked("ok.lists.test") >= 1  # the bootstrap server
    found = web1(lab)
    assert (found["http_status"], found["names"], found["failures"], found["fetch_error"]) == (200, 1, 0, "")
    texts = [log.read_text() for log in LOGS.glob("*.log")] + [lab.weirctl("--json blocklist status")]
    assert [text for text in texts if PASSWORD in text] == []


def test_unchanged_list_builds_nothing(lab):
    lab.activate("blocklist/reload")
    assert requests()[-1].split()[1] == "304"
    assert lab.get("blocklist")["outcome"] == "unchanged"


def test_changed_list(lab):
    (WEB / "list").write_text("ads.web.test\nmore.web.test\n")
    lab.activate("blocklist/reload")
    assert blocked(lab, "ok.more.web.test")


def test_page_in_its_place(lab):
    (WEB / "list").write_text("<html>log in</html>\n")
    said = reload_fails(lab)
    assert f"NOT updated: {PAGE}" in said
    assert "\nall else unchanged: " in "\n" + said
    assert f"NOT updated: {PAGE}" in lab.weirctl("status")
    assert [error["text"] for error in lab.get("errors")["errors"] if PAGE in error["text"]] != []
    assert "but: 1 list is not updated" in lab.weirctl("ready")
    assert '\nweir_list_failing{list="web1"} 1' in lab.get("metrics")
    assert web1(lab)["fetch_error"] == "no line is a rule; most are: a line of an HTML page"
    assert blocked(lab, "ok.more.web.test")


def test_list_that_is_gone(lab):
    (WEB / "list").rename(WEB / "away")
    assert 'NOT updated: list "web1" not fetched (HTTP status 404); still 2 names' in reload_fails(lab)
    (WEB / "away").rename(WEB / "list")
    web_stops()


def test_start_without_a_network(lab):
    lab.stop("controlplane")
    run("ip", "addr", "del", f"{HOST}/32", "dev", "lo")
    with lab.up1.silent():
        lab.start("controlplane")
        assert blocked(lab, "ok.more.web.test")  # by the last good image
    run("ip", "addr", "add", f"{HOST}/32", "dev", "lo")


def test_network_is_back(lab):
    (WEB / "list").write_text("good.web.test\n")
    web_starts()
    lab.activate("blocklist/reload")
    assert [blocked(lab, f"ok.{name}.web.test") for name in ("good", "more")] == [True, False]


def test_rollback_is_held_through_a_restart(lab):
    lab.activate("blocklist/rollback")
    assert blocked(lab, "ok.more.web.test")
    assert lab.get("blocklist")["held"]
    (WEB / "list").write_text("newest.web.test\n")
    restart(lab)
    becomes(True, blocked, lab, "ok.more.web.test")
    assert not blocked(lab, "ok.newest.web.test")
    assert lab.get("blocklist")["held"]
    lab.activate("blocklist/reload")  # by hand
    assert blocked(lab, "ok.newest.web.test")
    assert not lab.get("blocklist")["held"]


def test_pause_is_held_through_a_restart(lab):
    lab.post("blocklist/pause", minutes=5)
    becomes(False, blocked, lab, "ok.newest.web.test")
    restart(lab)
    becomes(False, blocked, lab, "ok.newest.web.test")
    lab.post("blocklist/resume")
    becomes(True, blocked, lab, "ok.newest.web.test")


def test_another_url_for_the_same_list(lab):
    (WEB / "other").write_text("other.web.test\n")
    lab.configure(**with_list(lab, "http://ok.lists.test:8080/other"))
    becomes(True, blocked, lab, "ok.other.web.test")
    becomes(False, blocked, lab, "ok.newest.web.test")


def test_https(lab):
    (WEB / "tls").write_text("tls.web.test\n")
    fetch_fails(lab, "certificate", "https://ok.lists.test:8443/tls")  # one that nobody signed
    assert not blocked(lab, "ok.tls.web.test")
    run("mount", "--bind", TMP / "cert.pem", "/etc/ssl/certs/ca-certificates.crt")  # in this namespace alone
    lab.activate("blocklist/reload")
    assert blocked(lab, "ok.tls.web.test")
    fetch_fails(lab, "a redirect to http from https", "https://ok.lists.test:8443/plain")
    fetch_fails(lab, "certificate|SSL", "https://ok-60.lists.test:8443/tls")  # the certificate has another name


def test_private_addresses_are_refused(lab):
    fetch_fails(lab, f"{HOST} is not a public address", f"http://{OUTSIDE}:8080/away", private=False)  # a redirect from a public one
    assert requests()[-1] == f"{OUTSIDE} 302 /away"  # not followed
    before = len(requests())
    fetch_fails(lab, "not a public address", "http://ok.lists.test:8080/list", private=False)
    assert blocked(lab, "ok.tls.web.test")  # what that list blocked stays blocked
    assert len(requests()) == before


def test_start_that_needs_the_lists(lab):
    lab.write(**with_list(lab, "http://ok.lists.test:8080/none", start="fail"))
    lab.stop("controlplane")
    lab.check_audit()
    shutil.rmtree(LOGS / "state")  # without a last good image
    (LOGS / "controlplane.log").rename(TMP / "before.log")
    command = os.environ.get("WEIR_CONTROLPLANE", os.environ["WEIR_BUILD"] + "/controlplane/weir-controlplane").split()
    assert re.search("not starting: .*web1: HTTP status 404", run(*command, "-c", CONFIG, status=1))
    lab.write(**with_list(lab, "http://ok.lists.test:8080/list", start="blocking"))
    lab.start("controlplane")
    becomes(True, blocked, lab, "ok.newest.web.test")
    web_stops()


if __name__ == "__main__":
    main()
