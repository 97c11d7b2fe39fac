# SPDX-License-Identifier: BSD-3-Clause
"""Servers over TLS and HTTPS for weir to ask: certificates in /run/smoke/NAME.pem and NAME.key, and unbound."""
import pathlib
import subprocess

from lab import TMP, run
from wait import wait

KEY = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
UNBOUND = """server:
  {interfaces}
  tls-port: 853
  https-port: 443
  tls-service-key: {tmp}/{name}.key
  tls-service-pem: {tmp}/{name}.pem
  directory: {tmp}
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  log-queries: yes
  logfile: {tmp}/unbound.log
  access-control: 127.0.0.0/8 allow
  local-zone: unbound.test redirect
  local-data: "unbound.test 60 A {answer}"
remote-control:
  control-enable: no
"""


def files(name):
    return "-keyout", TMP / f"{name}.key", "-out", TMP / f"{name}.pem"


def authority(name):
    run("openssl", "req", *KEY, *files(name), "-subj", f"/CN={name} of this test", "-addext", "keyUsage=critical,keyCertSign")


def certificate(name, ca, names):
    run("openssl", "req", *KEY, *files(name), "-subj", "/CN=server", "-CA", TMP / f"{ca}.pem", "-CAkey", TMP / f"{ca}.key",
        "-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE")


def serve(*command, on, **how):
    """Start a server, which then listens on these (address, port)."""
    with open(TMP / f"{pathlib.Path(command[0]).name}.err", "a") as log:
        server = subprocess.Popen(list(map(str, command)), stderr=log, stdout=log, **how)
    wait(lambda: all(run("ss", "-Htnl", f"src {address}:{port}") for address, port in on), f"{command[0]} does not listen")
    return server


def unbound(name, answer, *on):
    """One with the certificate `name`, over TLS on port 853, over HTTPS on 443: all names below unbound.test have this address."""
    conf = TMP / f"unbound-{name}.conf"
    conf.write_text(UNBOUND.format(tmp=TMP, name=name, answer=answer,
                                   interfaces="\n  ".join(f"interface: {address}@{port}" for address, port in on)))
    return serve("unbound", "-c", conf, on=on)
