"""How many threads there are, and how much memory, by affinity and by control groups of both versions."""

import os
import unittest

import shim
import support

CPUS = sorted(os.sched_getaffinity(0))
V1, V2 = "4:cpu,cpuacct:/a/b\n3:memory:/a/b\n0::/\n", "0::/a/b\n"
NONE = "max 100000"
# what a process's group and those above it say -> cores granted, or None; relative to /sys/fs/cgroup
QUOTAS = [
    (V2, {"a/b/cpu.max": "150000 100000"}, 1.5),
    (V2, {"a/b/cpu.max": "20000 100000"}, 0.2),
    (V2, {"a/b/cpu.max": NONE, "a/cpu.max": "100000 50000", "cpu.max": "300000 100000"}, 2),
    (V2, {"a/b/cpu.max": "250000 100000", "a/cpu.max": "100000 100000"}, 1),
    (V2, {"a/b/cpu.max": f"{len(CPUS) + 1}00000 100000"}, len(CPUS) + 1),
    (V2, {"cpu.max": "100000 100000"}, 1),  # within a container, whose group is the root
    (V2, {"a/b/cpu.max": NONE}, None),
    (V2, {}, None),
    (V1, {"cpu/a/b/cpu.cfs_quota_us": "50000", "cpu/a/b/cpu.cfs_period_us": "50000"}, 1),
    (V1, {"cpu/a/b/cpu.cfs_quota_us": "-1", "cpu/a/b/cpu.cfs_period_us": "100000",
          "cpu/cpu.cfs_quota_us": "110000", "cpu/cpu.cfs_period_us": "100000"}, 1.1),
    (V1, {"cpu/a/b/cpu.cfs_quota_us": "-1", "cpu/a/b/cpu.cfs_period_us": "100000"}, None),
    ("", {}, None),
]


class Cpus(unittest.TestCase):
    def serve(self, group, files, *args):
        """A server whose control groups say this."""
        folder = support.Folder()
        self.addCleanup(folder.__exit__)
        for name, text in {"proc/self/cgroup": group, **{f"sys/fs/cgroup/{k}": v + "\n" for k, v in files.items()}}.items():
            file = folder.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return support.Server(*args, env={"LD_PRELOAD": shim.library(self, "fake_cgroup"), "FAKE_CGROUP": str(folder.path)})

    def test_quota(self):
        for group, files, cores in QUOTAS:
            with self.subTest(files), self.serve(group, files) as server:
                m = server.metrics()
                threads = max(1, min(len(CPUS), int(cores or len(CPUS))))
                self.assertEqual(m.value("rectifier_threads"), threads)
                self.assertEqual(m.value("rectifier_cpu_quota_cores"), min(cores or len(CPUS), len(CPUS)))
                self.assertIn("cgroup quota" if cores and cores < len(CPUS) else "affinity", server.output())

    def test_the_option_wins(self):
        with self.serve(V2, {"a/b/cpu.max": "100000 100000"}, "--threads", "3") as server:
            self.assertEqual(server.metrics().value("rectifier_threads"), 3)

    def test_affinity(self):
        os.sched_setaffinity(0, CPUS[:1])
        try:
            with self.serve("", {}) as server:
                self.assertEqual(server.metrics().value("rectifier_threads"), 1)
        finally:
            os.sched_setaffinity(0, CPUS)

    def test_memory(self):
        """Half of what the groups allow is what --memory would be told, by the rows that fit it."""
        def rows(server):
            with server, server.client() as client:
                return client.get("/v2/models/digits/config").json()["max_batch_size"]

        few, limit = rows(support.Server("--threads", "1", "--memory", "4800KiB")), str(9600 << 10)
        self.assertLess(few, 32)
        for group, files in ((V2, {"a/b/memory.max": limit}), (V2, {"a/b/memory.max": "max", "a/memory.max": limit}),
                             (V1, {"memory/a/b/memory.limit_in_bytes": limit})):
            with self.subTest(files):
                self.assertEqual(rows(self.serve(group, files, "--threads", "1")), few)


if __name__ == "__main__":
    unittest.main()
