# SPDX-License-Identifier: BSD-3-Clause
"""The control API over weir's control socket, and `weirctl` where the command itself is tested."""
import http.client
import json
import os
import shlex
import socket
import subprocess
import threading
import urllib.parse

from wait import NotYet, wait

SOCKET, CONFIG = "/run/weir/control/control.sock", "/run/weir/lab/weir.yaml"
SECONDS = 60


class Refused(NotYet):
    """A reply that is not 200: `status`, and `text`, the reason."""

    def __init__(self, request, status, text):
        super().__init__(f"{request}: {status} {text}")
        self.status, self.text = status, text


class Socket(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(SOCKET)


class Rows:
    """The JSON values of an endpoint that streams, as they come: one a line, or events with all since the start.
    `with lab.stream("events") as rows`."""

    def __init__(self, reply, connection):
        self.rows, self.reply, self.connection = [], reply, connection
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.reply:
                text = line.decode().removeprefix("data: ")
                if text.startswith("{"):
                    self.rows.append(json.loads(text))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # closed below, or with the control plane

    def wait(self, condition=bool):
        """The first row of which that is true, once it has come."""
        return wait(lambda: next(filter(condition, list(self.rows)), None), "no such row came")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.sock.shutdown(socket.SHUT_RDWR)


class Control:
    """get("why", name="a.test") and post("config/reload") return what JSON says, or the text of what is none."""

    def get(self, path, **params):
        return self.request("GET", path, params)

    def post(self, path, body=None, **params):
        return self.request("POST", path, params, body)

    def put(self, path, body, **params):
        return self.request("PUT", path, params, json.dumps(body))

    def request(self, method, path, params, body=None):
        connection = Socket("weir")
        try:
            reply = self.begin(connection, method, path, params, body)
            text = reply.read().decode()
        finally:
            connection.close()
        return json.loads(text) if reply.getheader("Content-Type") == "application/json" else text

    def stream(self, path, **params):
        connection = Socket("weir")
        return Rows(self.begin(connection, "GET", path, params), connection)

    @staticmethod
    def begin(connection, method, path, params, body=None):
        target = f"/v1/{path}" + ("?" + urllib.parse.urlencode(params) if params else "")
        connection.request(method, target, body)
        reply = connection.getresponse()
        if reply.status != 200:
            text = reply.read().decode()
            try:
                text = json.loads(text)["error"]
            except (ValueError, KeyError):
                pass
            raise Refused(f"{method} {target}", reply.status, text)
        return reply

    def refused(self, path, **params):
        """Why weir refuses this change."""
        try:
            reply = self.post(path, **params)
        except Refused as refusal:
            return refusal.text
        raise AssertionError(f"{path} {params} was accepted: {reply}")

    def activated(self):
        """All workers use what is published, by this control plane and none before it."""
        status, used = self.get("status"), self.get("dataplane").get("stats", {})
        return status["link_up"] and used.get("control_seen") == 1 and all(
            used.get(f"{kind}_generation") == status["generations"][kind] for kind in ("l0", "rule_image", "config", "policy"))

    def activate(self, path, **params):
        """This change, and then all workers use it."""
        reply = self.post(path, **params)
        wait(self.activated, "the workers did not take it over")
        return reply

    @staticmethod
    def weirctl(*words, status=0, clock=True):
        """What the command prints, on both outputs; it must end with that status. One text is split as a shell would. Without
        `clock` it keeps the kernel's time: a leap of the tests' clock would be a time-out of its request."""
        words = shlex.split(words[0]) if len(words) == 1 else words
        done = subprocess.run([os.environ["WEIR_BUILD"] + "/tools/ctl/weirctl", "-c", CONFIG, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
                              env=os.environ if clock else {**os.environ, "WEIR_CLOCK": ""})
        if done.returncode != status:
            raise NotYet(f"weirctl {' '.join(words)}: status {done.returncode}: {done.stdout}")
        return done.stdout
