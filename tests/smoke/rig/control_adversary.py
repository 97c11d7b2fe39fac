# SPDX-License-Identifier: BSD-3-Clause
"""An adversary of the control API over HTTPS, for control_test.sh.

usage: control_adversary.py OPENAPI FOLDER PID SECRETS DNS_COMMAND

FOLDER has ca.pem, server.pem and server.key, and ROLE.token, expired.token, revoked.token, unknown.token. Tries each endpoint with
each of them, odd paths and headers, large and slow requests, old TLS, clear text, and CONNECTIONS connections
(WEIR_CONTROL_CONNECTIONS, 5000) while DNS_COMMAND must go on to answer and the memory of process PID must not grow. The user eve
has "a long password"; what her sessions are known by is written to SECRETS. Prints what should not be; exit status 1 if there is any.
"""
import itertools
import json
import os
import pathlib
import resource
import shlex
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings

ADDRESS = ("127.0.0.1", 9953)
CONNECTIONS = int(os.environ.get("WEIR_CONTROL_CONNECTIONS", "5000"))
ROLES = ["sync", "read", "operate", "admin"]
SYNC_REFUSES = ["read", "operate"]  # an endpoint for boxes
GROWTH_MAX_KB = 48 * 1024
LIFE_S = 15

wrong = []
sources = itertools.count(0)


def say(text):
    wrong.append(text)
    print("WRONG:", text, flush=True)


def expect(wanted, text, got):
    if got != wanted:
        say(f"{text}: {got}, not {wanted}")


def source():
    """An address that has not failed yet."""
    n = next(sources)
    return f"127.{3 + n // 60000}.{n // 240 % 250}.{1 + n % 240}"


def context():
    made = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    made.check_hostname = False
    return made


def connect(address=None, timeout=10):
    """A TLS connection. weir takes 50 a second, so this waits and tries again."""
    for _ in range(100):
        time.sleep(0.025)
        raw = socket.create_connection(ADDRESS, timeout, source_address=(address or source(), 0))
        try:
            return tls.wrap_socket(raw)
        except (ssl.SSLError, OSError):
            raw.close()
            time.sleep(0.2)
    raise SystemExit("no connection")


def status_of(line):
    parts = line.split(b" ")
    return int(parts[1]) if len(parts) > 1 and parts[0].startswith(b"HTTP/") and parts[1].isdigit() else 0


def reply(conn):
    """Status and body of one reply; status 0: none. A stream ends behind its header."""
    got = b""
    try:
        while b"\r\n\r\n" not in got:
            more = conn.recv(65536)
            if not more:
                return 0, b""
            got += more
        head, _, body = got.partition(b"\r\n\r\n")
        length = [int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")]
        while length and len(body) < length[0]:
            more = conn.recv(65536)
            if not more:
                break
            body += more
        return status_of(head), body
    except OSError:
        return 0, b""


def request(conn, method, path, token=None, more=b""):
    head = f"{method} {path} HTTP/1.1\r\nHost: box\r\n".encode()
    if token is not None:
        head += f"Authorization: Bearer {token}\r\n".encode()
    if method == "POST":
        head += b"Content-Length: 0\r\n"
    try:
        conn.sendall(head + more + b"\r\n")
    except OSError:
        return 0, b""
    return reply(conn)


class Kept:
    """A connection for some requests that fail, then another one from elsewhere: ten lock an address out."""

    def __init__(self):
        self.conn, self.left = None, 0

    def request(self, *args):
        if self.left == 0:
            if self.conn:
                self.conn.close()
            self.conn, self.left = connect(), 8
        self.left -= 1
        status, body = request(self.conn, *args)
        if status == 0:
            self.left = 0
        return status, body


def endpoints():
    for path, methods in api["paths"].items():
        for method, about in methods.items():
            names = [p["name"] for p in about["parameters"]]
            yield method.upper(), path + ("?seconds=1" if "seconds" in names else ""), about["x-weir-role"]


def kinds_of_refusal():
    """One of each, before the log's limit leaves any out; then the lock-out."""
    conn = connect("127.2.0.1")
    for more, text in ((b"", "no token"), (b"Authorization: Basic YTpi\r\n", "another scheme")):
        expect(401, text, request(conn, "GET", "/v1/status", None, more)[0])
    for _ in range(7):
        request(conn, "GET", "/v1/status", token["unknown"])
    expect(401, "the tenth try", request(conn, "GET", "/v1/status", token["unknown"])[0])
    expect(429, "a good token of an address that is locked out", request(conn, "GET", "/v1/status", token["admin"])[0])
    expect(0, "once more on its connection", request(conn, "GET", "/v1/status", token["admin"])[0])
    raw = socket.create_connection(ADDRESS, 5, source_address=("127.2.0.1", 0))
    try:
        tls.wrap_socket(raw)
        say("an address that is locked out gets a handshake")
    except (ssl.SSLError, OSError):
        pass


def login(conn, user, password, more=""):
    body = f"user={user}&password={password}".encode()
    conn.sendall(f"POST /v1/session HTTP/1.1\r\nHost: box:9953\r\nContent-Type: application/x-www-form-urlencoded\r\n{more}"
                 f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    got = b""
    while b"\r\n\r\n" not in got:
        got += conn.recv(65536)
    head, _, rest = got.partition(b"\r\n\r\n")
    while not rest.endswith(b"}"):
        rest += conn.recv(65536)
    return status_of(head), head.decode(), json.loads(rest)


def sessions():
    """A browser's session: its cookie, its second secret, pages of other sites, its end."""
    conn = connect()
    for user, password in (("eve", "another password"), ("nobody", "a+long+password")):
        expect(401, f"a login as {user} with a wrong password", login(conn, user, password)[0])
    expect(403, "a login by a page of another site", login(conn, "eve", "a+long+password", "Origin: https://evil.example\r\n")[0])
    got, head, about = login(conn, "eve", "a+long+password")
    cookie = head.partition("Set-Cookie: ")[2].partition("\r\n")[0]
    if got != 200 or not all(flag in cookie for flag in ("__Host-weir=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/")):
        say(f"a login: {got}")
    name = cookie.partition(";")[0]
    secrets.write_text(name.partition("=")[2] + "\n" + about["csrf"] + "\n")

    def ask(method, path, more=""):
        return request(conn, method, path, None, f"Cookie: a=b; {name}\r\n{more}".encode())[0]

    csrf = f"X-Weir-CSRF: {about['csrf']}\r\n"
    for method, path, more, wanted in (
            *[("GET", "/v1/status", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n", 403)] * 12,
            ("GET", "/v1/status", "", 200), ("GET", "/v1/user", "", 200), ("GET", "/v1/tokens", "", 403),
            ("POST", "/v1/cache/flush?name=a.test", "", 403), ("POST", "/v1/cache/flush?name=a.test", "X-Weir-CSRF: x\r\n", 403),
            ("POST", "/v1/cache/flush?name=a.test", csrf[:-3] + ("1" if csrf[-3] == "0" else "0") + "\r\n", 403),
            ("POST", "/v1/cache/flush?name=a.test", csrf + "Origin: https://evil.example\r\n", 403),
            ("POST", "/v1/cache/flush?name=a.test", csrf + "Origin: null\r\n", 403),
            ("POST", "/v1/cache/flush?name=a.test", csrf + "Sec-Fetch-Site: cross-site\r\n", 403),
            ("POST", "/v1/cache/flush?name=a.test", csrf + "Origin: https://box\r\nSec-Fetch-Site: same-origin\r\n", 200),
            ("PUT", "/v1/entries", "", 403), ("PUT", "/v1/entries", csrf, 403),
            ("POST", "/v1/config/reload", csrf, 403), ("POST", "/v1/session/end", "", 403), ("POST", "/v1/session/end", csrf, 200),
            ("GET", "/v1/status", "", 401)):
        expect(wanted, f"{method} {path} with a session and {more!r}", ask(method, path, more))
    conn.close()
    conn = connect()
    for wanted in [401] * 10 + [429, 0]:
        expect(wanted, "a login without a form", request(conn, "POST", "/v1/session")[0])
    conn.close()
    many = []
    for i in range(12):  # more than wait for a check of a password
        one = connect()
        one.sendall(b"POST /v1/session HTTP/1.1\r\nHost: box\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                    b"Content-Length: 26\r\n\r\nuser=ev%x&password=abcdefgh" % i)
        many.append(one)
    got = [reply(one)[0] for one in many]
    if set(got) != {401, 503}:
        say(f"many logins at a time: {got}")
    for _ in range(10):  # each from another address
        with connect() as conn:
            got = login(conn, "eve", "another password")[0]
    with connect() as conn:
        expect((401, 429), "a user for whom ten passwords were tried", (got, login(conn, "eve", "a+long+password")[0]))


def each_endpoint():
    bad = Kept()
    for method, path, role in endpoints():
        if role == "none":
            continue
        for name in (None, "expired", "revoked", "unknown"):
            expect(401, f"{method} {path} with {name or 'no'} token", bad.request(method, path, token[name] if name else None)[0])
        # Lower roles first, on one connection: the right one may begin a stream.
        conn = connect()
        for other in SYNC_REFUSES if role == "sync" else ROLES[:ROLES.index(role)]:
            expect(403, f"{method} {path} as {other}, takes {role}", request(conn, method, path, token[other])[0])
        got, body = request(conn, method, path, token[role])
        if got in (0, 401, 403, 429) or got == 404 and b"no such endpoint" in body:
            say(f"{method} {path} as {role}: {got} {body[:80]!r}")
        conn.close()


def hurried():
    """A user in a hurry, from one address and from the next, while another one is served."""
    for _ in range(2):
        conn, got = connect(), []
        while 429 not in got and len(got) < 5000:
            got.append(request(conn, "GET", "/v1/toggles", token["read"])[0])
        if set(got) != {200, 429}:
            say(f"{len(got)} requests at once: {sorted(set(got))}")
        conn.close()
    if len(got) > 100:
        say(f"{len(got)} requests by one user from another address")
    expect(200, "another user", request(connect(), "GET", "/v1/toggles", token["operate"])[0])


PATHS = ["//v1/tokens", "/v1//tokens", "/v1/../v1/tokens", "/v1/./tokens", "/v1/status/../tokens", "/V1/tokens", "/v1/Tokens",
         "/v1/%74okens", "/v1%2ftokens", "/v1/tokens%00", "/v1/tokens/", "/v1/tokens;a=b", "/v1/tokens%20", "/v1/tokens.json",
         "/%2e%2e/v1/tokens", "/v1/%2e/tokens", "\\v1\\tokens", "/v1\\tokens", "http://box/v1/tokens", "//box/v1/tokens", "/tokens",
         "/v1/status%0d%0aX:%20y", "/v1/tokens#a", "*", "v1/tokens", "/v1", "/v1/", "/"]
METHODS = ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "HEAD", "get", "POST"]


def odd_requests():
    good = token["read"]
    for path in PATHS:
        for who in (None, good):
            conn = connect()
            got, body = request(conn, "GET", path, who)
            if got == 200 or b"created_unix_s" in body:
                say(f"GET {path} with {'a' if who else 'no'} token: {got}")
            conn.close()
    for method in METHODS:
        conn = connect()
        got, body = request(conn, method, "/v1/tokens", good)
        if got == 200 or b"created_unix_s" in body:
            say(f"{method} /v1/tokens: {got}")
        conn.close()
    admin = token["admin"]
    kept = Kept()
    for text in ("", " ", admin[:-1], admin + "0", admin + " ", admin.upper(), " " + admin, admin[5:], admin + "\t" + admin, "*", "null"):
        got = kept.request("GET", "/v1/tokens", text)[0]
        if got == 200 and text.strip() != admin:
            say(f"the token {text[:8]!r}... of {len(text)} bytes: {got}")
    conn = connect()
    expect(401, "a token in the URL", request(conn, "GET", f"/v1/tokens?token={admin}&access_token={admin}")[0])
    conn = connect()
    expect(401, "two tokens, the second one good",
           request(conn, "GET", "/v1/tokens", token["unknown"], f"Authorization: Bearer {admin}\r\n".encode())[0])


def large_requests():
    for more, what in ((b"X-Large: " + b"a" * 20000 + b"\r\n", "a header of 20 kB"),
                       (b"".join(b"X-%d: a\r\n" % i for i in range(3000)), "3,000 header fields")):
        conn = connect()
        got = request(conn, "GET", "/v1/status", token["read"], more)[0]
        if got == 200:
            say(f"{what}: {got}")
        conn.close()
    conn = connect()
    conn.sendall(f"POST /v1/set HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {token['admin']}\r\nContent-Length: 9000000\r\n\r\n".encode())
    try:
        for _ in range(200):
            conn.sendall(b"a" * 16384)
    except OSError:
        pass
    if reply(conn)[0] == 200:
        say("a body of 9 MB")
    conn.close()


def only(made, version):
    made.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.minimum_version = made.maximum_version = version
    return made


def speaks(version, address):
    """Does a handshake with this version of TLS alone come to its end?"""
    raw = socket.create_connection(address, 5, source_address=(source(), 0))
    try:
        only(context(), version).wrap_socket(raw).close()
        return True
    except (ssl.SSLError, OSError):
        return False


def old_server(version):
    """A server that takes one connection with this version: what a client needs for it is there."""
    made = only(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), version)
    made.load_cert_chain(folder / "server.pem", folder / "server.key")
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def take():
        try:
            made.wrap_socket(listener.accept()[0], server_side=True).close()
        except OSError:
            pass
    threading.Thread(target=take, daemon=True).start()
    return listener


def weak_connections():
    raw = socket.create_connection(ADDRESS, 5, source_address=(source(), 0))
    raw.sendall(b"GET /v1/status HTTP/1.1\r\nHost: b\r\n\r\n")
    try:
        if raw.recv(4096).startswith(b"HTTP/"):
            say("clear text is answered")
    except OSError:
        pass
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with old_server(version) as lenient:
            if not speaks(version, lenient.getsockname()):
                say(f"{version.name} is not what this program can try")
        time.sleep(0.05)
        if speaks(version, ADDRESS):
            say(f"{version.name} is accepted")


def slow_client(conn, begin, piece):
    """Sends a byte now and then; says when weir has not closed it in time."""
    until = time.monotonic() + LIFE_S + 5
    try:
        conn.sendall(begin)
        conn.settimeout(0.5)
        while time.monotonic() < until:
            conn.sendall(piece)
            try:
                if not conn.recv(100):
                    return
            except (TimeoutError, ssl.SSLWantReadError):
                pass
    except OSError:
        return
    say(f"a slow client ({begin[:10]!r}) is connected after {LIFE_S + 5} s")


def slow_clients():
    threads = []
    for conn, begin in ((connect(), b"GET /v1/status HTTP/1.1\r\nX: "), (connect(), b""),
                        (socket.create_connection(ADDRESS, 10, source_address=(source(), 0)), b"\x16\x03\x01\x40\x00\x01")):
        threads.append(threading.Thread(target=slow_client, args=(conn, begin, b"a")))
        threads[-1].start()
    return threads


def resident_kb():
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def answers():
    return subprocess.run(shlex.split(dns), capture_output=True, timeout=20).stdout.strip() != b""


class Memory(threading.Thread):
    """What the process grows by until `end`, at most."""

    def __init__(self):
        super().__init__(daemon=True)
        self.before, self.most, self.over = resident_kb(), 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.1):
            self.most = max(self.most, resident_kb() - self.before)

    def end(self):
        self.over.set()
        self.join()
        print(f"memory grew by {self.most} KiB at most", flush=True)
        if self.most > GROWTH_MAX_KB:
            say(f"{self.most} KiB of memory, over {GROWTH_MAX_KB}")


def many_connections():
    held, silent = [], 0
    for i in range(CONNECTIONS):
        try:
            held.append(socket.create_connection(ADDRESS, 0.3, source_address=(source(), 0)))
            if i % 3 == 0:
                held[-1].sendall(b"\x16\x03\x01\x02\x00\x01")
        except OSError:
            pass
        if i % 200 == 0:
            silent += not answers()
    if silent:
        say(f"{CONNECTIONS} connections: {silent} questions without an answer")
    for one in held:
        one.close()
    time.sleep(1)
    expect(200, "after many connections", request(connect(), "GET", "/v1/status", token["read"])[0])
    print(f"{CONNECTIONS} connections: {len(held)} made", flush=True)


def run(step):
    began = time.monotonic()
    try:
        step()
    except Exception as error:  # a step of a thread, too
        say(f"{step.__name__}: {error!r}")
    print(f"{step.__name__}: {time.monotonic() - began:.1f} s", flush=True)


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    memory = Memory()
    slow = slow_clients()
    run(kinds_of_refusal)
    run(sessions)
    beside = threading.Thread(target=lambda: [run(step) for step in (weak_connections, odd_requests, large_requests)])
    beside.start()
    run(each_endpoint)
    beside.join()
    run(hurried)
    run(many_connections)
    for thread in slow:
        thread.join()
    memory.end()
    if not answers():
        say("no answer in the end")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    api = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder, pid, secrets, dns = pathlib.Path(sys.argv[2]), sys.argv[3], pathlib.Path(sys.argv[4]), sys.argv[5]
    token = {p.stem: p.read_text().strip() for p in folder.glob("*.token")}
    tls = context()
    main()
