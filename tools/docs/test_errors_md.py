#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""errors_md.py must be able to fail: each way in which code and catalogue can part is refused."""
import pathlib
import subprocess
import sys
import tempfile

tool = pathlib.Path(__file__).resolve().parent / "errors_md.py"
CODE = 'void f(void)\n{\n\tlog_warning("disk %s: %" PRIu64 " left"\n\t\t" of it", name, n);\n\tlog_error("gone");\n}\n'
failures = []


def run(root, *flags):
    done = subprocess.run([sys.executable, tool, root, *flags], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def expect(what, root, word):
    status, said = run(root, "--check")
    if (status == 0) != (word is None) or (word and word not in said):
        failures.append(f"{what}: status {status}: {said}")


with tempfile.TemporaryDirectory() as place:
    root = pathlib.Path(place)
    for folder in ("controlplane", "dataplane/core", "docs/reference"):
        (root / folder).mkdir(parents=True)
    code, page = root / "controlplane" / "a.c", root / "docs" / "reference" / "errors.md"
    code.write_text(CODE)
    page.write_text("# Errors\n\n| id | of | message | what it means, and what to do |\n|---|---|---|---|\n\nEnd.\n")
    expect("no rows", root, "does not explain")
    run(root)
    expect("rows without a word", root, "does not explain")
    text = page.read_text().replace("|  |", "| A word. |")
    page.write_text(text)
    expect("all described", root, None)
    # As `weirctl errors` shows it: FNV-1a of `gone`, and what follows the table stays.
    if "| `E1f62aaae` | controlplane | gone | A word. |" not in text or not text.endswith("\nEnd.\n"):
        failures.append(text)
    if "| disk …: … left of it | A word. |" not in text:
        failures.append(text)
    run(root)
    if page.read_text() != text:
        failures.append("a second run changes what the first wrote")
    code.write_text(CODE.replace('log_error("gone");', ""))
    expect("a row without a message", root, "no message of the code")
    code.write_text(CODE.replace('"gone"', '"left"'))
    expect("another wording", root, "no message of the code")
    code.write_text(CODE.replace('"gone"', "text"))
    expect("a wording that is no literal", root, "no literal")
    code.write_text(CODE)
    page.write_text(text.replace("left of it", "left"))
    expect("an old wording", root, "not current")
    (root / "dataplane" / "core" / "b.c").write_text('void g(void)\n{\n\tlog_error("gone");\n}\n')
    page.write_text(text)
    expect("a message of both", root, "not current")

sys.exit("\n".join(failures) if failures else 0)
