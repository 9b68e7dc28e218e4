"""deploy/haproxy.cfg and deploy/nginx.conf before three replicas: all of them restarted under load, one killed."""

import time
import unittest

import fleet
import support

SIDE = 64


INSIDE = ("/metrics", "/%6detrics", "/v2/repository/models/digits/load", "/v2/%72epository/models/digits/load",
          "/v2/models/digits/activity/baseline", "/v2/models/digits/versions/1/activity/baseline?x=1",
          "/v2/models/digits/activity/novel.npy", "/v2/models/digits/activity/%6eovel.npy")


class Behind:
    """The tests of both proxies."""

    KIND, DRAIN, KEEPS_ALL = None, "0s", False

    def test_rolling_restart(self):
        behind = fleet.Fleet(self.KIND, "--drain-delay", self.DRAIN)
        with behind, fleet.Load(behind, fleet.ask_digits) as load:
            for i in range(3):
                support.wait_for(lambda: behind.computed(i) > 0, "work for every replica")
                behind.restart(i)
                load.more(100)
        self.assertEqual(load.failed, [])

    def kill(self, rows):
        """What failed when a replica that was computing is killed; what was sent afterwards never may."""
        with support.Folder() as folder:
            model = folder.model("slow", support.slow_network(SIDE, 16, 3))
            with fleet.Fleet(self.KIND, model=model) as behind:
                body = bytes(rows * SIDE * SIDE)
                kind = dict(support.RAW, **{"X-Tensor-Datatype": "UINT8"})
                with behind.servers[0].client() as client:
                    right = client.post("/infer", body, kind).body

                def ask(client, rng):
                    reply = client.post("/infer", body, kind)
                    return None if (reply.status, reply.body) == (200, right) else repr(reply)

                with fleet.Load(behind, ask) as load:
                    support.wait_for(lambda: behind.pending(0) > 0, "requests that the replica holds")
                    behind.servers[0].kill()
                    gone_at = time.monotonic()
                    load.more(100)
                behind.servers[0].start(behind.servers[0].port)
        self.assertEqual([f for f in load.failed if f[0] > gone_at], [])
        return load.failed

    def test_killed(self):
        """Even the requests that it held are answered, by another."""
        self.assertEqual(self.kill(rows=2), [])

    def test_killed_large(self):
        """Of bodies that the proxy does not keep, at most those are lost that the replica held."""
        self.assertLessEqual(len(self.kill(rows=8)), 0 if self.KEEPS_ALL else fleet.CLIENTS)

    def test_inside_only(self):
        with fleet.Fleet(self.KIND) as behind, behind.client() as client:
            for path in INSIDE:
                for ask in (client.get, lambda path: client.post(path, b"")):
                    reply = ask(path)
                    self.assertEqual(reply.status, 404, path)
                    self.assertIsNone(reply.header("X-Request-Id"), f"{path} reached a replica")
            images = support.Digits.get().images.tobytes() * 25
            self.assertEqual(client.post("/infer", images, support.RAW).status, 200)


@unittest.skipIf(support.SANITIZER, "about the other programs; the server's part is seen elsewhere")
class Haproxy(Behind, unittest.TestCase):
    KIND = "haproxy"
    DRAIN = "5s"  # as deploy/ starts the replicas


@unittest.skipIf(support.SANITIZER, "about the other programs; the server's part is seen elsewhere")
class Nginx(Behind, unittest.TestCase):
    KIND = "nginx"  # which does not ask whether a replica is ready: no delay would help it
    KEEPS_ALL = True


if __name__ == "__main__":
    unittest.main()
