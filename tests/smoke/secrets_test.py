#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Secrets of a systemd credential and of the environment: the control plane needs them, at its start and behind its filter at a
reload; the data plane and weirctl do without; and nothing that weir writes has them."""
import contextlib
import itertools
import os
import pathlib

from testing import CONFIG, LOGS, TMP, becomes, main, wait

SECRET, CREDENTIALS = "5ec2e7005ec2e7015ec2e7025ec2e703", TMP / "credentials"
numbers = itertools.count()
said = []  # what refusals say


def uses(value):
    """The secrets of cookies come from there."""
    (LOGS / "secrets.yaml").write_text(f"cookies: {{secret_file: '{value}'}}\n")


def edit():
    with open(CONFIG, "a") as file:
        file.write("# an edit\n")


def refused(lab):
    said.append(lab.refused("config/reload"))
    return said[-1]


@contextlib.contextmanager
def environment(**names):
    before = dict(os.environ)
    os.environ.update({name: value for name, value in names.items() if value})
    for name in (name for name, value in names.items() if not value):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def restart(lab, what="controlplane"):
    lab.stop(what)
    lab.start(what)
    becomes("198.18.200.1", lab.short, f"ok-3000.n{next(numbers)}.test")


def test_without_the_credential(lab):
    CREDENTIALS.mkdir(0o500)
    (CREDENTIALS / "cookies").write_text(SECRET + "\n")
    uses("credential:cookies")
    file = pathlib.Path(CONFIG)
    file.write_text("include: [secrets.yaml]\n" + file.read_text())
    lab.weirctl("config check")  # which has no credential either
    why = "cookies.secret_file: this process was started without that systemd credential (/run/weir/lab/secrets.yaml:1:11)"
    assert why in refused(lab)
    becomes("198.18.200.1", lab.short, "ok-3000.kept.test")
    lab.log["controlplane"].mark()
    restart(lab)  # on the version before
    lab.log["controlplane"].said("started without that systemd credential")


def test_with_the_credential(lab):
    with environment(CREDENTIALS_DIRECTORY=str(CREDENTIALS)):
        restart(lab)
    edit()
    lab.post("config/reload")  # it reads the credential again, behind the filter
    (CREDENTIALS / "cookies").write_text(f"0{SECRET}\n")
    edit()
    assert "cookies.secret_file: a secret is 32 hexadecimal digits (16 bytes)" in refused(lab)
    (CREDENTIALS / "cookies").write_text(SECRET + "\n")


def test_variable_of_the_environment(lab):
    uses("env:WEIR_COOKIES")
    assert "started without that variable of the environment" in refused(lab)
    with environment(WEIR_COOKIES=SECRET):
        restart(lab)
    edit()
    lab.post("config/reload")
    restart(lab, "dataplane")  # which starts without any


def test_start_without_the_variable_is_on_an_older_version(lab):
    with environment(CREDENTIALS_DIRECTORY=str(CREDENTIALS)):
        restart(lab)
    advice = wait(lambda: lab.weirctl("ready --for human")).partition("a newer one was not used")[2]
    assert "or the secret that is missing" in "\n".join(advice.splitlines()[:3])


def test_a_password_is_not_set_as_it_would_be_shown(lab):
    for path, value in (("redis.password", SECRET), ("redis", f"{{password: {SECRET}}}"), ("query_log.webhooks", SECRET)):
        said.append(lab.weirctl("config", "set", path, value, status=1))
    assert "redis.password is a secret: set redis.password_file" in said[-2]
    wait(lambda: "query_log.webhooks" in lab.weirctl("audit"))


def test_nothing_that_weir_writes_has_it(lab):
    for what in ("audit", "config overrides", "status", "toggles", "errors", "config check", "mem tables", "mem accounts", "metrics"):
        said.extend((lab.weirctl(what), lab.weirctl(f"--json {what}")))
    said.extend(path.read_text(errors="replace") for path in LOGS.glob("*.log"))
    said.extend(pathlib.Path(f"/proc/{lab.pid(what)}/cmdline").read_text() for what in ("controlplane", "dataplane"))
    assert [text for text in said if SECRET[:7] in text.lower()] == []


if __name__ == "__main__":
    main()
