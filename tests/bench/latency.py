"""What a request of the digits network takes beside one that libmicrohttpd alone answers with as many
bytes: one client, one connection, the two servers in turns of 200 requests."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import support  # noqa: E402
import wire  # noqa: E402


def requests():
    """name -> (body, headers): one image."""
    image = support.Digits.get().images.rows(0, 1)
    pixels = [int(v) if v == int(v) else v for v in image.values.tolist()]
    return {"raw": (image.tobytes(), {"Content-Type": "application/octet-stream",
                                      "Accept": "application/octet-stream"}),
            "JSON": (json.dumps(pixels, separators=(",", ":")).encode(), {})}


def measure(build, server, folder, body, headers, seconds):
    """Lines of the driver's output, as numbers."""
    data = wire.request_bytes("POST", "/infer", body, headers.items())
    with server.wire() as w:
        w.send(data)
        reply = w.final()
    (folder / "request").write_bytes(data)
    (folder / "reply").write_bytes(reply.body)
    echo = subprocess.Popen([build / "tests/bench/echo", folder / "reply"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    try:
        port = echo.stdout.readline().decode().strip()
        out = subprocess.run([build / "tests/bench/latency", str(server.port), port,
                              folder / "request", str(seconds)], check=True, stdout=subprocess.PIPE)
    finally:
        echo.stdin.close()
        echo.wait()
    return [[float(x) for x in line.split()] for line in out.stdout.decode().splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path, help="build folder")
    parser.add_argument("--binary", help="measure this rectifier")
    parser.add_argument("--seconds", type=float, default=5, help="for each kind of request")
    parser.add_argument("options", nargs="*", help="of rectifier serve, behind --")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, support.Server(*args.options, binary=args.binary) as server:
        print(f"{'request':8} {'':9} {'median us':>9} {'10 %':>7} {'90 %':>7}")
        for name, (body, headers) in requests().items():
            ours, echo, (ratio,) = measure(args.build.resolve(), server, pathlib.Path(folder), body, headers,
                                           args.seconds)
            for who, line in (("rectifier", ours), ("echo", echo)):
                print(f"{name:8} {who:9} {line[0]:9.1f} {line[1]:7.1f} {line[2]:7.1f}")
            print(f"{name:8} ratio {ratio:13.2f}")


if __name__ == "__main__":
    main()
