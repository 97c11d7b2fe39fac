# SPDX-License-Identifier: BSD-3-Clause
"""Certificates by openssl: NAME.pem and NAME.key in a folder."""
import subprocess

KEY = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]


def made(folder, name, *options):
    subprocess.run(["openssl", "req", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem", *options], cwd=folder, check=True,
                   capture_output=True)


def authority(folder, name):
    made(folder, name, "-subj", f"/CN={name} of this test", "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def certificate(folder, name, ca, names):
    made(folder, name, "-subj", "/CN=server", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-addext", f"subjectAltName={names}",
         "-addext", "basicConstraints=critical,CA:FALSE")
