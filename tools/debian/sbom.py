#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the bill of materials of the package as SPDX 2.3 JSON: its programs, and every library that they load.

usage: sbom.py VERSION COMMIT ROOT OUTPUT      ROOT has the installed tree; SOURCE_DATE_EPOCH is its time, and DEB_HOST_ARCH
                                               and DEB_HOST_MULTIARCH name the machine that it is for

A library is the Debian package that has it, in the version that is installed here, with the licence that its copyright file
states for all its files. What only that file's other paragraphs say stands in licenseComments.
"""

import datetime
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

# Debian's short names, where SPDX has another.
SPDX = {"Expat": "MIT", "BSD-3-clause": "BSD-3-Clause", "BSD-2-clause": "BSD-2-Clause", "GPL-2": "GPL-2.0-only",
        "GPL-2+": "GPL-2.0-or-later", "GPL-3+": "GPL-3.0-or-later", "LGPL-2": "LGPL-2.0-only",
        "LGPL-2+": "LGPL-2.0-or-later", "LGPL-2.1": "LGPL-2.1-only", "LGPL-2.1+": "LGPL-2.1-or-later",
        "LGPL-3+": "LGPL-3.0-or-later", "MPL-2.0": "MPL-2.0", "Apache-2.0": "Apache-2.0", "ISC": "ISC", "Zlib": "Zlib",
        "MIT": "MIT", "BSD-3-Clause": "BSD-3-Clause"}
# The data that the programs read.
READ = {"dns-root-data", "publicsuffix"}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def programs(root):
    return sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink()
                  and path.read_bytes()[:4] == b"\x7fELF")


@functools.cache
def needed(path):
    return frozenset(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", str(path))))


def installed(name):
    for folder in ("/lib", "/usr/lib"):
        path = pathlib.Path(folder, os.environ["DEB_HOST_MULTIARCH"], name)
        if path.exists():
            return path
    sys.exit(f"sbom.py: {name} is not installed")


def libraries(path):
    """{file name: where it is} of all that a program loads, and the names that it names itself. By the files' own tables, as
    the loader of another machine does not run here."""
    found, left = {}, set(needed(path))
    while left:
        name = left.pop()
        found[name] = str(installed(name))
        left |= needed(found[name]) - found.keys()
    return found, needed(path)


def owners(files):
    """{file: the package that has it}. One query for all, as each reads the whole database of dpkg."""
    names = {file: (file, os.path.realpath(file), os.path.realpath(file).removeprefix("/usr")) for file in files}
    found = subprocess.run(["dpkg-query", "-S", *{name for three in names.values() for name in three}],
                           capture_output=True, text=True).stdout
    has = {path: package.split(":")[0] for package, path in re.findall(r"^(\S+): (.*)$", found, re.M)}
    out = {file: next((has[name] for name in three if name in has), None) for file, three in names.items()}
    for file in (file for file, package in out.items() if not package):
        sys.exit(f"sbom.py: no package has {file}")
    return out


def licences(name):
    """(that of all files as SPDX writes it or NOASSERTION, all that the copyright file names)"""
    text = pathlib.Path("/usr/share/doc", name, "copyright").read_text(errors="replace")
    if not re.match(r"Format:.*copyright-format", text):
        return "NOASSERTION", ""
    every = re.search(r"^Files:\s*\*\s*\n(?:.+\n)*?License:\s*(.+)", text, re.M)
    main = SPDX.get(every[1].strip()) if every else None
    return main or "NOASSERTION", ", ".join(sorted(set(re.findall(r"^License:\s*(\S.*)", text, re.M))))


def package(name):
    said = run("dpkg-query", "-W", "-f", "${Version}\t${Architecture}\t${source:Package} ${source:Version}\n", name)
    every = (line.split("\t") for line in said.splitlines())
    version, arch, source = next(line for line in every if line[1] in ("all", os.environ["DEB_HOST_ARCH"]))
    licence, named = licences(name)
    out = {"SPDXID": "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", name), "name": name, "versionInfo": version,
           "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
           "sourceInfo": f"Debian source package {source}", "licenseConcluded": "NOASSERTION",
           "licenseDeclared": licence, "copyrightText": "NOASSERTION",
           "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                             "referenceLocator": f"pkg:deb/debian/{name}@{version}?arch={arch}"}]}
    if named:
        out["licenseComments"] = "Licences of its files: " + named
    return out


def entry(root, path):
    data = path.read_bytes()
    place = "./" + str(path.relative_to(root))
    return {"SPDXID": "SPDXRef-File-" + re.sub(r"[^A-Za-z0-9.-]", "-", place[2:]), "fileName": place,
            "fileTypes": ["BINARY"], "licenseConcluded": "BSD-3-Clause", "copyrightText": "2026 the weir authors",
            "checksums": [{"algorithm": kind, "checksumValue": hashlib.new(kind.lower(), data).hexdigest()}
                          for kind in ("SHA1", "SHA256")]}


def main():
    version, commit, root, output = sys.argv[1:]
    root = pathlib.Path(root)
    files = [entry(root, path) for path in programs(root)]
    linked = [libraries(path) for path in programs(root)]
    owner = owners({place for found, _ in linked for place in found.values()})
    direct = {owner[place] for found, needed in linked for name, place in found.items() if name in needed}
    indirect = set(owner.values()) - direct
    drivers = re.findall(r"^drivers:\w+=(.*)", pathlib.Path("debian/weir.substvars").read_text(), re.M)
    loaded = READ | set(re.findall(r"librte-[a-z0-9-]+", " ".join(drivers)))
    packages = [package(name) for name in sorted(direct | indirect | loaded)]
    weir = {"SPDXID": "SPDXRef-Package-weir", "name": "weir", "versionInfo": version,
            "supplier": "Organization: the weir authors", "downloadLocation": "NOASSERTION", "filesAnalyzed": True,
            "packageVerificationCode": {"packageVerificationCodeValue": hashlib.sha1("".join(sorted(
                file["checksums"][0]["checksumValue"] for file in files)).encode()).hexdigest()},
            "sourceInfo": f"git commit {commit}", "licenseConcluded": "BSD-3-Clause",
            "licenseDeclared": "BSD-3-Clause", "licenseInfoFromFiles": ["BSD-3-Clause"],
            "copyrightText": "2026 the weir authors", "hasFiles": [file["SPDXID"] for file in files]}

    def relation(name):
        kind = "DYNAMIC_LINK" if name in direct else "DEPENDS_ON"
        return {"spdxElementId": weir["SPDXID"], "relationshipType": kind,
                "relatedSpdxElement": "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)}

    made = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    document = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
                "name": f"weir-{version}",
                "documentNamespace": f"https://spdx.org/spdxdocs/weir-{version}-{commit}",
                "creationInfo": {"created": made.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: weir-sbom.py"]},
                "packages": [weir, *packages], "files": files,
                "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                                   "relatedSpdxElement": weir["SPDXID"]},
                                  *(relation(name) for name in sorted(direct | indirect | loaded))]}
    pathlib.Path(output).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


main()
