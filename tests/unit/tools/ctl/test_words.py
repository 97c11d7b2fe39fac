#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The table of weirctl's commands, its help, its man pages and its completions, held together. usage: test_words.py ROOT WEIRCTL

Completions are tried in the real shells; with WEIR_INSTALLED one that is missing is an error.
"""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT, WEIRCTL = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
sys.path.insert(0, str(ROOT / "tools/man"))
import table  # noqa: E402

COMMANDS, OPTIONS, TOPICS = table.commands(ROOT), table.options(ROOT), table.topics(ROOT)
WAIT_S = 60


def run(*args, **more):
    return subprocess.run(args, capture_output=True, text=True, timeout=WAIT_S, **more)


def page(*words):
    done = run(WEIRCTL, *words)
    assert done.returncode == 0, (words, done)
    return done.stdout


def joined(text):
    return " ".join(text.split())


def filled(template, *topic):
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run([sys.executable, ROOT / "tools/man/fill.py", ROOT, ROOT / "tools/man" / template, out.name, *topic], check=True)
        return pathlib.Path(out.name).read_text()


class Table(unittest.TestCase):
    def test_a_usage_names_the_options_that_its_command_takes(self):
        for c in COMMANDS:
            bits = {o.name: o for o in OPTIONS if o.bit in c.bits and o.bit}
            wanted = {n for o in bits.values() for n in (o.name, o.alias) if n in table.usage_options(c.usage)}
            named = set(table.usage_options(c.usage))
            self.assertEqual(wanted, named, c.words)
            for o in bits.values():
                self.assertTrue({o.name, o.alias} & named, f"{c.words}: usage without {o.name}")

    def test_each_verb_has_one_topic(self):
        verbs = table.verbs(ROOT)
        self.assertEqual(sorted(v for t in TOPICS for v in t.verbs), sorted(verbs))


class Help(unittest.TestCase):
    def fits(self, text, what):
        lines = text.splitlines()
        self.assertLessEqual(len(lines), 24, what)
        self.assertLessEqual(max(map(len, lines)), 80, what)

    def test_topics(self):
        for words in ("help",), ("--help",), ("-h",):
            text = page(*words)
            self.fits(text, words)
            for t in TOPICS:
                self.assertIn(f"  {t.name:9} {t.title}\n", text)
                self.assertIn(" ".join(t.verbs), joined(text))

    def test_commands_of_a_topic(self):
        for t in TOPICS:
            text = page("help", t.name)
            self.fits(text, t.name)
            for c in table.commands_of(ROOT, t):
                self.assertIn(f"{', '.join(table.names(c))} {table.summary(c.help)}", joined(text))

    def test_commands_of_a_topic_are_in_the_order_of_the_completions(self):
        for t in TOPICS:
            text, words = page("help", t.name), [c.words for c in COMMANDS if c.words.split()[0] in t.verbs]
            self.assertEqual(words, re.findall(r"^  ([^\s,]+(?: [^\s,]+)?)(?:, \S+)?  ", text, re.M), t.name)

    def test_a_command(self):
        for c in COMMANDS:
            text = page("help", *c.words.split())
            self.fits(text, c.words)
            self.assertEqual(text, page(*c.words.split(), "--help"))
            self.assertTrue(joined(text).startswith(joined(f"usage: weirctl {c.words} {c.usage}")), text)
            self.assertIn(c.help, joined(text))
            if c.alias:
                self.assertIn(f"The same: weirctl {c.alias}.", text)
                self.assertEqual(text, page("help", c.alias))
                self.assertEqual(text, page(c.alias, "--help"))
            for o in OPTIONS:
                self.assertEqual(bool(o.bit) and o.bit in c.bits, f"{o.name} {o.value}".strip() + " " in text.split("\n\n", 2)[-1]
                                 and o.help in joined(text), (c.words, o.name))

    def test_help_itself(self):
        text = page("help", "help")
        self.fits(text, "help")
        self.assertTrue(text.startswith("usage: weirctl help [TOPIC|COMMAND|options|WORD]\n"), text)
        for words in ("help", "--help"), ("--help", "help"), ("help", "help", "--help"):
            self.assertEqual(text, page(*words))

    def test_options_of_every_command(self):
        text = page("help", "options")
        self.fits(text, "options")
        for o in OPTIONS:
            self.assertEqual(not o.bit, f"{o.name} {o.value}".strip() in text, o.name)

    def test_a_word_of_the_help(self):
        text = page("help", "Bedtime")
        self.assertRegex(text, r"(?m)^  schedule set  ")
        self.assertNotIn("  cache ", text)

    def test_unknown(self):
        for word, near in ("confg", "config"), ("hepl", "help"), ("optons", "options"):
            done = run(WEIRCTL, "help", word)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"did you mean {near}?", done.stderr)


class Man(unittest.TestCase):
    def test_pages(self):
        build = (ROOT / "tools/man/meson.build").read_text()
        listed = re.findall(r"'([a-z]+)'", re.search(r"foreach topic : \[(.*)\]", build)[1])
        self.assertEqual(listed, [t.name for t in TOPICS])
        overview = filled("weirctl.8.scd").replace("\\", "")
        for t in TOPICS:
            self.assertIn(f"*weirctl-{t.name}*(8)", overview)
            text = filled("weirctl-topic.8.scd", t.name).replace("\\", "")
            self.assertNotIn("@", text.replace("NAME@ADDRESS", "").replace("NAME@", "").replace("@DEVICE", "").replace("[@ZONE]", ""))
            for c in table.commands_of(ROOT, t):
                for name in table.names(c):
                    self.assertIn(f"*weirctl {name}*{' ' if c.usage else ''}{c.usage}", text)
                self.assertIn(", ".join(f"*{name}*" for name in table.names(c)), text)
                self.assertIn(c.help, text)


class Shell(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)

    def shell(self, name):
        if not shutil.which(name) and not os.environ.get("WEIR_INSTALLED"):
            print(f"no {name}: its completion is not tried")
            return False
        file = self.dir / {"zsh": "_weirctl"}.get(name, f"weirctl.{name}")
        file.write_text(filled(f"weirctl.{name}.in"))
        return True

    def cases(self):
        """Words typed, what must be offered, what must not."""
        verbs = table.verbs(ROOT)
        yield [""], [*verbs, "help"], ["get", "--below"]
        yield ["confi"], ["config"], ["cache"]
        for t in TOPICS[:3]:
            yield ["help", t.name[:2]], [t.name], []
        for verb in verbs:
            second = [c.words.split()[1] for c in COMMANDS if c.words.startswith(verb + " ")]
            if second:
                yield [verb, ""], second, ["status"] * ("status" not in second)
        yield ["cache", "flush", "--"], ["--below", "--all", "--json"], ["--follow"]
        yield ["block", "--"], ["--reply", "--json"], ["--follow"]
        yield ["reload", "--"], ["--keep"], ["--all"]
        yield ["--host", "box", "cache", ""], ["get", "flush"], ["status"]
        yield ["why", "--client", "config", "--"], ["--group", "--mac"], ["--dry-run"]
        yield ["token", "create", "ops", "--role", ""], ["sync", "read", "operate", "admin"], ["--json"]
        yield ["import", ""], ["pihole", "unbound"], []

    # A running weir whose first group is named by an attacker.
    WEIR = """#!/bin/sh
echo "$*" >>{dir}/asked
case $* in
*"complete groups") printf '%s\\n' 'ki$(touch${{IFS}}{dir}/run)' kids guests ;;
*"complete clients") printf '%s\\n' tablet fd53::1 "bob's tab" ;;
*"complete checks") echo port53 ;;
*) echo nobody listens >&2; exit 1 ;;
esac
"""

    def weir(self):
        (self.dir / "weirctl").write_text(self.WEIR.format(dir=self.dir))
        (self.dir / "weirctl").chmod(0o755)
        return {**os.environ, "PATH": f"{self.dir}:{os.environ['PATH']}"}

    def live_cases(self):
        yield ["why", "a.example", "--group", ""], ["kids", "guests"], ["tablet", "--json"]
        yield ["--host", "box", "group", "set", "k"], ["kids"], ["guests", "tablet"]
        yield ["group", "move", "tablet", ""], ["kids"], ["tablet"]
        yield ["clients", ""], ["tablet", "names"], ["kids"]
        yield ["doctor", "p"], ["port53"], ["kids"]
        yield ["services", "block", "t"], [], ["tablet", "nobody"]
        yield ["group", "set", "--"], ["--why"], ["kids"]

    def check_live(self):
        self.assertIn("--host box complete groups\n", (self.dir / "asked").read_text())
        self.assertFalse((self.dir / "run").exists())

    def check(self, offered):
        for typed, wanted, unwanted in (*self.cases(), *self.live_cases()):
            got = offered(typed)
            self.assertEqual([w for w in wanted if w not in got], [], (typed, got))
            self.assertEqual([w for w in unwanted if w in got], [], (typed, got))

    def test_bash(self):
        if self.shell("bash"):
            env = self.weir()
            self.check(lambda typed: run("bash", "-c", f'. "$1"; shift; COMP_WORDS=(weirctl "$@"); COMP_CWORD=$#; _weirctl; '
                                         'printf "%s\\n" "${COMPREPLY[@]}"', "x", self.dir / "weirctl.bash", *typed, env=env).stdout.split())
            self.check_live()

    def test_bash_words(self):
        """What readline has parted at colons is one word, and a name is quoted as the word is."""
        if not self.shell("bash"):
            return
        env = self.weir()
        for line, words, wanted in (
                ("clients fd53:", ["clients", "fd53", ":"], [":1"]),
                ("clients fd53::", ["clients", "fd53", "::"], ["1"]),
                ("why a.example --client fd5", ["why", "a.example", "--client", "fd5"], ["fd53::1"]),
                ("group move fd53::1 kid", ["group", "move", "fd53", "::", "1", "kid"], ["kids"]),
                ("clients bo", ["clients", "bo"], [r"bob\'s\ tab"]),
                (r"clients bob\'s", ["clients", r"bob\'s"], [r"bob\'s\ tab"]),
                ('clients "bob', ["clients", '"bob'], ["bob's tab"]),
                ('clients "fd53:', ["clients", '"fd53:'], ["fd53::1"]),
                ("clients 'bob", ["clients", "'bob"], [""]),
                ('group move "my tab" kid', ["group", "move", '"my tab"', "kid"], ["kids"])):
            line = "weirctl " + line
            got = run("bash", "-c", '. "$1"; COMP_LINE=$2; COMP_POINT=${#2}; shift 2; COMP_WORDS=(weirctl "$@"); COMP_CWORD=$#; _weirctl; '
                      'printf "%s\\n" "${COMPREPLY[@]}"', "x", self.dir / "weirctl.bash", line, *words, env=env).stdout.splitlines()
            self.assertEqual(got, wanted, line)

    def test_fish(self):
        if self.shell("fish"):
            home = {**self.weir(), "HOME": str(self.dir), "XDG_CONFIG_HOME": str(self.dir), "XDG_DATA_HOME": str(self.dir)}
            lines = [f"source {self.dir}/weirctl.fish"]
            for i, (typed, _, _) in enumerate((*self.cases(), *self.live_cases())):
                lines += [f"echo @{i}", f"complete -C 'weirctl {' '.join(typed)}'"]
            done = run("fish", "--no-config", "-c", "\n".join(lines), env=home)
            self.assertEqual(done.stderr, "")
            parts = re.split(r"^@\d+\n", done.stdout, flags=re.M)[1:]
            offers = iter([[line.split("\t")[0] for line in part.splitlines()] for part in parts])
            self.check(lambda typed: next(offers))
            self.check_live()

    def test_zsh(self):
        if self.shell("zsh"):
            zsh = Zsh(self.dir, self.weir())
            self.addCleanup(zsh.end)
            self.check(zsh.offered)
            self.check_live()


class Zsh:
    """A zsh on a terminal, whose compadd writes down what it offers."""
    SETUP = r"""
PS1= PS2= RPS1=; unsetopt zle_bracketed_paste prompt_cr prompt_sp beep; stty -echo
fpath=({dir} $fpath); autoload -Uz compinit && compinit -u -D
zmodload zsh/zutil; zstyle ':completion:*' menu no
compadd() {{
  local -a got; builtin compadd -O got "$@"; print -rl -- $got >>{dir}/offered; builtin compadd "$@"
}}
say() {{ print -r -- end >>{dir}/offered; BUFFER=; zle reset-prompt }}
zle -N say; bindkey '^Xs' say
setopt no_auto_menu no_always_last_prompt; LISTMAX=1000; print -r -- ready
"""

    def __init__(self, folder, env):
        self.offers = folder / "offered"
        (folder / "setup").write_text(self.SETUP.format(dir=folder))
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**env, "TERM": "dumb", "HOME": str(folder), "LC_ALL": "C.UTF-8"})
        os.write(self.fd, f". {folder}/setup\n".encode())
        self.until(lambda seen: b"\nready" in seen)

    def until(self, is_done):
        """Reads what the terminal gets, until it is done."""
        seen, end = b"", time.monotonic() + WAIT_S
        while not is_done(seen):
            if time.monotonic() > end:
                raise AssertionError(f"zsh: no answer in {WAIT_S} s: {seen!r}")
            if select.select([self.fd], [], [], 0.05)[0]:
                seen += os.read(self.fd, 65536)

    def offered(self, typed):
        self.offers.write_text("")
        os.write(self.fd, f"weirctl {' '.join(typed)}\t\x18s".encode())
        self.until(lambda _: self.offers.read_text().endswith("end\n"))
        return self.offers.read_text().split()[:-1]

    def end(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
