"""The page at /: its files over HTTP; and in Chromium, where that and playwright-core are installed."""

import gzip
import json
import os
import re
import shutil
import struct
import subprocess
import unittest
import zlib

import onnx_writer
import support
import tensors
import test_doctored

PAGE = support.ROOT / "server" / "page"
CASES = support.ROOT / "tests" / "page" / "cases.mjs"
MODULES = support.ROOT / "build" / "page-tests" / "node_modules"
MOST_BYTES = 60 * 1024  # of the page's own files, unpacked


def embedded():
    """[(name, type)] as page.def has them."""
    text = (support.ROOT / "server" / "page.def").read_text()
    return re.findall(r'(?m)^SRV_PAGE_FILE\(\w+, ([^,]+), "([^"]+)"\)$', text)


def source(name):
    own = PAGE / name
    return (own if own.exists() else support.DIGITS / name).read_bytes()


class Files(support.ServerTest):
    def get(self, path, **headers):
        with self.server.client() as client:
            return client.get(path, {k.replace("_", "-"): v for k, v in headers.items()})

    def test_every_file(self):
        self.assertGreater(len(embedded()), 10)
        for name, kind in embedded():
            path = "/" if name == "index.html" else f"/page/{name}"
            plain, packed = self.get(path), self.get(path, Accept_Encoding="gzip")
            for reply in (plain, packed):
                self.assertEqual((reply.status, reply.header("Content-Type")), (200, kind), name)
            self.assertEqual(plain.body, source(name), name)
            self.assertEqual(gzip.decompress(packed.body), source(name), name)
            self.assertIsNone(plain.header("Content-Encoding"))
            self.assertNotEqual(plain.header("ETag"), packed.header("ETag"), "two representations")

    def test_size(self):
        names = [name for name, _ in embedded() if (PAGE / name).exists()]
        self.assertEqual(sorted(names), sorted(p.name for p in PAGE.iterdir() if p.suffix != ".md"))
        self.assertLessEqual(sum(len(source(name)) for name in names), MOST_BYTES)

    def test_not_modified(self):
        for coding in ("identity", "gzip"):
            first = self.get("/", Accept_Encoding=coding)
            tag = first.header("ETag")
            again = self.get("/", Accept_Encoding=coding, If_None_Match=f'"other", W/{tag}')
            self.assertEqual((again.status, again.body, again.header("ETag")), (304, b"", tag))
            self.assertEqual(self.get("/", Accept_Encoding=coding, If_None_Match='"other"').status, 200)

    def test_policy(self):
        reply = self.get("/")
        policy = dict(part.strip().split(" ", 1) for part in
                      reply.header("Content-Security-Policy").split(";"))
        self.assertEqual(policy["default-src"], "'none'")
        self.assertEqual(policy["script-src"], "'self'")
        self.assertEqual(policy["style-src"], "'self'")
        self.assertEqual(policy["frame-ancestors"], "'none'")
        self.assertEqual(reply.header("X-Content-Type-Options"), "nosniff")
        self.assertEqual(reply.header("Cache-Control"), "no-cache")
        self.assertNotRegex(source("index.html"), rb"https?://(?!www\.w3\.org/2000/svg)")

    def test_head_and_others(self):
        with self.server.client() as client:
            head = client.ask("HEAD", "/", None, None)
            self.assertEqual((head.status, head.body), (200, b""))
            self.assert_error(client.post("/", b""), 405, "GET, HEAD")
            self.assert_error(client.get("/page/none.js"), 404, "none.js")
            self.assert_error(client.get("/page/"), 404)
            self.assert_error(client.get("/page/..%2fmodel.json"), 400, "%2F")


class Options(unittest.TestCase):
    def status(self, server, port=None):
        with support.wire.Client(port or server.port, 60 * support.SLOWNESS) as client:
            return client.get("/").status, client.get("/page/main.js").status

    def test_off(self):
        with support.Server("--page", "off") as server:
            self.assertEqual(self.status(server), (404, 404))

    def test_admin_port(self):
        port = support.free_port()
        server = support.Server("--admin-port", port).start()
        try:
            self.assertEqual(self.status(server), (404, 404))
            self.assertEqual(self.status(server, port), (200, 200))
        finally:
            server.stop()

    def test_folder(self):
        with support.Folder() as folder:
            (folder.path / "main.js").write_bytes(b"// mine")
            with support.Server("--page-dir", folder.path) as server, server.client() as client:
                self.assertEqual(client.get("/page/main.js").body, b"// mine")
                self.assertEqual(client.get("/").body, source("index.html"))
                (folder.path / "main.js").write_bytes(b"// changed")
                self.assertEqual(client.get("/page/main.js").body, b"// changed")


HOSTILE = ["<img src=x onerror=alert(1)>", '"><b onmouseover=alert(2)>x</b>', "<script>alert(3)</script>"]
NETWORK = {"format": 1, "name": "hostile", "input": {"name": HOSTILE[0], "shape": [3, 8, 8]},
           "init": {"scheme": "kaiming_normal", "seed": 1},
           "layers": [{"type": "conv2d", "name": "c", "out_channels": 4, "kernel_size": 3},
                      {"type": "relu", "name": HOSTILE[1]}, {"type": "flatten"},
                      {"type": "linear", "name": HOSTILE[2], "out_features": 2}],
           "labels": ["<u>a</u>", "<i>b</i>"], "output": {"name": "o"}}


def environment():
    """For the scripts of tests/page."""
    return dict(os.environ, RECTIFIER_PAGE_MODULES=str(MODULES),
                RECTIFIER_CHROMIUM=shutil.which("chromium"))


def png(width, height):
    """A picture, half of it black and half of it white."""
    rows = b"".join(b"\0" + bytes(255 * (y % 2) for _ in range(width)) for y in range(height))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
              (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks)


@unittest.skipIf(support.SANITIZER, "about the other programs; the server's part is seen elsewhere")
class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for there, what in ((shutil.which("node"), "Node.js"), (shutil.which("chromium"), "Chromium"),
                            ((MODULES / "playwright-core").is_dir(), "playwright-core"),
                            ((MODULES / "axe-core").is_dir(), "axe-core")):
            if not there:
                raise unittest.SkipTest(f"{what} is missing: make page-deps")

    def look(self, server, *cases):
        done = subprocess.run(["node", str(CASES), f"http://127.0.0.1:{server.port}/", *cases],
                              env=environment(), timeout=1200 * support.SLOWNESS, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode("utf-8", "replace")[-4000:])

    def test_digits(self):
        with support.Server() as server:
            self.look(server, "early", "digits", "hover", "lit", "keyboard", "narrow", "hidden", "accessible",
                      "name", "units", "drift")

    def test_files(self):
        answers = {"ones.npy": '"shape":[2,10]', "grey.png": '"shape":[1,10]', "of.json": '"id":"mine"',
                   "none.npy": "npy"}
        with support.Folder() as folder, support.Server() as server:
            (folder.path / "ones.npy").write_bytes(
                tensors.npy_bytes(support.Digits.get().images.rows(0, 2)))
            (folder.path / "grey.png").write_bytes(png(16, 16))
            (folder.path / "exact.png").write_bytes(png(8, 8))
            (folder.path / "of.json").write_text(json.dumps(support.Digits.get().oip(0, 1, id="mine")))
            (folder.path / "none.npy").write_bytes(b"no numbers")
            self.look(server, *("file=" + json.dumps([str(folder.path / name), answer])
                                for name, answer in answers.items()), f"pixels={folder.path / 'exact.png'}")

    def test_two_models(self):
        with support.Folder() as folder:
            with support.Server(folder.model("hostile", NETWORK), model=support.DIGITS) as server:
                self.look(server, "choice")

    def test_dead(self):
        for edit in (test_doctored.KILLED["features.5"], test_doctored.DYING):
            with support.Folder() as folder:
                model = test_doctored.doctored(folder, "digits", [edit])
                with support.Server(model=model) as server, server.client() as client:
                    client.post("/infer", support.Digits.get().images.tobytes(), support.RAW)
                    self.look(server, f"dead={json.dumps(edit[1])}")

    def test_hostile(self):
        with support.Folder() as folder:
            with support.Server(model=folder.model("hostile", NETWORK)) as server:
                self.look(server, f"hostile={json.dumps(HOSTILE)}")

    def test_pictures(self):
        onnx = onnx_writer
        branches = onnx.graph(
            [onnx.node("Relu", ["early"], ["a"], "first"), onnx.node("Relu", ["late"], ["b"], "second"),
             onnx.node("Add", ["a", "b"], ["middle"], "sum"), onnx.node("Relu", ["middle"], ["last"], "end")],
            inputs=[onnx.value(name, ["n", 4]) for name in ("late", "early")],
            outputs=[onnx.value(name, ["n", 4]) for name in ("middle", "last")])
        decided = onnx.graph(
            [onnx.node("Reshape", ["x", "sizes"], ["r"]), onnx.node("Relu", ["r"], ["y"])],
            inputs=[onnx.value("x", ["n", 16]), onnx.value("sizes", [2], onnx.INT64)],
            outputs=[onnx.value("y", ["a", "b"])])
        for name, graph in (("branches", branches), ("decided", decided)):
            with support.Folder() as folder:
                model = folder.path / f"{name}.onnx"
                model.write_bytes(onnx.model(graph))
                with support.Server(model=model) as server:
                    self.look(server, name)

    def test_nonfinite(self):
        with support.Server() as server:
            self.look(server, "nonfinite")

    def test_layers(self):
        with support.Server("--activity", "layer") as server:
            self.look(server, "layers")

    def test_offline(self):
        server = support.Server().start()
        self.look(server, f"offline={server.process.pid}")
        server.finish()

    def test_no_model(self):
        with support.Folder() as folder:
            server = support.Server("--wait-for-model", "1h", model=folder.path / "later")
            server.launch()
            support.wait_for(lambda: "waiting" in server.output(), "the server's start")
            try:
                self.look(server, "empty")
            finally:
                server.terminate()
                server.finish()


if __name__ == "__main__":
    unittest.main()
