"""The README's requests to the bundled network, in their order, are answered as the README prints it."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import support

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n", re.M | re.S)
ADDRESS = "127.0.0.1:8080"


def examples(page):
    """(commands, answer) of the page's blocks that ask the network on its address; an answer follows at once, or is ""."""
    blocks = list(BLOCK.finditer(page))
    for block, after in zip(blocks, blocks[1:]):
        if block[1] == "sh" and block[2].startswith("curl ") and ADDRESS in block[2]:
            follows = not page[block.end():after.start()].strip() and after[1] != "sh"
            yield block[2], after[2] if follows else ""


def pieces(answer):
    """What must come in this order, without the white space that a page has more of; three dots are anything."""
    return ["".join(piece.split()) for piece in answer.split("...")]


class Readme(support.ServerTest):
    def test_examples(self):
        found = list(examples((support.ROOT / "README.md").read_text()))
        self.assertEqual([bool(answer) for _, answer in found], [True] * 3)
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(support.ROOT / "deploy", pathlib.Path(folder) / "deploy")
            for commands, answer in found:
                with self.subTest(commands):
                    done = subprocess.run(["bash", "-euc", commands.replace(ADDRESS, f"127.0.0.1:{self.server.port}")],
                                          cwd=folder, stdout=subprocess.PIPE, check=True)
                    self.check("".join(done.stdout.decode().split()), pieces(answer))

    def check(self, got, expected):
        self.assertTrue(got.startswith(expected[0]), got)
        self.assertTrue(got.endswith(expected[-1]), got)
        at = 0
        for piece in expected:
            self.assertIn(piece, got[at:])
            at = got.index(piece, at) + len(piece)


if __name__ == "__main__":
    unittest.main()
