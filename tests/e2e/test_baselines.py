"""Baselines, drift, novelty and the comparison of versions, over HTTP."""

import json
import random
import shutil
import socket
import unittest

import support
import tensors

IMAGES = support.DIGITS / "test_images.npy"
ACTIVITY = "/v2/models/digits/activity"


def scaled(images, factor):
    return tensors.Tensor(images.shape, [v * factor for v in images.values])


def shuffled(seed):
    """The test images in another order, as traffic comes."""
    images = support.Digits.get().images
    rows = list(range(images.shape[0]))
    random.Random(seed).shuffle(rows)
    values = images.values[:0]
    for row in rows:
        values.extend(images.row(row))
    return tensors.Tensor(images.shape, values)


def feed(test, server, images, step=20):
    with server.client() as client:
        for first in range(0, images.shape[0], step):
            last = min(first + step, images.shape[0])
            reply = client.post("/infer/digits", images.rows(first, last).tobytes(), support.RAW)
            test.assertEqual(reply.status, 200, reply)


def drift(server):
    with server.client() as client:
        return client.get(ACTIVITY).json()["drift"]


class Base(unittest.TestCase):
    """A folder with the digits network and a baseline of its test images."""

    @classmethod
    def setUpClass(cls):
        cls.folder = support.Folder()
        cls.addClassCleanup(cls.folder.__exit__)
        cls.model = cls.folder.path / "digits"
        shutil.copytree(support.DIGITS, cls.model, ignore=shutil.ignore_patterns("baseline.json"))
        cls.baseline = cls.folder.path / "digits.json"
        done = support.run("audit", cls.model, IMAGES, "--write-baseline", cls.baseline)
        assert done.returncode == 0, done.stderr
        cls.said = done.stderr

    assert_error = support.ServerTest.assert_error


class Writing(Base):
    def test_what_is_written(self):
        self.assertRegex(self.said, r"digits\.json: a baseline of 360 inputs, \d+\.\d KiB")
        written = json.loads(self.baseline.read_text())
        self.assertNotIn("training data", json.dumps({k: v for k, v in written.items()
                                                      if isinstance(v, str)}))
        self.assertGreater(self.baseline.stat().st_size, 1000)

    def test_from_training_data(self):
        path = self.folder.path / "training.json"
        done = support.run("audit", self.model, IMAGES, "--write-baseline", path, "--from-training")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("training data", done.stderr)
        self.assertIn("training data", path.read_text())

    def test_what_is_not_finite(self):
        """The first row that has such values is named."""
        images = support.Digits.get().images
        for value in (float("nan"), float("inf")):
            values = images.values[:]
            values[5 * 64 + 7] = values[9 * 64] = value
            path = self.folder.path / "wrong.npy"
            tensors.npy_write(path, tensors.Tensor(images.shape, values))
            done = support.run("audit", self.model, path, "--write-baseline", self.folder.path / "wrong.json")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, "^rectifier: row 5: .*not finite")
            self.assertFalse((self.folder.path / "wrong.json").exists())

    def test_parts_that_are_compared(self):
        """With 600 inputs, one part of 300 is with the other."""
        images = support.Digits.get().images
        for rows, said in ((599, "too few"), (600, r"at most 0\.\d+$")):
            path = self.folder.path / "some.npy"
            values = (images.values * 2)[:rows * 64]
            tensors.npy_write(path, tensors.Tensor((rows, 1, 8, 8), values))
            done = support.run("audit", self.model, path, "--write-baseline", self.folder.path / "some.json")
            self.assertRegex(done.stderr.strip(), said)

    def test_a_file_that_cannot_be_written(self):
        """Said before the inputs are run, the first of which is wrong."""
        path = self.folder.path / "wrong.npy"
        tensors.npy_write(path, tensors.Tensor((300, 1, 8, 8), [float("nan")] * 300 * 64))
        done = support.run("audit", self.model, path, "--write-baseline", self.folder.path / "none" / "b.json")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^rectifier: .*none/b\.json: No such file or directory\n$")

    def test_too_few(self):
        few = self.folder.path / "few.npy"
        tensors.npy_write(few, support.Digits.get().images.rows(0, 100))
        done = support.run("audit", self.model, few, "--write-baseline",
                           self.folder.path / "few.json")
        self.assertEqual(done.returncode, 1)
        self.assertIn("200", done.stderr)
        self.assertFalse((self.folder.path / "few.json").exists())


class Finding(Base):
    def has_baseline(self, *args, model):
        with support.Server(*args, model=model) as server:
            with server.client() as client:
                reply = client.get(ACTIVITY + "/baseline")
                report = client.get(ACTIVITY).json()
        self.assertIn(reply.status, (200, 404))
        self.assertEqual(report["drift"] is not None, reply.status == 200)
        return reply.json() if reply.status == 200 else None

    def test_where_it_lies(self):
        want = json.loads(self.baseline.read_text())
        self.assertIsNone(self.has_baseline(model=self.model))
        self.assertEqual(self.has_baseline("--baseline", f"digits={self.baseline}",
                                           model=self.model), want)
        beside = self.folder.path / "beside"
        shutil.copytree(self.model, beside)
        shutil.copy(self.baseline, beside / "baseline.json")
        self.assertEqual(self.has_baseline(model=f"digits={beside}"), want)
        shutil.move(beside / "model.json", beside / "net.json")
        shutil.move(beside / "model.safetensors", beside / "net.safetensors")
        shutil.move(beside / "baseline.json", beside / "net.baseline.json")
        self.assertEqual(self.has_baseline(model=f"digits={beside / 'net.json'}"), want)

    def test_polled(self):
        """A baseline that comes beside a model that is served already."""
        late = self.folder.path / "late"
        shutil.copytree(self.model, late / "digits")
        with support.Server("--model-control", "poll", "--poll-interval", "50ms",
                            model=late) as server, server.client() as client:
            self.assertEqual(client.get(ACTIVITY + "/baseline").status, 404)
            shutil.copy(self.baseline, late / "digits" / "baseline.json")
            support.wait_for(lambda: client.get(ACTIVITY + "/baseline").status == 200)
            self.assertEqual(client.get(ACTIVITY).json()["drift"]["n"], 0)

    def test_the_bundled_network_has_one(self):
        self.assertIsNotNone(self.has_baseline(model=None))

    def test_for_no_model(self):
        """Whoever mistypes it must not believe that drift is looked at."""
        for args, code, text in (((f"digit={self.baseline}",), 1, "no model is called 'digit'"),
                                 (("digits",), 2, "expected NAME=FILE, got 'digits'"),
                                 (("digits=",), 2, "expected NAME=FILE"), ((f"={self.baseline}",), 2, "expected NAME=FILE"),
                                 ((f"digits={self.baseline}", "--activity", "layer"), 2, "--activity channel or unit")):
            done = support.run("serve", self.model, "--port", support.free_port(), "--baseline", *args)
            self.assertEqual(done.returncode, code, args)
            self.assertIn(text, done.stderr)
        args = ("--model-control", "api", "--baseline", f"later={self.baseline}")
        self.assertIsNone(self.has_baseline(*args, model=self.model))

    def test_of_another_model(self):
        """Refused by both names, at the start."""
        network = {"format": 1, "name": "small", "input": {"name": "x", "shape": [4]},
                   "init": {"scheme": "kaiming_normal", "seed": 1},
                   "layers": [{"type": "linear", "out_features": 3}, {"type": "relu", "name": "r"}]}
        small = self.folder.model("small", network)
        done = support.run("serve", small, "--port", support.free_port(), "--baseline",
                           f"small={self.baseline}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("digits", done.stderr)
        self.assertIn("small", done.stderr)
        broken = self.folder.path / "broken.json"
        broken.write_text("{}")
        for path, text in ((broken, "broken.json"), (self.folder.path / "none.json", "none.json")):
            done = support.run("serve", self.model, "--port", support.free_port(), "--baseline",
                               f"digits={path}")
            self.assertEqual(done.returncode, 1)
            self.assertIn(text, done.stderr)


class Drift(Base):
    def serve(self, *args):
        return support.Server("--baseline", f"digits={self.baseline}", *args, model=self.model)

    def test_clean_traffic(self):
        with self.serve() as server:
            self.assertIsNone(drift(server)["score"])
            self.assertEqual(server.metrics().samples("rectifier_activation_drift_score"), [])
            for seed in range(3):
                feed(self, server, shuffled(seed))
                got = drift(server)
                self.assertEqual(got["state"], "ok", got)
                self.assertLess(got["score"], 0.25)
                self.assertFalse(got["mix_notice"])
            self.assertGreaterEqual(got["n"], 300)
            self.assertEqual(got["baseline_n"], 360)
            self.assertEqual(got["layers"][0]["name"], "input")
            self.assertEqual(got["score"], max(layer["score"] for layer in got["layers"]))
            metrics = server.metrics()
            for layer in got["layers"]:
                self.assertAlmostEqual(
                    metrics.value("rectifier_activation_drift_score", layer=layer["name"]),
                    layer["score"], places=6)
            self.assertEqual(metrics.value("rectifier_activation_drift_state"), 0)

    def test_faults(self):
        images = support.Digits.get().images
        inverted = tensors.Tensor(images.shape, [1 - v for v in images.values])
        for wrong in (scaled(images, 16), inverted, scaled(images, 0)):
            with self.serve() as server:
                for seed in range(2):
                    feed(self, server, shuffled(seed))
                self.assertEqual(drift(server)["state"], "ok")
                feed(self, server, wrong)
                got = drift(server)
                self.assertEqual(got["state"], "alarm", got)
                self.assertGreater(got["score"], 1)
                self.assertEqual(server.metrics().value("rectifier_activation_drift_state"), 2)

    def test_the_log_says_so(self):
        images = support.Digits.get().images
        with self.serve("--activity-window", "3s") as server:
            for wrong in (images, scaled(images, 16)):
                feed(self, server, wrong)
            lines = support.wait_for(lambda: [json.loads(line) for line in
                                              server.output().splitlines() if "drift from" in line])
        self.assertEqual((lines[-1]["state"], lines[-1]["model"], lines[-1]["level"]),
                         ("alarm", "digits", "warn"))
        self.assertGreater(float(lines[-1]["score"]), 1)

    def test_notes_on_sparsity(self):
        images = support.Digits.get().images
        with self.serve() as server, server.client() as client:
            feed(self, server, images)
            before = client.get(ACTIVITY).json()["layers"]
            self.assertEqual([la["notes"] for la in before], [[]] * 4)
            for _ in range(4):
                feed(self, server, scaled(images, 16))
            notes = [note for la in client.get(ACTIVITY).json()["layers"] for note in la["notes"]]
            self.assertTrue([n for n in notes if "moved against the baseline" in n], notes)

    def test_one_class_only(self):
        """The mix of classes is noticed, apart from drift."""
        digits = support.Digits.get()
        rows = [i for i, c in enumerate(digits.classes) if c == 3]
        values = digits.images.values[:0]
        for row in rows * 12:
            values.extend(digits.images.row(row))
        with self.serve() as server:
            feed(self, server, tensors.Tensor((len(rows) * 12, 1, 8, 8), values))
            got = drift(server)
            self.assertTrue(got["mix_notice"], got)
            self.assertGreater(got["mix"], 0.25)
            self.assertNotEqual(got["state"], "alarm", got)
            self.assertAlmostEqual(server.metrics().value("rectifier_activation_class_mix_score"),
                                   got["mix"], places=6)


class Novelty(Base):
    def ask(self, client, images, first, last):
        rows = images.rows(first, last)
        body = {"inputs": [{"name": "image", "shape": list(rows.shape), "datatype": "FP32",
                            "data": rows.values.tolist()}], "parameters": {"novelty": True}}
        reply = client.post("/infer/digits", body)
        self.assertEqual(reply.status, 200, reply)
        return reply.json()["parameters"]["novelty"]

    def test_near_and_far(self):
        images = support.Digits.get().images
        with support.Server("--baseline", f"digits={self.baseline}", "--novel-inputs", "5",
                            model=self.model) as server, server.client() as client:
            path = ACTIVITY + "/novel.npy"
            self.assert_error(client.get(path), 404, "no input was kept yet")
            near = self.ask(client, images, 0, 40)
            self.assertEqual(len(near), 40)
            self.assertEqual(near[7:8], self.ask(client, images, 7, 8), "a row apart says the same")
            self.assertLess(sorted(near)[20], 2)
            far = self.ask(client, scaled(images, 16), 0, 3)
            self.assertGreater(min(far), max(near))
            metrics = server.metrics()
            self.assertEqual(metrics.value("rectifier_activation_novelty_count"), 44)
            self.assertAlmostEqual(metrics.value("rectifier_activation_novelty_sum"),
                                   sum(near) + near[7] + sum(min(v, 1e6) for v in far),
                                   delta=1e-3 * sum(far))
            reply = client.get(path)
            self.assertEqual(reply.header("Content-Type"), "application/x-npy")
            kept = tensors.npy_parse(reply.body)
            self.assertEqual(kept.shape, (5, 1, 8, 8))
            order = sorted(range(3), key=lambda i: -far[i])
            wrong = scaled(images, 16)
            self.assertEqual([kept.row(i) for i in range(3)], [wrong.row(i) for i in order])

    def test_nan_is_farthest(self):
        images = scaled(support.Digits.get().images, 16).rows(0, 2)
        images.values[64] = float("nan")
        with support.Server("--baseline", f"digits={self.baseline}", "--novel-inputs", "2",
                            model=self.model) as server, server.client() as client:
            far, nan = self.ask(client, images, 0, 2)
            self.assertGreater(far, 100)
            self.assertIsNone(nan)
            self.assertEqual(server.metrics().value("rectifier_activation_novelty_bucket", le="10000"), 1)
            kept = tensors.npy_parse(client.get(ACTIVITY + "/novel.npy").body)
            self.assertEqual(kept.tobytes(), images.rows(1, 2).tobytes() + images.rows(0, 1).tobytes())

    def test_single_requests_are_looked_at(self):
        """With a ring, whoever sends single rows feeds it, asked for or not."""
        images = support.Digits.get().images
        with support.Server("--baseline", f"digits={self.baseline}", "--novel-inputs", "2",
                            model=self.model) as server, server.client() as client:
            for i in range(4):
                reply = client.post("/infer", images.rows(i, i + 1).tobytes(), support.RAW)
                self.assertIsNone(support.Digits.get().wrong(i, tensors.floats(reply.body)))
            kept = tensors.npy_parse(client.get(ACTIVITY + "/novel.npy").body)
            self.assertEqual(kept.shape[0], 2)

    def test_refusals(self):
        with support.Server(model=self.model) as server, server.client() as client:
            body = support.Digits.get().oip(0, 1, parameters={"novelty": True})
            self.assert_error(client.post("/infer", body), 400, "no baseline")
            self.assert_error(client.get(ACTIVITY + "/novel.npy"), 404, "--novel-inputs")
            self.assert_error(client.get(ACTIVITY + "/novel.npy", {"Origin": "http://a"}), 403)


class FromTraffic(Base):
    def test_takes_the_window(self):
        """Slots of a tenth of a second, and traffic until there are enough of them."""
        with support.Server("--activity-window", "3s", model=self.model) as server:
            with server.client() as client:
                self.assert_error(client.post(ACTIVITY + "/baseline", b""), 400)
                self.assert_error(client.get(ACTIVITY + "/baseline"), 404, "--write-baseline")

                def taken():
                    feed(self, server, support.Digits.get().images.rows(0, 60), step=10)
                    reply = client.post(ACTIVITY + "/baseline", b"")
                    return reply if reply.status == 200 else None

                said = support.wait_for(taken, "a baseline from traffic").json()
                self.assertGreaterEqual(said["inputs"], 200)
                text = client.get(ACTIVITY + "/baseline").json()
                self.assertIn("live traffic", json.dumps(text))
                self.assertIsNotNone(drift(server))
                path = self.folder.path / "exported.json"
                path.write_text(json.dumps(text))
            with support.Server("--baseline", f"digits={path}", model=self.model) as other:
                with other.client() as client:
                    self.assertEqual(client.get(ACTIVITY + "/baseline").json(), text)

    def test_no_file_is_taken(self):
        """Whoever sends one must not get the traffic as baseline."""
        with support.Server("--baseline", f"digits={self.baseline}", model=self.model) as server:
            for seed in range(2):
                feed(self, server, shuffled(seed))
            with server.client() as client:
                before = client.get(ACTIVITY + "/baseline").body
                for body in (before, b"{}", b"{", b"[" * 100000):
                    self.assert_error(client.post(ACTIVITY + "/baseline", body), 400, "recent traffic", "--baseline")
                self.assertEqual(client.get(ACTIVITY + "/baseline").body, before)
                self.assertEqual(client.post(ACTIVITY + "/baseline", b"").status, 200)
                self.assertNotEqual(client.get(ACTIVITY + "/baseline").body, before)

    def test_who_may(self):
        with support.Server(model=self.model) as server, server.client() as client:
            for origin, text in (("http://example.org", "pages of other origins"),
                                 (f"http://127.0.0.1:{server.port}", "a baseline is set by no web page")):
                reply = client.post(ACTIVITY + "/baseline", b"", {"Origin": origin})
                self.assert_error(reply, 403, text)
            reply = client.ask("PUT", ACTIVITY + "/baseline", b"")
            self.assertEqual((reply.status, reply.header("Allow")), (405, "GET, HEAD, POST"))
        admin = support.free_port()
        with support.Server("--admin-port", admin, model=self.model) as server:
            with server.client() as client:
                self.assert_error(client.post(ACTIVITY + "/baseline", b""), 403, "admin port")
                self.assert_error(client.get(ACTIVITY + "/novel.npy"), 403, "admin port")
            server.port = admin
            with server.client() as client:
                self.assert_error(client.post(ACTIVITY + "/baseline", b""), 400)

    def test_not_from_elsewhere(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.connect(("192.0.2.1", 9))  # sends nothing
            except OSError:
                self.skipTest("this machine has no address but loopback")
            address = s.getsockname()[0]
        with support.Server("--host", "0.0.0.0", model=self.model) as server:
            with socket.create_connection((address, server.port), 20) as s:
                s.sendall(f"POST {ACTIVITY}/baseline HTTP/1.1\r\nHost: {address}\r\n"
                          "Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
                reply = b""
                while more := s.recv(65536):
                    reply += more
        self.assertIn(b" 403 ", reply.split(b"\r\n")[0])
        self.assertIn(b"--admin-port", reply)


class Versions(Base):
    def test_compare(self):
        """Version 2 has channels that were killed; both see the same traffic."""
        from test_doctored import KILLED
        root = self.folder.path / "versions" / "digits"
        for number in ("1", "2"):
            shutil.copytree(self.model, root / number)
        shutil.copy(self.baseline, root / "1" / "baseline.json")
        weights = tensors.safetensors_read(self.model / "model.safetensors")
        for tensor, channels in KILLED.values():
            for c in channels:
                weights[tensor].values[c] = -100.0
        (root / "2" / "model.safetensors").write_bytes(tensors.safetensors_bytes(weights))
        images = support.Digits.get().images
        with support.Server("--version-policy", "all", model=root) as server:
            with server.client() as client:
                for version in (1, 2):
                    path = f"/v2/models/digits/versions/{version}/infer"
                    for first in range(0, 360, 30):
                        body = support.Digits.get().oip(first, first + 30)
                        self.assertEqual(client.post(path, body).status, 200)
                path = ACTIVITY + "/compare?versions="
                report = client.get(path + "1,2").json()
                self.assertEqual((report["versions"], report["inputs"]), (["1", "2"], [360, 360]))
                for layer in report["layers"]:
                    _, killed = KILLED.get(layer["name"], (None, []))
                    one, two = layer["dead_only"]
                    self.assertLessEqual(set(killed), set(two))
                    self.assertEqual(layer["dead"][1] - layer["dead"][0], len(two) - len(one))
                    for k, version in enumerate((1, 2)):
                        single = client.get(f"/v2/models/digits/versions/{version}/activity").json()
                        match = [la for la in single["layers"] if la["name"] == layer["name"]]
                        self.assertEqual(layer["sparsity"][k], match[0]["sparsity"])
                self.assertGreater(report["drift"]["score"], 0.25)
                self.assertLess(report["drift"]["input"], 0.25)
                back = client.get(path + "2,1").json()
                self.assertIsNone(back["drift"]["score"])
                self.assertTrue(back["drift"]["why"])
                self.assertEqual(client.get(path + "1,1").json()["drift"]["score"] < 0.25, True)
                for versions, status in (("1", 400), ("1,2,3", 400), ("1,9", 404), ("", 400)):
                    self.assert_error(client.get(path + versions), status)


if __name__ == "__main__":
    unittest.main()
