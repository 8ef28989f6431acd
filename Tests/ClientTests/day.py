"""A day before a camera, as fast as it goes: 172,800 frames, two a second, with a thousand changes, in a folder.

Usage: day.py [--changes 1000] [--seed 1] [--minutes 60]      prints a table; status 1 where something was not as it has to be

Frames are drawn from pocket's world, so what has to be said is known: one answer for each change, at its frame; none for light,
noise and compression; one event for each time that the lens is covered or the picture stands still; broken files counted.
Memory, descriptors and threads stay as they were after a twentieth of the day, and nothing is left over."""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from camera import COVERED, Look, Room, Thing, window
from server import KEPT, pocket
from watching import Watch, marked

BEGIN = 1_800_000_000
# Two a second, with 172.8 from one change to the next.
EACH = 864 / 5
FROZEN_FRAMES = 120
# Bytes that questions leave in the allocator come on top of 5 % of little, as in soak.py.
MEMORY, MARGIN = 0.05, 3_000_000
# Files that are in the folder at a time, in changes.
AHEAD = 4

SIX = (Thing("red", "circle", 0.17, 0.25), Thing("blue", "square", 0.5, 0.24), Thing("green", "triangle", 0.83, 0.26),
       Thing("orange", "star", 0.18, 0.72), Thing("purple", "cross", 0.5, 0.73), Thing("brown", "ring", 0.82, 0.72))
OTHER = {"red": "black", "blue": "pink", "green": "purple", "orange": "blue", "purple": "green", "brown": "red"}
LOOKS = [Look(), Look(light=0.35), Look(noise=6), Look(quality=50), Look(light=window(0.5, 1.1)), Look(tint=(1.1, 1.0, 0.85))]
SHOTS = 3


def rooms():
    """Rooms of which each differs from the next in one thing, the last from the first too."""
    whole = Room(SIX)
    found = []
    for thing in SIX:
        found += [whole, whole.without(thing.name), whole, whole.changed(thing.name, colour=OTHER[thing.colour])]
    return found


class Day:
    """What is drawn, and what has to be said about it."""

    def __init__(self, changes, seed):
        self.random = random.Random(seed)
        self.rooms = rooms()
        noise = np.random.default_rng(seed)
        self.shots = {room: [[look.jpeg(room, noise) for _ in range(SHOTS)] for look in LOOKS] for room in set(self.rooms)}
        self.dark = [COVERED.jpeg(Room(()), noise) for _ in range(SHOTS)]
        self.torn = [b"\xff\xd8\xff\xe0" + bytes(200) + b"\xff\xd9", self.dark[0][:150] + b"\xff\xd9"]
        starts = [round(number * EACH) for number in range(changes)]
        self.count = round(changes * EACH)
        # The last frame is a change too: that it is answered says that all before it were looked at.
        self.starts = [*starts, self.count - 1]
        order = list(range(1, changes))
        self.random.shuffle(order)
        part = max(1, changes // 50)
        self.covered, self.frozen, self.broken = (set(order[place * part:(place + 1) * part]) for place in range(3))
        # Of frames: the room, or the event.
        self.answers = {start: self.rooms[number % len(self.rooms)] for number, start in enumerate(self.starts)}
        self.events = {}
        self.torn_frames = 0

    def segment(self, number):
        """(number of the frame, bytes) from a change to the next."""
        room = self.rooms[number % len(self.rooms)]
        first = self.starts[number]
        last = self.starts[number + 1] if number + 1 < len(self.starts) else self.count
        shots = self.shots[room]
        look, still = shots[0], None
        for place, frame in enumerate(range(first, last)):
            if place and place % 25 == 0:
                look = self.random.choice(shots)
            data = look[frame % SHOTS]
            if number in self.covered and 10 <= place < 40:
                data = self.dark[frame % SHOTS]
                if place == 12:
                    self.events[frame] = "dark"
            elif number in self.covered and place == 40:
                self.events[frame] = "back"
            if number in self.frozen and 10 <= place < 10 + FROZEN_FRAMES + 15:
                still = data = still or shots[1][0]
                if place == 10 + FROZEN_FRAMES:
                    self.events[frame] = "frozen"
            elif number in self.frozen and place == 10 + FROZEN_FRAMES + 15:
                # Certainly another one.
                look = shots[0]
                data = look[frame % SHOTS]
                self.events[frame] = "back"
            if number in self.broken and place == 50:
                data = self.random.choice(self.torn)
                self.torn_frames += 1
            yield frame, data


class Folder:
    """Puts frames into a folder with their times, and takes those away that were looked at."""

    def __init__(self, path):
        self.path = path
        self.there = []

    def put(self, number, data):
        when = BEGIN * 10 ** 9 + number * 500_000_000
        part = self.path / f".{number:06d}"
        part.write_bytes(data)
        os.utime(part, ns=(when, when))
        part.rename(self.path / f"{number:06d}.jpg")
        self.there.append(number)

    def take_before(self, number):
        while self.there and self.there[0] < number:
            (self.path / f"{self.there.pop(0):06d}.jpg").unlink()


def frame_of(line):
    """The number of the frame at whose time something was told."""
    hours, minutes, seconds = line["time"][11:-1].split(":")
    days = int(line["time"][8:10]) - time.gmtime(BEGIN).tm_mday
    begin = BEGIN % 86_400
    return round(2 * (days * 86_400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds) - begin))


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--changes", type=int, default=1000, help="how many, with 172.8 frames each (1000, a day)")
    words.add_argument("--seed", type=int, default=1, help="of what happens when (1)")
    words.add_argument("--minutes", type=float, default=60, help="the most time that it may take (60)")
    words = words.parse_args()
    if words.changes < 60:
        words.error("--changes: give 60 or more; memory is compared with that after a twentieth of them")
    KEPT.mkdir(parents=True, exist_ok=True)
    pocket()
    with tempfile.TemporaryDirectory(dir=KEPT, prefix="day-") as folder:
        faults = watch_a_day(Path(folder), Day(words.changes, words.seed), 60 * words.minutes)
    for fault in faults[:30]:
        print("broken:", fault)
    if faults:
        sys.exit(f"day: {len(faults)} faults in {words.changes} changes with seed {words.seed}")
    print(f"day: everything was as it has to be in {words.changes} changes with seed {words.seed}")


def watch_a_day(folder, day, most):
    for name in ["frames", "work", "temporary"]:
        (folder / name).mkdir()
    config = folder / "day.yaml"
    config.write_text(json.dumps({
        "camera": str(folder / "frames"), "from_start": "yes", "exec": f"cat >>{folder}/told",
        "questions": [{"name": "count", "ask": "How many objects are there?", "tell": "always"}]}))
    frames = Folder(folder / "frames")
    faults, samples, rows = [], [], []
    begin = time.monotonic()
    with Watch(config, environment={"TMPDIR": str(folder / "temporary")}, folder=folder / "work") as watch:
        for number in range(len(day.starts) + AHEAD):
            if number < len(day.starts):
                for frame, data in day.segment(number):
                    frames.put(frame, data)
            if number >= AHEAD:
                wanted = f"{day.starts[number - AHEAD]:06d}.jpg"
                try:
                    watch.wait_for(lambda _: any(line.get("frame") == wanted for line in watch.lines[-2 * AHEAD - 20:]))
                except AssertionError as error:
                    faults.append(f"no answer to {wanted}: {error}")
                    break
                frames.take_before(day.starts[number - AHEAD])
                samples.append((watch.memory(), watch.descriptors(), watch.threads()))
                if len(samples) * 10 % len(day.starts) < 10:
                    rows.append((len(samples), time.monotonic() - begin, *samples[-1]))
        # The last action may still run.
        time.sleep(1)
        children = [command for process, command in marked(watch.mark) if process != watch.pid]
        try:
            ended = watch.stop(patience=60)
        except AssertionError as error:
            faults.append(str(error))
            ended = {}
        took = time.monotonic() - begin
    faults += judge(day, watch, ended, samples)
    if children:
        faults.append(f"children that still run: {children}")
    left = [str(path) for name in ["work", "temporary"] for path in (folder / name).iterdir()]
    if left or set(path.name for path in folder.iterdir()) != {"frames", "work", "temporary", "day.yaml", "told"}:
        faults.append(f"files that nobody asked for: {left}, {os.listdir(folder)}")
    if (folder / "told").read_text().splitlines()[-1:] != [line["answer"] for line in watch.answers[-1:]]:
        faults.append("the action was not given the last answer")
    if took > most:
        faults.append(f"it took {took:.0f} s, over {most:.0f}")
    print(table(day, watch, ended, rows, took))
    return faults


def judge(day, watch, ended, samples):
    """What is not as it has to be."""
    faults = []
    got = [int(line["frame"][:6]) for line in watch.answers]
    faults += [f"frame {frame} was not answered" for frame in sorted(set(day.answers) - set(got))]
    faults += [f"frame {frame} was answered" for frame in sorted(set(got) - set(day.answers))]
    if len(got) != len(set(got)):
        faults.append("a frame was answered twice")
    events = [(frame_of(line), line["event"]) for line in watch.lines if line.get("event") in ("dark", "frozen", "back")]
    faults += [f"no event {event} at frame {frame}" for frame, event in sorted(set(day.events.items()) - set(events))]
    faults += [f"an event {event} at frame {frame}" for frame, event in sorted(set(events) - set(day.events.items()))]
    others = [line for line in watch.lines if line.get("event") not in (None, "dark", "frozen", "back", "broken", "ended")]
    faults += [f"an event {line}" for line in others]
    expected = {"frames": day.count, "answers": len(day.answers), "broken": day.torn_frames, "dropped": 0}
    faults += [f"the last line says {key} {ended.get(key)}, it has to be {value}" for key, value in expected.items()
               if ended.get(key) != value]
    right = sum(line["answer"] == str(len(day.answers[int(line["frame"][:6])].things)) for line in watch.answers
                if int(line["frame"][:6]) in day.answers)
    if right < 0.8 * len(day.answers):
        faults.append(f"{right} answers were right")
    if len(samples) > 40:
        first, last = (statistics.median(sample[0] for sample in part) for part in (samples[len(samples) // 20:][:20], samples[-20:]))
        if last - first > max(MARGIN, MEMORY * first):
            faults.append(f"memory grew from {first / 1e6:.1f} to {last / 1e6:.1f} MB")
        # While an action runs there are some more.
        for place, name in [(1, "descriptors"), (2, "threads")]:
            early, late = (min(sample[place] for sample in part) for part in (samples[:len(samples) // 2], samples[-20:]))
            if late > early:
                faults.append(f"{late} {name}, {early} were before")
    return faults


def table(day, watch, ended, rows, took):
    right = sum(line["answer"] == str(len(day.answers[int(line["frame"][:6])].things)) for line in watch.answers
                if int(line["frame"][:6]) in day.answers)
    counts = {event: list(day.events.values()).count(event) for event in ["dark", "frozen", "back"]}
    lines = ["| | has to be | was |", "|---|---|---|",
             f"| frames looked at | {day.count:,} | {ended.get('frames', 0):,} |",
             f"| answers, one for each change and the first | {len(day.answers):,} | {len(watch.answers):,} |",
             f"| of them right | | {right:,} |"]
    lines += [f"| `{event}` | {count} | {watch.events.count(event)} |" for event, count in counts.items()]
    lines += [f"| broken files counted | {day.torn_frames} | {ended.get('broken')} |", "",
              f"{took:.0f} s, {ended.get('frames', 0) / took:.0f} frames a second.", "",
              "| answers | after | memory of its own | descriptors | threads |", "|---|---|---|---|---|"]
    lines += [f"| {count:,} | {seconds:.0f} s | {memory / 1e6:.1f} MB | {descriptors} | {threads} |"
              for count, seconds, memory, descriptors, threads in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
