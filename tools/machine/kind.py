# SPDX-License-Identifier: BSD-3-Clause
"""Kinds of machines: the release of Debian and its kernel, and QEMU's machine for that architecture.

Kinds of one release and architecture share an image, which has the kernels of all of them.
"""
import dataclasses
import os

# The environment's word for the kind of this process and of those that it starts.
CHOSEN = "WEIR_VM_KIND"


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    kernel: str         # Debian's package
    suite: str          # the release, and its number
    release: str
    dpdk: str           # the number in names of DPDK's packages
    architecture: str   # Debian's word
    qemu: tuple         # the program, the machine, the processor
    iommu: tuple        # the device, where the machine does not have it
    append: str         # words for the kernel: console, IOMMU
    memory: int         # MiB
    make_seconds: int   # for mmdebstrap
    boot_seconds: int   # until the guest runs commands
    slower: int         # factor of all other times

    @property
    def flavour(self):
        """The end of the kernel's version."""
        return self.kernel.removeprefix("linux-image")


AMD64 = {
    "architecture": "amd64", "memory": 1024, "make_seconds": 900,
    "qemu": ("qemu-system-x86_64", "-machine", "q35,kernel-irqchip=split", "-cpu", "max"),
    "iommu": ("-device", "intel-iommu,intremap=on,caching-mode=on"),
    "append": "console=ttyS0 intel_iommu=on iommu=pt no_timer_check",
    "boot_seconds": 300, "slower": 1}  # 15 to 40 s are usual; 136 s at a load average of 16
ARM64 = {
    "architecture": "arm64", "memory": 1536, "make_seconds": 5400,
    "qemu": ("qemu-system-aarch64", "-machine", "virt,gic-version=3,iommu=smmuv3", "-cpu", "cortex-a76"),
    "iommu": (),
    "append": "console=ttyAMA0 iommu.passthrough=1",
    "boot_seconds": 600, "slower": 3}
BOOKWORM = {"suite": "bookworm", "release": "12", "dpdk": "23"}
TRIXIE = {"suite": "trixie", "release": "13", "dpdk": "25"}
DEFAULT = Kind("bookworm", "linux-image-amd64", **BOOKWORM, **AMD64)
# 4k, 16k: sizes of pages.
KINDS = {kind.name: kind for kind in (
    DEFAULT, Kind("trixie", "linux-image-amd64", **TRIXIE, **AMD64),
    Kind("4k", "linux-image-arm64", **TRIXIE, **ARM64), Kind("16k", "linux-image-arm64-16k", **TRIXIE, **ARM64))}


def choose(words, default=DEFAULT.name):
    """The kind that one of the words names, which is taken out of them; else the one chosen before, or `default`."""
    for word in words:
        if word in KINDS:
            os.environ[CHOSEN] = word
            words.remove(word)
            break
    return KINDS[os.environ.setdefault(CHOSEN, default)]


def beside(kind):
    """The kinds that share its image."""
    return [one for one in KINDS.values() if (one.suite, one.architecture) == (kind.suite, kind.architecture)]
