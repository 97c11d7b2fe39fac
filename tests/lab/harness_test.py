#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The harness itself: a test that ought to fail does, and says with which values; waiting ends; an upstream counts."""
import contextlib
import io
import os
import pathlib
import socket
import sys
import tempfile

os.environ["WEIR_PATIENCE"] = "0.005"  # 0.3 s

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import dnswire
import wait
from ask import Reply, query
from lab import merged
from run import Report, tests_of
from upstream import Upstream

TESTS = '''
def test_equal(lab): assert lab == 1
def test_unequal(lab): assert lab == 2
def test_in(lab): assert lab in (2, 3)
def test_dict(lab): assert {"a": 1, "b": lab} == {"a": 1, "b": 3}
def test_error(lab): lab.nothing
'''


def report_of(text):
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(text)
        file.flush()
        path = pathlib.Path(file.name)
        report = Report(path)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            for test in tests_of(path)[1]:
                report.run(test.__name__, test, 1)
    return report, out.getvalue()


def raised(function, *args):
    try:
        function(*args)
    except AssertionError as error:
        return str(error)
    raise SystemExit(f"{function} did not fail")


def main():
    report, said = report_of(TESTS)
    assert (report.count, report.bad) == (5, 4), said
    for line in ("ok 1 - test_equal\n", "not ok 2 - test_unequal\n", "  want: 2\n  got:  1\n", "  want: (2, 3)\n", "  want: {'b': 3}\n",
                 "AttributeError: 'int' object has no attribute 'nothing'\n"):
        assert line in said, (line, said)

    assert "no row" in raised(wait.wait, lambda: False, "no row")
    assert "want: 2" in raised(wait.becomes, 2, lambda: 1)
    values = iter((0, OSError(), 5))

    def next_value():
        value = next(values)
        if isinstance(value, OSError):
            raise value
        return value
    assert wait.wait(next_value) == 5

    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": None, "e": 3}, "d": [2]}) == {"a": {"c": 2, "e": 3}, "d": [2]}

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    upstream = Upstream(port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(20)

        def ask(name, rdtype="A"):
            sock.send(query(name, rdtype))
            return Reply(sock.recv(4096))
        assert repr(ask("ok-77.a.test")) == "NOERROR 198.18.200.1" and ask("ok-77.a.test").ttl == 77
        assert ask("nx.a.test").result == "NXDOMAIN" and ask("v4.a.test", "AAAA").result == "NODATA"
        assert ask("cname_b_test.a.test").texts == ["b.test.", "198.18.200.1"] and ask("fail.a.test").rcode == "SERVFAIL"
        assert (upstream.asked("OK-77.a.test"), upstream.asked("ok-77.a.test", "AAAA")) == (2, 0)
        with upstream.held() as kept:
            sock.send(query("ok.held.test"))
            wait.wait(lambda: kept)
            sock.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                raise SystemExit(f"it answered {sock.recv(4096)}")
        sock.settimeout(20)
        assert Reply(sock.recv(4096)).short == "198.18.200.1"
        for strange in (b"", bytes(12), query("ip_x.a.test")):  # says why on standard error, and goes on
            sock.send(strange)
        sock.send(dnswire.query(b"\2n\xb2\1a\4test\0"))
        assert Reply(sock.recv(4096)).short == "198.18.200.1"
    print("the harness fails where it ought to")


if __name__ == "__main__":
    main()
