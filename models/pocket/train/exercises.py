"""Short exercises about a scene: a word, and at once what belongs to it.

"What colour is the circle?" takes two steps, from the circle to its colour and from there to the place of the answer,
and both are hard to find at the same time. An exercise is the first step alone: after the word "circle" comes "red". It
costs two rows of the language model, so a picture has room for many. Questions stay as they are; a trained model is
never asked in this form.

A cell of a table takes two steps as well, from the row's name to its line and from the line to the value: both are here.

`written` are questions whose answers pair colours with shapes that no picture pairs. Without them a model learns from
the answers alone which combinations training leaves out, and never writes one of those.
"""

import json

from bindings import numbers_of
from questions import article, coordinates, detection, joined, left_to_right, only, plural, shapes_of
from scenes import COLOURS, SHAPES


def exercises(rng, scene, most=26):
    """[(words, what follows)] about one scene, in random order."""
    things = shapes_of(scene)
    out = []
    for thing in things:
        if only(things, shape=thing.shape):
            out.append((f" {thing.shape}", thing.colour))
        if only(things, colour=thing.colour):
            out.append((f" {thing.colour}", thing.shape))
        names = [name for name, one in ((thing.shape, only(things, shape=thing.shape)),
                                        (thing.colour, only(things, colour=thing.colour)),
                                        (thing.name, only(things, shape=thing.shape, colour=thing.colour))) if one]
        if names:
            box = coordinates(thing.box, scene)
            out.append((f"<|det|> {rng.choice(names)}", ", ".join(map(str, box)) + "<|/det|>"))
            if rng.random() < 0.3:
                out.append((f" {rng.choice(names)}<|/ref|>", detection([box])))
    if scene.kind == "shapes":
        row = left_to_right(things, scene)
        if row:
            out += [(" colours", " ".join(t.colour for t in row)), (" shapes", " ".join(t.shape for t in row))]
        out.append((" objects", str(len(things))))
        for shape in {t.shape for t in things} | {rng.choice(SHAPES)}:
            out.append((f" {plural(shape)}", str(sum(t.shape == shape for t in things))))
    facts = scene.facts
    if scene.kind == "sign":
        for text in scene.texts:
            box = ", ".join(str(v) for v in coordinates(text.box, scene))
            out.append((f"<|det|> {'number' if text.string.isdigit() else 'word'}", f"{box}<|/det|>"))
        out += [(" word", w) for w in facts["words"][:1]] + [(" number", n) for n in facts["numbers"][:1]]
    if scene.kind == "table":
        for name, row in zip(facts["names"], facts["values"]):
            if facts["heads"]:
                out += [(f" {head} of {name}", str(value)) for head, value in zip(facts["heads"], row)]
            else:
                out.append((f" {name}", str(row[0])))
        out += lines_of(scene, facts["heads"], facts["names"], [len(row) for row in facts["values"]])
    if scene.kind == "receipt":
        out += [(f" {n}", str(p)) for n, p in zip(facts["names"], facts["prices"])]
        out += [(" total", str(facts["total"])), (" shop", facts["shop"])]
        out += lines_of(scene, [facts["shop"]], facts["names"], [1] * len(facts["names"]))
    if scene.kind == "chart":
        shares = facts["shares"]
        out += [(" tallest", facts["names"][shares.index(max(shares))]),
                (" shortest", facts["names"][shares.index(min(shares))])]
        if len(set(facts["colours"])) > 1:
            out += [(f" {n}", c) for n, c in zip(facts["names"], facts["colours"])]
    rng.shuffle(out)
    return out[:most]


def lines_of(scene, before, names, cells):
    """The two steps to a cell: from a name to its line, from line and column to what stands there. Texts of a scene are
    `before`, then each name followed by so many cells."""
    numbers, left, out = numbers_of(scene), iter(scene.texts[len(before):]), []
    for name, count in zip(names, cells):
        out.append((f" line of {name}", str(numbers[id(next(left))][0])))
        for _ in range(count):
            text = next(left)
            line, column = numbers[id(text)][:2]
            out.append((f" line {line} column {column}", text.string.lower()))
    return out


def written(rng, scene):
    """A question to copy out words, or to pair the colours of a picture with its shapes the other way round."""
    row = left_to_right(shapes_of(scene), scene) if scene.kind == "shapes" else None
    if row and 1 < len(row) < 4 and rng.random() < 0.6:
        pairs = [(a.colour, b.shape) for a, b in zip(row, reversed(row))]
        what = "the colours from left to right and the shapes from right to left"
    else:
        pairs = [(rng.choice(list(COLOURS)), rng.choice(SHAPES)) for _ in range(rng.choice([1, 1, 2, 3]))]
        what = joined([article(f"{c} {s}") for c, s in pairs])
    form = rng.random()
    if form < 0.5:
        return f"Write {what} as JSON.", json.dumps([{"colour": c, "shape": s} for c, s in pairs])
    if form < 0.7:
        return f"Write {what}.", joined([article(f"{c} {s}") for c, s in pairs])
    return f"<|grounding|>Write {what}.", joined([f"<|ref|>{article(f'{c} {s}')}<|/ref|>" for c, s in pairs])
