#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tools/release over small packages: what it makes, what it refuses, and that apt takes of its repository what is signed
and nothing else. usage: test_release.py ROOT"""

import email.utils
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv[1])
USED = ("tools/release", "tools/version", "tools/commit.txt", ".gitattributes", "meson.build")
ENV = {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")}, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
       "LC_ALL": "C.UTF-8"}
WHO = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
DEBS = (("bookworm", "12", "amd64"), ("bookworm", "12", "arm64"), ("trixie", "13", "amd64"))


def sh(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, env={**ENV, **more.pop("env", {})}, **more)


def must(*command, **more):
    done = sh(*command, **more)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def make_key(folder, name, passphrase=""):
    """An OpenPGP key without a passphrase, or with one: the file of its secret part."""
    home = folder / f"home-{name}"
    home.mkdir(mode=0o700)
    (home / "gpg-agent.conf").write_text("s2k-count 65536\n")  # else it measures for seconds what this machine can bear
    gpg = ("gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase)
    must(*gpg, "--quick-gen-key", name, "ed25519", "sign", "never")
    file = folder / f"{name}.key"
    file.write_text(must(*gpg, "--armor", "--export-secret-keys"))
    sh("gpgconf", "--homedir", home, "--kill", "all")
    return file


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-release-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.keys = {"weir": make_key(cls.folder, "weir"), "mallory": make_key(cls.folder, "mallory"),
                    "closed": make_key(cls.folder, "closed", "a word")}
        cls.update_key = cls.folder / "update.key"
        must("openssl", "genpkey", "-algorithm", "ed25519", "-out", cls.update_key)

    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        self.tree, self.out, self.packages = self.work / "tree", self.work / "out", self.work / "packages"
        self.url = f"file:{self.out}/apt"
        for name in USED:
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.tree / name)
        # An image that says what it was asked for.
        image = self.tree / "tools/container/image"
        image.parent.mkdir()
        image.write_text('#!/bin/sh\n[ ! -p "$0.waits" ] || { echo >"$0.waits" && exec sleep 60; }\necho "$1 $2 $(shift 4 && basename -a "$@" | xargs)" >"$4"\n')
        image.chmod(0o755)
        must("git", "init", "-q", self.tree)
        self.commit("weir: begin")
        self.tag("0.2.0", "-m", "Scrapers need metrics.hosts.")
        self.commit("lists: read them twice", "page: show: all", "an odd title")
        self.tag("0.3.0", "-m", "The second.\n\nIt is better.")
        self.make_packages("0.3.0")

    def git(self, *words):
        return must("git", *WHO, "-C", self.tree, *words)

    def commit(self, *titles):
        for title in titles:
            with open(self.tree / "file", "a") as file:
                file.write(title)
            self.git("add", "-A")
            self.git("commit", "-q", "-m", title)

    def tag(self, version, *how):
        self.git("tag", *how, f"v{version}")

    def bill(self, suite, arch):
        return json.dumps({"of": f"{suite} {arch}", "packages": [{"sourceInfo": "git commit " + self.git("rev-parse", "HEAD").strip()}]})

    def make_packages(self, version):
        """Of weir and its debug symbols, for each of DEBS, built from the commit that is checked out."""
        for suite, number, arch in DEBS:
            (self.packages / suite).mkdir(parents=True, exist_ok=True)
            for name in ("weir", "weir-dbgsym"):
                full = f"{version.replace('-', '~')}+deb{number}"
                tree = self.work / "deb"
                (tree / "DEBIAN").mkdir(parents=True)
                (tree / "usr/share/doc/weir").mkdir(parents=True)
                (tree / "usr/share/doc/weir/weir.spdx.json").write_text(self.bill(suite, arch))
                (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: {full}\nArchitecture: {arch}\nMaintainer: a <a@b.invalid>\n"
                                                     "Description: a test\n of several lines\n .\n and an empty one\n")
                must("dpkg-deb", "-Znone", "--root-owner-group", "-b", tree, self.packages / suite / f"{name}_{full}_{arch}.deb")
                shutil.rmtree(tree)

    def release(self, version, *words, key="weir", out=None):
        (self.work / "tmp").mkdir(exist_ok=True)
        return sh(self.tree / "tools/release", version, "--out", out or self.out, "--packages", self.packages, *(("--key", self.keys[key]) if key else ()),
                  "--url", self.url, "--update-key", self.update_key, "--for", *(f"{suite}/{arch}" for suite, _, arch in DEBS), *words,
                  env={"TMPDIR": str(self.work / "tmp")})

    def released(self, version, *words, **more):
        done = self.release(version, *words, **more)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def refused(self, why, version, *words, **more):
        done = self.release(version, *words, **more)
        self.assertEqual(1, done.returncode)
        self.assertIn(why, done.stderr)
        self.assertEqual([], list((self.work / "tmp").iterdir()))

    def apt(self, *command, suite="bookworm", arch="amd64", sources=None):
        """apt-get of a machine that has the repository and nothing else."""
        root = self.work / f"machine-{suite}-{arch}"
        for place in ("etc/apt/sources.list.d", "etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial",
                      "var/lib/dpkg", "var/log/apt", "home"):
            (root / place).mkdir(parents=True, exist_ok=True)
        (root / "var/lib/dpkg/status").touch()
        (root / "etc/apt/sources.list.d/weir.sources").write_text(sources or (self.out / f"apt/{suite}.sources").read_text())
        config = root / "apt.conf"
        config.write_text(f'Dir "{root}/"; Dir::State::status "{root}/var/lib/dpkg/status"; APT::Architecture "{arch}"; APT::Architectures {{ "{arch}"; }};\n'
                          'APT::Sandbox::User "root"; APT::Update::Error-Mode "any"; Acquire::Languages "none";\n')
        return sh(*command, cwd=root / "home", env={"APT_CONFIG": str(config)})

    def apt_refuses(self, why, *command, **more):
        done = self.apt(*command, **more)
        self.assertNotEqual(0, done.returncode)
        self.assertRegex(done.stdout + done.stderr, why)

    def test_all_that_it_makes(self):
        said = self.released("0.3.0")
        names = {f"{name}_0.3.0+deb{number}_{arch}.deb" for _, number, arch in DEBS for name in ("weir", "weir-dbgsym")}
        names |= {f"weir_0.3.0+deb{number}_{arch}.spdx.json" for _, number, arch in DEBS}
        if os.geteuid() == 0:
            names.add("weir-0.3.0.oci.tar")
            arm64 = " weir_0.3.0+deb12_arm64.deb" if os.path.exists("/proc/sys/fs/binfmt_misc/qemu-aarch64") else ""
            self.assertEqual(f"--suite bookworm weir_0.3.0+deb12_amd64.deb{arm64}\n", (self.out / "weir-0.3.0.oci.tar").read_text())
        listed = names | {"weir-0.3.0.tar.gz", "update", "notes.md", "weir.asc"}
        self.assertEqual(listed | {"apt", "SHA256SUMS", "SHA256SUMS.asc"}, {path.name for path in self.out.iterdir()})
        sums = dict(reversed(line.split("  ")) for line in (self.out / "SHA256SUMS").read_text().splitlines())
        self.assertEqual({name: hashlib.sha256((self.out / name).read_bytes()).hexdigest() for name in listed - {"update"}}, sums)
        self.assertEqual(self.bill("bookworm", "arm64"), (self.out / "weir_0.3.0+deb12_arm64.spdx.json").read_text())
        inside = must("tar", "-tf", self.out / "weir-0.3.0.tar.gz").splitlines()
        self.assertIn("weir-0.3.0/tools/version", inside)
        must("tar", "-xf", self.out / "weir-0.3.0.tar.gz", "-C", self.work)
        self.assertEqual("0.3.0", must(self.work / "weir-0.3.0/tools/version").strip())
        self.assertNotIn("left out: the", re.sub(r"left out: the container .*", "", said))

    def test_notes(self):
        self.released("0.3.0")
        text = re.sub(r"\([0-9a-f]{7,}\)", "(commit)", (self.out / "notes.md").read_text())
        self.assertTrue(text.startswith("# weir 0.3.0\n\nThe second.\n\nIt is better.\n\nSince v0.2.0:\n\n**lists**\n\n* read them twice (commit)\n\n"
                                        "**others**\n\n* an odd title (commit)\n\n**page**\n\n* show: all (commit)\n"), text)

    def test_notes_of_an_upgrade(self):
        """What its page says of what is refused, and nothing else of that page."""
        page = self.tree / "docs/how-to/install.md"
        page.parent.mkdir(parents=True)
        page.write_text("## Upgrade\n\nSo.\n\n### What a newer version refuses\n\nDear [patterns](../a.md).\n\n## Downgrade\n\nThe same.\n")
        self.commit("docs: warn")
        self.tag("0.4.0", "-m", "The third.")
        self.make_packages("0.4.0")
        self.released("0.4.0")
        self.assertTrue((self.out / "notes.md").read_text().startswith("# weir 0.4.0\n\nThe third.\n\n## Upgrading\n\nDear patterns.\n\nSince v0.3.0:\n"))

    def test_notes_of_the_first(self):
        self.git("checkout", "-q", "v0.2.0")
        self.make_packages("0.2.0")
        self.released("0.2.0")
        self.assertIn("Scrapers need metrics.hosts.\n\nNo version before it has a tag; it has 1 commits.\n", (self.out / "notes.md").read_text())

    def test_apt_takes_it(self):
        self.released("0.3.0")
        for suite, number, arch in DEBS:
            done = self.apt("apt-get", "update", suite=suite, arch=arch)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            done = self.apt("apt-get", "download", "weir", suite=suite, arch=arch)
            self.assertEqual(0, done.returncode, done.stderr)
            got, = (self.work / f"machine-{suite}-{arch}/home").glob("weir_*.deb")
            self.assertEqual((self.packages / suite / f"weir_0.3.0+deb{number}_{arch}.deb").read_bytes(), got.read_bytes())

    def test_an_index_expires_where_its_publisher_says_so(self):
        self.released("0.3.0")
        self.assertNotIn("Valid-Until", (self.out / "apt/dists/bookworm/InRelease").read_text())
        shutil.move(self.out, self.work / "first")
        self.released("0.3.0", "--repository-days", "30")
        signed = (self.out / "apt/dists/bookworm/InRelease").read_text()
        issued, until = (email.utils.parsedate_to_datetime(re.search(rf"^{name}: (.*)$", signed, re.M)[1]) for name in ("Date", "Valid-Until"))
        self.assertEqual(30, (until - issued).days)
        self.assertEqual(0, self.apt("apt-get", "update").returncode)
        self.assertEqual(2, self.release("0.3.0", "--repository-days", "367", out=self.work / "second").returncode)

    def test_apt_refuses_what_is_not_signed(self):
        self.released("0.3.0")
        right = (self.out / "apt/bookworm.sources").read_text()
        shutil.move(self.out, self.work / "first")
        self.released("0.3.0", key="mallory")
        self.apt_refuses("NO_PUBKEY|not signed|Missing key", "apt-get", "update", sources=right)
        release = self.out / "apt/dists/bookworm/InRelease"
        release.write_text(release.read_text().replace("Origin: weir", "Origin: rain"))
        self.apt_refuses("BADSIG|[Ii]nvalid|not signed", "apt-get", "update")

    def test_apt_refuses_what_was_changed(self):
        self.released("0.3.0")
        deb = self.out / "apt/pool/bookworm/weir_0.3.0+deb12_amd64.deb"
        self.assertEqual(0, self.apt("apt-get", "update").returncode)
        data = bytearray(deb.read_bytes())
        data[-1] ^= 1
        deb.write_bytes(data)
        self.apt_refuses("Hash Sum mismatch", "apt-get", "download", "weir")
        for name in ("Packages", "Packages.gz"):
            (self.out / "apt/dists/trixie/main/binary-amd64" / name).write_bytes(b"Package: weir\nVersion: 9\n")
        self.apt_refuses("Hash Sum mismatch|unexpected size", "apt-get", "update", suite="trixie")

    def test_a_repository_keeps_former_releases(self):
        self.released("0.3.0")
        self.commit("weir: mend")
        self.tag("0.3.1-rc.1")
        self.make_packages("0.3.1-rc.1")
        self.released("0.3.1-rc.1", "--repository", self.out / "apt", out=self.work / "second")
        self.assertEqual(0, self.apt("apt-get", "update").returncode)
        said = self.apt("apt-cache", "policy", "weir").stdout
        self.assertIn("Candidate: 0.3.1~rc.1+deb12\n", said)
        self.assertIn(" 0.3.0+deb12 ", said)

    def test_one_version_is_published_once(self):
        self.released("0.3.0")
        deb = self.packages / "bookworm/weir_0.3.0+deb12_amd64.deb"
        shutil.copy(self.packages / "bookworm/weir-dbgsym_0.3.0+deb12_amd64.deb", deb)
        self.refused("is there with other bytes", "0.3.0", "--repository", self.out / "apt", out=self.work / "second")

    def test_packages_of_another_commit_are_not_taken(self):
        built = self.git("rev-parse", "HEAD").strip()
        self.git("tag", "-d", "v0.3.0")
        self.commit("weir: mend at the last moment")
        self.tag("0.3.0", "-m", "The second.")
        self.refused(f"weir_0.3.0+deb12_amd64.deb is of commit {built}, and this checkout is {self.git('rev-parse', 'HEAD').strip()}", "0.3.0")
        self.make_packages("0.3.0")
        self.released("0.3.0")

    def test_update_is_signed(self):
        said = self.released("0.3.0", "--update-days", "30")
        text, signature = (self.out / "update").read_text().split("signature ")
        self.assertRegex(text, r"\Aweir-update 1\nversion 0\.3\.0\nissued \S+Z\nexpires \S+Z\n\Z")
        plain, sig, public = (self.work / name for name in ("plain", "sig", "public"))
        plain.write_text(text)
        sig.write_bytes(subprocess.run(["base64", "-d"], input=signature.encode(), capture_output=True, check=True).stdout)
        line = re.search(r"^updates.key of users: (\S+)$", said, re.M)[1]
        public.write_text(f"-----BEGIN PUBLIC KEY-----\n{line}\n-----END PUBLIC KEY-----\n")
        must("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", plain, "-sigfile", sig)

    def test_sums_are_signed(self):
        self.released("0.3.0")
        ring = self.work / "ring.gpg"
        must("gpg", "--dearmor", "--output", ring, self.out / "weir.asc")
        must("gpgv", "--keyring", ring, self.out / "SHA256SUMS.asc", self.out / "SHA256SUMS")
        with open(self.out / "SHA256SUMS", "a") as file:
            file.write("\n")
        self.assertNotEqual(0, sh("gpgv", "--keyring", ring, self.out / "SHA256SUMS.asc", self.out / "SHA256SUMS").returncode)

    def test_a_key_with_a_passphrase(self):
        word = self.work / "word"
        word.write_text("another word\n")
        self.refused("gpg failed", "0.3.0", "--passphrase-file", word, key="closed")
        self.assertFalse(self.out.exists())
        word.write_text("a word\n")
        self.released("0.3.0", "--passphrase-file", word, key="closed")
        self.assertEqual([], list((self.work / "tmp").iterdir()))

    @unittest.skipIf(os.geteuid(), "needs root for a container")
    def test_a_signal_leaves_no_key(self):
        os.mkfifo(self.tree / "tools/container/image.waits")
        (self.work / "tmp").mkdir()
        with subprocess.Popen([str(word) for word in (self.tree / "tools/release", "0.3.0", "--out", self.out, "--packages", self.packages, "--key",
                                                      self.keys["weir"], "--for", "bookworm/amd64")],
                              env={**ENV, "TMPDIR": str(self.work / "tmp")}, stdout=subprocess.DEVNULL) as process:
            (self.tree / "tools/container/image.waits").read_text()
            self.assertEqual(1, len(list((self.work / "tmp").iterdir())))
            process.terminate()
            self.assertEqual(143, process.wait(20))
        self.assertEqual([], list((self.work / "tmp").iterdir()))

    def test_without_keys_it_says_what_is_left_out(self):
        done = sh(self.tree / "tools/release", "0.3.0", "--out", self.out, "--packages", self.packages, "--for", "bookworm/amd64")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        for what in ("the repository for apt and the signature of the sums: no --key", "the file of the update notice: no --update-key"):
            self.assertIn(f"left out: {what}\n", done.stdout)
            self.assertIn(f"* {what}\n", (self.out / "notes.md").read_text())
        self.assertEqual(set(), {"apt", "update", "SHA256SUMS.asc", "weir.asc"} & {path.name for path in self.out.iterdir()})

    def test_what_it_refuses(self):
        self.refused("this checkout is 0.3.0, not 0.2.0", "0.2.0")
        self.refused("is no version", "v0.3.0")
        self.commit("lists: go on")
        self.refused("git tag -a v0.3.1", "0.3.1")
        self.tag("0.3.1")
        (self.tree / "file").write_text("changed")
        self.refused("commit or take back what has changed", "0.3.1")
        self.git("checkout", "-q", "-f", "v0.3.0")
        wrong = self.packages / "bookworm/weir_0.3.0+deb12_amd64.deb"
        shutil.copy(self.packages / "bookworm/weir_0.3.0+deb12_arm64.deb", wrong)
        self.refused("is another package", "0.3.0")
        self.out.mkdir()
        (self.out / "file").touch()
        self.refused("is not empty", "0.3.0")


unittest.main(argv=sys.argv[:1])
