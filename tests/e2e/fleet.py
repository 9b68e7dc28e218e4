"""Replicas behind a proxy with its configuration of deploy/, and clients who check every answer."""

import random
import re
import subprocess
import threading
import time

import support
import tensors
import wire

DEPLOY = support.ROOT / "deploy"
CLIENTS = 8


def local(text, port, servers):
    """A configuration for this machine: replica1:8080 is the first server, and the proxy's own port is `port`."""
    for i, server in enumerate(servers, 1):
        text, n = re.subn(rf"\breplica{i}:8080\b", f"127.0.0.1:{server.port}", text)
        assert n == 1, f"replica{i}"
    assert "replica4:" not in text
    text, n = re.subn(r"(bind |listen ):?8080\b", rf"\g<1>127.0.0.1:{port}", text)
    assert n == 1, "the proxy's port"
    return text


class Fleet:
    """Three servers, and in front of them `kind`: "haproxy" or "nginx"."""

    def __init__(self, kind, *args, model=None):
        program = support.program(kind)
        self.folder = support.Folder()
        self.servers = [support.Server(*args, model=model).start() for _ in range(3)]
        self.port = support.free_port()
        file = self.folder.path / "proxy.conf"
        config = local(next(DEPLOY.glob(f"{kind}.c*")).read_text(), self.port, self.servers)
        options = ["-db", "-f", str(file)]
        if kind == "nginx":
            # Where Debian's nginx keeps its files, others have no right to; its workers are somebody else, too.
            self.folder.path.chmod(0o711)
            places = [f"{name}_temp_path {self.folder.path}/{name};" for name in
                      ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
            config = config.replace("http {", "\n".join(["http {", "access_log off;", *places]))
            options = ["-e", "stderr", "-g", f"daemon off; pid {self.folder.path}/nginx.pid;", "-c", str(file)]
        file.write_text(config)
        self.log = open(self.folder.path / "proxy.log", "wb")
        self.proxy = subprocess.Popen([program, *options], stdout=self.log, stderr=self.log)

    def __enter__(self):
        support.wait_for(self.is_up, "the proxy")
        return self

    def __exit__(self, kind, *exc):
        self.proxy.terminate()
        self.proxy.wait()
        self.log.close()
        self.folder.__exit__()
        for server in self.servers:
            server.kill() if kind else server.terminate()
        for server in self.servers:
            if not kind:
                server.finish()

    def is_up(self):
        assert self.proxy.poll() is None, (self.folder.path / "proxy.log").read_text()
        try:
            with self.client() as client:
                return client.get("/v2/health/ready").status == 200
        except OSError:
            return False

    def client(self):
        return wire.Client(self.port, 120 * support.SLOWNESS)

    def restart(self, i):
        """One replica ends and comes back, to the point where the proxy has given it work again."""
        server = self.servers[i]
        server.stop()
        time.sleep(1.5)  # a connection that it did not take any more is tried again after a second: nobody must be there
        self.servers[i] = support.Server(*server.args, model=server.model[0] if server.model else None)
        self.servers[i].start(server.port)
        support.wait_for(lambda: self.computed(i) > 0, "work for a replica that came back")

    def computed(self, i):
        return self.servers[i].metrics().total("rectifier_inference_rows_total")

    def pending(self, i):
        return self.servers[i].metrics().total("rectifier_inference_pending_requests")


class Load:
    """Clients who ask one after the other, until the `with` ends; `failed` has (when it was sent, what came)."""

    def __init__(self, fleet, ask):
        self.fleet, self.ask = fleet, ask
        self.answered, self.failed = 0, []
        self.lock, self.over = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(k,)) for k in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.more(100)
        return self

    def __exit__(self, *exc):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def more(self, n):
        """Waits for so many more answers."""
        goal = self.answered + n
        support.wait_for(lambda: self.answered + len(self.failed) >= goal, "answers")

    def work(self, seed):
        rng = random.Random(seed)
        client = self.fleet.client()
        while not self.over.is_set():
            sent_at = time.monotonic()
            try:
                wrong = self.ask(client, rng)
            except Exception as e:  # noqa: B902 - whatever it is, a client has no answer
                wrong = repr(e)
                client.http.close()
            with self.lock:
                if wrong:
                    self.failed.append((sent_at, wrong))
                else:
                    self.answered += 1
        client.http.close()


def ask_digits(client, rng):
    """Some images of the test set; None when the answer is PyTorch's."""
    digits = support.Digits.get()
    rows = rng.choice((1, 1, 1, 8, 32, 100))
    first = rng.randrange(digits.n - rows)
    reply = client.post("/infer", digits.images.rows(first, first + rows).tobytes(), support.RAW)
    if reply.status != 200:
        return repr(reply)
    return digits.wrong(first, tensors.floats(reply.body))
