"""What belongs to what in a scene: the value to a table's row, the name to a bar, the rank and number of shapes.

An answer has to join several places of a picture. The tower sees all of them at once, so it is taught to write what
belongs to a thing or text into the rows that show it; the language model then has only to fetch it.
"""

from questions import place, shapes_of
from scenes import COLOURS, WORDS

# Every word that may belong to something; a leading space is part of the word.
BOUND = ([" tallest", " shortest", " leftmost", " rightmost", " topmost", " lowest", " largest", " smallest", " total"]
         + list(COLOURS) + WORDS + list("ABCD") + [str(n) for n in range(1000)])
MOST_WORDS = 3         # of one thing or text
BOUND_WEIGHT = 2.0     # of a word that belongs to a thing, beside one for what the thing is
NUMBERS = 4            # of one thing: rank from left to right, how many of its shape, of its colour, and of all
_PLACE = {word: i for i, word in enumerate(BOUND)}


def words_of(scene):
    """{id of a Thing or Text: places in BOUND of the words that belong to it}."""
    facts, texts, out = scene.facts, scene.texts, {}

    def bind(owner, *words):
        out.setdefault(id(owner), []).extend(_PLACE[w] for w in words)
    if scene.kind == "chart":
        shares = facts["shares"]
        for bar, text, name, colour in zip(scene.things, texts, facts["names"], facts["colours"]):
            bind(bar, name)
            bind(text, colour)
        for word, share in ((" tallest", max(shares)), (" shortest", min(shares))):
            bind(scene.things[shares.index(share)], word)
            bind(texts[shares.index(share)], word)
    if scene.kind == "table":
        left = iter(texts[len(facts["heads"]):])
        for name, row in zip(facts["names"], facts["values"]):
            bind(next(left), *(map(str, row) if len(row) == 1 else []))
            for column in range(len(row)):
                bind(next(left), name, *facts["heads"][column:column + 1])
    if scene.kind == "receipt":
        left = iter(texts[1:])
        for name, price in zip(facts["names"] + [" total"], facts["prices"] + [facts["total"]]):
            bind(next(left), str(price))
            bind(next(left), name)
    things = shapes_of(scene)
    if len(things) > 1:
        for axis, words in enumerate(((" leftmost", " rightmost"), (" topmost", " lowest"))):
            row = sorted(things, key=lambda t: place(t, scene)[axis])
            bind(row[0], words[0])
            bind(row[-1], words[1])
        row = sorted(things, key=lambda t: (t.box[2] - t.box[0]) * (t.box[3] - t.box[1]))
        bind(row[0], " smallest")
        bind(row[-1], " largest")
    return out


def numbers_of(scene):
    """{id of a Thing, or of a Text in a table or receipt: its NUMBERS}. A text has the line and column that it stands
    in, and how many there are."""
    row = sorted(scene.things, key=lambda t: place(t, scene)[0])
    out = {id(t): [i + 1, sum(u.shape == t.shape for u in row), sum(u.colour == t.colour for u in row), len(row)]
           for i, t in enumerate(row)}
    if scene.kind in ("table", "receipt"):
        lines, columns = _ranks([t.box[1] for t in scene.texts]), _ranks([t.box[0] for t in scene.texts])
        if scene.kind == "receipt":      # prices end where the others do, and begin anywhere
            columns = [1 + t.string.isdigit() for t in scene.texts]
        for text, line, column in zip(scene.texts, lines, columns):
            out[id(text)] = [line, column, max(lines), max(columns)]
    return out


def _ranks(values):
    """1 for the least of the values, 2 for the next that differs by more than 2 pixels, and so on."""
    steps = []
    for value in sorted(values):
        if not steps or value > steps[-1] + 2:
            steps.append(value)
    return [sum(value >= step - 0.5 for step in steps) for value in values]
