#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a container tool does with the image. usage:
container_bundle.py unpack ARCHIVE FOLDER      the image of this machine's architecture: FOLDER/rootfs, FOLDER/image.json
container_bundle.py config FOLDER BUNDLE STATE CAPABILITIES [NAME=VALUE|/FILE:/TARGET|tmpfs:/PLACE|writable]...
                                               BUNDLE/config.json (OCI runtime 1.0): read-only but for `writable`, network of the caller,
                                               STATE at /var/lib/weir, these capabilities (NAME,NAME), variables, files and tmpfs
"""
import gzip
import hashlib
import io
import json
import pathlib
import platform
import sys
import tarfile

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def blob(tar, descriptor):
    data = tar.extractfile("blobs/" + descriptor["digest"].replace(":", "/")).read()
    assert "sha256:" + hashlib.sha256(data).hexdigest() == descriptor["digest"], descriptor
    assert len(data) == descriptor["size"], descriptor
    return data


def unpack(archive, folder):
    with tarfile.open(archive) as tar:
        assert json.load(tar.extractfile("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
        entry, = json.load(tar.extractfile("index.json"))["manifests"]
        index = json.loads(blob(tar, entry))
        mine, = [image for image in index["manifests"] if image["platform"] == {"architecture": ARCH, "os": "linux"}]
        manifest = json.loads(blob(tar, mine))
        config = json.loads(blob(tar, manifest["config"]))
        layer, = manifest["layers"]
        plain = gzip.decompress(blob(tar, layer))
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(plain).hexdigest()]
    (folder / "rootfs").mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        tar.extractall(folder / "rootfs", numeric_owner=True)
    (folder / "image.json").write_text(json.dumps(config))


def runtime(folder, bundle, state, capabilities, *words):
    image = json.loads((folder / "image.json").read_text())["config"]
    names = [f"CAP_{name}" for name in capabilities.split(",") if name]
    nothing = ["nosuid", "noexec", "nodev"]
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
              {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
              {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": nothing + ["mode=1777", "size=65536k"]},
              {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro"] + nothing},
              {"destination": "/var/lib/weir", "type": "none", "source": state, "options": ["rbind", "rw"]}]
    env = list(image["Env"])
    for word in words:
        if word.startswith("/"):
            source, _, target = word.partition(":")
            mounts.append({"destination": target, "type": "none", "source": source, "options": ["bind", "ro"]})
        elif word.startswith("tmpfs:"):
            mounts.append({"destination": word.removeprefix("tmpfs:"), "type": "tmpfs", "source": "tmpfs", "options": nothing + ["mode=1777"]})
        elif "=" in word:
            env.append(word)
    # As Docker and Podman do: the groups that the image has root in.
    groups = [int(line.split(":")[2]) for line in (folder / "rootfs/etc/group").read_text().splitlines() if "root" in line.split(":")[3].split(",")]
    config = {
        "ociVersion": "1.0.2", "hostname": "weir", "mounts": mounts,
        "root": {"path": str(folder / "rootfs"), "readonly": "writable" not in words},
        "process": {"user": {"uid": 0, "gid": 0, "additionalGids": groups}, "args": image["Entrypoint"], "env": env, "cwd": image["WorkingDir"],
                    "noNewPrivileges": True, "capabilities": {kind: names for kind in ("bounding", "effective", "permitted")},
                    "rlimits": [{"type": "RLIMIT_MEMLOCK", "soft": 65536, "hard": 65536}]},
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
                  "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"], "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"]}}
    bundle.mkdir(parents=True, exist_ok=True)
    (bundle / "config.json").write_text(json.dumps(config, indent=1))


if __name__ == "__main__":
    if sys.argv[1] == "unpack":
        unpack(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
    else:
        runtime(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), *sys.argv[4:])
