#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An HTTPS server on 127.0.0.1 for tests of who posts: https_server.py FOLDER.

Makes two authorities (FOLDER/ca.pem, FOLDER/other.pem) and a certificate of the first one for 127.0.0.1 alone, prints its
port, and writes a line for each request into FOLDER/requests. What it answers is in the path. Ends with its standard input.
On 127.0.0.2 it shows a certificate that is as good, with CRL distribution points that are relative to the issuer.
"""

import contextlib
import datetime
import email.utils
import http.server
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from certificates import authority, certificate, made  # noqa: E402

folder = pathlib.Path(sys.argv[1])
lock = threading.Lock()


def certificates_make():
    for name in "ca", "other":
        authority(folder, name)
    certificate(folder, "server", "ca", "IP:127.0.0.1")
    lists_make()
    (folder / "relative.cnf").write_text(
        "[req]\ndistinguished_name=dn\nx509_extensions=all\n[dn]\n[all]\nsubjectAltName=IP:127.0.0.2\n"
        "basicConstraints=critical,CA:FALSE\ncrlDistributionPoints=point\n[point]\nrelativename=name\n[name]\nCN=list\n")
    made(folder, "relative", "-config", "relative.cnf", "-subj", "/CN=server", "-CA", "ca.pem", "-CAkey", "ca.key")


def lists_make():
    """FOLDER/revoked.pem and listed.pem: the authority, with a list of revoked certificates that has the server's, and one without."""
    serial = subprocess.run(["openssl", "x509", "-in", folder / "server.pem", "-noout", "-serial"], check=True, capture_output=True,
                            text=True).stdout.strip().partition("=")[2]
    (folder / "lists.cnf").write_text(f"[ca]\ndefault_ca=a\n[a]\ndatabase={folder}/lists\ndefault_md=sha256\ndefault_crl_days=1\n")
    for name, number in ("revoked", serial), ("listed", "77"):
        (folder / "lists").write_text(f"R\t491231235959Z\t240101000000Z\t{number}\tunknown\t/CN=server\n")
        made_list = subprocess.run(["openssl", "ca", "-gencrl", "-config", folder / "lists.cnf", "-cert", folder / "ca.pem",
                                    "-keyfile", folder / "ca.key"], check=True, capture_output=True, text=True).stdout
        (folder / f"{name}.pem").write_text((folder / "ca.pem").read_text() + made_list)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with lock, open(folder / "requests", "ab") as f:
            f.write(f"{self.command} {self.path} {self.client_address[1]} ".encode() + body.replace(b"\n", b" ") + b"\n")
        what = self.path.split("?")[0]
        if what == "/redirect":
            self.say(307, ("Location", f"https://127.0.0.1:{self.server.server_port}/elsewhere"))
        elif what == "/limited":
            self.say(429, ("Retry-After", self.path.split("?")[1]))
        elif what == "/dated":
            then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=120)
            self.say(429, ("Retry-After", email.utils.format_datetime(then, usegmt=True)))
        elif what in ("/drop", "/endless"):
            self.endless(0.05 if what == "/drop" else 0)
        else:
            self.say(204)

    def endless(self, pause_s):
        """A reply without an end: a byte at a time, or as fast as it goes."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        self.close_connection = True
        try:
            while True:
                self.wfile.write(b"x" if pause_s else b"x" * 65536)
                time.sleep(pause_s)
        except OSError:
            pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients that do not trust us hang up


def serve(address, port, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / (name + ".pem"), folder / (name + ".key"))
    server = Server((address, port), Handler)
    # The handshake is the connection's thread's: one that hangs holds up nobody else.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def main():
    certificates_make()
    while True:
        port = serve("127.0.0.1", 0, "server")
        with contextlib.suppress(OSError):  # another test has that port there: one that stays unused here
            serve("127.0.0.2", port, "relative")
            break
    os.write(1, b"%d\n" % port)  # at once: who reads it then closes the pipe
    sys.stdin.read()


if __name__ == "__main__":
    main()
