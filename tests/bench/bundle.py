# SPDX-License-Identifier: BSD-3-Clause
"""Packs the bench programs, DPDK's drivers and every library that these need into one archive, which runs on a Linux machine
with nothing installed: unpack it, and `./run`.

The script `run` starts programs by the loader of the archive, with the libraries and drivers of the archive, so those of the
machine play no part. It needs a shell, /proc, /sys and a writable /tmp.
"""

import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

BYTES_MOST = 60 << 20
NAME = "weir-bench"
PROGRAMS = [f"tests/bench/bench_{name}" for name in
            ("path", "check", "workers", "resolver", "bytes", "except", "exchange", "upstream", "latency", "hour")] + \
    ["controlplane/weir-controlplane", "dataplane/weir-dataplane", "tools/ctl/weirctl", "tools/loadgen/weir-loadgen"]
DRIVERS = ["bus_vdev", "bus_pci", "mempool_ring", "mempool_stack",
           *(f"net_{name}" for name in ("pcap", "ring", "null", "memif", "tap", "af_packet", "af_xdp", "virtio", "e1000",
                                        "igc", "ixgbe", "i40e", "ice", "iavf", "ena", "vmxnet3"))]

RUN = r"""#!/bin/sh
# The benches of weir on this machine (docs/explanation/performance.md). ./run: all of them; ./run quick: some seconds;
# ./run PROGRAM ARGUMENT...: one of the folder bin.
here=$(cd "${0%/*}" && pwd) || exit
[ -n "${RUNTIME_DIRECTORY-}" ] || export RUNTIME_DIRECTORY=/tmp
one() {
	program=$1
	shift
	drivers=
	for driver in "$here"/drivers/*.so.*; do drivers="$drivers $driver"; done
	"$here/lib/LOADER" --library-path "$here/lib" --preload "$drivers" "$here/bin/$program" "$@"
}
# A bench that fails is named, and the others go on. 77: it needs more CPUs.
bench() {
	one "$@" || { code=$?; [ $code = 77 ] || { echo "FAILED: $*" >&2; failed=1; }; }
}
failed=0
case ${1-} in
'')
	bench bench_path
	for names in 1000 1000000; do bench bench_workers $names; done
	for resolvers in 1 2 4 8 12; do bench bench_resolver -r $resolvers; done
	bench bench_check
	bench bench_bytes
	bench bench_except
	bench bench_globs
	;;
quick)
	bench bench_path -g G7 -c 1k
	bench bench_resolver -r 1 -n 2 -m 20
	bench bench_resolver -r 2 -n 2 -m 20
	;;
*)
	one "$@"
	exit
	;;
esac
exit $failed
"""


class Failed(Exception):
    """The archive cannot be made; its text says why."""


def needed(file):
    """The libraries of a program or library by name, and the loader's path."""
    done = subprocess.run(["ldd", str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode or "not found" in done.stdout:
        raise Failed(f"{file}: {done.stdout.strip()}")
    loader = re.search(r"^\s*(/\S+/ld-\S+)", done.stdout, re.MULTILINE)
    return dict(re.findall(r"^\s*(\S+) => (/\S+)", done.stdout, re.MULTILINE)), loader and loader[1]


def drivers_found():
    """Of those that this DPDK has."""
    libdir = subprocess.run(["pkg-config", "--variable=libdir", "libdpdk"], stdout=subprocess.PIPE, text=True).stdout.strip()
    folders = sorted(pathlib.Path(libdir, "dpdk").glob("pmds-*"))
    if not libdir or not folders:
        raise Failed("no drivers of DPDK")
    found = [next(iter(sorted(folders[-1].glob(f"librte_{name}.so.*"))), None) for name in DRIVERS]
    return [path for path in found if path]


def stripped(source, to):
    """A copy without debug information, where there is a program for that."""
    shutil.copy(source, to)
    if shutil.which("strip"):
        subprocess.run(["strip", "--strip-unneeded", str(to)], check=True)


def lay_out(folder, tree):
    """The archive's folders."""
    libraries, loader = {}, None
    for name in ("bin", "lib", "drivers"):
        (folder / name).mkdir(parents=True)
    files = {folder / "bin" / pathlib.Path(p).name: pathlib.Path(tree, p) for p in PROGRAMS}
    files |= {folder / "drivers" / path.name: path for path in drivers_found()}
    for to, source in files.items():
        stripped(source, to)
        more, own_loader = needed(source)
        libraries |= more
        loader = loader or own_loader
    for name, path in libraries.items():
        if not (folder / "drivers" / name).exists():
            stripped(path, folder / "lib" / name)
    if not loader:
        raise Failed("the programs have no loader")
    shutil.copy(loader, folder / "lib")  # as it is: it carries the symbols that it relocates itself by
    run = folder / "run"
    run.write_text(RUN.replace("LOADER", pathlib.Path(loader).name))
    run.chmod(0o755)


def write(file, tree):
    """Makes the archive of a build tree, compressed by xz; its size in bytes."""
    file = pathlib.Path(file)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary, NAME)
        lay_out(folder, tree)
        with tarfile.open(file, "w:xz", preset=1) as archive:
            archive.add(folder, NAME)
    size = file.stat().st_size
    if size > BYTES_MOST:
        file.unlink()
        raise Failed(f"{file}: {size} bytes are more than {BYTES_MOST}")
    return size
