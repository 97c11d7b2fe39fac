#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tools/lint/commit_msg refuses each breach, and tools/setup-git makes git ask it."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

LINT = pathlib.Path(__file__).resolve().parent
SETUP = LINT.parent / "setup-git"

GOOD = [
    "shm: sweep only own folders\n",
    "query log: name groups that are published again\n\n" + "a" * 72 + "\n",
    "af_xdp: pass frames of RFC 7766\n\n# a comment that git drops " + "x" * 80 + "\n",
    "tests: need one worker\n\nhttps://example.org/" + "x" * 80 + "\n",
    "lint: add a rule\n\nWhy.\n# ------------------------ >8 ------------------------\ndiff of #12 " + "x " * 80 + "\n",
    "x: " + "a" * 57 + "\n",
]
BAD = {
    "the message is empty": "# nothing but a comment\n",
    "not `area: verb object`": "Add a rule\n",
    "lower case": "lint: Add a rule\n",
    "not an imperative: `added`": "lint: added a rule\n",
    "not an imperative: `adds`": "lint: adds a rule\n",
    "not an imperative: `adding`": "lint: adding a rule\n",
    "not an imperative: `the`": "lint: the last rule\n",
    "61 characters": "x: " + "a" * 58 + "\n",
    "ends with a period": "lint: add a rule.\n",
    "line 2 is not empty": "lint: add a rule\nWhy.\n",
    "line 3 has 73 characters": "lint: add a rule\n\n" + "a" * 36 + " " + "b" * 36 + "\n",
    "line 1 has an issue number": "lint: add a rule (#12)\n",
    "line 3 has an issue number": "lint: add a rule\n\n#12 asks for it.\n",
    "line 4 has an issue number": "lint: add a rule\n\nWhy.\nCloses issue 12.\n",
    "line 5 has a Co-Authored-By": "lint: add a rule\n\nWhy.\n\nCo-authored-by: A <a@example.org>\n",
}
failures = []


def expect(what, good, shown):
    if not good:
        failures.append(f"{what}: {shown}")


def check(folder, text):
    file = folder / "message"
    file.write_text(text)
    out = subprocess.run([sys.executable, LINT / "commit_msg", file], capture_output=True, text=True)
    return out.returncode, out.stderr


def messages(folder):
    for text in GOOD:
        status, said = check(folder, text)
        expect(f"refused: {text!r}", status == 0 and not said, said)
    for wanted, text in BAD.items():
        status, said = check(folder, text)
        expect(f"not refused: {text!r}", status == 1 and wanted in said, f"{status} {said}")


def hook(folder):
    clone = folder / "clone"
    # No configuration and no repository but the clone's own.
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder)}

    def run(*words):
        out = subprocess.run(words, cwd=clone, env=env, capture_output=True, text=True)
        return out.returncode, out.stdout + out.stderr

    def commit(title):
        return run("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty", "-m", title)

    (clone / "tools/lint").mkdir(parents=True)
    shutil.copy2(SETUP, clone / "tools")
    shutil.copy2(LINT / "commit_msg", clone / "tools/lint")
    run("git", "init", "-q")
    script = clone / ".git/hooks/commit-msg"
    for time in ("first", "second"):
        status, said = run("tools/setup-git")
        expect(f"{time} installation", status == 0 and os.access(script, os.X_OK), said)
    status, said = commit("added a rule")
    expect("the hook refuses", status != 0 and "not `area: verb object`" in said, said)
    expect("the hook lets pass", commit("lint: add a rule")[0] == 0, "refused")
    (clone / "tools/lint/commit_msg").rename(clone / "gone")
    expect("a branch without the check", commit("added a rule")[0] == 0, "refused")
    script.write_text("#!/bin/sh\nexit 0\n")
    status, said = run("tools/setup-git")
    expect("a foreign hook stays", status == 1 and "not overwritten" in said and script.read_text() == "#!/bin/sh\nexit 0\n", said)
    script.unlink()
    run("git", "config", "core.hooksPath", str(folder / "shared"))
    status, said = run("tools/setup-git")
    expect("shared hooks stay", status == 1 and not (folder / "shared").exists() and not script.exists(), said)


with tempfile.TemporaryDirectory() as place:
    messages(pathlib.Path(place))
    hook(pathlib.Path(place))
for failure in failures:
    print(failure)
sys.exit(1 if failures else 0)
