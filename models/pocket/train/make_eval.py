"""Draws the held-out pictures and questions: other seeds, and combinations that training never draws.

    python make_eval.py FOLDER [--each 400] [--seed "held out"] [--seen]

FOLDER/held-out.tar.gz holds items.jsonl in the format of docs/EVALUATING.md and pictures/*.jpg; FOLDER/ci holds 300 of
the items with their pictures, for a test. The same fonts and the same Pillow give the same files.
"""

import argparse
import gzip
import io
import json
import os
import random
import tarfile

import questions
from scenes import draw_scene

# For each task the kinds of picture that it is asked about.
SOURCES = {
    "naming": ["shapes", "shapes", "shapes", "sign"], "count": ["shapes"] * 7 + ["chart"],
    "colour": ["shapes", "shapes", "sign", "chart"], "relation": ["shapes"],
    "yes-no": ["shapes"] * 5 + ["sign", "table", "receipt", "chart"], "word": ["sign"] * 6 + ["receipt", "shapes"],
    "number": ["sign"] * 9 + ["shapes"], "table": ["table", "table", "receipt"], "bar": ["chart"],
    "total": ["receipt"], "json": ["shapes", "shapes", "table"], "ground": ["shapes"] * 4 + ["sign"],
    "grounded-caption": ["shapes"], "caption": ["shapes"] * 4 + ["sign", "table", "chart", "receipt"],
    "two-pictures": ["two"], "follow-up": ["shapes", "shapes", "sign", "table", "chart", "receipt"],
}
LARGE = 0.3           # share of pictures that are cut into tiles
CI_ITEMS = 300
EACH_PICTURE = 6      # questions about one picture at most, each of another task


def archive(path, entries):
    """A tar.gz whose bytes depend on its contents alone."""
    with open(path, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in entries:
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(data), 0o644
                tar.addfile(info, io.BytesIO(data))


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ask.add_argument("folder")
    ask.add_argument("--each", type=int, default=400, help="items of each task")
    ask.add_argument("--seed", default="held out")
    ask.add_argument("--seen", action="store_true", help="only combinations that training draws, as for calibration")
    got = ask.parse_args()
    rng = random.Random(f"evaluation {got.seed}")
    left = {task: got.each for task in SOURCES}
    pictures, items = [], []

    def keep(scene):
        buffer = io.BytesIO()
        scene.image.save(buffer, "JPEG", quality=85)
        pictures.append((f"pictures/{len(pictures):04d}.jpg", buffer.getvalue()))
        return pictures[-1][0]

    while any(left.values()):
        # The task that lacks most decides what is drawn; whatever else can be asked about it is asked too.
        task = max(left, key=lambda t: (left[t], t))
        kind = rng.choice(SOURCES[task])
        if kind == "two":
            scenes = [draw_scene(rng, rng.choice(["shapes", "shapes", "sign"]), held_out=not got.seen) for _ in range(2)]
            tasks = ["two-pictures"]
        else:
            scenes = [draw_scene(rng, kind, held_out=not got.seen, large=rng.random() < LARGE)]
            tasks = [t for t, kinds in SOURCES.items() if kind in kinds and t != "two-pictures"]
        asked = []
        for t in tasks:
            # One question of a task about one picture, so that a task sees many pictures.
            turns = questions.ask(rng, scenes if kind == "two" else scenes[0], t, tries=2)
            if turns and left[t]:
                asked.append((t, turns))
        asked = sorted(asked, key=lambda a: -left[a[0]])[:EACH_PICTURE]
        if not asked:
            continue
        names = [keep(s) for s in scenes]
        for t, turns in asked:
            left[t] -= 1
            item = {"task": t, "images": names}
            if len(turns) == 1:
                item["question"] = turns[0][0]
            else:
                item["turns"] = [part for q, a in turns for part in (["user", q], ["assistant", a])][:-1]
            match, answer = questions.MATCH.get(t, "text"), turns[-1][1]
            if answer == "none":
                match = "text"
            if match != "text":
                item["match"] = match
            item["answer"] = json.loads(answer) if match == "json" else answer
            if match == "json" and isinstance(item["answer"], list):
                item["answer"] = [item["answer"]]      # a list means several right answers
            items.append(item)
    rng.shuffle(items)
    bytes_of = dict(pictures)
    archive(os.path.join(got.folder, "held-out.tar.gz"), [("items.jsonl", lines(items))] + pictures)
    few = some_of_each(items, CI_ITEMS)
    for name, data in [("items.jsonl", lines(few))] + [(n, bytes_of[n]) for i in few for n in i["images"]]:
        path = os.path.join(got.folder, "ci", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    print(f"{len(items)} items, {len(pictures)} pictures")


def lines(items):
    return "".join(json.dumps(i, ensure_ascii=False) + "\n" for i in items).encode()


def some_of_each(items, count):
    """`count` items, as many of each task, about few pictures."""
    left = {t: count // len(SOURCES) + (i < count % len(SOURCES)) for i, t in enumerate(SOURCES)}
    out = []
    for item in sorted(items, key=lambda i: i["images"]):
        if left[item["task"]]:
            left[item["task"]] -= 1
            out.append(item)
    return out


if __name__ == "__main__":
    main()
