#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A person at the terminal of `weirctl setup`: wrong answers, the end of the input, Ctrl-C, a no, and in the end a yes.

usage: setup_pty.py WEIRCTL CONFIG SUM     SUM: a file of sha256sum with CONFIG's sum before the first run
"""
import pathlib
import subprocess
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / "smoke/rig"))
from person import Person  # noqa: E402

weirctl, config, sums = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
bad = []


def check(what, good):
    if not good:
        bad.append(what)
        print(f"not ok - {what}")


def unchanged(what):
    same = subprocess.run(["sha256sum", "-c", "--status", sums], check=False).returncode == 0
    check(f"{what}: nothing is changed", same and [p.name for p in config.parent.iterdir()] == [config.name])


def setup(*options):
    return Person(weirctl, "-c", str(config), "setup", *options)


def echoes(fd):
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def to_password(person):
    for prompt, text in (("1/5", ""), ("2/5", ""), ("3/5", "none"), ("4/5", "198.18.7.3")):
        person.answers(prompt, text)
    person.until("no page]: ")


def ends():
    for number in range(4):
        for key, status in (("\x04", 1), ("\x03", -2)):
            person = setup()
            for prompt in ("1/5", "2/5", "3/5", "4/5")[:number]:
                person.answers(prompt, "")
            person.until(f"{number + 1}/5")
            person.until("]: ")
            person.types(key)
            check(f"question {number + 1} ends with {key!r}", person.end()[0] == status)
            unchanged(f"question {number + 1}, {key!r}")
    for key, status in (("\x04", 1), ("\x03", -2)):
        person = setup("--force")
        to_password(person)
        time.sleep(0.2)
        check("a password is not shown", not echoes(person.fd))
        person.types(key)
        person.until("\n")
        check("the terminal shows what is typed again", echoes(person.fd))
        check(f"the password ends with {key!r}", person.end()[0] == status)
        unchanged(f"password, {key!r}")


def refusals():
    person = setup("--force")
    person.answers("[eth0]: ", "eth9")
    person.answers('has no interface "eth9"; it has far eth0 air wlan0', "eth0")
    person.answers("[198.18.7.2/24]: ", "198.18.300.1")
    person.answers('"198.18.300.1" is no IP address', "")
    person.answers("[oisd-small]: ", "ads")
    person.answers('"ads" is no list', "none")
    person.answers("[198.18.7.1]: ", "nine:x:y")
    person.answers("servers[0].address", "198.18.7.3")
    person.answers("no page]: ", "short")
    person.until("less than 10 characters")
    person.answers("no page]: ", "a long password")  # before the prompt the terminal drops what is typed
    person.answers("again: ", "another password")
    person.until("two different ones")
    person.answers("no page]: ", "a long password")
    person.answers("again: ", "a long password")
    said = person.until("Write it? yes or no [no]: ")
    check("it shows the interface", 'xdp: "eth0"' in said)
    check("it shows what is wrong with the machine", "198.18.7.3:53 does not answer" in said)
    check("it does not show the password", "a long password" not in said)
    person.types("\n")
    status, said = person.end()
    check("no is the default", status == 1 and "nothing is changed" in said)
    unchanged("a no")


def corrections():
    person = setup()
    to_password(person)
    person.types("a long password\n")
    person.answers("again: ", "a long password")
    for typed in ("check", "9", "1"):
        wrong = "198.18.7.3:53 does not answer" in person.answers("`end` [end]: ", typed)
        check(f"what is wrong, before {typed}", wrong == (typed != "1"))
    person.answers("[eth0]: ", "eth0")
    person.answers("[198.18.7.2/24]: ", "198.18.7.5/24")
    person.answers("`end` [end]: ", "4")
    person.answers("[198.18.7.3]: ", "198.18.7.4")
    said = person.until("Write it? yes or no [no]: ")
    for text in ('xdp: "eth0"', '"198.18.7.5/24"', "lists: []", '"198.18.7.4"', "page: true"):
        check(f"corrected, it has {text} once", said.count(text) == 1)
    check("and no answer from before", "198.18.7.3" not in said and "198.18.7.2" not in said)
    person.types("\n")
    check("a no after corrections", person.end()[0] == 1)
    unchanged("corrections")
    person = setup()
    to_password(person)
    person.types("\n")
    person.answers("`end` [end]: ", "")
    status, said = person.end()
    check("Enter ends it", status == 1 and "mend what is wrong" in said)
    unchanged("a wrong check")


def consent():
    person = setup("--force")
    to_password(person)
    person.types("\n")
    person.answers("Write it? yes or no [no]: ", "yes")
    status, said = person.end()
    check("a yes", status == 0)
    check("it names the next step", "kdig @198.18.7.2" in said)
    check("it writes", 'xdp: "eth0"' in config.read_text())
    check("without a page", "control:" not in config.read_text())


ends()
refusals()
corrections()
consent()
sys.exit(1 if bad else 0)
