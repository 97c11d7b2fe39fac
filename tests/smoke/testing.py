# SPDX-License-Identifier: BSD-3-Clause
"""What a smoke test imports of tests/lab, whose README.md says how to write one."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from ask import Reply, client_namespace, query
from control import CONFIG, Refused
from lab import LOGS, ROOT, TMP, own_disk, region, run
from run import LONG, main, own_lab
from servers import authority, certificate, serve, unbound
from upstream import Upstream
from wait import PATIENCE, ahead, becomes, stopped, together, wait
