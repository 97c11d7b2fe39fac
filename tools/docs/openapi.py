#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/reference/openapi.json, the OpenAPI 3.1 description of the control API, from the tables of endpoints of the control plane.

usage: openapi.py SOURCE_ROOT [--check]     writes the file, or fails if it is not current

A row of a table has path, role and parameters. The summary is the first sentence of the comment above its handler; types of
parameters are those of the functions by which the handler and what it calls in its file read them. A reply has the keys that the
same functions write, and those that docs/reference/json.md has for the command that prints it.

The API is stable: what the file has already must stay. A path, method or parameter that is gone, a parameter that must be there and
did not have to, or a role that is higher, is refused; only additions are written. Keys of replies are guarded by json_keys.py.
"""
import json
import pathlib
import re
import sys

sys.path += [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("docs", "lint")]
import json_keys
import json_md

ROOMS = ("api", "verbs", "remote")
STREAMS = {"/events": "text/event-stream", "/live": "text/event-stream", "/log/tail": "application/x-ndjson", "/watch": "application/x-ndjson"}
ALSO_JSON = ("/events",)  # with follow=0
TEXTS = {"/metrics": "text/plain", "/debug/heap": "text/plain", "/profile/cpu": "application/octet-stream",
         "/profile/alloc": "application/octet-stream", "/profile/threads": "application/octet-stream", "/sync/list": "application/octet-stream"}
BODIES = {"/config/restore": "application/yaml"}  # what is no form
ROLES = ["none", "sync", "read", "operate", "admin"]

# The command of json.md that prints a reply, where its words are not the path; of some an object within is the reply.
PRINTS = {"/blocklist": "blocklist status", "/log": "log status", "/mem": "mem accounts", "/refresh": "refresh stats", "/stats": "stats",
          "/status": "status"}
WITHIN = {"/stats": ".controlplane", "/status": ".controlplane"}
TYPES = {"text": "string", "count": "integer", "signed": "integer", "bool": "boolean", "array": "array", "object": "object",
         "number": "integer", "list": "array", "null": "null"}
PARAMS = {"flag": {"type": "integer", "enum": [0, 1]}, "number": {"type": "integer", "minimum": 1}, "time": {"type": "integer", "minimum": 0}}

ROW = re.compile(r'\{"(/[\w/]+)",\s*(\w+),\s*((?:API_\w+)(?:\s*\|\s*API_\w+)*)(?:,\s*CONTROL_(\w+))?(?:,\s*((?:"[^"]*"\s*)+))?\}')
CALL = re.compile(r"(?:(\.|->)?\b(\w+) = )?\b(\w+)\(")


class Handler:
    """What the sources say of the function that serves an endpoint."""

    def __init__(self, text, name, verbs):
        about = re.search(r"((?:^//.*\n)+)(?:static )?void " + name + r"\(", text, re.M)
        if not about:
            sys.exit(f"openapi.py: {name}: the comment above it must say in a sentence what it does")
        self.summary = " ".join(line.lstrip("/ ") for line in about[1].splitlines()).split(". ")[0].rstrip(".") + "."
        others, wanted = functions(text), [name]
        if "verb_begin(" in text:
            others.update(verbs)
        self.reached = {}  # those that the handler and what it reaches name
        for one in wanted:
            if one in others:
                self.reached[one] = others.pop(one)
                wanted += re.findall(r"(?<![.>\w])\w+", json_keys.TEXT.sub("", self.reached[one][1]))
        self.reply, self.members = {"type": "object", "properties": {}}, {}
        for one in self.reached:
            self.write(one, {}, ())

    def params(self):
        """{parameter: its schema} of those that are no text"""
        reads = re.compile(r'api_param_(flag|number|time)\(x, "(\w+)"')
        return {name: PARAMS[kind] for _, body in self.reached.values() for kind, name in reads.findall(body)}

    def write(self, name, known, outer):
        """Adds what the function writes into the reply; `known`: nodes and texts, by the names of its parameters."""
        body, known = self.reached[name][1], dict(known)
        for match in CALL.finditer(body):
            a, (of, target, called) = json_keys.arguments(body, match.end()), match.groups()
            if called in self.reached and called not in outer:
                given = {to: self.value(text, known) for to, text in zip(self.reached[called][0], a)}
                if any(isinstance(value, dict) for value in given.values()):
                    self.write(called, given, (*outer, name))
            elif json_keys.WRITER.match(f"{called}(") and len(a) > 2:
                made = self.add(called, a, known)
                if target:
                    (self.members if of else known)[target] = made

    def value(self, text, known):
        """The node, or the text, that an expression is; None: another."""
        if text == "root" or re.match(r"(json_out|verb)_root\(", text):
            return self.reply
        if within := re.match(r"(json_out_(?:object|array))\(", text):
            return self.add(within[1], json_keys.arguments(text, within.end()), known)
        member = re.fullmatch(r"\w+(?:->|\.)(\w+)", text)
        literal = json_keys.TEXT.findall(text)
        return self.members.get(member[1]) if member else literal[0] if literal else known.get(text)

    def add(self, called, a, known):
        """The node of the last key that a call writes."""
        parent, made = self.value(a[1], known), {"type": TYPES.get(called.removeprefix("json_out_"), "integer")}
        keys = json_keys.TEXT.findall(a[2]) or [known.get(a[2])]
        if called.startswith("JSON_COUNTS"):
            keys = a[3:] if called == "JSON_COUNTS" else [keys[0] + field for field in a[4:]]
        for key in keys if isinstance(parent, dict) else ():
            if parent["type"] == "array":
                made = parent.setdefault("items", made)
            elif isinstance(key, str):
                made = parent.setdefault("properties", {}).setdefault(key, dict(made))
        return made


def functions(text):
    return {name: (params, body) for name, params, body in json_keys.Source(text, {}).functions}


def merged(a, b):
    """The schema of what either describes."""
    made = {**b, **a}
    if "items" in a and "items" in b:
        made["items"] = merged(a["items"], b["items"])
    keys = sorted(a.get("properties", {}).keys() | b.get("properties", {}).keys())
    if keys:
        made["properties"] = {key: merged(*(s.get("properties", {}).get(key, {}) for s in (a, b))) for key in keys}
    return made


def endpoints(root):
    """(path, method, role, parameters, handler) of each row; a row without a role takes an admin."""
    verbs = functions((root / "controlplane/verbs/verb.c").read_text())
    for name in sorted(f for room in ROOMS for f in (root / "controlplane" / room).glob("*.c")):
        text = name.read_text()
        for path, handler, flags, role, params in ROW.findall(text):
            least = "none" if "API_OPEN" in flags else (role or "admin").lower()
            names = "".join(re.findall(r'"([^"]*)"', params)).split()
            method = "put" if "API_PUT" in flags else "post" if "API_POST" in flags else "get"
            yield path, method, least, names, Handler(text, handler, verbs)
        tables = re.finditer(r"\.endpoint = \{(.*?)\},\n\s*\.|\.endpoint = \{(.*?)\}\};|\.endpoint = \{(.*?)\n\};", text, re.S)
        rows = sum(len(re.findall(r'\{\s*"/', next((g for g in t.groups() if g), ""))) for t in tables)
        if rows != len(ROW.findall(text)):
            sys.exit(f"openapi.py: {name}: {len(ROW.findall(text))} of {rows} endpoints read")


def schema_of(tree, path):
    """The schema of the object at `path` of a tree of json_md.py."""
    def one(key, types):
        kinds = sorted(TYPES[t] for t in types)
        made, below = {"type": kinds[0] if len(kinds) == 1 else kinds}, f"{path}.{key}"
        if below + "[]" in tree:
            made["items"] = schema_of(tree, below + "[]")
        if below in tree:
            made.update(schema_of(tree, below), type=made["type"])
        return made
    return {"type": "object", "properties": {key: one(key, types) for key, types in sorted(tree.get(path, {}).items())}}


def replies(path, handler, commands):
    content = {kind: {"schema": {"type": "string"}} for kind in (STREAMS.get(path) or TEXTS.get(path),) if kind}
    if not content or path in ALSO_JSON:
        printed = {} if content else commands.get(PRINTS.get(path, path.strip("/").replace("/", " ")), {})
        content["application/json"] = {"schema": merged(schema_of(printed, WITHIN.get(path, "")), handler.reply)}
    error = {"$ref": "#/components/responses/Error"}
    return {"200": {"description": "Done.", "content": content}, "401": error, "403": error, "429": error, "default": error}


def operation(path, method, role, params, handler, commands):
    schemas = handler.params()
    made = {"operationId": path.strip("/").replace("/", "_") + "_put" * (method == "put"), "summary": handler.summary, "x-weir-role": role,
            "parameters": [{"name": (name := p.rstrip("!")), "in": "query", "required": p.endswith("!"),
                            "schema": schemas.get(name, {"type": "string"})} for p in params if ":" not in p],
            "responses": replies(path, handler, {} if method == "put" else commands)}
    form = [p.split(":")[1] for p in params if ":" in p and not p.endswith("*")]
    if form:
        schema = {"type": "object", "required": form, "properties": {p: {"type": "string"} for p in form}}
        made["requestBody"] = {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    if path in BODIES:
        made["requestBody"] = {"required": True, "content": {BODIES[path]: {"schema": {"type": "string"}}}}
    if role == "none":
        made["security"] = []
    return made


def document(root):
    paths, page = {}, (root / json_md.PAGE).read_text()
    commands = json_md.documented(page, set(re.findall(r"\w+", page)))
    if unknown := set(PRINTS.values()) - commands.keys():
        sys.exit(f"openapi.py: {json_md.PAGE} has no {', '.join(sorted(unknown))}")
    for path, method, *about in sorted(endpoints(root), key=lambda row: row[:2]):
        methods = paths.setdefault("/v1" + path, {})
        methods[method] = operation(path, method, *about, commands)
        if method == "put":  # the body is what GET replies
            methods[method]["requestBody"] = {"required": True, "content": methods["get"]["responses"]["200"]["content"]}
    error = {"description": "Refused or failed.",
             "content": {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "weir control API", "version": "1", "license": {"name": "BSD-3-Clause"},
                 "description": "Made by tools/docs/openapi.py from the tables of endpoints. Stable: later versions only add. "
                                "x-weir-role is the lowest role that an endpoint takes: none, read, operate or admin; sync: that one or admin."},
        "servers": [{"url": "https://localhost:9953"}],
        "security": [{"token": []}, {"session": []}, {"certificate": []}],
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}, "certificate": {"type": "mutualTLS"},
                                           "session": {"type": "apiKey", "in": "cookie", "name": "__Host-weir"}},
                       "responses": {"Error": error}},
    }


def lost(before, after):
    """What the description had and would no longer have."""
    for path, methods in before["paths"].items():
        for method, was in methods.items():
            now = after["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{method} {path} is gone"
                continue
            had, has = ({p["name"]: p["required"] for p in about["parameters"]} for about in (was, now))
            yield from (f"{method} {path}: parameter {name} is gone" for name in had if name not in has)
            yield from (f"{method} {path}: parameter {name} must be there" for name in has if has[name] and not had.get(name))
            if ROLES.index(now["x-weir-role"]) > ROLES.index(was["x-weir-role"]):
                yield f"{method} {path}: takes the role {now['x-weir-role']}, was {was['x-weir-role']}"


def text_of(value, depth=0):
    """JSON in which an object or a list that fits has one line."""
    line = json.dumps(value)
    if depth + len(line) <= 130 or not isinstance(value, (dict, list)):
        return line
    pairs = [f"{json.dumps(key)}: {text_of(one, depth + 1)}" for key, one in value.items()] if isinstance(value, dict) else [
        text_of(one, depth + 1) for one in value]
    begin, end = "{}" if isinstance(value, dict) else "[]"
    return begin + ",".join("\n" + " " * (depth + 1) + pair for pair in pairs) + "\n" + " " * depth + end


def main():
    root = pathlib.Path(sys.argv[1])
    target = root / "docs" / "reference" / "openapi.json"
    made = document(root)
    text = text_of(made) + "\n"
    before = json.loads(target.read_text()) if target.exists() else {"paths": {}}
    gone = list(lost(before, made))
    if gone:
        sys.exit("openapi.py: the control API is stable: " + "; ".join(gone))
    if "--check" not in sys.argv[2:]:
        target.write_text(text)
    elif not target.exists() or target.read_text() != text:
        sys.exit("docs/reference/openapi.json is not current: run tools/docs/openapi.py .")


if __name__ == "__main__":
    main()
