# SPDX-License-Identifier: BSD-3-Clause
"""weirctl import [--json] [--all] [--force] [-o FILE] SOURCE FILE..."""
import importlib
import json
import os
import re
import subprocess
import sys
import types

from . import account, model, names, report, settle, source, write

# The words of the command line, and the module of the reader.
SOURCES = {"pihole": "pihole", "adguardhome": "adguardhome", "unbound": "unbound", "dnsmasq": "dnsmasq", "blocky": "blocky",
           "technitium": "technitium", "beyond-ads-dns": "beyond_ads"}
DONE, FAILED, USAGE = 0, 1, 2
CHECK_SECONDS = 60


class Options:
    def __init__(self, words):
        self.json = self.all = self.force = False
        self.output = self.weirctl = None
        self.operands = []
        words = list(words)
        while words:
            word = words.pop(0)
            if word in ("--json", "--all", "--force"):
                setattr(self, word[2:], True)
            elif word in ("-o", "--weirctl") and words:
                setattr(self, "output" if word == "-o" else "weirctl", words.pop(0))
            elif word == "--":
                self.operands += words
                words = []
            else:
                self.operands.append(word)


class Reading:
    """What a reader gets: the account, the model, and `state` for what it keeps between keys."""

    def __init__(self, title):
        self.account = account.Account()
        self.model = model.Model(self.account, title)
        self.state = types.SimpleNamespace()


def fail(options, text, status=FAILED):
    """As weirctl's other commands do: on stderr, or as {"error": ...} on stdout."""
    if options.json:
        print(json.dumps({"error": text}, indent=2))
    else:
        print(f"weirctl: {report.printable(text)}", file=sys.stderr)
    return status


def read(word, paths):
    """A Reading of all files. Raises source.Refused."""
    reader = importlib.import_module(f"weir_import.readers.{SOURCES[word]}")
    reading = Reading(reader.TITLE)
    for path in paths:
        reader.read(reading, path)
    if hasattr(reader, "end"):
        reader.end(reading)
    reading.account.close()
    settle.settle(reading.model)
    return reading


def config_check(weirctl, text):
    """The errors that weir finds in the text: [] if it takes it. The gate of the model should leave nothing to say."""
    fd = os.memfd_create("weir-import", os.MFD_CLOEXEC)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(text.encode())
        path = f"/proc/{os.getpid()}/fd/{fd}"
        done = subprocess.run([weirctl, "config", "check", path], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=CHECK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"the result is not checked: {error}"]
    finally:
        os.close(fd)
    if done.returncode == 0:
        return []
    said = done.stderr.decode("utf-8", "replace").replace(path, "FILE")
    lines = [re.sub("^weirctl: ", "", line) for line in said.split("\n") if line.strip()]
    return lines or [f"weirctl config check ended with {done.returncode}"]


def file_write(path, text, force):
    """A new file, or with `force` instead of one that is there: whole or not at all. The reason that it failed, or None."""
    temporary = path + ".new" if force else path
    try:
        if force and os.path.lexists(temporary):
            os.unlink(temporary)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    except FileExistsError as error:
        return f"{temporary}: {source.why(error)} (--force replaces it)"
    except OSError as error:
        return f"{temporary}: {source.why(error)}"
    try:
        with open(fd, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(fd)
        if force:
            os.rename(temporary, path)
    except OSError as error:
        os.unlink(temporary)
        return f"{path}: {source.why(error)}"
    return None


def give(options, reading):
    text = write.configuration(reading.model, options.all)
    errors = config_check(options.weirctl, text) if options.weirctl else []
    why = file_write(options.output, text, options.force) if options.output else None
    if why:
        return fail(options, why)
    status = FAILED if errors else DONE
    if options.json:
        document = report.document(reading.model, None if options.output else text)
        if errors:
            document["errors"] = errors
        print(json.dumps(document, indent=2))
        return status
    if not options.output:
        sys.stdout.write(text)
    for line in errors:
        fail(options, f"import: to be corrected in the result: {line}")
    for line in report.lines(reading.account, options.all):
        print(f"weirctl: import: {line}", file=sys.stderr)
    print(f"weirctl: {report.summary(reading.account)}", file=sys.stderr)
    return status


def main(words):
    options = Options(words)
    if len(options.operands) < 2:
        return fail(options, "import: an argument is missing (weirctl import --help)", USAGE)
    word, *paths = options.operands
    if word not in SOURCES:
        near = names.near(word, SOURCES)
        mean = f"; did you mean {near}?" if near else ""
        return fail(options, f'no source "{word}"; sources: {", ".join(SOURCES)}{mean}', USAGE)
    try:
        reading = read(word, paths)
    except source.Refused as refused:
        return fail(options, f"import: {refused}")
    except MemoryError:
        return fail(options, "import: out of memory")
    try:
        status = give(options, reading)
        sys.stdout.flush()
    except OSError as error:
        # Python would flush again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"weirctl: standard output: {source.why(error)}", file=sys.stderr)
        return FAILED
    return status
