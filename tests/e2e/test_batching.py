"""Requests that share a run: who runs with whom and when, and that nobody's answer shows it.

With one compute thread and --max-delay, jobs stay in the queue until a run is full. So what is in a run
does not depend on the clock."""

import threading
import time
import unittest

import onnx_writer as o
import support
import tensors
import wire

FULL = 4
DELAY = "10s"  # as good as for ever

# outputs of a row depend on the others
ACROSS = o.model(o.graph([o.node("Softmax", ["x"], ["y"], axis=0)], [], [o.value("x", ["n", 3])],
                         [o.value("y", ["n", 3])]))
# any width
WIDE = o.model(o.graph([o.node("Relu", ["x"], ["y"])], [], [o.value("x", ["n", "w"])],
                       [o.value("y", ["n", "w"])]))
# two inputs, of which one has no rows
FIXED = o.model(o.graph([o.node("Add", ["x", "b"], ["y"])], [], [o.value("x", ["n", 2]), o.value("b", [2])],
                        [o.value("y", ["n", 2])]))


class Call(threading.Thread):
    """A request under way."""

    def __init__(self, server, path, body, headers=None):
        super().__init__(daemon=True)
        self.server, self.request, self.reply = server, (path, body, headers), None
        self.start()

    def run(self):
        with self.server.client() as client:
            self.reply = client.post(*self.request)

    def result(self):
        self.join(60 * support.SLOWNESS)
        if self.reply is None:
            raise AssertionError("no reply")
        return self.reply


def wait_for(server, condition, what):
    """Until condition(metrics) holds; gives the metrics."""
    end = time.monotonic() + 30 * support.SLOWNESS
    while time.monotonic() < end:
        metrics = server.metrics()
        if condition(metrics):
            return metrics
        time.sleep(0.005)
    raise AssertionError(f"{what} did not come to pass")


def total(metrics, name, **labels):
    return metrics.total(f"rectifier_inference_{name}", **labels)


def wait_pending(server, n):
    return wait_for(server, lambda m: total(m, "pending_requests") == n, f"{n} requests in the queue")


def oip(images, **parameters):
    return {"inputs": [{"name": "image", "shape": list(images.shape), "datatype": "FP32",
                        "data": images.values.tolist()}], "parameters": parameters}


class Held(support.ServerTest):
    """Four rows fill a run."""

    ARGS = ("--threads", "1", "--max-batch", str(FULL), "--max-delay", DELAY)

    def setUp(self):
        self.digits = support.Digits.get()
        self.before = self.server.check_conservation()

    def image(self, i, n=1):
        return self.digits.images.rows(i, i + n)

    def send(self, i, n=1, path="/infer", **parameters):
        if parameters:
            return Call(self.server, path, oip(self.image(i, n), **parameters),
                        {"Accept": "application/json"})
        return Call(self.server, path, self.image(i, n).tobytes(), support.RAW)

    def expect(self, call, i, n=1):
        reply = call.result()
        self.assertEqual(reply.status, 200, reply)
        if reply.header("Content-Type") == "application/json":
            values = reply.json()["outputs"][0]["data"]
        else:
            values = tensors.floats(reply.body)
        self.assertEqual(len(values), 10 * n)
        self.assertIsNone(self.digits.wrong(i, values))

    def ran(self, runs, rows):
        """So much was computed since the test began."""
        now = self.server.check_conservation()
        for name, want in (("executions_total", runs), ("rows_total", rows)):
            self.assertEqual(total(now, name) - total(self.before, name), want, name)

    def test_full(self):
        calls = []
        for i in range(FULL - 1):
            calls.append(self.send(i))
            wait_pending(self.server, i + 1)
        calls.append(self.send(FULL - 1))
        for i, call in enumerate(calls):
            self.expect(call, i)
        self.ran(1, FULL)

    def test_rows(self):
        """Three rows and two do not fit one run, one fills it up."""
        first = self.send(0, 3)
        wait_pending(self.server, 1)
        second = self.send(3, 2)
        self.expect(first, 0, 3)
        wait_pending(self.server, 1)
        third = self.send(5, 2)
        self.expect(second, 3, 2)
        self.expect(third, 5, 2)
        self.ran(2, 7)

    def test_more_rows_than_a_run(self):
        n = 4 * FULL + 3
        self.expect(self.send(0, n), 0, n)
        self.ran(5, n)
        alone = b"".join(self.send(i, FULL).result().body for i in range(0, 4 * FULL, FULL))
        reply = self.send(0, n).result()
        self.assertEqual(reply.header("X-Tensor-Shape"), f"{n},10")
        self.assertEqual(reply.body[:len(alone)], alone)

    def test_forms(self):
        """Bodies and replies of every form in one run."""
        npy = tensors.npy_bytes(self.image(1))
        calls = [Call(self.server, "/infer", oip(self.image(0))),
                 Call(self.server, "/infer", npy, {"Accept": "application/x-npy"}),
                 Call(self.server, "/infer", {"instances": [self.image(2).nested()[0]]})]
        wait_pending(self.server, 3)
        calls.append(self.send(3))
        replies = [call.result() for call in calls]
        for reply in replies:
            self.assertEqual(reply.status, 200, reply)
        values = [replies[0].json()["outputs"][0]["data"], tensors.npy_parse(replies[1].body).values,
                  replies[2].json()["predictions"][0], tensors.floats(replies[3].body)]
        for i, row in enumerate(values):
            self.assertIsNone(self.digits.wrong(i, row))
        self.assertEqual(replies[0].json()["parameters"]["label"], str(self.digits.labels[0]))
        self.ran(1, FULL)

    def test_bad_among_good(self):
        calls = [self.send(i) for i in range(FULL - 1)]
        wait_pending(self.server, FULL - 1)
        for body, status in ((b"[[1,2", 400), (b'{"inputs":[]}', 400), (b"[1,2,3]", 400)):
            reply = Call(self.server, "/infer", body).result()
            self.assert_error(reply, status)
        reply = Call(self.server, "/infer", bytes(255), support.RAW).result()
        self.assert_error(reply, 400, "raw body")
        calls.append(self.send(FULL - 1))
        for i, call in enumerate(calls):
            self.expect(call, i)
        self.ran(1, FULL)

    def test_empty_batch_waits_for_nobody(self):
        reply = Call(self.server, "/infer", {"inputs": [{"name": "image", "shape": [0, 1, 8, 8],
                                                         "datatype": "FP32", "data": []}]}).result()
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json()["outputs"][0]["shape"], [0, 10])

    def overtakes(self, late, early):
        """The second request runs first, though the first had three of four rows together."""
        first = self.send(0, 3, **late)
        wait_pending(self.server, 1)
        second = self.send(3, 3, **early)
        self.expect(second, 3, 3)
        metrics = self.server.metrics()
        self.assertEqual(total(metrics, "pending_requests"), 1)
        self.assertIsNone(first.reply)
        third = self.send(6)
        self.expect(first, 0, 3)
        self.expect(third, 6)
        self.ran(2, 7)

    def test_priority(self):
        self.overtakes({}, {"priority": 1})
        self.before = self.server.check_conservation()
        self.overtakes({"priority": 2}, {"priority": 1})

    def test_deadline_comes_first(self):
        self.overtakes({}, {"timeout": 29 * 10**6})

    def test_no_priority_goes_behind(self):
        first = self.send(0, 3, priority=7)
        wait_pending(self.server, 1)
        second = self.send(3, 3)
        self.expect(first, 0, 3)
        third = self.send(6)
        self.expect(second, 3, 3)
        self.expect(third, 6)

    def test_expired_while_queued(self):
        """Answered while it waits, not when its turn comes."""
        reply = self.send(0, 1, timeout=1000).result()
        self.assert_error(reply, 504, "timeout")
        self.ran(0, 0)
        now = self.server.metrics()
        self.assertEqual(total(now, "requests_total", result="deadline")
                         - total(self.before, "requests_total", result="deadline"), 1)

    def test_config(self):
        with self.server.client() as client:
            config = client.get("/v2/models/digits/config").json()
        self.assertEqual(config["max_batch_size"], FULL)
        self.assertEqual(config["dynamic_batching"]["max_queue_delay_microseconds"], 10 * 10**6)


class Shapes(support.OnnxTest):
    """Models whose requests do not all share runs."""

    MODELS = {"across": ACROSS, "wide": WIDE, "fixed": FIXED}
    MORE = Held.ARGS

    def send(self, model, **inputs):
        return Call(self.server, f"/v2/models/{model}/infer", {"inputs": [
            {"name": name, "datatype": "FP32", "shape": shape, "data": data}
            for name, (shape, data) in inputs.items()]})

    def expect(self, call, data):
        reply = call.result()
        self.assertEqual(reply.status, 200, reply)
        got = reply.json()["outputs"][0]["data"]
        self.assertEqual(len(got), len(data))
        for a, b in zip(got, data):
            self.assertAlmostEqual(a, b, places=5)

    def max_batch(self, model):
        with self.server.client() as client:
            return client.get(f"/v2/models/{model}/config").json()["max_batch_size"]

    def test_rows_that_are_not_independent(self):
        """Nobody waits for company, many rows are computed whole, and the log says so."""
        self.assertEqual(self.max_batch("across"), 0)
        self.assertIn("model across: requests share no run", self.server.output())
        self.expect(self.send("across", x=([1, 3], [1, 2, 3])), [1, 1, 1])
        n = 2 * FULL
        self.expect(self.send("across", x=([n, 3], [0] * (3 * n))), [1 / n] * (3 * n))

    def test_input_without_rows(self):
        self.assertEqual(self.max_batch("fixed"), 0)
        self.expect(self.send("fixed", x=([2, 2], [1, 2, 3, 4]), b=([2], [10, 20])), [11, 22, 13, 24])

    def test_only_equal_shapes_share(self):
        self.assertEqual(self.max_batch("wide"), FULL)
        runs = total(self.server.metrics(), "executions_total", model="wide")
        calls = []
        for i in range(FULL - 1):  # two of width 2, one of width 3
            calls.append(self.send("wide", x=([1, 2 + i % 2], [i] * (2 + i % 2))))
            wait_pending(self.server, i + 1)
        calls.append(self.send("wide", x=([2, 3], [7, 8, 9, 10, 11, 12])))
        for i in range(0, FULL - 1, 2):
            self.expect(calls[i], [i] * 2)
        # the others are three rows of width 3 now
        last = self.send("wide", x=([1, 3], [-1, 5, -1]))
        self.expect(calls[1], [1] * 3)
        self.expect(calls[3], [7, 8, 9, 10, 11, 12])
        self.expect(last, [0, 5, 0])
        now = total(self.server.metrics(), "executions_total", model="wide")
        self.assertEqual(now - runs, 2)


class LittleMemory(unittest.TestCase):
    def test_fewer_rows_in_a_run(self):
        digits = support.Digits.get()
        with support.Server("--threads", "1", "--memory", "4800KiB") as server:
            with server.client() as client:
                most = client.get("/v2/models/digits/config").json()["max_batch_size"]
                self.assertIn(most, range(1, 32))
                self.assertIn(f"model digits: {most} rows in one run", server.output())
                reply = client.post("/infer", digits.images.rows(0, 100).tobytes(), support.RAW)
                self.assertEqual(reply.status, 200, reply)
                self.assertIsNone(digits.wrong(0, tensors.floats(reply.body)))
            self.assertEqual(total(server.metrics(), "executions_total"), -(-100 // most))


class Bits(unittest.TestCase):
    CLIENTS, ROUNDS = 64, 4

    def test_same_bits_in_company(self):
        """Kernels of our own add in one order, whatever else is in the run."""
        env = support.isa_environment(self, "avx2")
        digits = support.Digits.get()
        with support.Server("--threads", "2", env=env) as server:
            with server.client() as client:
                alone = [client.post("/infer", digits.images.rows(i, i + 1).tobytes(), support.RAW).body
                         for i in range(digits.n)]
        with support.Server("--threads", "1", "--max-delay", "200ms", env=env) as server:
            wrong = []

            def work(k):
                n = 1 + k % 3
                with server.client() as client:
                    for i in range(self.ROUNDS):
                        first = (5 * k + 71 * i) % (digits.n - n)
                        reply = client.post("/infer", digits.images.rows(first, first + n).tobytes(),
                                            support.RAW)
                        if reply.status != 200 or reply.body != b"".join(alone[first:first + n]):
                            wrong.append(f"rows {first}..{first + n - 1}: {reply}")

            support.in_threads(self.CLIENTS, work)
            runs = total(server.metrics(), "executions_total")
        self.assertEqual(wrong[:3], [], f"{len(wrong)} answers differ")
        self.assertLess(runs, self.CLIENTS * self.ROUNDS / 4, "hardly any request had company")


class Busy(unittest.TestCase):
    """What happens while the only compute thread is busy, with rows enough for as long as it takes:
    if the request was over too early to see anything, it is tried again with more."""

    ROWS = int(40_000 / support.SLOWNESS)
    ARGS = ("--threads", "1", "--request-timeout", "10m")

    def behind(self, server, work):
        """work(), with the compute thread busy from its beginning to its end."""
        digits = support.Digits.get()
        for rows in (self.ROWS, 4 * self.ROWS, 10 * self.ROWS):
            before = total(server.check_conservation(), "rows_total")
            plug = Call(server, "/infer/digits", digits.images.rows(0, 1).tobytes() * rows, support.RAW)
            wait_for(server, lambda m: total(m, "rows_total") > before or not plug.is_alive(), "a run")
            result = work()
            if plug.is_alive():
                self.assertEqual(plug.result().status, 200)
                return result, rows
            plug.result()
        raise AssertionError("the compute thread is never busy")

    def test_client_gone_while_queued(self):
        digits = support.Digits.get()
        data = wire.request_bytes("POST", "/infer", digits.images.rows(0, 1).tobytes(), support.RAW.items())

        def leave():
            w = server.wire()
            w.send(data)
            end = time.monotonic() + 2
            while total(server.metrics(), "pending_requests") == 0 and time.monotonic() < end:
                time.sleep(0.002)
            w.close()
            while total(server.metrics(), "pending_requests") > 0 and time.monotonic() < end:
                time.sleep(0.002)

        with support.Server(*self.ARGS) as server:
            for _ in range(5):
                self.behind(server, leave)
                cancelled = total(server.check_conservation(), "requests_total", result="cancelled")
                if cancelled:
                    break
            self.assertEqual(cancelled, 1)

    def test_queue_full(self):
        def flood():
            return [Call(server, "/infer", [0] * 64) for _ in range(12)]

        with support.Server(*self.ARGS, "--queue-size", "4") as server:
            calls, _ = self.behind(server, flood)
            replies = [call.result() for call in calls]
            refused = [r for r in replies if r.status == 503]
            self.assertEqual({r.status for r in replies}, {200, 503})
            self.assertTrue(all(r.header("Retry-After") for r in refused))
            metrics = server.check_conservation()
            self.assertEqual(total(metrics, "shed_total", reason="queue"), len(refused))
            self.assertEqual(total(metrics, "queue_limit"), 4)

    def test_models_take_turns(self):
        """A model that is flooded does not keep another waiting until the flood is over."""
        digits = support.Digits.get()
        rows = digits.images.rows(0, 1).tobytes() * (self.ROWS // 10)
        with support.Server(f"a={support.DIGITS}", f"digits={support.DIGITS}", *self.ARGS) as server:
            flood = [Call(server, "/infer/a", rows, support.RAW) for _ in range(40)]
            wait_for(server, lambda m: total(m, "pending_requests", model="a") > 20, "a flood")
            reply = Call(server, "/infer/digits", [0] * 64).result()
            left = total(server.metrics(), "pending_requests", model="a")
            self.assertEqual(reply.status, 200)
            self.assertGreater(left, 0, "the flood was over first")
            self.assertEqual({call.result().status for call in flood}, {200})


if __name__ == "__main__":
    unittest.main()
