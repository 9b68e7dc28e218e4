"""--wait-for-model, and what the service manager hears."""

import os
import socket
import unittest

import support
import tagged


class Wait(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)
        self.path = self.folder.path

    def launch(self, *args, **options):
        server = support.Server(*args, **options)
        server.launch()
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        support.wait_for(lambda: self.status(server, "/v2/health/live") == 200, "a live server")
        return server

    def ask(self, server, path, body=None):
        with server.client() as client:
            return client.post(path, body) if body is not None else client.get(path)

    def status(self, server, path, body=None):
        try:
            return self.ask(server, path, body).status
        except OSError:
            return None

    def test_a_model_that_arrives(self):
        model = self.path / "m"
        server = self.launch("--wait-for-model", "300s", model=model)
        self.assertEqual(self.status(server, "/v2/health/ready"), 503)
        for path in ("/infer", "/infer/m", "/v2/models/m/infer"):
            reply = self.ask(server, path, tagged.ONES)
            self.assertEqual(reply.status, 503, path)
            self.assertEqual(reply.header("Retry-After"), "1")
            self.assertIn("loading", reply.json()["error"])
        self.assertEqual(self.ask(server, "/v2/repository/index", b"").body,
                         b'[{"name":"m","version":"1","state":"LOADING"}]')
        self.assertEqual(self.ask(server, "/v2/models/m").status, 503)  # no inference, not counted
        self.check_refused(server, started=3)
        tagged.write(model, 3, name="m")
        server.wait_ready()
        self.assertEqual(tagged.tag_of(self.ask(server, "/infer", tagged.ONES)), 3)
        self.check_refused(server, started=4)
        server.stop()

    def check_refused(self, server, started):
        """What was refused while the model was loading is counted, and stays so when it is there."""
        m = server.check_conservation()
        labels = {"model": "m", "version": "1"}
        self.assertEqual(m.value("rectifier_inference_started_total", **labels), started)
        self.assertEqual(m.value("rectifier_inference_requests_total", result="shed", **labels), 3)
        self.assertEqual(m.value("rectifier_inference_shed_total", reason="loading", **labels), 3)

    def test_versions_that_arrive(self):
        server = self.launch("--wait-for-model", "300s", "--model-control", "api", model=self.path / "r")
        self.assertEqual(self.status(server, "/v2/repository/models/m/load", b""), 503)
        tagged.write(self.path / "new" / "m" / "4", 4)
        tagged.write(self.path / "new" / "n" / "5", 5)
        (self.path / "new").rename(self.path / "r")
        server.wait_ready()
        index = self.ask(server, "/v2/repository/index", b"").json()
        self.assertEqual([(i["name"], i["version"], i["state"]) for i in index],
                         [("m", "4", "READY"), ("n", "5", "READY")])
        self.assertEqual(tagged.tag_of(self.ask(server, "/infer/n", tagged.ONES)), 5)
        server.stop()

    def test_a_model_that_is_there(self):
        server = self.launch("--wait-for-model", "300s")
        server.wait_ready()
        support.assert_serves(self, server)
        server.stop()

    def test_a_model_that_is_wrong(self):
        (self.path / "m").mkdir()
        (self.path / "m" / "model.json").write_text("{")
        done = support.run("serve", self.path / "m", "--port", support.free_port(), "--wait-for-model", "300s")
        self.assertEqual(done.returncode, 1)
        self.assertIn("model.json", done.stderr)

    def test_a_model_that_does_not_come(self):
        for there in (False, True):
            model = self.path / f"m{there}"
            if there:
                model.mkdir()
            done = support.run("serve", model, "--port", support.free_port(), "--wait-for-model", "100ms")
            self.assertEqual(done.returncode, 1)
            self.assertIn("--wait-for-model", done.stderr)

    def test_a_signal_meanwhile(self):
        server = self.launch("--wait-for-model", "300s", model=self.path / "m")
        server.stop()


class Notify(unittest.TestCase):
    """sd_notify's protocol."""

    def listen(self, address):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(address)
        s.settimeout(60 * support.SLOWNESS)
        self.addCleanup(s.close)
        return s

    def serve(self, s, name):
        server = support.Server(env={"NOTIFY_SOCKET": name})
        server.launch()
        lines = s.recv(4096).decode().split("\n")
        self.assertEqual(lines[0], "READY=1")
        self.assertEqual(lines[1], f"STATUS=Serving on 127.0.0.1:{server.port}")
        support.assert_serves(self, server)
        server.terminate()
        self.assertEqual(s.recv(4096).decode().split("\n")[0], "STOPPING=1")
        server.finish()

    def test_a_path(self):
        folder = support.Folder()
        self.addCleanup(folder.__exit__)
        name = str(folder.path / "notify")
        self.serve(self.listen(name), name)

    def test_an_abstract_name(self):
        name = f"rectifier-test-{os.getpid()}"
        self.serve(self.listen("\0" + name), "@" + name)

    def test_while_it_waits(self):
        folder = support.Folder()
        self.addCleanup(folder.__exit__)
        s = self.listen(str(folder.path / "notify"))
        server = support.Server("--wait-for-model", "300s", model=folder.path / "m",
                                env={"NOTIFY_SOCKET": str(folder.path / "notify")})
        server.launch()
        self.assertEqual(s.recv(4096).decode(), "STATUS=Waiting for the models")
        tagged.write(folder.path / "m", 1)
        self.assertTrue(s.recv(4096).decode().startswith("READY=1\n"))
        server.stop()

    def test_nobody_listens(self):
        for name in ("/nowhere/at/all", "relative", "@" + "x" * 200):
            with support.Server(env={"NOTIFY_SOCKET": name}) as server:
                support.assert_serves(self, server)
                self.assertIn("NOTIFY_SOCKET", server.output())


if __name__ == "__main__":
    unittest.main()
