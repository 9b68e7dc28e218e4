"""What every end-to-end test needs: the binary, a running server, the laws that hold afterwards."""

import json
import os
import pathlib
import platform
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import prometheus
import tensors
import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("RECTIFIER_TEST_BUILD", ROOT / "build")).resolve()
BINARY = BUILD / "rectifier"
DIGITS = ROOT / "deploy" / "models" / "digits"
GOLDENS = ROOT / "tests" / "goldens"
SLOWNESS = float(os.environ.get("RECTIFIER_TEST_SLOWNESS", "1"))  # sanitizers are slower
SANITIZER = os.environ.get("RECTIFIER_TEST_SANITIZER", "")
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
           "runtime error:", "MHD panic", "Fatal error in GNU libmicrohttpd", "inferences began")
TOLERANCE = 1e-5


def environment(extra=None):
    """This process's environment without RECTIFIER_ settings, so that tests see defaults."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("RECTIFIER_")}
    env.update(extra or {})
    return env


def run(*args, env=None, timeout=60.0, cwd=None, binary=None):
    """Runs the command to its end; stdout and stderr as text."""
    done = subprocess.run([str(binary or BINARY), *map(str, args)], env=environment(env),
                          timeout=timeout * SLOWNESS, cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    done.stdout = done.stdout.decode("utf-8", "replace")
    done.stderr = done.stderr.decode("utf-8", "replace")
    return done


def free_port():
    """A port nobody listens on, outside the range that outgoing connections take theirs from."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Server:
    """`rectifier serve` as a child process."""

    def __init__(self, *args, model=None, env=None, binary=None, stderr=None):
        self.args = [str(a) for a in args]
        self.model = [str(model)] if model else []
        self.env, self.binary, self.stderr = env, binary, stderr
        self.process = None
        self.log = tempfile.TemporaryFile()

    def start(self, port=None):
        self.launch(port)
        self.wait_ready()
        return self

    def launch(self, port=None):
        self.port = port or free_port()
        self.process = subprocess.Popen(
            [str(self.binary or BINARY), "serve", *self.model, "--port", str(self.port), *self.args],
            env=environment(self.env), stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.stderr or self.log)

    def wait_ready(self):
        end = time.monotonic() + 60 * SLOWNESS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"serve ended with {self.process.returncode}:\n{self.output()}")
            try:
                with self.client(timeout=5) as c:
                    if c.get("/v2/health/ready").status == 200:
                        self.base_files = self.open_files() - 1  # without this connection
                        return
            except OSError:
                pass
            time.sleep(0.01)
        self.kill()
        raise AssertionError(f"serve did not become ready:\n{self.output()}")

    def output(self):
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size, 0).decode("utf-8", "replace")

    def client(self, timeout=60.0):
        return wire.Client(self.port, timeout * SLOWNESS)

    def wire(self, timeout=20.0):
        return wire.Wire(self.port, timeout * SLOWNESS)

    def metrics(self):
        with self.client() as c:
            return prometheus.Metrics(c.get("/metrics").body.decode())

    def check_conservation(self):
        """started = the sum of results, and nothing pending, once the server is idle."""
        end = time.monotonic() + 20 * SLOWNESS
        while True:
            m = self.metrics()
            started = m.total("rectifier_inference_started_total")
            results = m.total("rectifier_inference_requests_total")
            pending = m.total("rectifier_inference_pending_requests")
            if started == results and pending == 0:
                return m
            if time.monotonic() > end:
                raise AssertionError(f"started {started}, results {results}, pending {pending}")
            time.sleep(0.02)

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def check_laws(self):
        """What holds after every scenario, once its clients have left."""
        self.check_conservation()
        wait_for(lambda: self.open_files() <= self.base_files, "the return of all descriptors")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout=40.0):
        try:
            return self.process.wait(timeout * SLOWNESS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"serve did not stop:\n{self.output()[-2000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends the server cleanly."""
        if self.process.poll() is None:
            self.terminate()
        self.finish()

    def finish(self):
        """The end after a signal: exit code 0 and no sanitizer report."""
        code = self.wait(130)
        text = self.output()
        self.log.close()
        for report in REPORTS:
            if report in text:
                raise AssertionError(text[-6000:])
        if code != 0:
            raise AssertionError(f"serve ended with {code}:\n{text[-3000:]}")

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *exc):
        if kind is not None:
            self.kill()
            return
        self.check_laws()
        self.stop()


class ServerTest(unittest.TestCase):
    """A test class with one server for all of its tests; the laws are checked when they are done."""

    ARGS, MODEL, ENV = (), None, None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.ARGS, model=cls.MODEL, env=cls.ENV).start()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.server.check_laws()
        finally:
            cls.server.stop()

    def assert_error(self, reply, status, *fragments):
        """`reply` is one of our own errors: status, JSON of one key, short, with a request id."""
        self.assertIsNotNone(reply, "closed without an answer")
        self.assertEqual(reply.status, status, reply)
        self.assertEqual((reply.header("Content-Type") or "").split(";")[0], "application/json")
        self.assertLessEqual(len(reply.body), 1024)
        body = reply.json()
        self.assertEqual(list(body), ["error"])
        self.assertTrue(reply.header("X-Request-Id"), "no X-Request-Id")
        for fragment in fragments:
            self.assertIn(fragment.lower(), body["error"].lower())
        return body["error"]


class Digits:
    """The bundled network's test split, and the check that an answer is right."""

    _data = None

    def __init__(self):
        self.images = tensors.npy_read(DIGITS / "test_images.npy")
        self.labels = tensors.npy_read(DIGITS / "test_labels.npy").values.tolist()
        self.outputs = tensors.npy_read(DIGITS / "test_outputs.npy")
        self.classes = self.outputs.argmax_rows()
        self.n = len(self.labels)

    @classmethod
    def get(cls):
        if cls._data is None:
            cls._data = cls()
        return cls._data

    def oip(self, first, last, **extra):
        images = self.images.rows(first, last)
        return {"inputs": [{"name": "image", "shape": list(images.shape), "datatype": "FP32",
                            "data": images.values.tolist()}], **extra}

    def wrong(self, first, values):
        """None when `values` are the outputs of rows first, first+1, ...; else what differs."""
        rows, rest = divmod(len(values), 10)
        if rest or rows == 0:
            return f"{len(values)} values"
        want = self.outputs.rows(first, first + rows).values
        error = max(abs(a - b) for a, b in zip(values, want))
        if not error <= TOLERANCE:
            return f"rows {first}..{first + rows - 1}: error {error}"
        return None


RAW = {"Content-Type": "application/octet-stream", "Accept": "application/octet-stream"}


def assert_serves(test, server, image=0):
    """One right inference over a connection of its own."""
    digits = Digits.get()
    with server.client() as c:
        reply = c.post("/infer", digits.images.rows(image, image + 1).tobytes(), RAW)
    test.assertEqual(reply.status, 200, reply)
    test.assertIsNone(digits.wrong(image, tensors.floats(reply.body)))


def wait_for(reached, what="it"):
    """Returns what `reached` gives as soon as that is true."""
    end = time.monotonic() + 60 * SLOWNESS
    while time.monotonic() < end:
        got = reached()
        if got:
            return got
        time.sleep(0.005)
    raise AssertionError(f"{what} did not come about")


class Threads:
    """work(i) in n threads, from `with` to its end, which sets `stop`, waits for them and raises their first exception."""

    def __init__(self, n, work):
        self.stop, self.errors = threading.Event(), []
        self.threads = [threading.Thread(target=self._guarded, args=(work, i)) for i in range(n)]

    def _guarded(self, work, i):
        try:
            work(i)
        except BaseException as e:  # noqa: B902 - handed to the test below
            self.errors.append(e)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        for t in self.threads:
            t.join()
        if self.errors:
            raise self.errors[0]


def in_threads(n, work):
    """Runs work(i) in n threads; raises the first exception."""
    with Threads(n, work):
        pass


def slow_network(side, channels, convs):
    """The model.json of a network that computes for a while: convolutions of images of side x side."""
    layers = [layer for i in range(convs) for layer in (
        {"type": "conv2d", "name": f"c{i}", "out_channels": channels, "kernel_size": 3, "padding": 1},
        {"type": "relu"})]
    return {"format": 1, "name": "slow", "input": {"name": "x", "shape": [1, side, side]},
            "init": {"scheme": "kaiming_normal", "seed": 1},
            "layers": layers + [{"type": "adaptiveavgpool2d", "output_size": 1}, {"type": "flatten"}]}


def stop_seconds(*options):
    """How long `serve` with these options may take to end after SIGTERM: whoever sends it must wait longer."""
    done = run("serve", *options, "--print-config")
    assert done.returncode == 0, done.stderr
    settings = dict(re.findall(r"(?m)^([a-z-]+) +(\S+)", done.stdout))
    return sum(int(settings[name].rstrip("s")) for name in ("drain-delay", "exit-timeout"))


def program(name):
    """The path of a program that a test cannot do without, or its end as skipped."""
    found = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
    if not found:
        raise unittest.SkipTest(f"{name} is not installed")
    return found


class Folder:
    """A temporary folder, and model folders in it."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="rectifier-test-"))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.path, ignore_errors=True)

    def model(self, name, network, weights=None):
        """`network`: dict or bytes; `weights`: name -> Tensor, bytes, or None."""
        folder = self.path / name
        folder.mkdir()
        if network is not None:
            text = network if isinstance(network, bytes) else json.dumps(network).encode()
            (folder / "model.json").write_bytes(text)
        if weights is not None:
            data = weights if isinstance(weights, bytes) else tensors.safetensors_bytes(weights)
            (folder / "model.safetensors").write_bytes(data)
        return folder


class OnnxTest(ServerTest):
    """One server of ONNX models that are written for it, and of MORE behind them."""

    MODELS = {}  # name -> bytes of the file
    MORE = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        cls.addClassCleanup(cls.folder.__exit__)
        for name, model in cls.MODELS.items():
            (cls.folder.path / f"{name}.onnx").write_bytes(model)
        cls.ARGS = [*(cls.folder.path / f"{name}.onnx" for name in cls.MODELS), *cls.MORE]
        super().setUpClass()


def infer_offline(test, folder, model, data, *args, env=None):
    """`rectifier infer` with one .npy input; name -> Tensor of what it wrote, and its stdout."""
    source = folder.path / "input.npy"
    out = pathlib.Path(tempfile.mkdtemp(dir=folder.path))
    tensors.npy_write(source, data)
    done = run("infer", model, source, "-o", out, *args, env=env)
    test.assertEqual(done.returncode, 0, done.stderr)
    for report in REPORTS:
        test.assertNotIn(report, done.stderr)
    return {p.name[:-4]: tensors.npy_read(p) for p in sorted(out.glob("*.npy"))}, done.stdout


BLAS_CORE = {"base": "Nehalem", "avx2": "Haswell", "avx512": "SkylakeX"}
NEEDS = {"base": set(), "avx2": {"avx2", "fma"},
         "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"}}


def cpu_flags():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()


def isa_environment(test, isa, gemm="auto"):
    """Environment that caps our kernels and OpenBLAS's, and chooses who multiplies; skips the test
    where the CPU cannot run them."""
    if platform.machine() == "x86_64":
        missing = NEEDS[isa] - cpu_flags()
        if missing:
            test.skipTest(f"this CPU lacks {' '.join(sorted(missing))}")
    elif isa != "base":
        test.skipTest(f"{isa} is an x86-64 instruction set")
    return {"RECTIFIER_ISA": isa, "OPENBLAS_CORETYPE": BLAS_CORE[isa], "RECTIFIER_GEMM": gemm}
