#!/usr/bin/env python3
"""Seconds from a question to the first text of its answer, over HTTP, and to that of another question about the same
picture: what a server saves that keeps what it has looked at and read.

Usage: first_text.py PORT        a 'vl2 serve' listens there; five pictures of 640 x 480, noise
"""
import base64
import http.client
import json
import random
import statistics
import struct
import sys
import time
import zlib


def png(seed, width=640, height=480):
    """A picture that no server has seen."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(3 * width) for _ in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1))
            + chunk(b"IEND", b""))


def first_text(port, url, question):
    """Seconds until the first delta with text."""
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": question}]
    body = json.dumps({"stream": True, "max_tokens": 4, "messages": [{"role": "user", "content": parts}]})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    begin = time.monotonic()
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    for line in connection.getresponse():
        if line.startswith(b"data: {"):
            event = json.loads(line[6:])
            if "error" in event:
                sys.exit(event["error"]["message"])
            if event["choices"] and event["choices"][0]["delta"].get("content"):
                seconds = time.monotonic() - begin
                connection.close()
                return seconds
    sys.exit("the answer had no text")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("Usage: ")[1].strip())
    port, ratios = int(sys.argv[1]), []
    run = random.randrange(1 << 32)
    for number in range(5):
        url = "data:image/png;base64," + base64.b64encode(png(run + number)).decode()
        first = first_text(port, url, "What is in the picture?")
        second = first_text(port, url, "Which colour is the largest thing?")
        ratios.append(first / second)
        print(f"{first:.3f} s, then {second:.3f} s: {first / second:.1f} times sooner")
    print(f"median: {statistics.median(ratios):.1f} times sooner")


main()
