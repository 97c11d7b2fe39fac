#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The files of tools/container against each other and against what reads them. usage: test_container.py ROOT WEIRCTL"""

import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import unittest.mock

import yaml

ROOT, WEIRCTL = pathlib.Path(sys.argv[1]), sys.argv[2]
HERE = ROOT / "tools/container"
WORDS = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "HEALTHCHECK", "RUN", "USER", "VOLUME", "WORKDIR"}


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


class Variables(unittest.TestCase):
    """The variables WEIR_* of the image, with the real `weirctl config check` and a machine that has eth0."""

    KNOWN = """interface eth0
address 192.0.2.53/24
address 2001:db8::53/64
network 192.0.2.0/24
network 2001:db8::/64
list oisd-small https://small.oisd.nl/
list stevenblack https://lists.example/hosts
servers quad9 tls://dns.quad9.net@9.9.9.9 tls://dns.quad9.net@149.112.112.112
"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        weirctl = self.folder / "weirctl"
        weirctl.write_text("#!/bin/sh\n"
                           "case \"$1 $*\" in *eth9*) echo 'weirctl: no interface \"eth9\"' >&2; exit 1 ;;\n"
                           f"setup*) cat <<'KNOWN'\n{self.KNOWN}KNOWN\n;;\n*) exec {WEIRCTL} \"$@\" ;; esac\n")
        weirctl.chmod(0o755)
        self.secret = self.folder / "password"
        self.secret.write_text("correct horse battery\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=dns.example",
                        "-addext", "subjectAltName=DNS:dns.example", "-keyout", self.folder / "tls.key", "-out", self.folder / "tls.pem"],
                       check=True, capture_output=True)

    def run_bash(self, *words, **variables):
        return subprocess.run(["bash", *words], capture_output=True, text=True,
                              env={"PATH": f"{self.folder}:/usr/sbin:/usr/bin:/sbin:/bin", **variables})

    def printed(self, mounted="/nonexistent", **variables):
        return self.run_bash(HERE / "entry", "--print", mounted, **{"WEIR_PORT": "sockets", **variables})

    def made(self, **variables):
        """The configuration that they make, which weir accepts."""
        done = self.printed(**variables)
        self.assertEqual((0, ""), (done.returncode, done.stderr), variables)
        file = self.folder / "weir.yaml"
        # What a start puts there, and a group of the image.
        file.write_text(done.stdout.replace("/run/weir/control/tls", f"{self.folder}/tls").replace("/var/lib/weir/container/page", f"{self.folder}/tls")
                        .replace("group: weir-admin", "group: root").replace("group: weir-stats", "group: root"))
        checked = self.checked(file, **variables)
        self.assertEqual((0, ""), (checked.returncode, checked.stderr), done.stdout)
        return yaml.safe_load(done.stdout)

    def checked(self, file, **variables):
        return self.run_bash("-c", f". {HERE}/settings.sh; settings_try {file}", **variables)

    def refused(self, *sentences, mounted="/nonexistent", **variables):
        done = self.printed(mounted, **variables)
        self.assertEqual((1, ""), (done.returncode, done.stdout), variables)
        for sentence in sentences:
            self.assertIn(f"weir-container: {sentence}", done.stderr)

    def test_none(self):
        made = self.made()
        self.assertEqual([{"xdp": "eth0"}], made["dataplane"]["ports"])
        self.assertEqual(["192.0.2.53/24"], made["dataplane"]["service_addresses"])
        self.assertEqual(["tls://dns.quad9.net@9.9.9.9", "tls://dns.quad9.net@149.112.112.112"],
                         [server["address"] for server in made["upstreams"]["servers"]])
        self.assertEqual([{"name": "oisd-small", "url": "https://small.oisd.nl/"}], made["blocking"]["lists"])
        self.assertNotIn("control", made)

    def test_each(self):
        def servers(made):
            return [server["address"] for server in made["upstreams"]["servers"]]
        page = {"WEIR_PAGE_PASSWORD_FILE": str(self.secret)}
        tls = {"WEIR_TLS_CERTIFICATE_FILE": f"{self.folder}/tls.pem", "WEIR_TLS_KEY_FILE": f"{self.folder}/tls.key"}
        for variables, got, want in (
                ({"WEIR_INTERFACE": "eth0"}, lambda made: made["dataplane"]["ports"], [{"xdp": "eth0"}]),
                ({"WEIR_ADDRESS": "192.0.2.53 2001:db8::53 192.0.2.54/32"}, lambda made: made["dataplane"]["service_addresses"],
                 ["192.0.2.53/24", "2001:db8::53/64", "192.0.2.54/32"]),
                ({"WEIR_PORT": "tap"}, lambda made: made["dataplane"]["ports"], [{"device": "net_tap0,iface=wt0", "exception": "weir0"}]),
                ({"WEIR_UPSTREAMS": "192.0.2.1,tls://dns.example@192.0.2.2"}, servers, ["192.0.2.1", "tls://dns.example@192.0.2.2"]),
                ({"WEIR_UPSTREAMS": "recursion"}, lambda made: made["upstreams"], {"mode": "recursive", "via": "kernel"}),
                ({"WEIR_DNSSEC": "true"}, lambda made: made["dnssec"]["validate"], "true"),
                ({"WEIR_LISTS": "stevenblack https://lists.example/a?b='c /lists/own.txt"},
                 lambda made: [item.get("url", item.get("path")) for item in made["blocking"]["lists"]],
                 ["https://lists.example/hosts", "https://lists.example/a?b='c", "/lists/own.txt"]),
                ({"WEIR_LISTS": "none"}, lambda made: "lists" in made["blocking"], False),
                ({"WEIR_BLOCKING_MODE": "null"}, lambda made: made["blocking"]["mode"], "null"),
                ({"WEIR_DOMAIN": "lan"}, lambda made: made["local"]["zones"], [{"name": "lan"}]),
                ({"WEIR_DOMAIN": "lan", "WEIR_DOMAIN_SERVER": "192.0.2.1"},
                 lambda made: (made["forward_zones"], made["client_names"]["ptr_servers"]), ([{"name": "lan", "servers": ["192.0.2.1"]}], ["192.0.2.1"])),
                ({"WEIR_CLIENTS": "private 192.0.2.0/24"}, lambda made: made["access"]["allow"], ["private", "192.0.2.0/24"]),
                ({"WEIR_LOG_DAYS": "30"}, lambda made: made["query_log"]["store"], {"enabled": True, "hours": 720}),
                ({"WEIR_LOG_DAYS": "08"}, lambda made: made["query_log"]["store"]["hours"], 192),
                ({"WEIR_LOG_DAYS": "0"}, lambda made: made["query_log"]["store"], {"enabled": False}),
                ({"WEIR_PRIVACY": "truncate"}, lambda made: made["query_log"]["anonymize"], "truncate"),
                ({"WEIR_PAGE_PASSWORD": "correct horse"}, lambda made: made["control"]["listen"], ["192.0.2.53"]),
                (page, lambda made: made["control"]["allow"][-2:], ["192.0.2.0/24", "2001:db8::/64"]),
                ({**page, "WEIR_PAGE_ADDRESS": "127.0.0.1:9000"}, lambda made: made["control"]["listen"], ["127.0.0.1:9000"]),
                ({**page, "WEIR_PAGE_CLIENTS": "192.0.2.9"}, lambda made: made["control"]["allow"], ["192.0.2.9"]),
                (tls, lambda made: made["dot"]["enabled"], True),
                ({**tls, "WEIR_TLS_NAME": "dns.example"}, lambda made: made["tls"]["name"], "dns.example"),
                ({**tls, **page}, lambda made: "certificates" in made["control"], False),
                ({"WEIR_CACHE_MB": "16"}, lambda made: made["cache"]["l0_mb"], "16"),
                ({"WEIR_LOG_LEVEL": "debug"}, lambda made: made["runtime"]["log_level"], "debug"),
                ({"TZ": "Europe/Berlin"}, lambda made: "control" in made, False)):
            with self.subTest(**variables):
                self.assertEqual(want, got(self.made(**variables)))

    def test_wrong(self):
        secret = str(self.secret)
        for variables, sentence in (
                ({"WEIR_UPSTREAM": "quad9"}, "WEIR_UPSTREAM: there is no such variable"),
                ({"WEIR_LISTS": "none\nupstreams: {}"}, "WEIR_LISTS: a line end or another control character is in it"),
                ({"WEIR_LISTS": "oisd-smal"}, 'WEIR_LISTS: "oisd-smal" is no URL, no absolute path, and none of: '),
                ({"WEIR_INTERFACE": "eth9"}, 'WEIR_INTERFACE: no interface "eth9"'),
                ({"WEIR_PORT": "af_xdp"}, 'WEIR_PORT: "af_xdp" is none of auto, xdp, tap, sockets'),
                ({"WEIR_LOG_DAYS": "366"}, 'WEIR_LOG_DAYS: "366" is no number from 0 to 365'),
                ({"WEIR_LOG_DAYS": "-1"}, "WEIR_LOG_DAYS: "),
                ({"WEIR_DOMAIN_SERVER": "192.0.2.1"}, "WEIR_DOMAIN_SERVER: it needs WEIR_DOMAIN"),
                ({"WEIR_TLS_NAME": "dns.example"}, "WEIR_TLS_NAME: it needs WEIR_TLS_CERTIFICATE_FILE"),
                ({"WEIR_TLS_CERTIFICATE_FILE": secret}, "WEIR_TLS_CERTIFICATE_FILE: it needs WEIR_TLS_KEY_FILE"),
                ({"WEIR_TLS_KEY_FILE": secret}, "WEIR_TLS_KEY_FILE: it needs WEIR_TLS_CERTIFICATE_FILE"),
                ({"WEIR_TLS_KEY_FILE": "/nonexistent"}, 'WEIR_TLS_KEY_FILE: there is no file "/nonexistent" to read'),
                ({"WEIR_PAGE_PASSWORD_FILE": "/nonexistent"}, 'WEIR_PAGE_PASSWORD_FILE: there is no file "/nonexistent" to read'),
                ({"WEIR_PAGE_PASSWORD": "short"}, "WEIR_PAGE_PASSWORD: the password has 5 characters, and must have 10 to 256"),
                ({"WEIR_PAGE_PASSWORD": "long enough", "WEIR_PAGE_PASSWORD_FILE": secret}, "WEIR_PAGE_PASSWORD: WEIR_PAGE_PASSWORD_FILE is set, too"),
                ({"WEIR_PAGE_ADDRESS": "192.0.2.53"}, "WEIR_PAGE_ADDRESS: it needs WEIR_PAGE_PASSWORD_FILE"),
                ({"WEIR_PAGE_CLIENTS": "192.0.2.53"}, "WEIR_PAGE_CLIENTS: it needs WEIR_PAGE_PASSWORD_FILE"),
                ({"TZ": "Europe/Atlantis"}, 'TZ: there is no time zone "Europe/Atlantis"')):
            with self.subTest(**variables):
                self.refused(sentence, **variables)

    def test_all_that_is_wrong_is_said_at_once(self):
        self.refused("WEIR_A: there is no such variable", "WEIR_B: there is no such variable", WEIR_A="", WEIR_B="1")

    def test_what_weir_refuses_names_the_variable(self):
        page = {"WEIR_PAGE_PASSWORD_FILE": str(self.secret)}
        tls = {"WEIR_TLS_CERTIFICATE_FILE": f"{self.folder}/tls.pem", "WEIR_TLS_KEY_FILE": f"{self.folder}/tls.key"}
        for name, value, more in (
                ("WEIR_ADDRESS", "nonsense", {}), ("WEIR_UPSTREAMS", "nonsense:x:y", {}), ("WEIR_DNSSEC", "perhaps", {}),
                ("WEIR_BLOCKING_MODE", "hide", {}), ("WEIR_DOMAIN", "a..b", {}), ("WEIR_DOMAIN_SERVER", "router", {"WEIR_DOMAIN": "lan"}),
                ("WEIR_CLIENTS", "everybody", {}), ("WEIR_PRIVACY", "some", {}), ("WEIR_PAGE_ADDRESS", "here", page),
                ("WEIR_PAGE_CLIENTS", "10.0.0.1/8", page), ("WEIR_TLS_NAME", "a..b", tls), ("WEIR_CACHE_MB", "0", {}), ("WEIR_CACHE_MB", "many", {}),
                ("WEIR_LOG_LEVEL", "loud", {}), ("WEIR_LISTS", "ftp://lists.example/", {})):
            with self.subTest(**{name: value}):
                done = self.printed(**{name: value, **more})
                self.assertEqual(0, done.returncode, done.stderr)
                (self.folder / "weir.yaml").write_text(done.stdout.replace("/run/weir/control/tls", f"{self.folder}/tls")
                                                       .replace("group: weir-admin", "group: root").replace("group: weir-stats", "group: root"))
                checked = self.checked(self.folder / "weir.yaml", **{name: value})
                self.assertEqual(1, checked.returncode, done.stdout)
                self.assertIn(f"weir-container: {name}: ", checked.stderr)

    def test_a_mounted_file_counts_alone(self):
        mounted = self.folder / "mounted.yaml"
        mounted.write_text("version: 1\n")
        self.refused(f"WEIR_UPSTREAMS: {mounted} is mounted and counts alone: set this there", mounted=mounted, WEIR_UPSTREAMS="quad9")

    def test_each_is_in_the_documentation(self):
        named = set(re.findall(r"WEIR_\w+", self.run_bash("-c", f". {HERE}/settings.sh; printf ' WEIR_%s' \"${{!settings[@]}}\"").stdout))
        rows = set(re.findall(r"^\| `(WEIR_\w+)` \|", (ROOT / "docs/how-to/container.md").read_text(), re.M))
        self.assertEqual(named - {"WEIR_CONFIG"}, rows)


class Image(unittest.TestCase):
    """The archive, of two small file systems in place of Debian's."""

    @classmethod
    def setUpClass(cls):
        loader = importlib.machinery.SourceFileLoader("image", str(HERE / "image"))
        cls.image = importlib.util.module_from_spec(importlib.util.spec_from_loader("image", loader))
        with unittest.mock.patch.object(sys, "dont_write_bytecode", True):
            loader.exec_module(cls.image)

    def archive(self, folder, name):
        """An archive of amd64 and arm64."""
        (folder / name).mkdir()
        layout, images = self.image.Layout(folder / name / "layout"), []
        for arch in ("amd64", "arm64"):
            with tarfile.open(folder / name / f"{arch}.tar", "w") as tar:
                for path, text in (("./etc/passwd", "root:x:0:0::/:/bin/sh\nweir-cp:x:954:953:weir:/:/bin/sh\n"), ("./etc/weir/weir.yaml", "no"),
                                   ("./var/log/dpkg.log", "no"), ("./etc/group", "weir:x:953:root\n"), ("./arch", arch)):
                    member = tarfile.TarInfo(path)
                    member.size, member.mtime, member.uname = len(text), 2_000_000_000, "builder"
                    tar.addfile(member, io.BytesIO(text.encode()))
                link = tarfile.TarInfo("./same")
                link.type, link.linkname = tarfile.LNKTYPE, "./arch"
                tar.addfile(link)
            layer = self.image.layer(folder / name / f"{arch}.tar", 1_700_000_000)
            images.append(layout.image(arch, "1.0", "2023-11-14T22:13:20Z", layer))
        layout.finish("1.0", images)
        self.image.write_tar(folder / name / "out.tar", layout.folder, 1_700_000_000)
        return folder / name / "out.tar"

    def test_archive(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            archive = self.archive(folder, "one")
            self.assertEqual(archive.read_bytes(), self.archive(folder, "two").read_bytes())
            # As container tools read it: each digest, the image of this machine.
            subprocess.run([ROOT / "tests/smoke/rig/container_bundle.py", "unpack", archive, folder / "image"], check=True)
            root, config = folder / "image/rootfs", json.loads((folder / "image/image.json").read_text())
            arch = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
            self.assertEqual((arch, arch), (config["architecture"], (root / "arch").read_text()))
            self.assertTrue((root / "same").samefile(root / "arch"))
            self.assertFalse((root / "etc/weir/weir.yaml").exists() or (root / "var/log/dpkg.log").exists())
            self.assertEqual(1_700_000_000, (root / "etc/group").stat().st_mtime)
            entry = root / config["config"]["Entrypoint"][0].lstrip("/")
            self.assertEqual((HERE / "entry").read_bytes(), entry.read_bytes())
            self.assertTrue(entry.stat().st_mode & 0o111 and (entry.parent / "settings.sh").exists())
            with tarfile.open(archive) as tar:
                top = json.load(tar.extractfile("index.json"))["manifests"]
                index = json.load(tar.extractfile("blobs/" + top[0]["digest"].replace(":", "/")))
            self.assertEqual(["amd64", "arm64"], [image["platform"]["architecture"] for image in index["manifests"]])


class Examples(unittest.TestCase):
    """Each names the rights of docs/how-to/container.md, and variables that there are."""

    HOST = {"SETUID", "SETGID", "NET_BIND_SERVICE", "NET_ADMIN", "NET_RAW", "BPF", "PERFMON", "IPC_LOCK"}

    def accepted(self, variables):
        with tempfile.NamedTemporaryFile("w") as secret:
            secret.write("a-password-of-the-page")
            secret.flush()
            there = {name: secret.name if name.endswith("_FILE") else value for name, value in variables.items()}
            done = subprocess.run(["bash", "-c", f". {HERE}/settings.sh; mounted=/nonexistent; settings_check"], capture_output=True, text=True,
                                  env={"PATH": os.environ["PATH"], **there})
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertLessEqual({"WEIR_INTERFACE", "WEIR_UPSTREAMS"}, set(variables))

    def test_documentation(self):
        page = (ROOT / "docs/how-to/container.md").read_text()
        table = set(re.findall(r"`([A-Z_]+)`", " ".join(re.findall(r"^\| (`[A-Z_`, ]+`) \| [^|]+ \|$", page.split("## Rights")[1], re.M))))
        self.assertEqual(self.HOST | {"CHOWN"}, table)
        self.assertEqual(self.HOST, set(re.search(r"--cap-add (\S+)", page)[1].split(",")))

    def test_compose(self):
        compose = load("compose.yaml")
        service, = compose["services"].values()
        self.assertEqual((["ALL"], self.HOST), (service["cap_drop"], set(service["cap_add"])))
        self.assertEqual(("host", True, ["/run"]), (service["network_mode"], service["read_only"], service["tmpfs"]))
        self.assertEqual(["weir:/var/lib/weir"], service["volumes"])
        self.assertEqual(set(compose["secrets"]), set(service["secrets"]))
        self.assertNotIn("privileged", service)
        self.accepted(service["environment"])

    def takes(self, command, *words):
        """weirctl has that command, and it takes these options."""
        self.assertEqual("weirctl", pathlib.Path(command).name)
        named = [word for word in words if not word.startswith("-")]
        usage = subprocess.run([WEIRCTL, *named[:2 if named[0] == "config" else 1], "--help"], capture_output=True, text=True)
        self.assertEqual(0, usage.returncode, words)
        self.assertTrue(usage.stdout.startswith(f"usage: weirctl {named[0]}"), usage.stdout)
        for option in words:
            if option.startswith("--"):
                self.assertRegex(usage.stdout, rf"\n  {option}\b", words)

    def checked(self, text):
        """weir accepts that configuration, in which operators may use weirctl: without a group root in a container may not."""
        self.assertIn("group: weir-admin", text)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text.replace("weir-admin", "root").replace("weir-stats", "root"))
            file.flush()
            done = subprocess.run([WEIRCTL, "config", "check", file.name], capture_output=True, text=True)
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def pod(self, name, mounts):
        """The objects of a manifest by their kinds, and its container, with what holds for each of them."""
        kinds = {item["kind"]: item for item in yaml.safe_load_all((HERE / name).read_text())}
        spec = kinds["DaemonSet"]["spec"]["template"]["spec"]
        container, = spec["containers"]
        rights = container["securityContext"]
        self.assertEqual((["ALL"], self.HOST | {"CHOWN"}), (rights["capabilities"]["drop"], set(rights["capabilities"]["add"])))
        self.assertEqual((False, True), (rights["allowPrivilegeEscalation"], rights["readOnlyRootFilesystem"]))
        # A service of this name would be a variable WEIR_PORT.
        self.assertEqual((True, False), (spec["hostNetwork"], spec["enableServiceLinks"]))
        self.assertEqual({volume["name"] for volume in spec["volumes"]}, {mount["name"] for mount in container["volumeMounts"]})
        self.assertEqual(mounts, {mount["mountPath"] for mount in container["volumeMounts"]})
        self.assertNotIn("subPath", str(container["volumeMounts"]))
        self.assertEqual(kinds["DaemonSet"]["spec"]["selector"]["matchLabels"], kinds["DaemonSet"]["spec"]["template"]["metadata"]["labels"])
        drain = container["lifecycle"]["preStop"]["exec"]["command"]
        for command in (drain, container["startupProbe"]["exec"]["command"], container["readinessProbe"]["exec"]["command"]):
            self.takes(*command)
        # The stop has 5 s behind the drain, which has the grace and 25 s.
        longest = int(drain[drain.index("--for") + 1].removesuffix("s"))
        self.assertGreaterEqual(longest, int(drain[drain.index("--grace") + 1]) + 25)
        self.assertGreaterEqual(spec["terminationGracePeriodSeconds"], longest + 5)
        return kinds, container

    def test_kubernetes(self):
        kinds, container = self.pod("daemonset.yaml", {"/run", "/var/lib/weir", "/secret"})
        variables = {item["name"]: item["value"] for item in container["env"]}
        self.assertEqual("/secret/page", variables["WEIR_PAGE_PASSWORD_FILE"])
        # No password that everybody knows: pods wait for the Secret that the page has an operator make.
        self.assertNotIn("Secret", kinds)
        volume, = [v for v in kinds["DaemonSet"]["spec"]["template"]["spec"]["volumes"] if v["name"] == "secret"]
        self.assertEqual({"secretName": "weir", "defaultMode": 0o400}, volume["secret"])
        self.assertIn("create secret generic weir --from-file=page\n", (ROOT / "docs/how-to/kubernetes.md").read_text())
        self.accepted(variables)

    def test_kubernetes_with_a_file(self):
        kinds, container = self.pod("daemonset-config.yaml", {"/run", "/var/lib/weir", "/etc/weir"})
        self.assertEqual(["TZ"], [item["name"] for item in container["env"]])
        self.checked(kinds["ConfigMap"]["data"]["weir.yaml"])

    @unittest.skipUnless(shutil.which("kubectl"), "no kubectl")
    def test_kubernetes_knows_each_field(self):
        """What its own types do not have is gone from what kubectl prints."""
        def lost(mine, theirs, path):
            if isinstance(mine, dict):
                return [at for key, value in mine.items() for at in (lost(value, theirs[key], f"{path}.{key}") if key in theirs else [f"{path}.{key}"])]
            if isinstance(mine, list):
                return [at for one, other in zip(mine, theirs[:len(mine)], strict=True) for at in lost(one, other, path)]
            return []
        for name in ("daemonset.yaml", "daemonset-config.yaml"):
            mine, = [item for item in yaml.safe_load_all((HERE / name).read_text()) if item["kind"] == "DaemonSet"]
            done = subprocess.run(["kubectl", "set", "env", "--local", "-f", "-", "A=b", "-o", "json"], input=json.dumps(mine), capture_output=True, text=True)
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertEqual([], lost(mine, json.loads(done.stdout), name))

    def test_nomad(self):
        text = (HERE / "weir.nomad.hcl").read_text()
        words = dict(re.findall(r"^ +(\w+) += +(.*)$", text, re.M))
        capabilities = {name.upper() for name in json.loads(words["cap_add"])}
        self.assertEqual((["all"], self.HOST | {"CHOWN"}), (json.loads(words["cap_drop"]), capabilities))
        self.assertEqual(capabilities, {name.upper() for name in json.loads(re.search(r"allow_caps = (.*)$", text, re.M)[1])})
        self.assertEqual(["local/weir:/etc/weir:ro"], json.loads(words["volumes"]))
        self.assertIn('"local/weir/weir.yaml"', words["destination"])
        commands = re.findall(r'command += "(.*)"\n +args += (.*)$', text, re.M)
        self.assertEqual([["config", "apply"], ["ready"]], [json.loads(args) for _, args in commands])
        for command, args in commands:
            self.takes(command, *json.loads(args))
        self.checked(re.search(r"<<YAML\n(.*)^YAML$", text, re.M | re.S)[1])

    def test_nspawn(self):
        lines = [line.partition("=")[::2] for line in (HERE / "weir.nspawn").read_text().splitlines() if "=" in line and not line.startswith("#")]
        settings = dict(lines)
        dropped = {name for key, value in lines if key == "DropCapability" for name in value.split()}
        kept = {f"CAP_{name}" for name in self.HOST}
        self.assertEqual((kept, set()), (set(settings["Capability"].split()), kept & dropped))
        self.assertLessEqual({"CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_MKNOD"}, dropped)
        self.assertEqual(("yes", "no"), (settings["ReadOnly"], settings["VirtualEthernet"]))
        self.assertTrue(settings["Bind"].endswith(":/var/lib/weir"))
        self.accepted(dict(value.split("=", 1) for name, value in lines if name == "Environment"))

    def test_stores(self):
        self.checked((HERE / "weir.yaml").read_text())

    def test_entries_are_one(self):
        for text in ((HERE / "Containerfile").read_text(), (HERE / "weir.nspawn").read_text()):
            self.assertIn("/usr/libexec/weir/container/entry", text)


class Stores(unittest.TestCase):
    def setUp(self):
        self.compose = load("stores.yaml")
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
        service = self.services["weir"]
        self.assertEqual((["ALL"], ["/dev/net/tun"], ["/run"]), (service["cap_drop"], service["devices"], service["tmpfs"]))
        self.assertEqual({"SETUID", "SETGID", "NET_BIND_SERVICE", "NET_ADMIN"}, set(service["cap_add"]))
        self.assertNotIn("privileged", service)

    def test_addresses_are_those_of_the_configurations(self):
        weir = load("weir.yaml")
        self.assertEqual(f"{self.address('weir')}:9153", weir["metrics"]["listen"])
        self.assertIn(self.address("prometheus"), weir["metrics"]["allow"])
        self.assertEqual([self.address("redis")], weir["redis"]["addresses"])
        self.assertEqual(f"http://{self.address('clickhouse')}:8123", weir["query_log"]["clickhouse"]["url"])
        scraped = load("prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"]
        self.assertEqual([weir["metrics"]["listen"]], scraped)
        sources = {source["name"]: source for source in load("grafana.yml")["datasources"]}
        self.assertEqual(f"http://{self.address('prometheus')}:9090", sources["Prometheus"]["url"])
        self.assertEqual(self.address("clickhouse"), sources["ClickHouse"]["jsonData"]["host"])

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
