"""Questions that pocket answers rightly (it is right on eleven in twelve; these are among the eleven), and pictures
that no server should take."""

import functools
import itertools
import struct
import zlib
from dataclasses import dataclass

from server import ROOT, base64_of

POCKET = ROOT / "models/pocket"


@dataclass(frozen=True)
class Asked:
    files: tuple
    question: str
    answer: str

    def pictures(self):
        return [(POCKET / file).read_bytes() for file in self.files]

    def urls(self):
        kinds = {".jpg": "jpeg", ".png": "png"}
        return [
            f"data:image/{kinds[file[-4:]]};base64,{base64_of(data)}"
            for file, data in zip(self.files, self.pictures())
        ]

    def content(self, **image_url):
        """The content of an OpenAI message: pictures first, then the question."""
        parts = [{"type": "image_url", "image_url": {"url": url, **image_url}} for url in self.urls()]
        return [*parts, {"type": "text", "text": self.question}]

    def coded(self):
        """Pictures as Ollama's dialect has them: base64 without anything before it."""
        return [base64_of(data) for data in self.pictures()]

    def secrets(self):
        """What must not come into a log. Answers of three letters may stand in the server's own words."""
        return {text for text in (self.question, self.answer) if len(text) > 3}


COLOUR = Asked(("eval/ci/pictures/0005.jpg",), "Tell me the colour of the circle.", "yellow")
SHAPE = Asked(("eval/ci/pictures/0000.jpg",), "What is the green object?", "star")
SIGN = Asked(("eval/ci/pictures/0001.jpg",), "What does the sign say?", "thanks")
BAR = Asked(("eval/ci/pictures/0014.jpg",), "Which bar is the highest?", "cat")
RECEIPT = Asked(("eval/ci/pictures/0004.jpg",), "Describe the picture.", "a receipt from a store with 2 items")
TOTAL = Asked(("eval/ci/pictures/0004.jpg",), "What is the total?", "54")
TWO = Asked(("eval/ci/pictures/0015.jpg", "eval/ci/pictures/0016.jpg"), "Which picture shows a triangle?", "the second")
PRICE = Asked(("eval/ci/pictures/0004.jpg",), "How much is the car?", "37")
# Asked after PRICE, about the same picture.
FOLLOW_UP = Asked((), "And the total?", "54")
OBJECTS = Asked(
    ("eval/ci/pictures/0019.jpg",), "List the objects as JSON.",
    '[{"colour": "pink", "shape": "star"}, {"colour": "brown", "shape": "ring"}]')
TABLE = Asked(("eval/ci/pictures/0012.jpg",), "Give the table as JSON.", '{"jun": 81, "nut": 63, "key": 390}')
ALL = [COLOUR, SHAPE, SIGN, BAR, RECEIPT, TOTAL, PRICE, TWO]

COLOURS = ["red", "green", "blue", "yellow", "black", "white", "orange", "purple", "pink", "brown"]
SHAPES = ["circle", "square", "triangle", "star", "heart", "cross", "ring", "diamond"]

# What `OBJECTS` is answered by.
OBJECTS_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"colour": {"type": "string", "enum": COLOURS}, "shape": {"type": "string", "enum": SHAPES}},
        "required": ["colour", "shape"],
        "additionalProperties": False,
    },
}

# A text of a length that pocket's own answers, a few words, never have.
LONG_SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "minLength": 1200}},
    "required": ["text"],
    "additionalProperties": False,
}

numbers = itertools.count()


def endless_schema():
    """One whose answer goes on for a thousand tokens and more, without going round in circles. No two are alike, so nothing
    is known from the last."""
    name = f"words{next(numbers)}"
    words = {"type": "array", "items": {"type": "string", "minLength": 4, "maxLength": 12}, "minItems": 150}
    return {"type": "object", "properties": {name: words}, "required": [name], "additionalProperties": False}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@functools.cache
def png(width, height):
    """A black picture of one bit a pixel, without holding it: 40,000 x 40,000 pixels are 200 kB of file."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


# 1.6 thousand million pixels: no camera's, and 5 GB if it were decoded.
HUGE = png(40000, 40000)
HUGE_URL = f"data:image/png;base64,{base64_of(HUGE)}"
