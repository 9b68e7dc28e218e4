"""The repository: layouts and versions on disk, and loading and unloading by request."""

import json
import threading
import unittest

import support
import tagged
import wire

API = ("--model-control", "api")
HELD = 12 << 20  # bytes of a reply that no socket's buffers hold


class RepositoryTest(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)
        self.path = self.folder.path

    def ask(self, server, path, body=tagged.ONES, headers=None):
        with server.client() as client:
            return client.post(path, body, headers)

    def tag(self, server, path="/infer"):
        return tagged.tag_of(self.ask(server, path))

    def get(self, server, path):
        with server.client() as client:
            return client.get(path)

    def index(self, server, body=b""):
        reply = self.ask(server, "/v2/repository/index", body)
        self.assertEqual(reply.status, 200, reply)
        return reply.body.decode()

    def load(self, server, name="m", verb="load", body=b""):
        return self.ask(server, f"/v2/repository/models/{name}/{verb}", body)


class Layouts(RepositoryTest):
    def versions(self, *numbers):
        for n in numbers:
            tagged.write(self.path / "m" / str(n), n)
        return self.path / "m"

    def test_highest_version_is_served(self):
        with support.Server(model=self.versions(1, 9, 10)) as server:
            self.assertEqual(self.tag(server), 10)
            self.assertEqual(self.ask(server, "/infer").json()["model_version"], "10")
            self.assertEqual(self.ask(server, "/infer").json()["model_name"], "m")
            self.assertEqual(self.get(server, "/v2/models/m").json()["versions"], ["10"])
            reply = self.get(server, "/v2/models/m/versions/9")
            self.assertEqual(reply.status, 404)
            self.assertEqual(reply.json()["error"],
                             "Request for unknown model: 'm' version 9 is not found")
            self.assertEqual(server.metrics().value("rectifier_model_ready", model="m", version="10"), 1)

    def test_policies(self):
        self.versions(1, 2, 3, 4)
        for policy, served in (("latest:2", [3, 4]), ("all", [1, 2, 3, 4]), ("1,3", [1, 3]),
                               ("latest:9", [1, 2, 3, 4])):
            with self.subTest(policy=policy), \
                    support.Server("--version-policy", policy, model=self.path / "m") as server:
                self.assertEqual(self.get(server, "/v2/models/m").json()["versions"],
                                 [str(n) for n in served])
                self.assertEqual(self.tag(server), max(served))
                for n in range(1, 6):
                    request = json.dumps({"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32",
                                                      "data": [1] * 8}]}).encode()
                    reply = self.ask(server, f"/v2/models/m/versions/{n}/infer", request)
                    if n in served:
                        self.assertEqual(tagged.tag_of(reply), n)
                        self.assertEqual(reply.json()["model_version"], str(n))
                    else:
                        self.assertEqual(reply.status, 404)
                stats = self.get(server, "/v2/models/stats").json()["model_stats"]
                self.assertEqual([(s["version"], s["inference_count"]) for s in stats],
                                 [(str(n), 2 if n == max(served) else 1) for n in served])

    def test_wrong_policies(self):
        self.versions(1)
        for policy in ("latest", "latest:0", "latest:-1", "", "1,,2", "x", "1;2"):
            with self.subTest(policy=policy):
                done = support.run("serve", "--port", support.free_port(), self.path / "m", "--version-policy", policy)
                self.assertEqual(done.returncode, 2)
                self.assertIn("--version-policy", done.stderr)
        done = support.run("serve", "--port", support.free_port(), self.path / "m", "--version-policy", "7")
        self.assertEqual(done.returncode, 1)
        self.assertIn("none of its versions", done.stderr)

    def test_a_folder_of_models(self):
        self.versions(1, 2)
        tagged.write(self.path / "plain", 7, name="inner")
        (self.path / ".hidden").mkdir()
        (self.path / "README").write_text("no model")
        with support.Server(model=self.path) as server:
            self.assertEqual(self.get(server, "/v2/models").json(), {"models": ["m", "plain"]})
            self.assertEqual(self.tag(server, "/infer/m"), 2)
            self.assertEqual(self.tag(server, "/infer/plain"), 7)
            reply = self.ask(server, "/infer")
            self.assertEqual(reply.status, 400)
            self.assertIn("m, plain", reply.json()["error"])
        with support.Server("--default-model", "plain", model=self.path) as server:
            self.assertEqual(self.tag(server), 7)

    def test_the_only_model_of_a_folder_is_the_default(self):
        tagged.write(self.path / "one", 3)
        with support.Server(model=self.path) as server:
            self.assertEqual(self.tag(server), 3)

    def test_a_folder_without_a_model_ends_the_start(self):
        tagged.write(self.path / "one", 3)
        (self.path / "two").mkdir()
        done = support.run("serve", "--port", support.free_port(), self.path)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{self.path}/two: there is neither model.json nor model.onnx", done.stderr)

    def test_names_twice(self):
        tagged.write(self.path / "a" / "m", 1, name="m")
        tagged.write(self.path / "b" / "m", 2)
        for models in ((self.path / "a", self.path / "b"), (self.path / "a" / "m", self.path / "b")):
            done = support.run("serve", "--port", support.free_port(), *models)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"'m': {self.path}/a/m and {self.path}/b/m", done.stderr)
        done = support.run("serve", "--port", support.free_port(), self.path / "a", self.path / "a")
        self.assertEqual(done.returncode, 1)
        self.assertIn("two models are the same", done.stderr)

    def test_names_that_cannot_be(self):
        tagged.write(self.path / "r" / "a b", 1)
        done = support.run("serve", "--port", support.free_port(), self.path / "r")
        self.assertEqual(done.returncode, 1)
        self.assertIn("'a b' cannot name a model", done.stderr)
        done = support.run("serve", "--port", support.free_port(), f"x={self.path / 'r'}")
        self.assertIn("takes no name ('x')", done.stderr)


class BrokenAtTheStart(RepositoryTest):
    """What a server that looks again later does with models that cannot be loaded now."""

    CONTROLS = (API, ("--model-control", "poll", "--poll-interval", "50ms"))

    def version(self, number, broken=False, model="m"):
        folder = tagged.write(self.path / model / str(number), number)
        if broken:
            (folder / "model.safetensors").write_bytes(b"nothing of use")

    def states(self, server):
        return {(i["name"], i["version"]): i["state"] for i in json.loads(self.index(server))}

    def test_the_newest_version(self):
        """The one below serves in its place, as if it had been there before; mended, it takes over."""
        self.version(1)
        self.version(2)
        self.version(3, broken=True)
        for control in self.CONTROLS:
            with self.subTest(control), support.Server(*control, model=self.path) as server:
                self.assertEqual(self.tag(server), 2)
                self.assertEqual(self.states(server), {("m", "2"): "READY", ("m", "3"): "UNAVAILABLE"})
                self.assertIn("model.safetensors", json.loads(self.index(server))[1]["reason"])
                self.assertIn("model not loaded", server.output())
                self.assertEqual(server.metrics().value("rectifier_model_load_failures_total", model="m"), 1)
        with support.Server(*self.CONTROLS[1], model=self.path) as server:
            self.version(3)
            support.wait_for(lambda: self.states(server) == {("m", "3"): "READY"}, "the version mended")
            self.assertEqual(self.tag(server), 3)

    def test_policies(self):
        for n in (1, 2, 3, 4):
            self.version(n, broken=n == 4)
        for policy, served in (("latest:2", ["2", "3"]), ("all", ["1", "2", "3"]), ("2,4", ["2"])):
            with self.subTest(policy), support.Server(*API, "--version-policy", policy,
                                                      model=self.path) as server:
                self.assertEqual(self.get(server, "/v2/models/m").json()["versions"], served)

    def test_another_model(self):
        self.version(1)
        self.version(1, broken=True, model="n")
        for control in self.CONTROLS:
            with self.subTest(control), support.Server(*control, model=self.path) as server:
                self.assertEqual(self.tag(server, "/infer/m"), 1)
                self.assertEqual(self.states(server), {("m", "1"): "READY", ("n", "1"): "UNAVAILABLE"})
                self.assertEqual(self.get(server, "/v2/models/n/ready").status, 404)

    def test_all(self):
        """Nothing to serve ends the start, and so does anything broken where nobody looks again."""
        self.version(1, broken=True)
        for control in self.CONTROLS:
            self.check_end(*control)
        self.version(1)
        self.version(2, broken=True)
        self.check_end()

    def check_end(self, *control):
        done = support.run("serve", "--port", support.free_port(), self.path, "--port", support.free_port(), *control)
        self.assertEqual(done.returncode, 1, control)
        self.assertIn("model.safetensors", done.stderr.splitlines()[-1])


class Control(RepositoryTest):
    """POST /v2/repository/..."""

    def setUp(self):
        super().setUp()
        tagged.write(self.path / "m" / "1", 1)

    def test_index(self):
        tagged.write(self.path / "a", 5)
        with support.Server(*API, model=self.path) as server:
            a = '{"name":"a","version":"1","state":"READY"}'
            m = '{"name":"m","version":"1","state":"READY"}'
            self.assertEqual(self.index(server), f"[{a},{m}]")
            self.assertEqual(self.index(server, b'{"ready": true}'), f"[{a},{m}]")
            self.assertEqual(self.load(server, "a", "unload").status, 200)
            gone = '{"name":"a","version":"1","state":"UNAVAILABLE","reason":"unloaded"}'
            self.assertEqual(self.index(server, b"{}"), f"[{gone},{m}]")
            self.assertEqual(self.index(server, b'{"ready":true}'), f"[{m}]")
            for body in (b"[]", b'{"ready":1}', b"{"):
                self.assertEqual(self.ask(server, "/v2/repository/index", body).status, 400)
            with server.wire() as w:  # as tritonclient sends it: no length, no body
                w.send(b"POST /v2/repository/index HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual(w.final().body.decode(), f"[{gone},{m}]")

    def test_off_by_default(self):
        with support.Server(model=self.path) as server:
            for verb in ("load", "unload"):
                reply = self.load(server, verb=verb)
                self.assertEqual(reply.status, 403)
                self.assertIn("--model-control api", reply.json()["error"])
            self.assertEqual(self.tag(server), 1)
            self.assertIn('"state":"READY"', self.index(server))

    def test_load_and_unload(self):
        with support.Server(*API, model=self.path) as server:
            self.assertEqual(self.tag(server), 1)
            tagged.write(self.path / "m" / "2", 2)
            self.assertEqual(self.tag(server), 1)
            reply = self.load(server, body=b'{"parameters":{}}')
            self.assertEqual((reply.status, reply.body), (200, b""))
            self.assertEqual(self.tag(server), 2)
            self.assertEqual(self.index(server), '[{"name":"m","version":"2","state":"READY"}]')
            reply = self.load(server, verb="unload", body=b'{"parameters":{"unload_dependents":false}}')
            self.assertEqual((reply.status, reply.body), (200, b""))
            reply = self.ask(server, "/infer/m")
            self.assertEqual(reply.status, 404)
            self.assertEqual(reply.json()["error"],
                             "Request for unknown model: 'm' has no available versions")
            self.assertEqual(self.get(server, "/v2/health/ready").status, 503)
            self.assertEqual(self.get(server, "/v2/health/live").status, 200)
            self.assertEqual(self.get(server, "/v2/models").json(), {"models": []})
            metrics = server.metrics()
            self.assertEqual(metrics.value("rectifier_model_ready", model="m", version="2"), 0)
            self.assertEqual(self.load(server, verb="unload").status, 200)
            self.assertEqual(self.load(server).status, 200)
            self.assertEqual(self.tag(server), 2)
            self.assertEqual(self.get(server, "/v2/health/ready").status, 200)

    def hold(self, server):
        """A request that is computed but whose reply is not read, so that it does not end."""
        before = server.metrics().total("rectifier_inference_requests_total", result="ok")
        w = server.wire(timeout=120)
        self.addCleanup(w.close)
        w.send(wire.request_bytes("POST", "/infer/m", bytes(HELD), support.RAW.items()))
        support.wait_for(lambda: server.metrics().total("rectifier_inference_requests_total",
                                                        result="ok") > before, "the held request's result")
        return w

    def let_go(self, w):
        reply = w.final()
        self.assertEqual((reply.status, len(reply.body)), (200, HELD))
        w.close()

    def test_unloading(self):
        """An answer to unload does not wait for requests under way; the index says that there are some."""
        with support.Server(*API, model=self.path) as server:
            held = self.hold(server)
            self.assertEqual(self.load(server, verb="unload").status, 200)
            self.assertEqual(self.index(server), '[{"name":"m","version":"1","state":"UNLOADING"}]')
            self.assertEqual(self.index(server, b'{"ready":true}'), "[]")
            self.assertEqual(self.ask(server, "/infer/m").status, 404)
            self.assertEqual(server.metrics().value("rectifier_model_ready", model="m", version="1"), 0)
            self.let_go(held)
            gone = '[{"name":"m","version":"1","state":"UNAVAILABLE","reason":"unloaded"}]'
            support.wait_for(lambda: self.index(server) == gone, "the end of the last request")

    def test_loaded_while_unloading(self):
        ready = '[{"name":"m","version":"1","state":"READY"}]'
        with support.Server(*API, model=self.path) as server:
            held = [self.hold(server)]
            self.assertEqual(self.load(server, verb="unload").status, 200)
            tagged.write(self.path / "m" / "1", 5)
            self.assertEqual(self.load(server).status, 200)
            self.assertEqual(self.index(server), ready)
            self.assertEqual(self.tag(server), 5)
            held.append(self.hold(server))
            self.let_go(held[0])
            self.assertEqual(self.index(server), ready)
            self.assertEqual(self.load(server, verb="unload").status, 200)
            self.assertIn("UNLOADING", self.index(server))
            self.let_go(held[1])
            support.wait_for(lambda: "UNAVAILABLE" in self.index(server), "the end of the last request")

    def test_a_version_replaced_while_in_use(self):
        """It stays listed until its last request has ended."""
        ready = '{"name":"m","version":"2","state":"READY"}'
        with support.Server(*API, model=self.path) as server:
            held = self.hold(server)
            tagged.write(self.path / "m" / "2", 2)
            self.assertEqual(self.load(server).status, 200)
            self.assertEqual(self.index(server), '[{"name":"m","version":"1","state":"UNLOADING"},' + ready + "]")
            self.let_go(held)
            support.wait_for(lambda: self.index(server) == f"[{ready}]", "the end of the last request")

    def test_counters_begin_anew(self):
        with support.Server(*API, model=self.path) as server:
            for _ in range(3):
                self.tag(server)
            at = server.metrics().value("rectifier_model_load_timestamp_seconds", model="m", version="1")
            self.assertEqual(self.load(server).status, 200)
            m = server.metrics()
            self.assertEqual(m.value("rectifier_inference_rows_total", model="m", version="1"), 0)
            self.assertEqual(m.value("rectifier_activation_values_total", model="m", version="1"), 0)
            self.assertGreater(
                m.value("rectifier_model_load_timestamp_seconds", model="m", version="1"), at)

    def test_a_model_that_is_new(self):
        with support.Server(*API, model=self.path) as server:
            self.assertEqual(self.load(server, "late").status, 404)
            tagged.write(self.path / "late", 9)
            self.assertEqual(self.load(server, "late").status, 200)
            self.assertEqual(self.tag(server, "/infer/late"), 9)
            self.assertEqual(self.get(server, "/v2/models").json(), {"models": ["m", "late"]})

    def test_a_folder_that_is_empty_at_first(self):
        empty = self.path / "empty"
        empty.mkdir()
        server = support.Server(*API, model=empty)
        server.launch()
        support.wait_for(lambda: self.answers(server))
        self.assertEqual(self.get(server, "/v2/health/ready").status, 503)
        self.assertEqual(self.ask(server, "/infer").status, 404)
        tagged.write(empty / "m", 4)
        self.assertEqual(self.load(server).status, 200)
        self.assertEqual(self.tag(server), 4)
        server.stop()

    def answers(self, server):
        try:
            return self.get(server, "/v2/health/live").status == 200
        except OSError:
            return False

    def test_failures_leave_the_old_one(self):
        with support.Server(*API, model=self.path) as server:
            (self.path / "m" / "2").mkdir()
            (self.path / "m" / "2" / "model.json").write_text('{"format": 1, "name": "m", "layers": 3}')
            reply = self.load(server)
            self.assertEqual(reply.status, 400)
            self.assertIn("failed to load 'm', ", reply.json()["error"])
            self.assertEqual(self.tag(server), 1)
            one, two = json.loads(self.index(server))
            self.assertEqual(one, {"name": "m", "version": "1", "state": "READY"})
            self.assertEqual((two["version"], two["state"]), ("2", "UNAVAILABLE"))
            self.assertIn("there are no weights", two["reason"])
            self.assertEqual(
                server.metrics().value("rectifier_model_load_failures_total", model="m"), 1)
            self.assertIn("model not loaded", server.output())
            # the same of a copy in place
            (self.path / "m" / "1" / "model.safetensors").write_bytes(b"nothing")
            tagged.write(self.path / "m" / "2", 2)
            self.assertEqual(self.load(server).status, 200)
            self.assertEqual(self.tag(server), 2)
            (self.path / "m" / "2" / "model.safetensors").write_bytes(b"nothing")
            self.assertEqual(self.load(server).status, 400)
            self.assertEqual(self.tag(server), 2)
            item, = json.loads(self.index(server))
            self.assertEqual((item["version"], item["state"]), ("2", "READY"))
            self.assertIn("model.safetensors", item["reason"])
            tagged.write(self.path / "m" / "2", 3)
            self.assertEqual(self.load(server).status, 200)
            self.assertEqual(self.index(server), '[{"name":"m","version":"2","state":"READY"}]')
            self.assertEqual(self.tag(server), 3)

    def test_what_is_refused(self):
        with support.Server(*API, model=self.path) as server:
            for body, status in ((b'{"parameters":{"config":"{}"}}', 400),
                                 (b'{"parameters":{"file:1/model.onnx":"AAAA"}}', 400),
                                 (b'{"parameters":[]}', 400), (b"[]", 400), (b"{", 400)):
                self.assertEqual(self.load(server, body=body).status, status, body)
            for name in ("..", "m%2f..", "M", "m.", "m/versions/1"):
                self.assertIn(self.load(server, name).status, (400, 404), name)
            reply = self.ask(server, "/v2/repository/models/m/unload", b"", {"Origin": "http://evil"})
            self.assertEqual(reply.status, 403)
            self.assertEqual(self.get(server, "/v2/repository/models/m/load").status, 405)
            self.assertEqual(self.tag(server), 1)

    def test_two_at_once(self):
        tagged.write(self.path / "n", 6)
        with support.Server(*API, model=self.path) as server:
            replies = []
            threads = [threading.Thread(target=lambda name=name: replies.append(self.load(server, name)))
                       for name in ("m", "n") * 6]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual([r.status for r in replies], [200] * 12)
            self.assertEqual((self.tag(server, "/infer/m"), self.tag(server, "/infer/n")), (1, 6))


if __name__ == "__main__":
    unittest.main()
