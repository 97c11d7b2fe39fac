#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What `--json` of commands prints: JSON, with the keys that docs/reference/json.md has; and no secret stands in that, in what they
print without it, in logs, metrics and the audit log. JSON_TO=FOLDER keeps it there, for tools/docs/json_md.py."""
import base64
import json
import os
import shutil
import subprocess

from testing import CONFIG, LOGS, ROOT, TMP, main, run, wait

SECRET, COOKIE = "ZqHidden", "5ec2e7005ec2e7015ec2e7025ec2e703"
TSIG = base64.b64encode(f"{SECRET}-tsig-key-of-32-bytes-or-more\n".encode()).decode()
JSON = TMP / "json"
secrets, printed = [SECRET, COOKIE, TSIG[:24]], {}


def config():
    (TMP / "password").write_text(f"{SECRET}-file\n")
    (TMP / "tsig").write_text(TSIG + "\n")
    return {
        "groups": [{"name": "kids", "clients": ["198.18.0.8"]}],
        "redis": {"addresses": ["127.0.0.1:1"], "password": f"{SECRET}-redis"},
        "cookies": {"secrets": [COOKIE]},
        "query_log": {"clickhouse": {"url": "http://127.0.0.1:1", "user": "weir", "password_file": f"{TMP}/password"},
                      "webhooks": [{"url": f"https://127.0.0.1:1/{SECRET}-hook", "on_block": True}]},
        "events": {"webhooks": [{"url": f"https://127.0.0.1:1/{SECRET}-events"}]},
        "blocking": {"tsig_keys": [{"name": "key.test", "algorithm": "hmac-sha256", "secret_file": f"{TMP}/tsig"}]}}


LAB = {"lists": {}, "upstreams": 0, "options": ["--offline"], "config": config}
# What follows the bar is not a part of the command's name.
COMMANDS = """
allow|good.example --for 1h --why tests
deny|bad.example
local add|new.example A 192.0.2.1
local remove|new.example
group add|198.18.0.9 kids
list add|more /run/smoke/more.list
list disable|more
list add|private http://user:ZqHidden-user@127.0.0.1:1/list?token=ZqHidden-token
token create|reader --role read --expires 30d
drops add|198.18.0.77 5
audit
blocklist status
cache stats
clients
clients names
config check
config diff
config history
config get
config show
connections
drops list
entries
errors
events
groups
list show
log search
log status
mem accounts
mem alarms
mem diff|before
mem files
mem kinds
mem plan
mem regions
mem sites
mem tables
mem slope
mem history
pending
ports
ready
ready --for human
refresh stats
services
stats
status
tcp
threads
token list
fleet status
password list
heap status
nic status
toggles
top
top --since|1h
top --since 1h --client|198.18.0.1
upstreams
wait|generations
upstream test|127.0.0.1:5400
why|www.lab.example
cache get|www.lab.example
cache flush|www.lab.example
doctor
doctor --report
"""


def ends(*words):
    """Whatever the status, what the command prints on stdout and on stderr."""
    done = subprocess.run([os.environ["WEIR_BUILD"] + "/tools/ctl/weirctl", "-c", CONFIG, *words], capture_output=True, text=True)
    return done.stdout, done.stderr


def values(text):
    """The JSON values of a text."""
    while text := text.lstrip():
        value, end = json.JSONDecoder().raw_decode(text)
        yield value
        text = text[end:]


def test_query_log_has_queries(lab):
    (TMP / "more.list").write_text("more.example\n")
    for name, over in (("www", "udp"), ("blocked", "udp"), ("other", "tcp")):
        lab.ask(f"{name}.lab.example", over=over)
    wait(lambda: len(lab.get("top")["names"]["items"]) >= 3)


def test_each_command_prints_objects(lab):
    lab.weirctl("mem snapshot before")
    JSON.mkdir()
    wrong = {}
    for line in COMMANDS.split("\n")[1:-1]:
        command, _, rest = line.partition("|")
        words = [*command.split(), *rest.split()]
        text, said = ends("--json", *words)
        if command == "token create":  # prints the token, once
            secrets.append(json.loads(text)["token"])
            ends(*words)
        else:
            (JSON / command).write_text(text)
            printed[f"--json {command}"], printed[command] = text + said, "".join(ends(*words))
        try:
            found = list(values(text))
        except ValueError:
            found = []
        if not found or not all(isinstance(one, dict) and list(one) != ["error"] for one in found):
            wrong[command] = text + said
    assert wrong == {}


def test_no_secret_is_printed_or_logged(lab):
    printed["metrics"] = lab.get("metrics")
    for path in [*LOGS.glob("*.log"), *LOGS.glob("state/audit*")]:
        printed[path] = path.read_text()
    assert len(secrets) == 4
    assert [where for where, text in printed.items() if any(secret in text for secret in secrets)] == []


def test_page_has_these_keys(lab):
    if "JSON_TO" in os.environ:
        shutil.copytree(JSON, os.environ["JSON_TO"], dirs_exist_ok=True)
    run("/usr/bin/python3", ROOT / "tools/docs/json_md.py", ROOT, JSON, "--check")


if __name__ == "__main__":
    main()
