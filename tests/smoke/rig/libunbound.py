# SPDX-License-Identifier: BSD-3-Clause
"""The version of the library, for cases in which releases of Debian have others of another behaviour."""
import ctypes


def version():
    library = ctypes.CDLL("libunbound.so.8")
    library.ub_version.restype = ctypes.c_char_p
    return tuple(map(int, library.ub_version().decode().split(".")))
