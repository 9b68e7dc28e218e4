#!/usr/bin/env python3
"""Ten times what a network can do, then silence: prints goodput, how fast what is too much is refused, memory and
recovery. Numbers for people: nothing here passes or fails, for they are the machine's as much as the server's.

    python3 tests/campaign/overload.py [BUILD] [--seconds N] [--threads N]
"""

import argparse
import asyncio
import json
import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

SIDE, CHANNELS, CONVS = 64, 64, 40


class Client:
    """Requests over connections that are kept; what became of them."""

    def __init__(self, port, request):
        self.port, self.request = port, request
        self.idle = []
        self.ok, self.shed, self.other = [], 0, 0  # seconds of the good ones

    async def ask(self):
        start = time.monotonic()
        try:
            reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(self.request)
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            await reader.readexactly(int(fields[b"content-length"]))
        except (OSError, asyncio.IncompleteReadError):
            self.other += 1
            return
        if b"close" == fields.get(b"connection"):
            writer.close()
        else:
            self.idle.append((reader, writer))
        status = int(head.split(b" ")[1])
        if status == 200:
            self.ok.append(time.monotonic() - start)
        elif status == 503:
            self.shed += 1
        else:
            self.other += 1

    async def closed_loop(self, n, seconds):
        """n clients, each asking again once it is answered."""
        end = time.monotonic() + seconds

        async def one():
            while time.monotonic() < end:
                await self.ask()

        await asyncio.gather(*(one() for _ in range(n)))

    async def open_loop(self, rate, seconds):
        """`rate` requests a second whatever becomes of them."""
        tasks, start, n = set(), time.monotonic(), 0
        while time.monotonic() - start < seconds:
            while n < (time.monotonic() - start) * rate:
                tasks.add(asyncio.create_task(self.ask()))
                n += 1
            await asyncio.sleep(0.002)
        sent = n / (time.monotonic() - start)
        await asyncio.gather(*tasks)
        return sent


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def resident(server):
    with open(f"/proc/{server.process.pid}/status") as f:
        fields = dict(line.split(":", 1) for line in f)
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024


async def recover(client, usual):
    """Seconds until a lone request is answered in less than twice the usual time; at most a minute."""
    start = begun = time.monotonic()
    while begun - start < 60:
        before, begun = len(client.ok), time.monotonic()
        await client.ask()
        if len(client.ok) > before and time.monotonic() - begun < 2 * usual:
            break
    return begun - start


async def campaign(server, request, seconds):
    calm, peak, storm = (Client(server.port, request) for _ in range(3))
    await calm.closed_loop(1, seconds / 4)
    usual = statistics.median(calm.ok)
    await peak.closed_loop(8, seconds)
    best = len(peak.ok) / seconds
    before, _ = resident(server)
    sent = await storm.open_loop(10 * best, seconds)
    good = len(storm.ok) / seconds
    recovery = await recover(Client(server.port, request), usual)
    _, most = resident(server)
    print(f"one client         {usual * 1e3:9.1f} ms, median")
    print(f"peak               {best:9.1f} answers/s by 8 clients")
    print(f"offered            {sent:9.1f} requests/s")
    print(f"goodput            {good:9.1f} answers/s, {100 * good / best:.0f} % of the peak")
    print(f"answered in        {percentile(storm.ok, 0.5) * 1e3:9.1f} ms, median; "
          f"{percentile(storm.ok, 0.99) * 1e3:.1f} ms, 99th percentile")
    print(f"refused with 503   {storm.shed:9d}; {storm.other} neither answered nor refused")
    print(f"recovered in       {recovery * 1e3:9.1f} ms")
    print(f"resident           {before:9.1f} MiB before, at most {most:.1f} MiB")


def refusals(log):
    """Milliseconds from the request line to the 503 sent, by the server's own log."""
    lines = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
    return [line["duration_ms"] for line in lines if line.get("status") == 503]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", nargs="?", default="build", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", default="0", help="the server's; fewer than cores leaves one to the clients")
    options = parser.parse_args()
    os.environ["RECTIFIER_TEST_BUILD"] = str(options.build.resolve())
    import support
    import wire
    request = wire.request_bytes("POST", "/infer", bytes(4 * SIDE * SIDE), support.RAW.items())
    with support.Folder() as folder:
        server = support.Server("--queue-size", "16", "--log-format", "json", "--threads", options.threads,
                                model=folder.model("slow", support.slow_network(SIDE, CHANNELS, CONVS))).start()
        asyncio.run(campaign(server, request, options.seconds))
        server.check_conservation()
        server.terminate()
        server.wait()
        took = refusals(server.output())
    print(f"a refusal takes    {percentile(took, 0.5):9.3f} ms, median; {percentile(took, 0.99):.3f} ms, 99th percentile")


if __name__ == "__main__":
    main()
