#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A Python client of the control API, from its OpenAPI description.

usage: openapi_client.py OPENAPI_JSON >MODULE.py

The module needs Python alone. Its class Client has a function for each operation, with the parameters that must be there first, then
the body of a PUT, a value for JSON, and the others by name. docs/how-to/remote-control.md shows its use, tests/smoke/client_test.py uses it.
"""
import json
import keyword
import sys

HEAD = '''"""A client of the {title}, version {version}; tools/docs/openapi_client.py made it."""
import json
import urllib.parse


class Refused(Exception):
    """A reply with another status than 200: `status`, and `reply` as JSON or bytes."""

    def __init__(self, status, reply):
        super().__init__(status, reply)
        self.status, self.reply = status, reply


class Client:
    """`connect` makes a connection of http.client, one for each request; `token` is needed over the network."""

    def __init__(self, connect, token=None):
        self._connect, self._headers = connect, {{"Authorization": f"Bearer {{token}}"}} if token else {{}}

    def _call(self, method, path, params, form=None, body=None, text=None):
        """The reply: JSON as its value, a stream as lines until it is closed, another text as bytes."""
        query = urllib.parse.urlencode({{name: value for name, value in params.items() if value is not None}})
        kind = "application/x-www-form-urlencoded" if form else "application/json" if body is not None else None
        sent = urllib.parse.urlencode(form) if form else json.dumps(body) if body is not None else text and text.encode()
        connection = self._connect()
        connection.request(method, path + ("?" + query if query else ""), sent, self._headers | ({{"Content-Type": kind}} if kind else {{}}))
        reply = connection.getresponse()
        kind = reply.getheader("Content-Type", "").partition(";")[0]
        if reply.status == 200 and kind in {streams}:
            return reply
        with reply:
            text = reply.read()
        connection.close()
        value = json.loads(text) if kind == "application/json" else text
        if reply.status != 200:
            raise Refused(reply.status, value)
        return value
'''
STREAMS = ("text/event-stream", "application/x-ndjson")


def name_of(word):
    return word + "_" if keyword.iskeyword(word) else word


def pairs(words):
    return "{" + ", ".join(f'"{word}": {name_of(word)}' for word in words) + "}"


def function(path, method, about):
    params = {p["name"]: p["required"] for p in about["parameters"]}
    content = about.get("requestBody", {}).get("content", {})
    form = list(content.get("application/x-www-form-urlencoded", {}).get("schema", {}).get("properties", ()))
    other = [] if form or not content else ["body"] if "application/json" in content else ["text"]
    needed = [name_of(word) for word in [name for name, must in params.items() if must] + form] + other
    optional = [f"{name_of(name)}=None" for name, must in params.items() if not must]
    given = ", ".join(["self", *needed, *(["*", *optional] if optional else [])])
    call = ", ".join([f'"{method.upper()}"', f'"{path}"', pairs(params), *([pairs(form)] if form else []), *(f"{word}={word}" for word in other)])
    return f'\n    def {name_of(about["operationId"])}({given}):\n        """{about["summary"]}"""\n        return self._call({call})\n'


def main():
    with open(sys.argv[1]) as file:
        api = json.load(file)
    print(HEAD.format(streams=STREAMS, **api["info"]), end="")
    for path, methods in api["paths"].items():
        for method, about in methods.items():
            print(function(path, method, about), end="")


if __name__ == "__main__":
    main()
