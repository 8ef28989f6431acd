"""A long batch, killed again and again: thousands of drawn pictures, asked about by pocket.

Usage: batch.py [--pictures 2000] [--kills 20] [--seed 1]      prints figures; status 1 where a rule was broken

One run without kills says what is right. Another one is killed with SIGKILL at random moments and resumed. After each kill
the output is a beginning of the right one, and in the end it is the right one, byte for byte, with no line twice and none
missing. Needs nothing but Python."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from struct import pack

from pictures import chunk
from server import PROGRAMS, base64_of, pocket

COLOURS = {
    "red": (220, 30, 30), "green": (30, 160, 50), "blue": (40, 70, 220), "yellow": (245, 215, 40), "black": (20, 20, 20),
    "orange": (245, 140, 30), "purple": (140, 50, 170), "pink": (250, 140, 190), "brown": (125, 75, 35),
}
SHAPES = {
    "circle": lambda x, y: x * x + y * y <= 1,
    "square": lambda x, y: max(abs(x), abs(y)) <= 0.85,
    "triangle": lambda x, y: -0.8 <= y <= 0.8 and abs(x) <= (y + 0.8) / 1.6,
    "diamond": lambda x, y: abs(x) + abs(y) <= 1,
}
# Each so many lines is none, and asks nothing.
BROKEN = 97


def draw(random, side=150):
    """A picture of two shapes side by side, as a PNG file, with what is on it."""
    names = random.sample(list(SHAPES), 2)
    colours = random.sample(list(COLOURS), 2)
    radius = random.uniform(0.14, 0.2) * side
    places = [(side * random.uniform(0.22, 0.3), side * random.uniform(0.3, 0.7)),
              (side * random.uniform(0.7, 0.78), side * random.uniform(0.3, 0.7))]
    ground = bytes([random.randint(225, 245)] * 3)
    rows = []
    for y in range(side):
        row = bytearray(ground * side)
        for name, colour, (left, top) in zip(names, colours, places):
            if abs(y - top) > radius:
                continue
            for x in range(max(0, int(left - radius)), min(side, int(left + radius) + 1)):
                if SHAPES[name]((x - left) / radius, (y - top) / radius):
                    row[3 * x:3 * x + 3] = bytes(COLOURS[colour])
        rows.append(b"\0" + bytes(row))
    head = pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(rows), 6)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return png, dict(zip(names, colours))


def write_batch(folder, count, random):
    """Requests about so many pictures. Returns the right answers by custom_id; None for a line that is none."""
    (folder / "pictures").mkdir()
    right, lines = {}, []
    for index in range(count):
        if index % BROKEN == BROKEN - 1:
            right[f"broken {index}"] = None
            lines.append(json.dumps({"custom_id": f"broken {index}", "method": "POST"}))
            continue
        png, shown = draw(random)
        shape, colour = random.choice(list(shown.items()))
        if index % 3 == 0:
            url = "data:image/png;base64," + base64_of(png)
        else:
            url = f"{index:05}.png"
            (folder / "pictures" / url).write_bytes(png)
        content = [{"type": "text", "text": f"What colour is the {shape}?"}, {"type": "image_url", "image_url": {"url": url}}]
        body = {"messages": [{"role": "user", "content": content}], "max_tokens": 8}
        right[f"picture {index}"] = colour
        lines.append(json.dumps(
            {"custom_id": f"picture {index}", "method": "POST", "url": "/v1/chat/completions", "body": body}))
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
    return right


def start(folder, output, *options):
    words = [PROGRAMS / "vl2", "batch", "--model", folder / "pocket.vl2q", folder / "in.jsonl", "-o", folder / output,
             "--images", folder / "pictures", *options]
    return subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process, status):
    """Waits for the end. Returns the process's largest memory, in MB."""
    errors = process.stderr.read()
    _, ended, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    if process.returncode != status:
        sys.exit(f"vl2 batch ended with {process.returncode}: {errors}")
    return usage.ru_maxrss / 1024


def written(output):
    return output.read_bytes().count(b"\n") if output.exists() else 0


def answer(line):
    body = line["response"]["body"]
    return body["choices"][0]["message"]["content"] if line["response"]["status_code"] == 200 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="vl2-batch-") as name:
        folder = Path(name)
        shutil.copy(pocket(), folder / "pocket.vl2q")
        right = write_batch(folder, given.pictures, chance)
        status = 65 if None in right.values() else 0
        begin = time.monotonic()
        memory = finish(start(folder, "whole.jsonl"), status)
        seconds = time.monotonic() - begin
        whole = (folder / "whole.jsonl").read_bytes()
        lines = [json.loads(line) for line in whole.splitlines()]
        if [line["custom_id"] for line in lines] != list(right):
            sys.exit("the output has other lines than the input")
        correct = sum(answer(line) == right[line["custom_id"]] for line in lines)
        print(f"{len(lines)} lines in {seconds:.0f} s, {seconds / len(lines) * 1000:.0f} ms each, at most {memory:.0f} MB; "
              f"{correct} as they should be")

        # A run that finds everything done takes what each run takes before its first line.
        begin = time.monotonic()
        finish(start(folder, "whole.jsonl", "--resume"), status)
        opening = time.monotonic() - begin
        if (folder / "whole.jsonl").read_bytes() != whole:
            sys.exit("a run that had nothing to do has changed the output")

        output = folder / "out.jsonl"
        stood, partial = [], 0
        for kill in range(given.kills):
            process = start(folder, output.name, "--resume")
            # At a random line, so that the last kill comes near the end however fast the machine is, and at any moment
            # there.
            last = stood[-1] if stood else 0
            goal = last + chance.randint(0, 2 * (len(lines) - last) // (given.kills - kill + 1))
            while process.poll() is None and goal > last and written(output) < goal:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, opening if goal == last else seconds / len(lines)))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            there = output.read_bytes() if output.exists() else b""
            if not whole.startswith(there):
                sys.exit(f"after {len(stood)} kills the output is no beginning of the right one")
            stood.append(there.count(b"\n"))
            partial += not there.endswith(b"\n") and bool(there)
        finish(start(folder, output.name, "--resume"), status)
        there = output.read_bytes()
        names = [json.loads(line)["custom_id"] for line in there.splitlines()]
        if len(set(names)) != len(names) or there != whole:
            sys.exit("the output after the kills is another one than without")
        print(f"killed {given.kills} times after {', '.join(map(str, stood))} lines ({partial} of them cut off): "
              f"the same {len(whole)} bytes, no line twice")
        # Most answers are right only where each picture is looked at with its own question.
        if correct < 0.8 * len(lines):
            sys.exit(f"only {correct} answers are right")


if __name__ == "__main__":
    main()
