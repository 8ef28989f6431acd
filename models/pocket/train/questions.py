"""Questions about drawn scenes and their only right answers, by task.

Every function takes a random generator and a scene and returns a conversation, a list of (question, answer), or None
where the scene does not allow a question of the kind, or not one with a clear answer.
"""

import json

from scenes import COLOURS, SHAPES

MARGIN = 0.09      # of a side: what must lie between two places before one is called left of or above the other


def article(name):
    return ("an " if name[0] in "aeiou" else "a ") + name


def joined(parts):
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def plural(shape):
    return {"cross": "crosses"}.get(shape, shape + "s")


def colour_word(rng):
    return rng.choice(["colour", "colour", "color"])


def shapes_of(scene):
    return [t for t in scene.things if t.shape != "bar"]


def place(thing, scene):
    """Centre in shares of the picture's sides."""
    x, y = thing.centre
    return x / scene.size[0], y / scene.size[1]


def coordinates(box, scene):
    """A box in pixels on the 0...999 grid."""
    width, height = scene.size
    return [max(0, min(999, round(v / side * 999))) for v, side in zip(box, (width, height, width, height))]


def detection(boxes):
    return f"<|det|>{json.dumps(boxes)}<|/det|>"


def left_to_right(things, scene):
    """Sorted by centre, or None where two are too close to say which comes first."""
    row = sorted(things, key=lambda t: place(t, scene)[0])
    xs = [place(t, scene)[0] for t in row]
    return row if all(b - a >= 0.06 for a, b in zip(xs, xs[1:])) else None


def only(things, **what):
    """The one thing with these attributes, or None."""
    found = [t for t in things if all(getattr(t, k) == v for k, v in what.items())]
    return found[0] if len(found) == 1 else None


def extreme(rng, scene):
    """(words for a direction, the thing that is clearly farthest there)."""
    things = shapes_of(scene)
    if len(things) < 2:
        return None
    axis, sign, words = rng.choice([(0, 1, ["on the far left", "leftmost"]), (0, -1, ["on the far right", "rightmost"]),
                                    (1, 1, ["at the top", "topmost"]), (1, -1, ["at the bottom", "lowest"])])
    row = sorted(things, key=lambda t: sign * place(t, scene)[axis])
    if abs(place(row[0], scene)[axis] - place(row[1], scene)[axis]) < MARGIN:
        return None
    return words, row[0]


# ------------------------------------------------------------------------------------------------ single tasks


def naming(rng, scene):
    things = shapes_of(scene)
    if not things:
        return None
    if len(things) == 1 and not scene.texts and rng.random() < 0.6:
        ask = rng.choice(["What is in the picture?", "What do you see?", "What is this?", "What does the picture show?"])
        return [(ask, article(things[0].name))]
    thing = rng.choice(things)
    if only(things, colour=thing.colour) is None:
        return None
    c = thing.colour
    ask = rng.choice([f"What shape is the {c} object?", f"Which shape does the {c} thing have?",
                      f"What is the {c} object?", f"What shape is {c}?"])
    return [(ask, thing.shape)]


def count(rng, scene):
    things = shapes_of(scene)
    if scene.kind == "chart":
        return [(rng.choice(["How many bars are there?", "How many bars does the chart have?"]), str(len(scene.things)))]
    if not things or scene.kind != "shapes":
        return None
    kind = rng.random()
    if kind < 0.25:
        what, n = rng.choice(["objects", "objects", "shapes", "things"]), len(things)
    elif kind < 0.65:
        shape = rng.choice(things).shape if rng.random() < 0.8 else rng.choice(SHAPES)
        what, n = plural(shape), sum(t.shape == shape for t in things)
    elif kind < 0.92:
        colour = rng.choice(things).colour if rng.random() < 0.8 else rng.choice(list(COLOURS))
        what, n = f"{colour} objects", sum(t.colour == colour for t in things)
    else:
        t = rng.choice(things)
        what, n = f"{t.colour} {plural(t.shape)}", sum(u.name == t.name for u in things)
    ask = rng.choice([f"How many {what} are there?", f"How many {what} are in the picture?", f"Count the {what}.",
                      f"How many {what} do you see?"])
    return [(ask, str(n))]


def colour(rng, scene):
    c = colour_word(rng)
    if scene.kind == "sign" and len(scene.texts) == 1 and rng.random() < 0.6:
        text = scene.texts[0]
        what = "number" if text.string.isdigit() else "word"
        return [(rng.choice([f"What {c} is the {what}?", f"Which {c} is the {what} written in?"]), text.ink)]
    if scene.kind == "chart" and len(set(scene.facts["colours"])) > 1:
        i = rng.randrange(len(scene.things))
        return [(f"What {c} is the bar {scene.facts['names'][i]}?", scene.facts["colours"][i])]
    things = shapes_of(scene)
    if not things:
        return None
    thing = rng.choice(things)
    if only(things, shape=thing.shape) is None:
        return None
    s = thing.shape
    return [(rng.choice([f"What {c} is the {s}?", f"Which {c} does the {s} have?", f"Tell me the {c} of the {s}."]),
             thing.colour)]


def relation(rng, scene):
    things = shapes_of(scene)
    if not things or scene.kind != "shapes":
        return None
    kind = rng.random()
    if kind < 0.3:
        thing = rng.choice(things)
        if only(things, colour=thing.colour, shape=thing.shape) is None:
            return None
        words = []
        for value, names in zip(reversed(place(thing, scene)), (("top", "", "bottom"), ("left", "", "right"))):
            if min(abs(value - 1 / 3), abs(value - 2 / 3)) < 0.045:
                return None
            words.append(names[int(value * 3)])
        where = " ".join(w for w in words if w) or "centre"
        return [(rng.choice([f"Where is the {thing.name}?", f"Where in the picture is the {thing.name}?",
                             f"In which part of the picture is the {thing.name}?"]), where)]
    if kind < 0.6:
        if len(things) < 2:
            return None
        a, b = rng.sample(things, 2)
        if a.name == b.name or only(things, colour=a.colour, shape=a.shape) is None \
                or only(things, colour=b.colour, shape=b.shape) is None:
            return None
        axis = rng.randrange(2)
        d = place(b, scene)[axis] - place(a, scene)[axis]
        if abs(d) < MARGIN:
            return None
        words = ("left", "right") if axis == 0 else ("above", "below")
        ask = (f"Is the {a.name} left or right of the {b.name}?" if axis == 0
               else f"Is the {a.name} above or below the {b.name}?")
        return [(ask, words[d < 0])]
    if kind < 0.85:
        found = extreme(rng, scene)
        if not found:
            return None
        (far, adjective), thing = found
        return [(rng.choice([f"What is {far}?", f"Which object is {adjective}?", f"Name the {adjective} object."]),
                 f"the {thing.name}")]
    if len(things) < 2:
        return None
    area = sorted(things, key=lambda t: (t.box[2] - t.box[0]) * (t.box[3] - t.box[1]))
    area = area if rng.random() < 0.5 else area[::-1]
    size = [(t.box[2] - t.box[0]) * (t.box[3] - t.box[1]) for t in area]
    if max(size[0], size[1]) < 1.6 * min(size[0], size[1]):
        return None
    word = ("smallest", "largest")[size[0] > size[1]]
    return [(rng.choice([f"Which object is the {word}?", f"What is the {word} object?"]), f"the {area[0].name}")]


def yes_no(rng, scene):
    things = shapes_of(scene)
    if not things:
        if scene.kind not in ("table", "receipt", "chart", "sign"):
            return None
        kinds = ["table", "receipt", "bar chart"]
        true = {"chart": "bar chart"}.get(scene.kind, scene.kind)
        what = true if rng.random() < 0.5 and true in kinds else rng.choice([k for k in kinds if k != true])
        return [(rng.choice([f"Is this a {what}?", f"Does the picture show a {what}?"]), ("no", "yes")[what == true])]
    kind = rng.random()
    if kind < 0.5:
        if rng.random() < 0.5:
            thing = rng.choice(things)
            c, s, answer = thing.colour, thing.shape, "yes"
        else:
            # Half of the wrong ones have both the colour and the shape, but not on one thing.
            near = rng.random() < 0.5
            c = rng.choice(things).colour if near else rng.choice(list(COLOURS))
            s = rng.choice(things).shape if near else rng.choice(SHAPES)
            answer = ("no", "yes")[any(t.colour == c and t.shape == s for t in things)]
        what = article(f"{c} {s}")
        return [(rng.choice([f"Is there {what}?", f"Is there {what} in the picture?", f"Do you see {what}?",
                             f"Does the picture show {what}?"]), answer)]
    if kind < 0.7:
        s = rng.choice(things).shape if rng.random() < 0.5 else rng.choice(SHAPES)
        answer = ("no", "yes")[any(t.shape == s for t in things)]
        return [(rng.choice([f"Is there {article(s)}?", f"Do you see {article(s)}?"]), answer)]
    if kind < 0.85:
        thing = rng.choice(things)
        if only(things, shape=thing.shape) is None:
            return None
        c = thing.colour if rng.random() < 0.5 else rng.choice(list(COLOURS))
        return [(f"Is the {thing.shape} {c}?", ("no", "yes")[c == thing.colour])]
    if scene.kind == "shapes":
        if len(things) < 2:
            return None
        a, b = rng.sample(things, 2)
        if any(only(things, colour=t.colour, shape=t.shape) is None for t in (a, b)):
            return None
        axis = rng.randrange(2)
        d = place(b, scene)[axis] - place(a, scene)[axis]
        if abs(d) < MARGIN:
            return None
        word, holds = rng.choice([(("left of", "above")[axis], d > 0), (("right of", "below")[axis], d < 0)])
        return [(f"Is the {a.name} {word} the {b.name}?", ("no", "yes")[holds])]
    has = bool(scene.facts.get("words"))
    return [(rng.choice(["Is there a word in the picture?", "Does the picture show a word?"]), ("no", "yes")[has])]


def word(rng, scene):
    ask = rng.choice(["What does the sign say?", "Read the word.", "What word is written in the picture?",
                      "Which word do you read?", "What is written here?"])
    if scene.kind == "shapes":
        return [(ask, "none")] if rng.random() < 0.12 else None
    if scene.kind == "receipt":
        ask = rng.choice(["Which shop is the receipt from?", "What is the name of the shop?"])
        return [(ask, scene.facts["shop"])] if rng.random() < 0.5 else None
    if scene.kind != "sign":
        return None
    words = scene.facts["words"]
    if not words and (ask == "What is written here?" or rng.random() < 0.88):
        return None
    return [(ask, words[0] if words else "none")]


def number(rng, scene):
    ask = rng.choice(["Which number is shown?", "What number do you see?", "Read the number.",
                      "What is the number in the picture?"])
    if scene.kind == "shapes":
        return [(ask, "none")] if rng.random() < 0.08 else None
    if scene.kind != "sign":
        return None
    numbers = scene.facts["numbers"]
    if not numbers and rng.random() < 0.92:
        return None
    return [(ask, numbers[0] if numbers else "none")]


def table(rng, scene):
    if scene.kind == "receipt":
        i = rng.randrange(len(scene.facts["names"]))
        name = scene.facts["names"][i]
        return [(rng.choice([f"How much is the {name}?", f"What does the {name} cost?"]), str(scene.facts["prices"][i]))]
    if scene.kind != "table":
        return None
    facts = scene.facts
    row = rng.randrange(len(facts["names"]))
    name = facts["names"][row]
    if facts["heads"]:
        column = rng.randrange(len(facts["heads"]))
        head = facts["heads"][column]
        ask = rng.choice([f"What is the {head} of {name}?", f"What does the table say for {name} in column {head}?"])
        return [(ask, str(facts["values"][row][column]))]
    ask = rng.choice([f"What is the value of {name}?", f"What does the table say for {name}?",
                      f"Which number stands beside {name}?"])
    return [(ask, str(facts["values"][row][0]))]


def bar(rng, scene):
    if scene.kind != "chart":
        return None
    shares = scene.facts["shares"]
    tall = rng.random() < 0.65
    i = shares.index(max(shares) if tall else min(shares))
    word = rng.choice(["tallest", "highest"] if tall else ["shortest", "lowest"])
    if len(set(scene.facts["colours"])) > 1 and rng.random() < 0.25:
        return [(f"What {colour_word(rng)} is the {word} bar?", scene.facts["colours"][i])]
    return [(rng.choice([f"Which bar is the {word}?", f"Which bar is {word}?", f"What is the {word} bar?"]),
             scene.facts["names"][i])]


def total(rng, scene):
    if scene.kind != "receipt":
        return None
    return [(rng.choice(["What is the total?", "What is the total on the receipt?", "How much is it in total?",
                         "How much has to be paid?"]), str(scene.facts["total"]))]


def as_json(rng, scene):
    if scene.kind == "table" and not scene.facts["heads"] and len(scene.facts["names"]) <= 3:
        answer = {n: v[0] for n, v in zip(scene.facts["names"], scene.facts["values"])}
        return [(rng.choice(["Write the table as JSON.", "Give the table as JSON."]), json.dumps(answer))]
    things = shapes_of(scene)
    if scene.kind != "shapes" or len(things) > 3:
        return None
    row = left_to_right(things, scene)
    if row is None:
        return None
    ask = rng.choice(["List the objects as JSON.", "List the objects from left to right as JSON.",
                      "Give the objects in the picture as JSON."])
    return [(ask, json.dumps([{"colour": t.colour, "shape": t.shape} for t in row]))]


def ground(rng, scene):
    things = shapes_of(scene)
    if scene.kind == "sign" and scene.texts and rng.random() < 0.6:
        text = rng.choice(scene.texts)
        numbers = text.string.isdigit()
        name, boxes = ("the number" if numbers else "the word"), [text.box]
        if numbers and len(scene.facts["numbers"]) != 1 or not numbers and len(scene.facts["words"]) != 1:
            return None
    elif not things:
        return None
    else:
        kind = rng.random()
        thing = rng.choice(things)
        if kind < 0.6:
            name, found = f"the {thing.name}", [t for t in things if t.name == thing.name]
        elif kind < 0.75:
            name, found = f"the {thing.shape}", [t for t in things if t.shape == thing.shape]
        elif kind < 0.85:
            name, found = f"the {thing.colour} object", [t for t in things if t.colour == thing.colour]
        elif kind < 0.93:
            found = [t for t in things if t.shape == thing.shape]
            if len(found) != 2:
                return None
            name, found = f"the {plural(thing.shape)}", left_to_right(found, scene)
            if found is None:
                return None
        else:
            c, s = rng.choice(list(COLOURS)), rng.choice(SHAPES)
            if any(t.colour == c and t.shape == s for t in things):
                return None
            name, found = f"the {c} {s}", []
        if kind < 0.85 and len(found) != 1:
            return None
        boxes = [t.box for t in found]
    ref = f"<|ref|>{name}<|/ref|>"
    ask = rng.choice([f"{ref}.", f"{ref}", f"Find {ref}.", f"Where is {ref}?", f"Locate {ref} in the picture."])
    if not boxes:
        return [(ask, "none")]
    return [(ask, ref + detection([coordinates(b, scene) for b in boxes]))]


def described(scene):
    things = shapes_of(scene)
    if len(things) > 3:
        return None
    return left_to_right(things, scene)


def grounded_caption(rng, scene):
    row = described(scene) if scene.kind == "shapes" else None
    if not row:
        return None
    parts = [f"<|ref|>{article(t.name)}<|/ref|>{detection([coordinates(t.box, scene)])}" for t in row]
    ask = rng.choice(["<|grounding|>Describe the picture.", "<|grounding|>What is in the picture?",
                      "<|grounding|>Describe this picture with boxes."])
    return [(ask, joined(parts))]


def caption(rng, scene):
    facts = scene.facts
    if scene.kind == "table":
        answer = f"a table with {len(facts['names'])} rows"
        if facts["heads"]:
            answer += f" and {len(facts['heads'])} columns"
    elif scene.kind == "chart":
        answer = f"a bar chart with {len(facts['names'])} bars"
    elif scene.kind == "receipt":
        answer = f"a receipt from a {facts['shop']} with {len(facts['names'])} items"
    elif scene.kind == "sign":
        parts = [f"the {'number' if t.string.isdigit() else 'word'} {t.string.lower()}" for t in scene.texts]
        if len(parts) != 1 or scene.things:
            return None
        answer = parts[0]
    else:
        row = described(scene)
        if not row:
            return None
        answer = joined([article(t.name) for t in row])
    return [(rng.choice(["Describe the picture.", "Describe the image.", "Write a caption.",
                         "What does the picture show? Describe it."]), answer)]


def follow_up(rng, scene):
    """Two turns; the second makes no sense without the first."""
    things = shapes_of(scene)
    if scene.kind == "table" and not scene.facts["heads"]:
        a, b = rng.sample(range(len(scene.facts["names"])), 2)
        names, values = scene.facts["names"], scene.facts["values"]
        return [(f"What is the value of {names[a]}?", str(values[a][0])), (f"And {names[b]}?", str(values[b][0]))]
    if scene.kind == "receipt":
        return follow_prices(rng, scene)
    if scene.kind == "sign" and len(scene.texts) == 1:
        text = scene.texts[0]
        ask = "Which number is shown?" if text.string.isdigit() else "What does the sign say?"
        return [(ask, text.string.lower()), (f"What {colour_word(rng)} is it?", text.ink)]
    if scene.kind == "chart":
        names, shares = scene.facts["names"], scene.facts["shares"]
        high, low = names[shares.index(max(shares))], names[shares.index(min(shares))]
        return [("Which bar is the tallest?", high), ("And the shortest?", low)]
    if len(things) < 2:
        return None
    kind = rng.random()
    a, b = rng.sample(things, 2)
    if kind < 0.35:
        if a.shape == b.shape or any(only(things, shape=t.shape) is None for t in (a, b)):
            return None
        return [(f"What {colour_word(rng)} is the {a.shape}?", a.colour), (f"And the {b.shape}?", b.colour)]
    if kind < 0.65:
        s = b.shape if rng.random() < 0.7 else rng.choice(SHAPES)
        if s == a.shape:
            return None
        n, m = (sum(t.shape == shape for t in things) for shape in (a.shape, s))
        return [(f"How many {plural(a.shape)} are there?", str(n)), (f"And {plural(s)}?", str(m))]
    row = sorted(things, key=lambda t: place(t, scene)[0])
    xs = [place(t, scene)[0] for t in row]
    if xs[1] - xs[0] < MARGIN or xs[-1] - xs[-2] < MARGIN:
        return None
    return [("What is on the far left?", f"the {row[0].name}"), ("And on the far right?", f"the {row[-1].name}")]


def follow_prices(rng, scene):
    i = rng.randrange(len(scene.facts["names"]))
    return [(f"How much is the {scene.facts['names'][i]}?", str(scene.facts["prices"][i])),
            ("And the total?", str(scene.facts["total"]))]


# ------------------------------------------------------------------------------------------------ two pictures


ORDINALS = ("first", "second")


def two_pictures(rng, scenes):
    """A conversation about two pictures."""
    kind = rng.random()
    sets = [shapes_of(s) for s in scenes]
    if kind < 0.4:
        either = [t for s in sets for t in s]
        if not either:
            return None
        if rng.random() < 0.75:
            s = rng.choice(either).shape if rng.random() < 0.85 else rng.choice(SHAPES)
            what, has = article(s), [any(t.shape == s for t in things) for things in sets]
        else:
            c = rng.choice(either).colour
            what, has = article(f"{c} object"), [any(t.colour == c for t in things) for things in sets]
        answer = {(True, False): "the first", (False, True): "the second", (True, True): "both",
                  (False, False): "neither"}[tuple(has)]
        return [(rng.choice([f"Which picture shows {what}?", f"Which picture has {what}?"]), answer)]
    i = rng.randrange(2)
    if kind < 0.7:
        if scenes[i].kind == "sign" and scenes[i].facts["words"]:
            return [(f"What does the sign in the {ORDINALS[i]} picture say?", scenes[i].facts["words"][0])]
        things = sets[i]
        if not things:
            return None
        thing = rng.choice(things)
        if only(things, shape=thing.shape) is None:
            return None
        return [(f"What {colour_word(rng)} is the {thing.shape} in the {ORDINALS[i]} picture?", thing.colour)]
    if any(s.kind != "shapes" for s in scenes):
        return None
    if kind < 0.85:
        return [(f"How many objects are in the {ORDINALS[i]} picture?", str(len(sets[i])))]
    a, b = map(len, sets)
    if a == b:
        return None
    return [(rng.choice(["Which picture has more objects?", "Which picture shows more objects?"]),
             "the " + ORDINALS[b > a])]


TASKS = {"naming": naming, "count": count, "colour": colour, "relation": relation, "yes-no": yes_no, "word": word,
         "number": number, "table": table, "bar": bar, "total": total, "json": as_json, "ground": ground,
         "grounded-caption": grounded_caption, "caption": caption, "follow-up": follow_up}
MATCH = {"ground": "boxes", "grounded-caption": "boxes", "json": "json"}     # how an answer is compared; else as text


def ask(rng, scene, task, tries=4):
    """A conversation of this task about the scene, or None. A list of scenes is asked about as several pictures."""
    make = two_pictures if task == "two-pictures" else TASKS[task]
    for _ in range(tries):
        turns = make(rng, scene)
        if turns:
            return turns
    return None
