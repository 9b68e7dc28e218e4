"""A library of ours preloaded into the server, and the numbers in memory by which a test steers it."""

import mmap
import struct

import support


def library(test, name):
    """The path of `name`.c's, for LD_PRELOAD."""
    if support.SANITIZER:
        test.skipTest("a sanitizer comes before what is preloaded")
    return str(support.BUILD / "tests" / "e2e" / f"{name}.so")


class Shim:
    """`name`.c, whose control has so many integers of 64 bits."""

    def __init__(self, test, name, numbers):
        preload = library(test, name)
        folder = support.Folder()
        test.addCleanup(folder.__exit__)
        file = folder.path / "control"
        file.write_bytes(bytes(8 * numbers))
        with open(file, "r+b") as f:
            self.control = mmap.mmap(f.fileno(), 8 * numbers)
        test.addCleanup(self.control.close)
        self.env = {"LD_PRELOAD": preload, name.upper(): str(file)}

    def __getitem__(self, i):
        return struct.unpack_from("q", self.control, 8 * i)[0]

    def __setitem__(self, i, value):
        struct.pack_into("q", self.control, 8 * i, value)
