#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/reference/openapi.json, the OpenAPI 3.1 description of the control API, from the tables of endpoints of the control plane.

usage: openapi.py SOURCE_ROOT [--check]     writes the file, or fails if it is not current

The API is stable: what the file has already must stay. A path, method or parameter that is gone, or a role that is higher, is
refused; only additions are written.
"""
import json
import pathlib
import re
import sys

ROOMS = ("api", "verbs", "remote")
STREAMS = {"/events": "text/event-stream", "/live": "text/event-stream", "/log/tail": "application/x-ndjson", "/watch": "application/x-ndjson"}
TEXTS = {"/metrics": "text/plain", "/debug/heap": "text/plain", "/profile/cpu": "application/octet-stream",
         "/profile/alloc": "application/octet-stream", "/profile/threads": "application/octet-stream"}
ROLES = ["none", "read", "operate", "admin"]

ROW = re.compile(r'\{"(/[\w/]+)",\s*\w+,\s*((?:API_\w+)(?:\s*\|\s*API_\w+)*)(?:,\s*CONTROL_(\w+))?(?:,\s*((?:"[^"]*"\s*)+))?\}')


def endpoints(root):
    """(path, is a change, role, parameters) of each row; a row without a role takes an admin."""
    for name in sorted(f for room in ROOMS for f in (root / "controlplane" / room).glob("*.c")):
        text = name.read_text()
        for path, flags, role, params in ROW.findall(text):
            least = "none" if "API_OPEN" in flags else (role or "admin").lower()
            yield path, "API_POST" in flags, least, "".join(re.findall(r'"([^"]*)"', params)).split()
        tables = re.finditer(r"\.endpoint = \{(.*?)\},\n\s*\.|\.endpoint = \{(.*?)\}\};|\.endpoint = \{(.*?)\n\};", text, re.S)
        rows = sum(len(re.findall(r'\{\s*"/', next((g for g in t.groups() if g), ""))) for t in tables)
        if rows != len(ROW.findall(text)):
            sys.exit(f"openapi.py: {name}: {len(ROW.findall(text))} of {rows} endpoints read")


def replies(path):
    kind = STREAMS.get(path) or TEXTS.get(path) or "application/json"
    schema = {"type": "object"} if kind == "application/json" else {"type": "string"}
    error = {"$ref": "#/components/responses/Error"}
    return {"200": {"description": "Done.", "content": {kind: {"schema": schema}}},
            "401": error, "403": error, "429": error, "default": error}


def operation(path, role, params):
    made = {"operationId": path.strip("/").replace("/", "_"), "x-weir-role": role,
            "parameters": [{"name": p, "in": "query", "required": False, "schema": {"type": "string"}} for p in params if ":" not in p],
            "responses": replies(path)}
    form = [p.split(":")[1] for p in params if ":" in p]
    if form:
        schema = {"type": "object", "required": form, "properties": {p: {"type": "string"} for p in form}}
        made["requestBody"] = {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    if role == "none":
        made["security"] = []
    return made


def document(root):
    paths = {}
    for path, is_post, role, params in sorted(endpoints(root)):
        paths.setdefault("/v1" + path, {})["post" if is_post else "get"] = operation(path, role, params)
    error = {"description": "Refused or failed.",
             "content": {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "weir control API", "version": "1", "license": {"name": "BSD-3-Clause"},
                 "description": "Made by tools/docs/openapi.py from the tables of endpoints. Stable: later versions only add. "
                                "x-weir-role is the lowest role that an endpoint takes: none, read, operate or admin."},
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
            names = {p["name"] for p in now["parameters"]}
            yield from (f"{method} {path}: parameter {p['name']} is gone" for p in was["parameters"] if p["name"] not in names)
            if ROLES.index(now["x-weir-role"]) > ROLES.index(was["x-weir-role"]):
                yield f"{method} {path}: takes the role {now['x-weir-role']}, was {was['x-weir-role']}"


def main():
    root = pathlib.Path(sys.argv[1])
    target = root / "docs" / "reference" / "openapi.json"
    made = document(root)
    text = json.dumps(made, indent=1) + "\n"
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
