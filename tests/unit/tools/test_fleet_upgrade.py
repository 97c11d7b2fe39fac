#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`weirctl fleet upgrade --plan`, and tools/fleet, against a control plane and boxes of stubs. usage: test_fleet_upgrade.py ROOT WEIRCTL"""

import http.server
import json
import os
import pathlib
import re
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import unittest

ROOT, WEIRCTL = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
# Each program of a box notes its name, words and box, and fails if the file `fail` has that line.
STUB = """#!/bin/sh
what="${BOX:-box1}: ${0##*/} $*"
echo "$what" >>"$STUBS/said"
grep -qxF -- "$what" "$STUBS/fail" && exit 1
"""
BODY = {
    "weirctl": """case "$*" in
version) echo "weirctl 0.2.0" ;;
"doctor versions") printf 'ok       versions: one\\nok       versions: two\\n' ;;
"--json fleet status") cat "$STUBS/fleet.${BOX:-box1}" ;;
"fleet status") echo "version      3, held" ;;
esac
""",
    "ss": """printf 'LISTEN 0 4 192.0.2.53:53 0.0.0.0:* users:(("weir-controlpla",pid=7))\\n'
printf 'LISTEN 0 4 [2001:db8::53]:53 [::]:* users:(("weir-controlpla",pid=7))\\n'
printf 'LISTEN 0 4 127.0.0.1:53 0.0.0.0:* users:(("other",pid=8))\\n'
""",
    "kdig": "echo ';; ->>HEADER<<- opcode: QUERY; status: NOERROR; id: 1'\n",
    "apt-get": ":\n", "cp": ":\n", "rm": ":\n", "dpkg-deb": ":\n",
    "dd": "cat >/dev/null\n",
    "ssh": """while :; do case "$1" in -n) shift ;; -o) shift 2 ;; *) break ;; esac; done
BOX=${1#*@} exec sh -c "$2"
""",
    "sudo": 'exec "$@"\n',
}


def box(name, at, **more):
    return {"name": name, "from": at, "away": False, "twin": False, "current": True, "ready": True, "software": "0.1.0", **more}


class Reply(http.server.BaseHTTPRequestHandler):
    fleet = {}

    def do_GET(self):
        text = json.dumps(Reply.fleet).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class Plan(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.stubs = self.folder / "bin"
        self.stubs.mkdir()
        for name, body in BODY.items():
            (self.stubs / name).write_text(STUB + body)
            (self.stubs / name).chmod(0o755)
        (self.stubs / "fail").touch()
        run = self.folder / "run"
        (run / "control").mkdir(parents=True)
        self.config = self.folder / "weir.yaml"
        self.config.write_text(f"runtime: {{directory: {run}}}\ndataplane: {{ports: [{{device: net_null0}}], service_addresses: [198.18.0.53/24]}}\n"
                               "upstreams: {servers: [{address: 9.9.9.9}]}\n")
        server = socketserver.UnixStreamServer(str(run / "control/control.sock"), Reply)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.fleet(box("box2", "192.0.2.2"), box("box3", "2001:db8::3"))

    def fleet(self, *boxes, **more):
        Reply.fleet = {"box": "box1", "epoch": 1, "primary": {"version": 3, "boxes": list(boxes)}, **more}
        (self.stubs / "fleet.box1").write_text(json.dumps(Reply.fleet, indent=2))
        for b in boxes:
            for at in (b["name"], b["from"]):
                self.own_status(at, b["name"])

    def own_status(self, at, name):
        """What the box behind this address says about itself."""
        if "/" not in at + name:
            (self.stubs / f"fleet.{at}").write_text(json.dumps({"box": name, "epoch": 1, "secondary": {"primary": "box1"}}, indent=2))

    def weirctl(self, *words):
        return subprocess.run([WEIRCTL, "-c", self.config, "fleet", "upgrade", *words], capture_output=True, text=True, timeout=20)

    def plan(self, *words):
        done = self.weirctl("--plan", *words)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def refused(self, text, *words):
        done = self.weirctl(*words)
        self.assertEqual((1, ""), (done.returncode, done.stdout), words)
        self.assertIn(text, done.stderr)

    def shell(self, words, fail="", tools="/usr/bin:/bin", **more):
        """Runs it with stubs in place of all programs of boxes. The process, and the lines of the stubs but ssh's own."""
        (self.stubs / "said").write_text("")
        (self.stubs / "fail").write_text(fail)
        env = {"PATH": f"{self.stubs}:{tools}", "STUBS": str(self.stubs), "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "ANSIBLE_PIPELINING": "1"}
        done = subprocess.run(words, capture_output=True, text=True, timeout=400, env=env, **more)
        said = (self.stubs / "said").read_text().splitlines()
        return done, [line for line in said if not re.match(r"box1: (ssh|rm) ", line)]

    def test_each_box_takes_the_steps_and_the_primary_comes_last(self):
        done, said = self.shell(["sh"], input=self.plan("--to", "0.2.0", "--ask", "a.example,b.example"))
        self.assertEqual(0, done.returncode, done.stderr)
        at = ["192.0.2.2", "2001:db8::3", "box1"]
        self.assertEqual([f"{b}: weirctl ready" for b in at], said[:3])
        for b in at:
            steps = [line.partition(": ")[2] for line in said[3:] if line.startswith(b + ": ")]
            apt = "apt-get -q -y --allow-downgrades -o Dpkg::Options::=--force-confold install weir=0.2.0+deb*"
            asked = [f"kdig +tcp +time=2 +retry=2 @{a} {name} A" for a in ("192.0.2.53", "2001:db8::53") for name in ("a.example", "b.example")]
            order = ["weirctl drain --wait", apt, "weirctl drain --grace 1", "weirctl version", "weirctl doctor versions", *asked,
                     "weirctl undrain", "weirctl ready --for anycast"]
            self.assertEqual(order, [step for step in dict.fromkeys(steps) if step in order])
        looks = ["box1: weirctl ready", "box1: weirctl wait fleet box2,box3 --for 2m"] # at all boxes, before each drain
        drains = [i for i, line in enumerate(said) if line.endswith("drain --wait")]
        self.assertEqual([looks] * 3, [said[i - 2:i] for i in drains])
        order = [line.partition(": ")[0] for line in said[3:] if line not in looks]
        self.assertEqual(at, list(dict.fromkeys(order)))
        self.assertEqual(order, sorted(order, key=at.index))

    def test_an_older_version_is_fetched_too(self):
        for text in (self.plan("--to", "0.0.9"), (ROOT / "tools/fleet/upgrade.yml").read_text()):
            asked = re.findall(r"apt-get [^;&\n]*\binstall\b[^;&\n]*", text)
            self.assertGreater(len(asked), 1)
            self.assertEqual([], [line for line in asked if "--allow-downgrades" not in line])

    def test_the_first_failure_ends_it(self):
        for fail in ("192.0.2.2: weirctl drain --wait", "192.0.2.2: weirctl version", "192.0.2.2: kdig +tcp +time=2 +retry=2 @2001:db8::53 . A",
                     "192.0.2.2: weirctl undrain", "192.0.2.2: ss -Hltnp sport = :53"):
            with self.subTest(fail):
                done, said = self.shell(["sh"], fail, input=self.plan("--to", "0.2.0"))
                self.assertNotEqual(0, done.returncode)
                self.assertEqual(fail, said[-1])
        done, said = self.shell(["sh"], "192.0.2.2: weirctl doctor versions", input=self.plan())
        self.assertNotEqual(0, done.returncode)
        self.assertEqual(["192.0.2.2"], [line.partition(": ")[0] for line in said if line.endswith("drain --wait")])

    def test_a_box_drains_again_where_apt_fails_after_its_restart(self):
        fail = "192.0.2.2: apt-get -q -y --allow-downgrades -o Dpkg::Options::=--force-confold install weir=0.2.0+deb*"
        done, said = self.shell(["sh"], fail, input=self.plan("--to", "0.2.0"))
        self.assertNotEqual(0, done.returncode)
        self.assertEqual([fail, "192.0.2.2: weirctl drain --grace 1"], said[-2:])

    def test_a_box_that_goes_away_while_the_plan_runs_ends_it(self):
        for fail in ("box1: weirctl ready", "box1: weirctl wait fleet box2,box3 --for 2m"):
            with self.subTest(fail):
                done, said = self.shell(["sh"], fail, input=self.plan())
                self.assertNotEqual(0, done.returncode)
                self.assertEqual(fail, said[-1])
                self.assertEqual([], [line for line in said if "drain" in line])

    def test_weirctl_waits_for_the_boxes(self):
        def wait():
            done = subprocess.run([WEIRCTL, "-c", self.config, "wait", "fleet", "box2,box3", "--for", "0s"], capture_output=True, text=True, timeout=20)
            return done.returncode, done.stdout + done.stderr
        self.assertEqual(0, wait()[0])
        self.fleet(box("box2", "192.0.2.2"), box("box3", "2001:db8::3", ready=False))
        self.assertEqual(1, wait()[0])
        self.assertIn("box3 is not ready", wait()[1])
        self.fleet(box("box2", "192.0.2.2"))
        self.assertIn("box3 has not polled this box", wait()[1])

    def few(self):
        """A folder with the system's programs that stubs need, and no others."""
        few = self.folder / "few"
        few.mkdir(exist_ok=True)
        for name in ("sh", "grep", "cat"):
            if not (few / name).exists():
                (few / name).symlink_to(shutil.which(name))
        return few

    def test_a_box_without_a_program_of_the_checks_ends_it_first(self):
        for name in ("kdig", "ss"):
            with self.subTest(name):
                (self.stubs / name).rename(self.folder / name)
                done, said = self.shell(["/bin/sh"], tools=self.few(), input=self.plan())
                self.assertNotEqual(0, done.returncode)
                self.assertIn(f"{name}: not found", done.stdout + done.stderr)
                self.assertEqual([], said)
                (self.folder / name).rename(self.stubs / name)

    def test_a_file_is_copied_and_its_weirctl_checks(self):
        package = self.folder / "it's a file; touch here.deb"
        package.write_text("package")
        plan = self.plan("--package", package, "--ssh", "ops")
        self.assertEqual(3, plan.count("/usr/bin/weirctl config check'"))
        gone = "sudo rm -rf /var/cache/apt/archives/weir-upgrade /var/cache/apt/archives/weir-upgrade.deb'"
        for steps in plan.split("# --- ")[1:]:
            installed, removed = (steps.index(line) for line in ("--force-confold install /var/cache/apt/archives/weir-upgrade.deb ", gone))
            self.assertLess(installed, removed)
        done, said = self.shell(["sh"], input=plan)
        self.assertNotEqual(0, done.returncode) # there is no such weirctl
        self.assertIn("192.0.2.2: dd of=/var/cache/apt/archives/weir-upgrade.deb status=none", said)
        self.assertTrue(said[-1].startswith("192.0.2.2: sudo /var/cache/apt/archives/weir-upgrade/usr/bin/weirctl"), said[-1])

    def test_texts_of_peers_are_no_shell(self):
        for evil in ("$(id)", "a b", "x'; id; '", "-oProxyCommand=id", "a\nid", "", "`id`"):
            with self.subTest(evil):
                self.fleet(box(evil, "192.0.2.2"))
                self.refused("the box at 192.0.2.2 has a name that no box may have", "--plan")
                self.fleet(box(evil, evil, away=True))
                self.assertIn("# Not in the plan: a box is away, and has a name that no box may have.\n", self.plan())
                self.fleet(box("box2", evil))
                self.refused("box2 has no address in the reply", "--plan")
                self.fleet(box("box2", "192.0.2.2"), box=evil)
                self.refused("the primary's name", "--plan")
                self.fleet(box("box2", "192.0.2.2", software=evil))
                self.assertIn("# --- box2, a secondary\n", self.plan())

    def test_a_box_that_is_silent_ends_the_plan(self):
        lines = re.findall("^ssh .*", self.plan("--package", "a.deb"), re.M)
        self.assertGreater(len(lines), 10)
        for line in lines:
            self.assertTrue(line.startswith("ssh -o ConnectTimeout=10 -o ServerAliveInterval=15 "), line)

    def test_another_box_behind_the_address_ends_it(self):
        self.own_status("2001:db8::3", "box1")
        done, said = self.shell(["sh"], input=self.plan())
        self.assertNotEqual(0, done.returncode)
        self.assertIn("another box than box3 answers", done.stderr)
        self.assertIn("192.0.2.2: weirctl undrain", said)
        self.assertEqual("2001:db8::3: weirctl --json fleet status", said[-1])
        self.fleet(box("box2", "192.0.2.9"), box("box3", "192.0.2.9"))
        self.refused("box2 and box3 poll from one address, 192.0.2.9", "--plan")
        self.fleet(box("box2", "192.0.2.9"), box("box3", "192.0.2.9", away=True))
        self.plan("--without", "box3")

    def test_a_name_that_is_blocked_ends_it(self):
        self.stubs.joinpath("kdig").write_text("#!/bin/sh\necho ';; ->>HEADER<<- opcode: QUERY; status: NXDOMAIN; id: 1'\n")
        done, _ = self.shell(["sh"], input=self.plan("--ask", "www.test"))
        self.assertNotEqual(0, done.returncode)
        self.assertIn("192.0.2.53: www.test: no answer with NOERROR", done.stderr)

    def test_boxes_that_are_left_out(self):
        self.fleet(box("box2", "192.0.2.2", away=True), box("box3", "192.0.2.9", away=True), box("box3", "192.0.2.3", software="0.2.0"),
                   box("box4", "192.0.2.4"), box("box5", "192.0.2.4"))
        self.refused("box2 is away: mend it, or leave it out with --without box2", "--plan", "--without", "box5")
        self.refused("--without: no secondary has the name box22", "--plan", "--without", "box2,box5,box22")
        self.refused("--without takes names", "--plan", "--without", "box2,,box5")
        plan = self.plan("--to", "0.2.0", "--without", "box2,box5")
        self.assertEqual(["box2 is left out", "box3 has left an address", "box3 has this version", "box5 is left out"], re.findall(r"# Not in the plan: (.*)\.", plan))
        self.assertEqual(2, plan.count("weirctl wait fleet box3,box4 --for 2m"))
        self.assertEqual({"root@192.0.2.3", "root@192.0.2.4"}, set(re.findall(r"root@\S+", plan)))
        self.assertEqual(["root@192.0.2.3 'command -V kdig && command -V ss && weirctl ready'"], re.findall(r"root@192.0.2.3.*", plan))
        self.assertEqual(["box4, a secondary, runs 0.1.0", "box1, the primary"], re.findall("# --- (.*)", plan))

    def test_a_box_that_a_run_left_drained_ends_the_next(self):
        for ready in (True, False): # the row is from the last poll, so it may be true still
            self.fleet(box("box2", "192.0.2.2", software="0.2.0", ready=ready), box("box3", "192.0.2.3"))
            done, said = self.shell(["sh"], "192.0.2.2: weirctl ready", input=self.plan("--to", "0.2.0"))
            self.assertNotEqual(0, done.returncode)
            self.assertEqual("192.0.2.2: weirctl ready", said[-1])
        self.assertEqual(["box2", "box3", "box1"], re.findall("# --- ([^,]*)", self.plan("--to", "0.2.0")))

    def test_refused(self):
        self.refused("--plan prints the lines")
        for words, text in ((["--to", "0.2;id"], "--to takes"), (["--ssh", "-x"], "--ssh takes"), (["--ask", "a;b"], "--ask takes"),
                            (["--ask", ""], "--ask takes"), (["--package", "x" * 200], "--package takes")):
            self.refused(text, "--plan", *words)
        self.fleet(box("box2", "192.0.2.2", twin=True))
        self.refused("two boxes have the name box2", "--plan")
        self.fleet(secondary={})
        self.refused("make the plan on the primary", "--plan")

    def script(self, answer, fail=""):
        """tools/fleet/upgrade with the real weirctl for the plan alone."""
        weirctl = self.stubs / "weirctl"
        weirctl.write_text(f'#!/bin/sh\n[ "$2" != upgrade ] || exec {WEIRCTL} -c {self.config} "$@"\n' + STUB.partition("\n")[2] + BODY["weirctl"])
        return self.shell([ROOT / "tools/fleet/upgrade", "--to", "0.2.0"], fail, input=answer)

    def test_the_script_asks_and_runs_the_plan(self):
        done, said = self.script("n\n")
        self.assertEqual((1, []), (done.returncode, said))
        done, said = self.script("y\n")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("box1: weirctl fleet status", said)
        done, said = self.script("y\n", "2001:db8::3: weirctl drain --wait")
        self.assertEqual((1, "2001:db8::3: weirctl drain --wait"), (done.returncode, said[-1]))
        self.assertIn("the line above failed", done.stderr)

    def test_each_play_has_the_right_of_weirctl(self):
        plays = re.split("^- ", (ROOT / "tools/fleet/upgrade.yml").read_text(), flags=re.M)[1:]
        self.assertEqual(3, len(plays))
        for play in plays:
            self.assertRegex(play, "(?m)^  become: true$")

    def playbook(self, fail=""):
        hosts = {name: {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable} for name in ("box1", "box2", "box3")}
        (self.folder / "hosts.json").write_text(json.dumps({"weir_secondaries": {"hosts": {n: hosts[n] for n in ("box2", "box3")}},
                                                            "weir_primary": {"hosts": {"box1": hosts["box1"]}}}))
        text = (ROOT / "tools/fleet/upgrade.yml").read_text()
        text = text.replace("  gather_facts: false\n", "  gather_facts: false\n  environment: {BOX: '{{ inventory_hostname }}'}\n")
        text = text.replace("      delegate_to:", "      environment: {BOX: box1}\n      delegate_to:")
        (self.folder / "upgrade.yml").write_text(text)
        return self.shell([shutil.which("ansible-playbook"), "-i", self.folder / "hosts.json", self.folder / "upgrade.yml", "-e", "weir_version=0.2.0",
                           "-e", "weir_ask='a.example b.example'"], fail)

    @unittest.skipUnless(shutil.which("ansible-playbook"), "no ansible-playbook")
    def test_the_playbook_takes_the_same_steps(self):
        done, said = self.playbook()
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        _, by_plan = self.shell(["sh"], input=self.plan("--to", "0.2.0", "--ask", "a.example,b.example"))
        names = {"192.0.2.2": "box2", "2001:db8::3": "box3", "box1": "box1"}
        same = re.compile(r".*(wait fleet|drain|apt-get|version|kdig|ready --for|doctor)")
        wanted = [f"{names[line.partition(': ')[0]]}: {line.partition(': ')[2]}" for line in by_plan if same.match(line)]
        self.assertEqual(list(dict.fromkeys(wanted)), list(dict.fromkeys(line for line in said if same.match(line))))
        done, said = self.playbook("box2: kdig +tcp +time=2 +retry=2 @192.0.2.53 a.example A")
        self.assertNotEqual(0, done.returncode)
        self.assertEqual([], [line for line in said if re.match("box[13]: .*drain", line) or line == "box2: weirctl undrain"])
        self.own_status("box3", "box9")
        done, said = self.playbook()
        self.assertNotEqual(0, done.returncode)
        self.assertEqual([], [line for line in said if "drain" in line])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
