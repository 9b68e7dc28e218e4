"""Every golden network against PyTorch: offline on every instruction set, by either backend of products
and by one and two threads; over HTTP on every instruction set."""

import concurrent.futures
import pathlib
import unittest

import support
import tensors

WORKERS = 2
GROUP = 40  # networks in one server


class Golden:
    """One folder of tests/goldens with its generated weights and input."""

    def __init__(self, source, folder):
        self.name = source.name
        self.path = folder.model(source.name, (source / "model.json").read_bytes())
        npy = self.path / "input.npy"
        done = support.run(source, self.path / "model.safetensors", npy,
                           binary=support.BUILD / "tests" / "support" / "make_weights")
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        self.input = tensors.npy_read(npy)
        npy.unlink()
        self.output = tensors.npy_read(source / "output.npy")

    def batches(self):
        n = self.input.shape[0]
        return sorted({b for b in (1, 3, 32, n) if b <= n})

    def check(self, got_shape, got_values, batch):
        """What is wrong with the first `batch` rows of an answer, or None."""
        want = self.output.rows(0, batch)
        if tuple(got_shape) != want.shape:
            return f"shape {tuple(got_shape)}, expected {want.shape}"
        error = tensors.max_error(got_values, want.values)
        return None if error <= support.TOLERANCE else f"error {error:.3g} of the output's scale"


@unittest.skipIf(support.SANITIZER, "make conformance runs the operators under it")
class Goldens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = support.Folder()
        sources = sorted(p.parent for p in support.GOLDENS.glob("*/model.json"))
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            cls.goldens = list(pool.map(lambda s: Golden(s, cls.folder), sources))

    @classmethod
    def tearDownClass(cls):
        cls.folder.__exit__()

    def offline(self, isa, gemm="auto"):
        """Every batch by one thread, the largest by two as well."""
        env = support.isa_environment(self, isa, gemm)
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            results = list(pool.map(lambda g: self.attempt(g, env), self.goldens))
        for golden, problems in zip(self.goldens, results):
            with self.subTest(golden=golden.name, isa=isa, gemm=gemm):
                self.assertEqual(problems, [])

    def attempt(self, golden, env):
        try:
            return (self.run_offline(golden, golden.batches(), env, 1) +
                    self.run_offline(golden, golden.batches()[-1:], env, 2))
        except Exception as e:  # one network's failure is its own subtest's
            return [f"{type(e).__name__}: {e}"]

    def run_offline(self, golden, batches, env, threads):
        problems = []
        for batch in batches:
            with support.Folder() as folder:
                outputs, _ = support.infer_offline(self, folder, golden.path,
                                                   golden.input.rows(0, batch),
                                                   "--threads", threads, env=env)
            (output,) = outputs.values()
            wrong = golden.check(output.shape, output.values, batch)
            if wrong:
                problems.append(f"batch {batch}, {threads} threads: {wrong}")
        return problems

    def serve_group(self, goldens, env):
        """name -> problems of networks served side by side by one server."""
        models = [arg for g in goldens for arg in ("--model", str(g.path))]
        with support.Server(*models, env=env) as server:
            isa = server.metrics().samples("rectifier_build_info")[0][0]["isa"]
            self.assertEqual(isa, env["RECTIFIER_ISA"])
            with server.client() as client:
                return {g.name: self.ask(g, client) for g in goldens}

    @staticmethod
    def ask(golden, client):
        problems = []
        for batch in golden.batches():
            rows = golden.input.rows(0, batch)
            reply = client.post(f"/infer/{golden.name}", rows.tobytes(), support.RAW)
            if reply.status != 200:
                problems.append(f"raw, batch {batch}: {reply}")
                continue
            wrong = golden.check((batch, *golden.output.shape[1:]), tensors.floats(reply.body), batch)
            if wrong:
                problems.append(f"raw, batch {batch}: {wrong}")
            if len(rows.values) > 10000 and batch > 1:
                continue  # JSON of this size is the digits tests' business
            body = {"inputs": [{"name": "input", "shape": list(rows.shape), "datatype": "FP32",
                                "data": rows.values.tolist()}]}
            reply = client.post(f"/v2/models/{golden.name}/infer", body)
            if reply.status != 200:
                problems.append(f"JSON, batch {batch}: {reply}")
                continue
            output = reply.json()["outputs"][0]
            wrong = golden.check(output["shape"], output["data"], batch)
            if wrong:
                problems.append(f"JSON, batch {batch}: {wrong}")
        return problems

    def served(self, isa):
        env = support.isa_environment(self, isa)
        groups = [self.goldens[i : i + GROUP] for i in range(0, len(self.goldens), GROUP)]
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for found in pool.map(lambda g: self.serve_group(g, env), groups):
                for name, problems in found.items():
                    with self.subTest(golden=name, isa=isa):
                        self.assertEqual(problems, [])

    def test_offline_base(self):
        self.offline("base")

    def test_offline_avx2(self):
        self.offline("avx2")

    def test_offline_avx512(self):
        self.offline("avx512")

    def test_offline_avx2_openblas(self):
        self.offline("avx2", "openblas")

    def test_offline_avx512_openblas(self):
        self.offline("avx512", "openblas")

    def test_served_base(self):
        self.served("base")

    def test_served_avx2(self):
        self.served("avx2")

    def test_served_avx512(self):
        self.served("avx512")


if __name__ == "__main__":
    unittest.main()
