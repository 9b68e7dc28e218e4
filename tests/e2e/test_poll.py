"""--model-control poll: what is copied, broken and removed on disk while the server runs."""

import shutil
import time
import unittest

import support
import tagged
import wire

INTERVAL = 0.05
POLL = ("--model-control", "poll", "--poll-interval", f"{INTERVAL * 1000:.0f}ms")


class Poll(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)
        self.path = self.folder.path
        self.model = self.path / "m"
        tagged.write(self.model / "1", 1)

    def tag(self, server, path="/infer/m"):
        with server.client() as client:
            return tagged.tag_of(client.post(path, tagged.ONES))

    def status(self, server, path="/infer/m"):
        with server.client() as client:
            return client.post(path, tagged.ONES).status

    def index(self, server):
        with server.client() as client:
            return {(i["name"], i["version"]): i for i in client.post("/v2/repository/index", b"").json()}

    def failures(self, server):
        return server.metrics().value("rectifier_model_load_failures_total", model="m")

    def test_a_new_version(self):
        with support.Server(*POLL, model=self.path) as server:
            self.assertEqual(self.tag(server), 1)
            tagged.write(self.model / "2", 2)
            support.wait_for(lambda: self.tag(server) == 2, "version 2")
            support.wait_for(lambda: list(self.index(server)) == [("m", "2")], "the end of version 1")
            self.assertEqual(self.failures(server), 0)

    def test_a_version_that_is_copied_slowly(self):
        """Each write is a change, so no two looks see the same until it is whole; only when this
        process was itself kept from writing for longer than that may a half have been tried."""
        with support.Server(*POLL, model=self.path) as server:
            source = tagged.write(self.path / ".source", 2)
            (self.model / "2").mkdir()
            last = longest = 0.0
            for name in ("model.json", "model.safetensors"):
                data = (source / name).read_bytes()
                with open(self.model / "2" / name, "wb", buffering=0) as file:
                    for i in range(0, len(data), 40):
                        file.write(data[i:i + 40])
                        now = time.monotonic()
                        longest, last = max(longest, now - (last or now)), now
                        self.assertEqual(self.tag(server), 1)
                        longest, last = max(longest, time.monotonic() - last), time.monotonic()
            support.wait_for(lambda: self.tag(server) == 2, "version 2")
            if longest < INTERVAL / 2:
                self.assertEqual(self.failures(server), 0)

    def test_a_broken_version(self):
        with support.Server(*POLL, model=self.path) as server:
            folder = tagged.write(self.path / ".made", 2)
            (folder / "model.safetensors").write_bytes(b"nothing of use")
            folder.rename(self.model / "2")
            item = support.wait_for(lambda: self.index(server).get(("m", "2"), {}).get("reason") and
                                    self.index(server)[("m", "2")], "a reason")
            self.assertEqual(item["state"], "UNAVAILABLE")
            self.assertIn("model.safetensors", item["reason"])
            self.assertEqual(self.index(server)[("m", "1")]["state"], "READY")
            self.assertEqual(self.tag(server), 1)
            self.assertEqual(self.failures(server), 1)  # and not again until it changes
            self.assertIn("model not loaded", server.output())
            tagged.write(self.model / "2", 2)
            support.wait_for(lambda: self.tag(server) == 2, "the version mended")
            support.wait_for(lambda: len(self.index(server)) == 1, "the end of version 1")

    def test_a_version_removed(self):
        tagged.write(self.model / "2", 2)
        with support.Server(*POLL, model=self.path) as server:
            self.assertEqual(self.tag(server), 2)
            (self.model / "2").rename(self.path / ".gone")
            support.wait_for(lambda: self.tag(server) == 1, "version 1")
            support.wait_for(lambda: list(self.index(server)) == [("m", "1")], "the end of version 2")

    def test_models_that_come_and_go(self):
        with support.Server(*POLL, model=self.path) as server:
            tagged.write(self.path / "n", 5)
            support.wait_for(lambda: self.status(server, "/infer/n") == 200, "the new model")
            self.assertEqual(self.tag(server, "/infer/n"), 5)
            self.model.rename(self.path / ".gone")
            support.wait_for(lambda: self.status(server) == 404, "the end of the model")
            support.wait_for(lambda: list(self.index(server)) == [("n", "1")], "its end in the index")
            self.assertEqual(self.tag(server, "/infer"), 5)
            shutil.rmtree(self.path / "n")
            support.wait_for(lambda: self.index(server) == {}, "the end of the last")
            (self.path / ".gone").rename(self.model)
            support.wait_for(lambda: self.status(server) == 200, "its return")
            self.assertEqual(self.tag(server), 1)

    def test_a_model_removed_and_put_back_while_in_use(self):
        body = wire.request_bytes("POST", "/infer/m", bytes(12 << 20), support.RAW.items())
        with support.Server(*POLL, model=self.path) as server, server.wire(timeout=120) as held:
            held.send(body)
            support.wait_for(lambda: server.metrics().total("rectifier_inference_requests_total",
                                                            result="ok") == 1, "the request's result")
            self.model.rename(self.path / ".gone")
            support.wait_for(lambda: self.index(server)[("m", "1")]["state"] == "UNLOADING", "its end")
            self.assertEqual(self.status(server), 404)
            (self.path / ".gone").rename(self.model)
            support.wait_for(lambda: self.status(server) == 200, "its return")
            self.model.rename(self.path / ".gone")
            support.wait_for(lambda: self.index(server)[("m", "1")]["state"] == "UNLOADING", "its second end")
            self.assertEqual(held.final().status, 200)
            support.wait_for(lambda: self.index(server) == {}, "the end of the last request")

    def test_one_model_replaced(self):
        """A MODEL of its own: it is the same model, whatever name a later copy gives itself."""
        model = tagged.write(self.path / "plain", 1, name="first")
        with support.Server(*POLL, model=model) as server:
            self.assertEqual(self.tag(server, "/infer/first"), 1)
            tagged.write(model, 2, name="second")
            support.wait_for(lambda: self.tag(server, "/infer/first") == 2, "the copy")
            self.assertEqual(self.status(server, "/infer/second"), 404)
            model.rename(self.path / ".gone")
            support.wait_for(lambda: self.status(server, "/infer/first") == 404, "its end")
            gone = {"name": "first", "version": "1", "state": "UNAVAILABLE", "reason": "its files are gone"}
            support.wait_for(lambda: self.index(server)[("first", "1")] == gone, "the end of the last request")
            (self.path / ".gone").rename(model)
            support.wait_for(lambda: self.status(server, "/infer/first") == 200, "its return")

    def test_touched_only(self):
        """The same bytes with other times are not loaded again: the counters go on."""
        with support.Server(*POLL, model=self.path) as server:
            self.tag(server)
            tagged.write(self.model / "1", 1)
            tagged.write(self.path / "n", 5)  # loaded after two looks: by then the other was tried
            support.wait_for(lambda: self.status(server, "/infer/n") == 200, "the new model")
            tagged.write(self.path / "n", 6)
            support.wait_for(lambda: self.tag(server, "/infer/n") == 6, "another look or two")
            self.assertEqual(server.metrics().value("rectifier_inference_rows_total", model="m",
                                                    version="1"), 1)

    def test_control_by_request_is_off(self):
        with support.Server(*POLL, model=self.path) as server, server.client() as client:
            self.assertEqual(client.post("/v2/repository/models/m/unload", b"").status, 403)


if __name__ == "__main__":
    unittest.main()
