#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A current ClickHouse engine behind an HTTP interface of the server's kind: clickhouse_current.py LIBRARY FOLDER PORT [ENDS].

LIBRARY is chdb's, the engine as a shared library. What is in front of it here does what the server's HTTP handler does for
weir: statements in the body, inserts by `query=` with settings beside it and a compressed body, user and password in headers,
errors as "Code: N. DB::Exception: ...". ENDS is how the first inserts end, in order and separated by commas:
`behind`: the rows are taken and the connection breaks without a word; `before`: it breaks, and no row is taken. Prints a line
for each insert: its coding, and its end.
"""

import ctypes
import gzip
import http.server
import os
import re
import sys
import threading
import urllib.parse

PASSWORD = 'it"s & secret'
BODY_MAX = 64 << 20
OWN = ("query", "query_id", "database", "user", "password")


class Library:
    """A C library by a table of its functions."""

    def __init__(self, path, functions):
        self.lib = ctypes.CDLL(path)
        for name, (result, *arguments) in functions.items():
            f = getattr(self.lib, name)
            f.restype, f.argtypes = result, arguments
            setattr(self, name, f)


P, S, N = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t


class Refused(Exception):
    pass


class Engine:
    """One statement at a time."""

    def __init__(self, library, folder):
        self.lock = threading.Lock()
        self.chdb = Library(library, {
            "chdb_connect": (P, ctypes.c_int, ctypes.POINTER(S)),
            "chdb_query_n": (P, P, S, N, S, N),
            "chdb_result_buffer": (P, P), "chdb_result_length": (N, P), "chdb_result_error": (S, P),
            "chdb_destroy_query_result": (None, P),
            "chdb_stream_insert_n": (P, P, S, N, S, N), "chdb_stream_append": (ctypes.c_int, P, S, N),
            "chdb_stream_done": (P, P), "chdb_stream_insert_error": (S, P), "chdb_destroy_insert_stream": (None, P),
        })
        words = [b"clickhouse", b"--path=" + folder.encode()]
        connection = self.chdb.chdb_connect(len(words), (S * len(words))(*words))
        if not connection:
            sys.exit("the engine does not start")
        self.connection = ctypes.c_void_p.from_address(connection).value

    def result(self, r):
        try:
            error = self.chdb.chdb_result_error(r)
            if error:
                raise Refused(error.decode(errors="replace"))
            length = self.chdb.chdb_result_length(r)
            return ctypes.string_at(self.chdb.chdb_result_buffer(r), length) if length else b""
        finally:
            self.chdb.chdb_destroy_query_result(r)

    def ask(self, sql, form=b"TabSeparated"):
        with self.lock:
            return self.result(self.chdb.chdb_query_n(self.connection, sql, len(sql), form, len(form)))

    def insert(self, sql, form, rows):
        with self.lock:
            stream = self.chdb.chdb_stream_insert_n(self.connection, sql, len(sql), form, len(form))
            try:
                error = self.chdb.chdb_stream_insert_error(stream)
                if error or (rows and self.chdb.chdb_stream_append(stream, rows, len(rows)) != 0):
                    raise Refused((error or self.chdb.chdb_stream_insert_error(stream) or b"").decode(errors="replace"))
                self.result(self.chdb.chdb_stream_done(stream))
            finally:
                self.chdb.chdb_destroy_insert_stream(stream)


class Zstd:
    def __init__(self):
        self.zstd = Library("libzstd.so.1", {
            "ZSTD_decompress": (N, P, N, S, N), "ZSTD_isError": (ctypes.c_uint, N)})

    def unpack(self, packed):
        out = ctypes.create_string_buffer(BODY_MAX)
        length = self.zstd.ZSTD_decompress(out, BODY_MAX, packed, len(packed))
        if self.zstd.ZSTD_isError(length):
            raise Refused("Code: 432. DB::Exception: the body is no zstd")
        return out.raw[:length]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.say(200, b"Ok.\n")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        if self.headers.get("X-ClickHouse-User", "") == "weir" and self.headers.get("X-ClickHouse-Key") != PASSWORD:
            return self.say(403, b"Code: 516. DB::Exception: weir: Authentication failed: password is incorrect.\n")
        try:
            if "query" in parameters:
                self.insert(parameters, body)
            else:
                self.say(200, self.server.engine.ask(body))
        except Refused as e:
            self.say(500, str(e).encode() + b"\n")

    def insert(self, parameters, body):
        m = re.fullmatch(r"(INSERT INTO .*) FORMAT (\w+)", parameters["query"], re.S)
        if not m:
            raise Refused("Code: 62. DB::Exception: this takes inserts with a format only")
        coding = self.headers.get("Content-Encoding", "")
        if coding not in self.server.codings:
            raise Refused(f"Code: 1. DB::Exception: nobody can read {coding} here")
        settings = ", ".join(f"{k} = '{v}'" for k, v in parameters.items() if k not in OWN)
        end = self.server.next_end()
        print(coding, end or "done", flush=True)
        if end == "before":
            return self.broken()
        self.server.engine.insert((m[1] + (" SETTINGS " + settings if settings else "")).encode(), m[2].encode(),
                                  self.server.codings[coding](body))
        if end == "behind":
            return self.broken()
        self.say(200, b"")

    def broken(self):
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def next_end(self):
        with self.ends_lock:
            return self.ends.pop(0) if self.ends else ""

    def handle_error(self, *_):
        pass


def main():
    library, folder, port = sys.argv[1:4]
    server = Server(("127.0.0.1", int(port)), Handler)
    server.ends_lock, server.ends = threading.Lock(), sys.argv[4].split(",") if len(sys.argv) > 4 else []
    server.engine = Engine(library, folder)
    server.codings = {"zstd": Zstd().unpack, "gzip": gzip.decompress}
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        os._exit(0)


if __name__ == "__main__":
    main()
