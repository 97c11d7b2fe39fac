#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The files of tools/container against each other and against what reads them. usage: test_container.py ROOT WEIRCTL"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT, WEIRCTL = pathlib.Path(sys.argv[1]), sys.argv[2]
HERE = ROOT / "tools/container"
WORDS = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "RUN", "USER", "VOLUME", "WORKDIR"}


def load(name):
    return yaml.safe_load((HERE / name).read_text())


class Containerfile(unittest.TestCase):
    def setUp(self):
        text = re.sub(r"\\\n", "", (HERE / "Containerfile").read_text())
        self.lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]

    def test_instructions(self):
        self.assertEqual(set(), {line[0] for line in self.lines} - WORDS)

    def test_stages(self):
        stages = [line[3] for line in self.lines if line[0] == "FROM" and "AS" in line]
        copied = [word.partition("=")[2] for line in self.lines for word in line if word.startswith("--from=")]
        self.assertTrue(copied and set(copied) <= set(stages))

    def test_base_is_debian_12(self):
        self.assertIn(["ARG", "BASE=docker.io/library/debian:bookworm-slim"], self.lines)
        self.assertEqual({"${BASE}"}, {line[1] for line in self.lines if line[0] == "FROM"})

    def test_what_a_build_needs_is_in_one_list(self):
        build = self.lines[:[line[0] for line in self.lines].index("FROM", 2)]
        installed = {word for line in build if "install" in line for word in line[line.index("install") + 1:]
                     if not word.startswith("-")}
        listed = (ROOT / "tools/packages").read_text().splitlines()
        self.assertEqual(set(), installed - {line.partition(" ")[2] for line in listed if line.startswith("build ")})
        self.assertTrue(any("/weir/tools/package" in line for line in build))

    def test_package_comes_from_where_it_was_put(self):
        out = next(line[line.index("--out") + 1] for line in self.lines if "--out" in line)
        self.assertTrue(any(line[0] == "COPY" and any(word.startswith(out + "/weir_") for word in line)
                            for line in self.lines))


class Compose(unittest.TestCase):
    def setUp(self):
        self.compose = load("compose.yaml")
        self.services = self.compose["services"]

    def address(self, service):
        return self.services[service]["networks"]["weir"]["ipv4_address"]

    def test_files_are_there(self):
        for name, service in self.services.items():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((HERE / source).is_file(), f"{name}: {source}")
                else:
                    self.assertIn(source, self.compose["volumes"], name)

    def test_rights_are_named(self):
        for name, device in (("dataplane", "/dev/net/tun"), ("controlplane", None)):
            service = self.services[name]
            self.assertEqual(["ALL"], service["cap_drop"])
            self.assertNotIn("privileged", service)
            self.assertNotIn("SYS_ADMIN", service["cap_add"])
            self.assertEqual([device] if device else [], service.get("devices", []))
            self.assertEqual({"soft": -1, "hard": -1}, service["ulimits"]["memlock"])
            readme = (HERE / "README.md").read_text()
            for capability in service["cap_add"]:
                self.assertIn(f"`{capability}`", readme)

    def test_both_processes_share_what_they_need(self):
        self.assertEqual(self.services["dataplane"]["volumes"], self.services["controlplane"]["volumes"])
        self.assertEqual("tmpfs", self.compose["volumes"]["run"]["driver_opts"]["type"])
        self.assertEqual("service:dataplane", self.services["controlplane"]["network_mode"])

    def test_addresses_are_those_of_the_configurations(self):
        weir = load("weir.yaml")
        self.assertEqual(f"{self.address('dataplane')}:9153", weir["metrics"]["listen"])
        self.assertIn(self.address("prometheus"), weir["metrics"]["allow"])
        self.assertEqual([self.address("redis")], weir["redis"]["addresses"])
        self.assertEqual(f"http://{self.address('clickhouse')}:8123", weir["query_log"]["clickhouse"]["url"])
        scraped = load("prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"]
        self.assertEqual([weir["metrics"]["listen"]], scraped)
        sources = {source["name"]: source for source in load("grafana.yml")["datasources"]}
        self.assertEqual(f"http://{self.address('prometheus')}:9090", sources["Prometheus"]["url"])
        self.assertEqual(self.address("clickhouse"), sources["ClickHouse"]["jsonData"]["host"])

    def test_weir_accepts_its_configuration(self):
        done = subprocess.run([WEIRCTL, "config", "check", HERE / "weir.yaml"], capture_output=True, text=True)
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    @unittest.skipUnless(shutil.which("promtool"), "no promtool")
    def test_prometheus_accepts_its_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            for file in (HERE / "prometheus.yml", ROOT / "tools/grafana/alerts.yml"):
                shutil.copy(file, folder)
            done = subprocess.run(["promtool", "check", "config", f"{folder}/prometheus.yml"], capture_output=True,
                                  text=True)
        self.assertEqual(0, done.returncode, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
