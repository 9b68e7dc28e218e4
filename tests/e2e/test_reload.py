"""Reloading under load: nothing is lost, and every answer is of one copy as a whole."""

import json
import os
import shutil
import unittest

import memory
import support
import tagged

RELOADS = 20 * int(os.environ.get("RECTIFIER_CAMPAIGN", "5"))
CLIENTS = 4
API = ("--model-control", "api")
REQUEST = json.dumps({"inputs": [{"name": "x", "shape": [1, tagged.WIDTH], "datatype": "FP32",
                                  "data": [1] * tagged.WIDTH}]}).encode()


class Load(support.Threads):
    """Clients that ask one after the other, and what they may be told: `newest` is the copy whose load
    was answered last, `coming` the one being loaded."""

    def __init__(self, server, paths, check):
        super().__init__(CLIENTS, self.work)
        self.server, self.paths, self.check = server, paths, check
        self.newest = self.coming = 1
        self.answers = [0] * CLIENTS

    def work(self, i):
        with self.server.client() as client:
            while not self.stop.is_set():
                oldest = self.newest
                reply = client.post(self.paths[i % len(self.paths)], REQUEST)
                tag = self.check(reply)
                assert oldest <= tag <= self.coming, f"{tag} is not of {oldest} to {self.coming}"
                self.answers[i] += 1


class Reload(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)
        self.path = self.folder.path

    def load(self, server, verb="load"):
        with server.client() as client:
            reply = client.post(f"/v2/repository/models/m/{verb}", b"")
        self.assertEqual(reply.status, 200, reply)

    def check_load(self, load, each):
        """Each reload has met at least one answer of every client."""
        for tag in range(2, RELOADS + 2):
            before = list(load.answers)
            load.coming = tag
            each(tag)
            load.newest = tag
            support.wait_for(lambda: load.errors or all(a > b for a, b in zip(load.answers, before)))
            if load.errors:
                return

    def test_new_versions(self):
        def check(reply):
            tag = tagged.tag_of(reply)
            assert reply.json()["model_version"] == str(tag), reply
            return tag

        def each(tag):
            tagged.write(self.path / "m" / str(tag), tag)
            self.load(server)
            shutil.rmtree(self.path / "m" / str(tag - 1))

        tagged.write(self.path / "m" / "1", 1)
        with support.Server(*API, model=self.path / "m") as server:
            files = server.open_files()
            with Load(server, ("/infer", "/infer/m", "/v2/models/m/infer"), check) as load:
                self.check_load(load, each)
            self.assertEqual(sum(s["version"] == str(RELOADS + 1) for s in self.stats(server)), 1)
            support.wait_for(lambda: server.open_files() <= files, "the files' end")

    def stats(self, server):
        with server.client() as client:
            return client.get("/v2/models/stats").json()["model_stats"]

    def test_the_same_version_anew(self):
        def each(tag):
            tagged.write(self.path / "m", tag)
            self.load(server)

        tagged.write(self.path / "m", 1)
        with support.Server(*API, model=self.path) as server, \
                Load(server, ("/infer/m", "/v2/models/m/versions/1/infer"), tagged.tag_of) as load:
            self.check_load(load, each)

    def test_unloaded_while_in_use(self):
        """Every request is answered: right, or by 404 once it is gone, 503 while it comes back."""
        tagged.write(self.path / "m", 1)
        seen = {200: 0, 404: 0, 503: 0}
        texts = {404: b"has no available versions", 503: b"is not at ready state: it is loading"}

        def check(reply):
            if reply.status == 200:
                tagged.tag_of(reply)
            else:
                assert texts[reply.status] in reply.body, reply
            seen[reply.status] += 1
            return 1

        with support.Server(*API, model=self.path) as server, \
                Load(server, ("/infer/m", "/v2/models/m/infer"), check) as load:
            for verb, status in (("unload", 404), ("load", 200)) * 20:
                before = seen[status]
                self.load(server, verb)
                support.wait_for(lambda: load.errors or seen[status] > before, f"a {status}")


SIZE = 768
BYTES = 2 * SIZE * SIZE * 4


@unittest.skipIf(support.SANITIZER, "a sanitizer keeps what is freed")
class Memory(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)
        layers = [{"type": "linear", "out_features": SIZE}, {"type": "relu"}] * 2
        network = {"format": 1, "name": "m", "input": {"name": "x", "shape": [SIZE]}, "layers": layers}
        source = self.folder.path / "init.json"
        source.write_text(json.dumps({**network, "init": {"scheme": "kaiming_normal", "seed": 1}}))
        done = support.run("init", source, self.folder.model("m", network) / "model.safetensors")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_hundred_cycles(self):
        body = json.dumps([0.5] * SIZE).encode()
        with support.Server(*API, "--threads", "2", model=self.folder.path) as server, \
                server.client() as client:
            def cycle():
                for verb in ("unload", "load"):
                    self.assertEqual(client.post(f"/v2/repository/models/m/{verb}", b"").status, 200)
                self.assertEqual(client.post("/infer/m", body).status, 200)

            def resident():
                return memory.of_process(server.process.pid, "VmRSS")

            for _ in range(10):
                cycle()
            loaded = resident()
            for _ in range(90):
                cycle()
            # 2 MiB: of a process as small as this one, allocators alone keep more than a twentieth
            self.assertLess(resident(), max(1.05 * loaded, loaded + (2 << 20)))
            loaded = resident()
            client.post("/v2/repository/models/m/unload", b"")
            support.wait_for(lambda: resident() < loaded - 0.9 * BYTES, "the memory's return")


if __name__ == "__main__":
    unittest.main()
