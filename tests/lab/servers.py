# SPDX-License-Identifier: BSD-3-Clause
"""Servers over TLS and HTTPS for weir to ask: certificates in /run/smoke/NAME.pem and NAME.key, and unbound."""
import functools
import pathlib
import subprocess

import certificates
from lab import TMP, run
from wait import wait

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


authority = functools.partial(certificates.authority, TMP)  # of its name
certificate = functools.partial(certificates.certificate, TMP)  # of its name, that of its authority, and what it is for


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
