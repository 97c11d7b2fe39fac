#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A person at a terminal: a command on a pty, and answers to its prompts.

usage: person.py PROMPT=ANSWER... -- COMMAND...     types ANSWER and Enter once PROMPT is on the screen, one after the other;
                                                    prints the screen; exit status of the command, or 124
"""
import os
import pty
import select
import sys
import time


class Person:
    def __init__(self, *command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.seen = ""

    def until(self, text, seconds=60):
        """What was on the screen before `text`."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"no {text!r} in {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 4096).decode()
            except OSError as error:
                raise EOFError(f"it ended without {text!r}: {self.seen!r}") from error
        before, self.seen = self.seen.split(text, 1)
        return before

    def types(self, text):
        os.write(self.fd, text.encode())

    def answers(self, prompt, text):
        before = self.until(prompt)
        self.types(text + "\n")
        return before

    def end(self):
        """Exit status, -N for signal N, and the rest of the screen."""
        try:
            while True:
                self.seen += os.read(self.fd, 4096).decode()
        except OSError:
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), self.seen


def main(words):
    at = words.index("--")
    person = Person(*words[at + 1:])
    try:
        for word in words[:at]:
            prompt, answer = word.split("=", 1)
            print(person.answers(prompt, answer) + prompt, end="")
    except (TimeoutError, EOFError) as error:
        print(error)
        return 124
    status, said = person.end()
    print(said)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
