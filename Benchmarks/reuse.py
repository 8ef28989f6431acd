"""What 'vl2 watch --reuse THRESHOLD' saves, and what it costs in rows and answers, on drawn scenes in which things move.

    python reuse.py POCKET [--vl2 PROGRAM] [--scenes 4] [--states 5] [--shots 2] [--conditions NAME...] [--thresholds T...]

POCKET is the packed model of models/pocket. Needs numpy, Pillow and the fonts of models/pocket/train. Scenes are in
pocket's world, 480 x 360 pixels: the whole view and 2 x 2 tiles of 196 x 196. From one state to the next one thing moves,
goes, comes back or takes another colour; of each state there are some shots, which differ by noise, compression and
exposure alone.

Answers are those of 'vl2 watch' itself. Rows are encoded by 'vl2 trace', all tiles of all frames, and put together here
by the same rule; that the rule is the same shows in the tiles that 'vl2 watch' says it reused.
"""

import argparse
import io
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "models/pocket/train"))
import scenes as world  # noqa: E402

SIZE = (480, 360)
SIDE = 196
BLOCK = 8
QUESTIONS = {"count": "How many objects are in the picture?", "left": "What is on the far left?",
             "caption": "Describe the picture."}
# Standard deviation of the noise of each pixel in steps of 0...255, JPEG quality or None, exposure.
CONDITIONS = {
    "no noise, PNG": (0, None, 0),
    "noise 2, JPEG 90": (2, 90, 0),
    "noise 4, JPEG 90": (4, 90, 0),
    "noise 8, JPEG 90": (8, 90, 0),
    "noise 2, JPEG 70": (2, 70, 0),
    "noise 4, JPEG 50": (4, 50, 0),
    "noise 2, JPEG 90, exposure up to 1 %": (2, 90, 0.01),
    "noise 2, JPEG 90, exposure up to 5 %": (2, 90, 0.05),
}


class Thing:
    def __init__(self, rng, pair, place):
        self.colour, self.shape = pair
        self.x, self.y, self.radius = place
        self.seed, self.is_there = rng.getrandbits(32), True


def draw(things, seed):
    """A state without noise; a thing that stays is drawn in the same way to the last bit."""
    rng = random.Random(seed)
    painter = world.Painter(rng, SIZE, "shapes", world.background(rng, SIZE, set(world.COLOURS)))
    for thing in things:
        if thing.is_there:
            painter.rng = random.Random(thing.seed)
            painter.shape(thing.shape, thing.colour, thing.x, thing.y, thing.radius)
    return np.asarray(painter.scene.image, np.float64)


def background(rng, size, _):
    """Light, with a gradient: colours that are not far from it occur, as in a room."""
    base = tuple(rng.randint(150, 235) for _ in range(3))
    other = tuple(max(0, min(255, v + rng.randint(-28, 28))) for v in base)
    return Image.composite(Image.new("RGB", size, base), Image.new("RGB", size, other),
                           Image.linear_gradient("L").resize(size))


world.background = background


def states(number, count):
    """Pictures of one scene after the other, each with what is right."""
    rng = random.Random(f"scene {number}")
    things = []
    while len(things) < 4:
        radius = rng.uniform(22, 60)
        x, y = rng.uniform(70, SIZE[0] - 70), rng.uniform(70, SIZE[1] - 70)
        if all(math.dist((x, y), (t.x, t.y)) > 1.2 * (radius + t.radius) for t in things):
            things.append(Thing(rng, world.pick_pair(rng, False), (x, y, radius)))
    things[-1].is_there = False
    for state in range(count):
        here = sorted((t for t in things if t.is_there), key=lambda t: t.x)
        left = (f"the {here[0].colour} {here[0].shape}"
                if len(here) > 1 and here[1].x - here[0].x > 0.06 * SIZE[0] else None)
        yield draw(things, f"scene {number}"), {"count": str(len(here)), "left": left}
        thing = rng.choice(things)
        what = rng.choice(["move", "move", "nudge", "go", "colour"])
        if not thing.is_there:
            thing.is_there = True
        elif what == "go" and len(here) > 2:
            thing.is_there = False
        elif what == "colour":
            thing.colour = rng.choice([c for c in world.COLOURS if c != thing.colour])
        else:
            far = rng.uniform(1, 4) if what == "nudge" else rng.uniform(10, 30)
            angle = rng.uniform(0, 2 * math.pi)
            thing.x = min(max(thing.x + far * math.cos(angle), 65), SIZE[0] - 65)
            thing.y = min(max(thing.y + far * math.sin(angle), 65), SIZE[1] - 65)


def shot(picture, condition, seed):
    """What a camera makes of a state, as a file's bytes."""
    noise, quality, exposure = condition
    rng = np.random.default_rng(seed)
    seen = picture * (1 + rng.uniform(-exposure, exposure)) + rng.normal(0, 1, picture.shape) * noise
    image = Image.fromarray(np.clip(np.rint(seen), 0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    if quality is None:
        image.save(buffer, "PNG")
    else:
        image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def tensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        file.seek(8 + length)
        data = file.read()
    types = {"U8": np.uint8, "F32": np.float32, "I32": np.int32, "I64": np.int64}
    for name, entry in header.items():
        if name != "__metadata__" and name in ("tiles.0", "projector.out"):
            begin, end = entry["data_offsets"]
            yield name, np.frombuffer(data[begin:end], types[entry["dtype"]]).reshape(entry["shape"])


def encoded(program, model, folder, names):
    """Of each frame the tiles, [5][side][side][3], and their rows, [5][side * side * hidden]."""
    found = []
    for first in range(0, len(names), 16):
        some = names[first:first + 16]
        cases = [{"name": str(first + i), "images": [name], "turns": [["user", "<image>\nWhat?"]], "new_tokens": 1}
                 for i, name in enumerate(some)]
        (folder / "cases.json").write_text(json.dumps(cases))
        with tempfile.TemporaryDirectory() as out:
            subprocess.run([program, "trace", "--model", model, "--threads", "1", "--cases", folder / "cases.json", "-o",
                            out], check=True)
            for i in range(len(some)):
                stages = dict(tensors(f"{out}/{first + i}.safetensors"))
                tiles = stages["tiles.0"]
                found.append((tiles, stages["projector.out"].reshape(len(tiles), -1)))
    return found


def change(before, now):
    """The largest change of a block's mean in one colour, as TileChange in Sources/VL2Run/Image/TileReuse.swift."""
    blocks = SIDE // BLOCK
    starts = [i * BLOCK for i in range(blocks)]
    difference = now.astype(np.int32) - before.astype(np.int32)
    sums = np.add.reduceat(np.add.reduceat(difference, starts, 0), starts, 1)
    widths = np.diff(starts + [SIDE])
    return float((np.abs(sums) / (widths[:, None, None] * widths[None, :, None])).max())


def simulated(frames, changed, threshold):
    """Tiles that were reused, of those the ones whose scene had changed, and of each frame the rows' error."""
    kept, reused, missed, errors = None, [], 0, []
    clean = [None] * 5
    for index, (tiles, rows) in enumerate(frames):
        new = rows.copy()
        pixels = tiles.copy()
        count = 0
        for tile in range(5 if kept else 0):
            before = kept[0][tile]
            same = np.array_equal(before, tiles[tile])
            if not same and tile > 0 and threshold:
                same = change(before, tiles[tile]) <= threshold
            if same:
                count += 1
                new[tile], pixels[tile] = kept[1][tile], before
                missed += tile > 0 and changed(clean[tile], index, tile)
            else:
                clean[tile] = index
        if not kept:
            clean = [index] * 5
        kept = (pixels, new)
        reused.append(count)
        errors.append(float(np.linalg.norm(new - rows) / np.linalg.norm(rows)))
    return reused, missed, errors


def watched(program, model, folder, names, reuse):
    """The lines of 'vl2 watch' for each frame: answers by question, and the tiles that were reused."""
    config = {"camera": str(folder / "frames"), "from_start": "yes", "every": "5s", "frozen_after": "never",
              "reuse": reuse,
              "questions": [{"name": n, "ask": q, "tell": "always", "max_tokens": "60"} for n, q in QUESTIONS.items()]}
    (folder / "watch.yaml").write_text(json.dumps(config))
    process = subprocess.Popen([program, "watch", "--model", model, "--threads", "1", folder / "watch.yaml"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
    answers, reused = {}, {}
    try:
        for line in process.stdout:
            line = json.loads(line)
            if "answer" not in line:
                raise SystemExit(f"vl2 watch: {line}")
            answers[line["frame"], line["question"]] = line["answer"]
            if line["question"] == "count":
                reused[line["frame"]] = line["reused"]
            if len(answers) == len(names) * len(QUESTIONS):
                break
    finally:
        process.terminate()
        process.wait()
    return [{q: answers[name, q] for q in QUESTIONS} for name in names], [reused[name] for name in names]


def measure(got, name, condition, pictures):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "frames").mkdir()
        ending = "png" if condition[1] is None else "jpg"
        names, right, places = [], [], []
        for place, (picture, facts) in enumerate(pictures):
            for _ in range(got.shots):
                index = len(names)
                names.append(f"{index:04d}.{ending}")
                path = folder / "frames" / names[-1]
                path.write_bytes(shot(picture, condition, index))
                os.utime(path, (1_800_000_000 + 10 * index,) * 2)
                right.append(facts)
                places.append(place)
        frames = encoded(got.vl2, got.model, folder, [f"frames/{n}" for n in names])
        scenes = np.array(places) // got.states
        # What the states look like without noise, to know which tiles have changed.
        clean = {}

        def changed(one, other, tile):
            for index in (one, other):
                if places[index] not in clean:
                    image = Image.fromarray(np.rint(pictures[places[index]][0]).astype(np.uint8))
                    path = folder / "clean.png"
                    image.save(path)
                    clean[places[index]] = encoded(got.vl2, got.model, folder, ["clean.png"])[0][0]
            return change(clean[places[one]][tile], clean[places[other]][tile]) > 8
        # Two shots of one state: what noise alone does to rows.
        noise = [np.linalg.norm(frames[i][1] - frames[i - 1][1]) / np.linalg.norm(frames[i][1])
                 for i in range(1, len(frames)) if places[i] == places[i - 1]]
        off, _ = watched(got.vl2, got.model, folder, names, "off")
        truth = [(i, q) for i in range(len(names)) for q in ("count", "left") if right[i][q]]

        def correct(answers):
            return 100 * sum(answers[i][q] == right[i][q] for i, q in truth) / len(truth)
        print(f"| {name} | off | 0 | | {100 * float(np.mean(noise)):.1f} between shots | | {correct(off):.1f} |", flush=True)
        for threshold in ["exact"] + got.thresholds:
            number = None if threshold == "exact" else float(threshold)
            reused, missed, errors = simulated(frames, changed, number)
            answers, told = watched(got.vl2, got.model, folder, names, threshold)
            if told != reused:
                sys.exit(f"{name}, {threshold}: vl2 reused {told}, by the rule it is {reused}")
            differ = sum(a[q] != b[q] for a, b in zip(answers, off) for q in QUESTIONS)
            # Of scenes that follow on themselves; a new scene is new in all tiles.
            within = [r for r, a, b in zip(reused[1:], scenes[1:], scenes) if a == b]
            print(f"| {name} | {threshold} | {100 * sum(within) / (5 * len(within)):.0f} | {missed} "
                  f"| {100 * np.mean(errors):.1f}, {100 * max(errors):.1f} | {differ} of {len(names) * len(QUESTIONS)} "
                  f"| {correct(answers):.1f} |", flush=True)


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ask.add_argument("model")
    ask.add_argument("--vl2", default=".build/release/vl2")
    ask.add_argument("--scenes", type=int, default=4)
    ask.add_argument("--states", type=int, default=5, help="of each scene")
    ask.add_argument("--shots", type=int, default=2, help="of each state")
    ask.add_argument("--conditions", nargs="*", default=list(CONDITIONS))
    ask.add_argument("--thresholds", nargs="*", default=["2", "4", "6", "8", "12"])
    got = ask.parse_args()
    pictures = [state for scene in range(got.scenes) for state in states(scene, got.states)]
    print("| pictures | `--reuse` | tiles reused, % | changed tiles that were kept | rows' error, %: mean, worst "
          "| answers that differ | right, % |\n|---|---|---|---|---|---|---|")
    for name in got.conditions:
        measure(got, name, CONDITIONS[name], pictures)


main()
