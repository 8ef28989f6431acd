"""Short exercises about a scene: a word, and at once what belongs to it.

"What colour is the circle?" takes two steps, from the circle to its colour and from there to the place of the answer,
and both are hard to find at the same time. An exercise is the first step alone: after the word "circle" comes "red". It
costs two rows of the language model, so a picture has room for many. Questions stay as they are; a trained model is
never asked in this form.
"""

from questions import coordinates, detection, only, plural, shapes_of
from scenes import SHAPES


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
    if scene.kind == "receipt":
        out += [(f" {n}", str(p)) for n, p in zip(facts["names"], facts["prices"])]
        out += [(" total", str(facts["total"])), (" shop", facts["shop"])]
    if scene.kind == "chart":
        shares = facts["shares"]
        out += [(" tallest", facts["names"][shares.index(max(shares))]),
                (" shortest", facts["names"][shares.index(min(shares))])]
        if len(set(facts["colours"])) > 1:
            out += [(f" {n}", c) for n, c in zip(facts["names"], facts["colours"])]
    rng.shuffle(out)
    return out[:most]
