# SPDX-License-Identifier: BSD-3-Clause
"""A copy of the tree in which every site asks whether it is to be left out, and its build. The checkout is not touched."""
import json
import os
import pathlib
import shutil
import subprocess

import sites

TARGETS = ("dataplane/weir-dataplane", "controlplane/weir-controlplane", "tools/ctl/weirctl")
HEADER = pathlib.Path(__file__).with_name("stranger.h")
# Where the marks of blocks are known: what a lost block was allocated by.
MARKS = "dataplane/core/base/heap_site.c"
MARKS_TAIL = """
const struct heap_site *stranger_site(void *p);
const struct heap_site *stranger_site(void *p)
{
	uint64_t word;
	memcpy(&word, mark_place(p, malloc_usable_size(p)), MARK);
	return (word >> SITE_BITS << SITE_BITS) == mark_of(p) ? site_of(word & ((1 << SITE_BITS) - 1)) : NULL;
}
"""


def is_instrumented(name):
    return name.startswith(("controlplane/", "dataplane/")) and name.endswith(".c") and name != MARKS


def write_changed(path, data):
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


class Tree:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.src, self.build = self.folder / "src", self.folder / "src" / "build"
        self.sites = {}

    def make(self, root, say):
        names = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True,
                               capture_output=True, text=True).stdout.split("\0")
        names = [n for n in sorted(names) if n and (pathlib.Path(root) / n).is_file()]
        for name in names:
            write_changed(self.src / name, self.source(name, (pathlib.Path(root) / name).read_bytes()))
            shutil.copymode(pathlib.Path(root) / name, self.src / name)
        for path in [p for p in self.src.rglob("*.[ch]") if self.build not in p.parents]:
            if str(path.relative_to(self.src)) not in names:
                path.unlink()
        if not (self.build / "build.ninja").exists():
            say(f"setting up {self.build}")
            compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
            linker = ["-Dc_link_args=-fuse-ld=mold"] if shutil.which("mold") else []
            subprocess.run(["meson", "setup", str(self.build), str(self.src), "-Dtests=false", *linker], check=True,
                           stdout=subprocess.DEVNULL, env={**os.environ, "CC": compiler})
        say("building")
        done = subprocess.run(["ninja", "-C", str(self.build), *TARGETS], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit("\n".join(line for line in done.stdout.splitlines() if "error" in line) or done.stdout[-2000:])
        (self.folder / "sites.json").write_text(json.dumps([vars(s) for s in self.sites.values()]))

    def source(self, name, data):
        if name == MARKS:
            return data + MARKS_TAIL.encode()
        if not is_instrumented(name):
            return data
        text = data.decode()
        found = sites.file_sites(name, text, len(self.sites) + 1)
        self.sites.update((s.id, s) for s in found)
        return sites.guarded(text, found, HEADER).encode() if found else data
