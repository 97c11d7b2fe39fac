# SPDX-License-Identifier: BSD-3-Clause
"""Reads files of a source within bounds. What cannot be read at all is Refused, with one sentence for a person."""
import glob
import os
import stat

FILE_MAX = 64 << 20  # bytes of one file
LINE_MAX = 1 << 20  # bytes of one line
PART = 1 << 20
FILES_MAX = 1000  # files that one pattern or folder names
DEPTH_MAX = 20  # files that include each other


class Refused(Exception):
    """Ends the import. Its text is the reason, without `weirctl:` in front."""


def why(error):
    return error.strerror or str(error)


def read_bytes(path):
    """The bytes of a regular file. A fifo or device does not block, and no more than FILE_MAX is read."""
    if "\0" in path:
        raise Refused(f"{path}: is no path")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise Refused(f"{path}: {why(error)}") from None
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        raise Refused(f"{path}: {'is a folder' if stat.S_ISDIR(mode) else 'is no regular file'}")
    with open(fd, "rb") as file:
        try:
            data = b""
            # A part at a time: read(n) allocates n bytes for a file of 100, too.
            while len(data) <= FILE_MAX and (part := file.read(PART)):
                data += part
        except OSError as error:
            raise Refused(f"{path}: {why(error)}") from None
    if len(data) > FILE_MAX:
        raise Refused(f"{path}: is larger than 64 MiB")
    return data


def read_text(path):
    """UTF-8; other bytes become U+FFFD, which no name, address or number has."""
    return read_bytes(path).decode("utf-8-sig", "replace")


def read_lines(path):
    """(number, line) of each line without its end. A NUL or a line over LINE_MAX refuses the file."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if len(line) > LINE_MAX:
            raise Refused(f"{path}: line {number}: is longer than 1 MiB")
        if "\0" in line:
            raise Refused(f"{path}: line {number}: has a NUL: is no text")
        yield number, line.rstrip("\r")


def exists(path):
    return "\0" not in path and os.path.exists(path)


def is_folder(path):
    return "\0" not in path and os.path.isdir(path)


def is_readable_file(path):
    return "\0" not in path and os.path.isfile(path) and os.access(path, os.R_OK)


def beside(base, path):
    """`path`, if it is relative, in the folder of the file `base`."""
    return path if os.path.isabs(path) else os.path.join(os.path.dirname(base), path)


def matches(pattern):
    """The files that a pattern names, sorted: (the first FILES_MAX, number of all)."""
    if "\0" in pattern or len(pattern) > 4096:
        return [], 0
    found = sorted(glob.glob(pattern))
    return found[:FILES_MAX], len(found)


def matches_in(folder, pattern):
    """The same in a folder, whose own name is no pattern."""
    return matches(os.path.join(glob.escape(folder), pattern))
