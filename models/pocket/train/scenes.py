"""Draws pictures with known contents: coloured shapes, signs, tables, bar charts and receipts.

A scene knows where everything is: boxes of things in pixels, boxes of single characters, and a map that says for
every pixel what is drawn there. Questions (questions.py) and the tower's dense targets (targets.py) come from that.
The same random generator and the same fonts give the same scene.
"""

import io
import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLOURS = {
    "red": (214, 40, 40), "orange": (245, 138, 28), "yellow": (242, 216, 40), "green": (40, 160, 72),
    "blue": (40, 92, 212), "purple": (128, 56, 168), "pink": (246, 144, 192), "brown": (124, 78, 44),
    "black": (24, 24, 24), "white": (246, 246, 246),
}
SHAPES = ["circle", "square", "triangle", "star", "diamond", "cross", "heart", "ring"]
INKS = ["black", "red", "blue", "green", "purple", "brown"]

SHORT_WORDS = """tea egg jam ham pie nut fig cup pen key bag hat map bus car cat dog fox owl bee sun sky sea ice oil ink
mon tue wed thu fri sat jan feb mar apr may jun""".split()
LONG_WORDS = """open exit stop sale shop taxi bank park milk rice cake soup fish lamp book door wood iron gold rain snow
wind lake hill road town farm barn ship boat coffee bread apple lemon grape onion pizza pasta sugar honey butter
cheese water paper stone glass metal green house hotel cafe music radio piano guitar train plane truck wheel river
ocean forest garden flower tiger horse sheep mouse snake eagle winter summer spring autumn north south east west
left right danger quiet please thanks hello welcome ticket museum market school office""".split()
SHOPS = "shop cafe market bakery kiosk store".split()
WORDS = sorted(set(SHORT_WORDS + LONG_WORDS))

FONT_FOLDERS = ["/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/truetype/liberation"]
FONTS = ["DejaVuSans-Bold.ttf", "DejaVuSansMono-Bold.ttf", "LiberationSans-Regular.ttf", "LiberationSerif-Bold.ttf"]

# What training never draws: one shape of each colour, and an eighth of the pairs of word and ink.
HELD_OUT_PAIRS = {(colour, SHAPES[(3 * i + 1) % len(SHAPES)]) for i, colour in enumerate(COLOURS)}


def held_out_word(word, ink):
    return (WORDS.index(word) + 3 * INKS.index(ink)) % 8 == 0


@dataclass
class Thing:
    """A shape or a bar; `box` is (x1, y1, x2, y2) in pixels."""
    shape: str
    colour: str
    box: tuple

    @property
    def name(self):
        return f"{self.colour} {self.shape}"

    @property
    def centre(self):
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass
class Text:
    """One word or number; `characters` is a list of (character, box)."""
    string: str
    box: tuple
    ink: str
    characters: list


@dataclass
class Scene:
    kind: str
    image: Image.Image
    things: list = field(default_factory=list)
    texts: list = field(default_factory=list)
    labels: np.ndarray = None        # [height, width]: 0, or 1 + place in `labelled`
    labelled: list = field(default_factory=list)   # Thing, or (Text, place of the character)
    facts: dict = field(default_factory=dict)      # of tables, charts and receipts

    @property
    def size(self):
        return self.image.size


@lru_cache(maxsize=None)
def font(name, size):
    for folder in FONT_FOLDERS:
        try:
            return ImageFont.truetype(f"{folder}/{name}", size)
        except OSError:
            pass
    raise FileNotFoundError(f"{name} is in none of {FONT_FOLDERS}: install fonts-dejavu and fonts-liberation")


def outline(shape, cx, cy, rx, ry, turn):
    """Corners of a shape around its centre, turned by `turn` radians; None for circles and rings."""
    if shape in ("circle", "ring"):
        return None
    if shape == "square":
        points = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    elif shape == "triangle":
        points = [(0, -1), (1, 1), (-1, 1)]
    elif shape == "diamond":
        points, turn = [(0, -1), (0.8, 0), (0, 1), (-0.8, 0)], 0
    elif shape == "star":
        points = [(math.sin(i * math.pi / 5) * (1, 0.42)[i % 2], -math.cos(i * math.pi / 5) * (1, 0.42)[i % 2])
                  for i in range(10)]
    elif shape == "cross":
        a = 0.34
        points = [(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a),
                  (-a, -a)]
    else:  # heart
        points, turn = [], 0
        for i in range(40):
            t = 2 * math.pi * i / 40
            points.append((math.sin(t) ** 3, -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t)
                                               - math.cos(4 * t)) / 16))
    c, s = math.cos(turn), math.sin(turn)
    return [(cx + rx * (x * c - y * s), cy + ry * (x * s + y * c)) for x, y in points]


class Painter:
    """A canvas on which things and texts are drawn, with the map of what is where."""

    FINE = 2    # shapes are drawn this much larger and averaged down, which smooths their edges

    def __init__(self, rng, size, kind, background):
        self.rng, self.size = rng, size
        self.scene = Scene(kind, background)
        self.map = Image.new("I", size, 0)
        self.map_draw = ImageDraw.Draw(self.map)

    def label(self, what):
        self.scene.labelled.append(what)
        return len(self.scene.labelled)

    def shape(self, shape, colour, cx, cy, radius):
        rng, f = self.rng, self.FINE
        turn = rng.uniform(-0.22, 0.22)
        points = outline(shape, cx, cy, radius, radius, turn)
        if points:
            xs, ys = [p[0] for p in points], [p[1] for p in points]
            box = (min(xs), min(ys), max(xs), max(ys))
        else:
            box = (cx - radius, cy - radius, cx + radius, cy + radius)
        thing = Thing(shape, colour, box)
        label = self.label(thing)
        x1, y1 = math.floor(box[0]) - 1, math.floor(box[1]) - 1
        x2, y2 = math.ceil(box[2]) + 1, math.ceil(box[3]) + 1
        fine = Image.new("L", ((x2 - x1) * f, (y2 - y1) * f), 0)
        draw = ImageDraw.Draw(fine)

        def local(x, y):
            return (x - x1) * f, (y - y1) * f
        if points:
            draw.polygon([local(*p) for p in points], fill=255)
        else:
            draw.ellipse([*local(box[0], box[1]), *local(box[2], box[3])], fill=255)
            if shape == "ring":
                r = radius * 0.55
                draw.ellipse([*local(cx - r, cy - r), *local(cx + r, cy + r)], fill=0)
        mask = fine.resize((x2 - x1, y2 - y1), Image.BOX)
        self.scene.image.paste(jittered(rng, colour), (x1, y1), mask)
        # A ring owns its hole too: a patch there should know the ring.
        area = mask if shape != "ring" else None
        if area is None:
            self.map_draw.ellipse(list(box), fill=label)
        else:
            self.map.paste(label, (x1, y1), area.point(lambda v: 255 if v > 127 else 0))
        self.scene.things.append(thing)
        return thing

    def bar(self, colour, box):
        thing = Thing("bar", colour, box)
        label = self.label(thing)
        draw = ImageDraw.Draw(self.scene.image)
        draw.rectangle(box, fill=jittered(self.rng, colour))
        self.map_draw.rectangle(box, fill=label)
        self.scene.things.append(thing)
        return thing

    def text(self, string, face, x, y, ink, rgb=None):
        """Draws with the top left corner of the line at (x, y)."""
        draw = ImageDraw.Draw(self.scene.image)
        draw.text((x, y), string, font=face, fill=rgb or jittered(self.rng, ink))
        left, top, right, bottom = draw.textbbox((x, y), string, font=face)
        text = Text(string, (left, top, right, bottom), ink, [])
        for i, character in enumerate(string):
            a, b = x + face.getlength(string[:i]), x + face.getlength(string[:i + 1])
            text.characters.append((character, (a, top, b, bottom)))
            self.map_draw.rectangle([round(a), top, max(round(a), round(b) - 1), bottom],
                                    fill=self.label((text, i)))
        self.scene.texts.append(text)
        return text

    def finish(self):
        """Noise and JPEG artefacts on some pictures, then the map as an array."""
        rng, scene = self.rng, self.scene
        if rng.random() < 0.3:
            pixels = np.asarray(scene.image, np.int16)
            noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 9), pixels.shape)
            scene.image = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
        if rng.random() < 0.5:
            buffer = io.BytesIO()
            scene.image.save(buffer, "JPEG", quality=rng.randint(45, 95))
            scene.image = Image.open(buffer).convert("RGB")
        scene.labels = np.asarray(self.map, np.int32)
        return scene


def jittered(rng, colour):
    return tuple(max(0, min(255, v + rng.randint(-14, 14))) for v in COLOURS[colour])


def distance(a, b):
    return math.dist(a, b)


def background(rng, size, avoid):
    """Plain or a gradient, far from the colours in `avoid`; light where white is not among them."""
    while True:
        if rng.random() < (0.45 if "white" in avoid else 0.8):
            base = tuple(rng.randint(205, 252) for _ in range(3))
        elif rng.random() < 0.5:
            base = tuple(rng.randint(15, 80) for _ in range(3))
        else:
            base = tuple(rng.randint(60, 220) for _ in range(3))
        other = tuple(max(0, min(255, v + rng.randint(-28, 28))) for v in base)
        if all(distance(b, COLOURS[c]) > 110 for c in avoid for b in (base, other)):
            break
    if rng.random() < 0.6:
        return Image.new("RGB", size, base)
    ramp = Image.linear_gradient("L")
    if rng.random() < 0.5:
        ramp = ramp.rotate(90)
    return Image.composite(Image.new("RGB", size, base), Image.new("RGB", size, other), ramp.resize(size))


def canvas_size(rng, large, wide=1.5):
    """Sides of 100 to 196 pixels, or with `large` up to 400 so that a picture is cut into tiles."""
    long = rng.randint(210, 400) if large else rng.randint(110, 196)
    short = max(100, round(long / rng.uniform(1, wide)))
    return (long, short) if rng.random() < 0.6 else (short, long)


def pick_pair(rng, held_out):
    while True:
        pair = rng.choice(list(COLOURS)), rng.choice(SHAPES)
        if held_out or pair not in HELD_OUT_PAIRS:
            return pair


def shapes_scene(rng, held_out, large, most=6):
    """One to `most` shapes that do not touch, at times a word or number among them."""
    size = canvas_size(rng, large)
    width, height = size
    count = rng.choices(range(1, most + 1), [3, 4, 4, 3, 2, 2][:most])[0]
    pairs = [pick_pair(rng, held_out) for _ in range(count)]
    if held_out:
        pairs[0] = rng.choice(sorted(HELD_OUT_PAIRS))
    if count >= 3 and rng.random() < 0.5:      # repeat a shape or a colour, so that counting has something to do
        i = rng.randrange(1, count)
        pair = rng.choice([(pairs[i][0], pairs[0][1]), (pairs[0][0], pairs[i][1]), pairs[0]])
        if held_out or pair not in HELD_OUT_PAIRS:
            pairs[i] = pair
    painter = Painter(rng, size, "shapes", background(rng, size, {c for c, _ in pairs}))
    short = min(size)
    placed = []
    limit = {1: 0.40, 2: 0.26, 3: 0.22, 4: 0.2, 5: 0.17, 6: 0.16}[count]
    for colour, shape in pairs:
        for _ in range(80):
            radius = short * rng.uniform(max(0.11, limit * 0.55), limit)
            cx = rng.uniform(radius * 1.15 + 1, width - radius * 1.15 - 1)
            cy = rng.uniform(radius * 1.15 + 1, height - radius * 1.15 - 1)
            if all(math.dist((cx, cy), (x, y)) > 1.12 * (radius + r) for x, y, r in placed):
                placed.append((cx, cy, radius))
                painter.shape(shape, colour, cx, cy, radius)
                break
    return painter.finish()


def sign_scene(rng, held_out, large):
    """One or two texts (a word, a number) and at times a shape."""
    size = canvas_size(rng, large)
    width, height = size
    kinds = rng.choice([["word"], ["number"], ["word"], ["word", "number"], ["number", "word"]])
    bands = len(kinds)
    side = rng.choice(["none", "none", "shape"])
    pair = pick_pair(rng, held_out)
    inks, strings = [], []
    for kind in kinds:
        while True:
            word, ink = rng.choice(WORDS), rng.choice(INKS)
            if held_out or not held_out_word(word, ink):
                break
        strings.append(word.upper() if kind == "word" else str(number(rng)))
        inks.append(ink)
    painter = Painter(rng, size, "sign", background(rng, size, set(inks) | {pair[0]}))
    if bands + (side == "shape") > 1:
        order = list(range(bands + (side == "shape")))
        rng.shuffle(order)
    else:
        order = [0]
    band = height / len(order)
    for slot, what in enumerate(order):
        top = slot * band
        if what == bands:
            radius = min(band, width) * rng.uniform(0.3, 0.42)
            cx = rng.uniform(radius * 1.15 + 1, width - radius * 1.15 - 1)
            painter.shape(pair[1], pair[0], cx, top + band / 2, radius)
            continue
        face = font(rng.choice(FONTS), 20)
        wide = face.getlength(strings[what]) / 20
        largest = min(band * 0.72, width * 0.94 / wide, 0.135 * max(size))
        points = max(9, int(largest * rng.uniform(0.75, 1)))
        face = font(face.path.split("/")[-1], points)
        room_x = max(0, width - face.getlength(strings[what]) - 4)
        room_y = max(0, band - points * 1.2)
        painter.text(strings[what], face, 2 + rng.uniform(0, room_x), top + rng.uniform(0, room_y), inks[what])
    scene = painter.finish()
    scene.facts = {"words": [s.lower() for s, k in zip(strings, kinds) if k == "word"],
                   "numbers": [s for s, k in zip(strings, kinds) if k == "number"]}
    return scene


def number(rng):
    """0 to 999, short ones more often than their share."""
    return rng.randint(0, (9, 99, 999)[rng.choices([0, 1, 2], [1, 3, 4])[0]])


def paper(rng, size):
    return Image.new("RGB", size, tuple(rng.randint(232, 255) for _ in range(3)))


def table_scene(rng, held_out, large):
    """Rows of a word and one or two numbers, at times with ruled lines."""
    size = canvas_size(rng, large, wide=1.3)
    width, height = size
    columns = rng.choice([1, 1, 2])
    rows = rng.choice([2, 3, 3] if columns == 2 else [2, 3, 4])
    names = rng.sample(SHORT_WORDS, rows)
    heads = rng.sample("ABCD", columns) if columns == 2 else []
    values = [[rng.randint(0, 99) if rng.random() < 0.75 else rng.randint(100, 999) for _ in range(columns)]
              for _ in range(rows)]
    painter = Painter(rng, size, "table", paper(rng, size))
    lines = rows + (columns == 2)
    pitch = height * 0.96 / lines
    file = rng.choice(FONTS)
    wide = max(font(file, 20).getlength(n.upper()) for n in names) / 20 + 1.0 + columns * 2.3
    points = max(9, int(min(pitch * 0.68, width * 0.94 / wide, 0.135 * max(size)) * rng.uniform(0.88, 1)))
    face = font(file, points)
    ink = rng.choice(["black", "black", "blue", "brown"])
    label_width = max(face.getlength(n.upper()) for n in names)
    x0 = width * 0.03
    gap = (width * 0.97 - x0 - label_width) / columns
    starts = [x0 + label_width + gap * (c + 0.3) for c in range(columns)]
    draw = ImageDraw.Draw(painter.scene.image)
    if rng.random() < 0.6:
        grey = (rng.randint(120, 190),) * 3
        for line in range(1, lines):
            draw.line([(x0, height * 0.02 + pitch * line), (width - x0, height * 0.02 + pitch * line)], fill=grey)
    y = height * 0.02 + (pitch - points * 1.2) / 2
    if columns == 2:
        for x, head in zip(starts, heads):
            painter.text(head, face, x, y, ink)
        y += pitch
    for name, row in zip(names, values):
        painter.text(name.upper(), face, x0, y, ink)
        for x, value in zip(starts, row):
            painter.text(str(value), face, x, y, ink)
        y += pitch
    scene = painter.finish()
    scene.facts = {"names": names, "heads": heads, "values": values}
    return scene


def chart_scene(rng, held_out, large):
    """Three or four bars with a word under each; the tallest and the shortest stand out clearly."""
    size = canvas_size(rng, large, wide=1.3)
    width, height = size
    count = rng.choice([3, 3, 4])
    names = rng.sample(SHORT_WORDS, count)
    one = rng.choice([c for c in COLOURS if c != "white"])
    colours = ([one] * count if rng.random() < 0.4
               else rng.sample([c for c in COLOURS if c != "white"], count))
    painter = Painter(rng, size, "chart", paper(rng, size))
    pitch = width * 0.96 / count
    file = rng.choice(FONTS)
    widest = max(font(file, 20).getlength(n.upper()) for n in names) / 20
    points = max(8, int(min(pitch * 0.92 / widest, height * 0.14)))
    face = font(file, points)
    base = height * 0.96 - points * 1.35
    tall = base - height * 0.05
    while True:
        shares = [rng.uniform(0.15, 1) for _ in range(count)]
        order = sorted(shares)
        if order[-1] - order[-2] > 0.1 and order[1] - order[0] > 0.08:
            break
    thick = pitch * rng.uniform(0.5, 0.75)
    for i in range(count):
        cx = width * 0.02 + pitch * (i + 0.5)
        top = base - tall * shares[i] / max(shares) * 0.98
        painter.bar(colours[i], (cx - thick / 2, top, cx + thick / 2, base))
        painter.text(names[i].upper(), face, cx - face.getlength(names[i].upper()) / 2, base + points * 0.1, "black")
    ImageDraw.Draw(painter.scene.image).line([(width * 0.01, base), (width * 0.99, base)], fill=(60, 60, 60))
    scene = painter.finish()
    scene.facts = {"names": names, "shares": shares, "colours": colours}
    return scene


def receipt_scene(rng, held_out, large):
    """A shop's name, two or three items with prices, and their total."""
    size = canvas_size(rng, large, wide=1.35)
    size = (min(size), max(size)) if rng.random() < 0.7 else size
    width, height = size
    count = rng.choice([2, 2, 3])
    names = rng.sample([w for w in SHORT_WORDS if w not in SHOPS], count)
    prices = [rng.randint(1, 40) if rng.random() < 0.8 else rng.randint(41, 300) for _ in names]
    shop = rng.choice(SHOPS)
    painter = Painter(rng, size, "receipt", paper(rng, size))
    lines = count + 2
    pitch = height * 0.96 / lines
    file = rng.choice(FONTS)
    wide = max(font(file, 20).getlength(n.upper()) for n in names + ["total"]) / 20 + 2.4
    points = max(9, int(min(pitch * 0.7, width * 0.94 / wide, 0.135 * max(size)) * rng.uniform(0.9, 1)))
    face = font(file, points)
    x0, x1 = width * 0.03, width * 0.97
    y = height * 0.02
    title = shop.upper()
    painter.text(title, face, (width - face.getlength(title)) / 2, y, "black")
    y += pitch
    for name, price in list(zip(names, prices)) + [("total", sum(prices))]:
        if name == "total":
            ImageDraw.Draw(painter.scene.image).line([(x0, y), (x1, y)], fill=(90, 90, 90))
        painter.text(name.upper(), face, x0, y + pitch * 0.08, "black")
        painter.text(str(price), face, x1 - face.getlength(str(price)), y + pitch * 0.08, "black")
        y += pitch
    scene = painter.finish()
    scene.facts = {"shop": shop, "names": names, "prices": prices, "total": sum(prices)}
    return scene


def page_scene(rng, held_out, large):
    """Lines full of words and numbers in mixed fonts, sizes and inks: nothing to ask about, much to read.

    Only the tower's training draws it: a page has several times the letters of any other picture.
    """
    size = canvas_size(rng, large)
    width, height = size
    inks = rng.sample(INKS, 2)
    painter = Painter(rng, size, "page", background(rng, size, set(inks)))
    y = rng.uniform(0, 5)
    while y < height - 12:
        points = int(max(size) * rng.uniform(0.085, 0.135))
        face, ink = font(rng.choice(FONTS), points), rng.choice(inks)
        if y + points * 1.15 > height:
            break
        x = rng.uniform(1, points)
        while True:
            while True:
                string = rng.choice(WORDS) if rng.random() < 0.6 else str(number(rng))
                if string.isdigit() or not held_out_word(string, ink):
                    break
            string = string.upper()
            if x + face.getlength(string) > width - 1:
                break
            painter.text(string, face, x, y, ink)
            x += face.getlength(string) + points * rng.uniform(0.4, 0.9)
        y += points * rng.uniform(1.15, 1.6)
    return painter.finish()


KINDS = {"shapes": shapes_scene, "sign": sign_scene, "table": table_scene, "chart": chart_scene,
         "receipt": receipt_scene}


def draw_scene(rng, kind, held_out=False, large=False, **options):
    """A scene of one kind. `held_out` also draws what training never shows, `large` needs more than one tile."""
    return (page_scene if kind == "page" else KINDS[kind])(rng, held_out, large, **options)
