"""What the tower should know about every patch of a tile, read off the scene that was drawn.

A generator knows what every pixel is, so the tower can be taught with hundreds of targets a picture before any
question is asked: colour and shape of what the patch shows, the box around it, the characters in its left and right
half, and the whole word or number that they belong to.
"""

import numpy as np

from bindings import BOUND, BOUND_WEIGHT, MOST_WORDS, NUMBERS, numbers_of, words_of
from scenes import COLOURS, SHAPES, WORDS
from tiles import GRID, PATCH, SIDE, placement

CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
NONE = -100      # no target: the loss passes over it

# Name of a head -> number of classes. Class 0 says "nothing of this kind here" where that is an answer.
HEADS = {"colour": 1 + len(COLOURS), "shape": 3 + len(SHAPES), "left": 1 + len(CHARACTERS),
         "right": 1 + len(CHARACTERS), "place": 8, "word": 1 + len(WORDS), "hundreds": 11, "tens": 11, "ones": 11}
# Of the heads in the loss. What needs the letters first (words, numbers) would only be noise in their way.
WEIGHTS = {"left": 1.5, "right": 1.5, "place": 0.3, "word": 0.25, "hundreds": 0.3, "tens": 0.3, "ones": 0.3}
COLUMNS = {name: i for i, name in enumerate(HEADS)}

_COLOUR = {c: i + 1 for i, c in enumerate(COLOURS)}
_SHAPE = {s: i + 1 for i, s in enumerate(SHAPES)} | {"bar": 1 + len(SHAPES), "text": 2 + len(SHAPES)}
_CHARACTER = {c: i + 1 for i, c in enumerate(CHARACTERS)}
_WORD = {w: i + 1 for i, w in enumerate(WORDS)}

# Sample points of a patch: four by four, in the order of rows.
_POINTS = np.array([1, 5, 8, 12])
_ROWS = (np.arange(GRID)[:, None, None, None] * PATCH + _POINTS[None, None, :, None])
_COLS = (np.arange(GRID)[None, :, None, None] * PATCH + _POINTS[None, None, None, :])


def _row_of(owner):
    """The targets of one label: a row of HEADS, and the box in picture pixels."""
    row = np.full(len(HEADS), NONE, np.int64)
    if isinstance(owner, tuple):
        text, place = owner
        lower = text.string.lower()
        row[COLUMNS["colour"]] = _COLOUR[text.ink]
        row[COLUMNS["shape"]] = _SHAPE["text"]
        row[COLUMNS["left"]] = row[COLUMNS["right"]] = _CHARACTER.get(lower[place], 0)
        row[COLUMNS["place"]] = min(place, 7)
        row[COLUMNS["word"]] = _WORD.get(lower, 0)
        if lower.isdigit():
            digits = [int(d) + 1 for d in lower]
            row[[COLUMNS["hundreds"], COLUMNS["tens"], COLUMNS["ones"]]] = [0] * (3 - len(digits)) + digits
        return row, text.box
    row[COLUMNS["colour"]] = _COLOUR[owner.colour]
    row[COLUMNS["shape"]] = _SHAPE[owner.shape]
    row[COLUMNS["left"]] = row[COLUMNS["right"]] = 0
    return row, owner.box


def _most_common(samples, count):
    """samples [patches, n] of labels -> the commonest label but 0 of each patch, and how often it is there."""
    patches = len(samples)
    keys = samples + np.arange(patches)[:, None] * (count + 1)
    hits = np.bincount(keys.ravel(), minlength=patches * (count + 1)).reshape(patches, count + 1)[:, 1:]
    best = hits.argmax(1)
    return best, hits[np.arange(len(hits)), best]


def _bound(scene):
    """(words [labels, MOST_WORDS], numbers [labels, NUMBERS]) of everything that has a label."""
    words = np.full((len(scene.labelled), MOST_WORDS), NONE, np.int64)
    numbers = np.full((len(scene.labelled), NUMBERS), NONE, np.int64)
    words_by, numbers_by = words_of(scene), numbers_of(scene)
    for i, owner in enumerate(scene.labelled):
        key = id(owner[0] if isinstance(owner, tuple) else owner)
        for j, word in enumerate(words_by.get(key, [])):
            words[i, j] = word
        if key in numbers_by:
            numbers[i] = numbers_by[key]
    return words, numbers


def patch_targets(scene, view):
    """Of one tile of a scene: classes int64 [patches, heads], boxes and places float32 [patches, 4], bound words int64
    [patches, MOST_WORDS] and numbers int64 [patches, NUMBERS].

    Boxes are distances from the patch's centre to the left, top, right and bottom of what it shows, in sides of a
    tile. Places are left, top, right and bottom in shares of the picture, as answers give them; only the global view
    has them, since a local tile does not tell where it is. NaN where there is nothing.
    """
    patches = GRID * GRID
    classes = np.full((patches, len(HEADS)), NONE, np.int64)
    boxes = np.full((patches, 4), np.nan, np.float32)
    sx, sy, ox, oy = placement(scene.size, view.canvas)
    height, width = scene.labels.shape
    # The label under each sample point of the tile; 0 on the padding.
    ys = np.floor((_ROWS + view.crop[1] - oy + 0.5) / sy).astype(int)
    xs = np.floor((_COLS + view.crop[0] - ox + 0.5) / sx).astype(int)
    inside = (ys >= 0) & (ys < height) & (xs >= 0) & (xs < width)
    samples = np.where(inside, scene.labels[np.clip(ys, 0, height - 1), np.clip(xs, 0, width - 1)], 0)
    samples = samples.reshape(patches, 4, 4)
    count = len(scene.labelled)
    known = [_row_of(owner) for owner in scene.labelled]
    rows = np.stack([r for r, _ in known])
    corners = np.array([b for _, b in known], np.float32) * [sx, sy, sx, sy] + [ox, oy, ox, oy]
    corners = np.clip(corners - [view.crop[0], view.crop[1]] * 2, 0, SIDE)

    best, hits = _most_common(samples.reshape(patches, 16), count)
    shown, empty = hits >= 4, hits == 0
    classes[shown] = rows[best[shown]]
    for name in ("colour", "shape", "left", "right"):
        classes[empty, COLUMNS[name]] = 0
    for name, half in (("left", samples[:, :, :2]), ("right", samples[:, :, 2:])):
        owner, hits = _most_common(half.reshape(patches, 8), count)
        classes[shown, COLUMNS[name]] = np.where(hits > 2, rows[owner, COLUMNS[name]], 0)[shown]
    y, x = np.divmod(np.arange(patches), GRID)
    cx, cy = (x + 0.5) * PATCH, (y + 0.5) * PATCH
    c = corners[best]
    boxes[shown] = (np.stack([cx - c[:, 0], cy - c[:, 1], c[:, 2] - cx, c[:, 3] - cy], 1) / SIDE)[shown]
    places = np.full((patches, 4), np.nan, np.float32)
    words = np.full((patches, MOST_WORDS), NONE, np.int64)
    numbers = np.full((patches, NUMBERS), NONE, np.int64)
    if view.canvas == (SIDE, SIDE):
        bound, counted = _bound(scene)
        words[shown], numbers[shown] = bound[best[shown]], counted[best[shown]]
        places[shown] = ((c - [ox, oy, ox, oy]) / [sx * width, sy * height, sx * width, sy * height])[shown]
    return classes, boxes, places, words, numbers


class CellWords:
    """Word ids for what the patches of a picture's row show (colour, shape, word or number), and what belongs to it."""

    # Of a row's words in the loss: four patches with colour, shape, text and what belongs to them.
    WEIGHTS = np.tile(np.array([1.0] * 3 + [BOUND_WEIGHT] * MOST_WORDS, np.float32), 4)

    def __init__(self, vocabulary):
        def ids(names):
            return np.array([-1] + [vocabulary.fast.token_to_id(n) if n else -1 for n in names])
        self.colour, self.shape = ids(COLOURS), ids(list(SHAPES) + ["bar", None])
        self.word, self.number = ids(WORDS), np.array(vocabulary.numbers)
        self.bound = ids([w.replace(" ", "Ġ") for w in BOUND])

    def __call__(self, classes, bound):
        """Targets of a tile, [patches, heads] and [patches, MOST_WORDS] -> word ids [CELLS * CELLS, n], -1 where
        there is none."""
        def column(name):
            return classes[:, COLUMNS[name]]

        def looked_up(table, index):
            return np.where(index > 0, table[np.clip(index, 0, len(table) - 1)], -1)
        digits = [column(n) for n in ("hundreds", "tens", "ones")]
        value = sum(np.clip(d - 1, 0, 9) * scale for d, scale in zip(digits, (100, 10, 1)))
        text = np.where(digits[2] > 0, self.number[np.clip(value, 0, 999)], looked_up(self.word, column("word")))
        words = np.stack([looked_up(self.colour, column("colour")), looked_up(self.shape, column("shape")), text]
                         + list(looked_up(self.bound, bound + 1).T), 1)
        cells, each = GRID // 2, words.shape[1]
        return words.reshape(cells, 2, cells, 2, each).transpose(0, 2, 1, 3, 4).reshape(cells * cells, 4 * each)
