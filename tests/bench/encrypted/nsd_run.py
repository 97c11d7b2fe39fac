# SPDX-License-Identifier: BSD-3-Clause
"""NSD as the server that all servers of a benchmark ask, over UDP and TCP."""

import pathlib
import subprocess

PORT = 5301
CONFIG = """server:
  ip-address: 127.0.0.1@{port}
  username: root
  zonesdir: {directory}
  database: ""
  pidfile: ""
  xfrdfile: {directory}/xfrd.state
  zonelistfile: {directory}/zone.list
  rrl-ratelimit: 0
  tcp-count: 1000
remote-control:
  control-enable: no
"""
ZONE = "zone:\n  name: {name}\n  zonefile: {name}zone\n"
# Every name has an address.
ROOT = "$TTL 3600\n. SOA ns. root. 1 3600 600 86400 3600\n. NS ns.\nns. A 198.18.200.1\n*. A 198.18.200.1\n"


def start(directory, zones=()):
    """Serves the root above and `zones`, names with the dot at their end, each from its file NAMEzone in `directory`."""
    directory = pathlib.Path(directory)
    (directory / ".zone").write_text(ROOT)
    text = CONFIG.format(port=PORT, directory=directory) + "".join(ZONE.format(name=name) for name in (".", *zones))
    (directory / "nsd.conf").write_text(text)
    return subprocess.Popen(["nsd", "-d", "-c", str(directory / "nsd.conf")], stdout=subprocess.DEVNULL,
                            stderr=(directory / "nsd.log").open("w"))
