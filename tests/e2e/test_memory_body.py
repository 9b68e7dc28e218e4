"""What a large JSON request takes at its peak: three times its body, in every form."""

import unittest

import memory
import onnx_writer as o
import support
import wire

SIZE, ROWS = 1024, 8192
MEAN = o.model(o.graph([o.node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=1)], [],
                       [o.value("x", ["n", SIZE])], [o.value("y", ["n", 1])]))
KEPT = 4 * memory.MIB  # a run's activations, the reply, what the allocator rounds up

# Two bytes an element are the fewest, and become four.
FLAT = b"[" + b"0," * (SIZE * ROWS - 1) + b"0]"
ROW = b"[" + b"0," * (SIZE - 1) + b"0]"
NESTED = b"[" + (ROW + b",") * (ROWS - 1) + ROW + b"]"
NAMED = b'[' + (b'{"x":' + ROW + b"},") * (ROWS - 1) + b'{"x":' + ROW + b"}]"
OIP = b'{"inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP32","data":%s}]}'


class MemoryOfBodies(support.ServerTest):
    @classmethod
    def setUpClass(cls):
        if support.SANITIZER:
            raise unittest.SkipTest("a sanitizer keeps what is freed")
        cls.folder = support.Folder()
        cls.addClassCleanup(cls.folder.__exit__)
        cls.MODEL = cls.folder.path / "mean.onnx"
        cls.MODEL.write_bytes(MEAN)
        cls.ARGS = ["--request-timeout", "300s", "--threads", "1", "--http-threads", "1"]
        super().setUpClass()

    def send(self, data):
        with self.server.wire(timeout=300 * support.SLOWNESS) as w:
            w.send(data)
            return w.final()

    def peak(self, data):
        """Bytes that answering takes at its peak, beside what the server holds before."""
        pid = self.server.process.pid
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # the peak begins anew
        before = memory.of_process(pid, "VmRSS")
        reply = self.send(data)
        self.assertEqual(reply.status, 200, reply)
        return memory.of_process(pid, "VmHWM") - before

    def check(self, body, data=None):
        self.send(wire.request_bytes("POST", "/infer", b"[" + ROW + b"]"))
        peak = self.peak(data or wire.request_bytes("POST", "/infer", body))
        self.assertLess(peak, 3 * len(body) + KEPT)
        self.assertGreater(peak, 2 * len(body))  # less would mean that nothing was measured

    def test_array(self):
        self.check(NESTED)

    def test_instances(self):
        self.check(b'{"instances":' + NESTED + b"}")

    def test_named_instances(self):
        self.check(b'{"instances":' + NAMED + b"}")

    def test_protocol(self):
        self.check(OIP % (ROWS, SIZE, FLAT))

    def test_protocol_nested(self):
        self.check(OIP % (ROWS, SIZE, NESTED))

    def test_chunks(self):
        """Whose length is not known before."""
        body = OIP % (ROWS, SIZE, FLAT)
        chunks = [body[i:i + 65536] for i in range(0, len(body), 65536)]
        self.check(body, wire.head("POST", "/infer", [("Transfer-Encoding", "chunked")])
                   + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n")


if __name__ == "__main__":
    unittest.main()
