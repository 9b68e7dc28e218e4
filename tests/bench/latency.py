"""What a request of the digits network takes beside one that libmicrohttpd alone answers with as many
bytes: one client, one connection, the two servers in turns of 10 ms."""

import argparse
import json
import pathlib
import statistics
import tempfile

import client
import support
import wire

TURN = 0.01  # seconds


def requests():
    """name -> (body, headers): one image."""
    image = support.Digits.get().images.rows(0, 1)
    pixels = [int(v) if v == int(v) else v for v in image.values.tolist()]
    return {"raw": (image.tobytes(), support.RAW), "JSON": (json.dumps(pixels, separators=(",", ":")).encode(), {})}


def measure(build, server, folder, body, headers, seconds):
    """The turns of our server and of the echo."""
    data = wire.request_bytes("POST", "/infer", body, headers.items())
    with server.wire() as w:
        w.send(data)
        reply = w.final()
    client.write(folder, [data], [client.values_of(reply)])
    with client.echo(build, folder, reply) as port:
        return client.load(build, 1, TURN, seconds / 2, [(server.port, folder), (port, folder)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path, help="build folder")
    parser.add_argument("--binary", help="measure this rectifier")
    parser.add_argument("--seconds", type=float, default=5, help="for each kind of request")
    parser.add_argument("options", nargs="*", help="of rectifier serve, behind --")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, support.Server(*args.options, binary=args.binary) as server:
        print(f"{'request':8} {'':9} {'median us':>9} {'99 %':>7}")
        for name, (body, headers) in requests().items():
            ours, echo = measure(args.build.resolve(), server, pathlib.Path(folder), body, headers, args.seconds)
            for who, turns in (("rectifier", ours), ("echo", echo)):
                p50, p99 = (statistics.median(getattr(turn, what) for turn in turns) for what in ("p50", "p99"))
                print(f"{name:8} {who:9} {p50:9.1f} {p99:7.1f}")
            print(f"{name:8} ratio {statistics.median(a.p50 / b.p50 for a, b in zip(ours, echo)):13.2f}")


if __name__ == "__main__":
    main()
