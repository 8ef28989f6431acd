"""What a camera sees of pocket's world: rooms with coloured shapes in them, drawn by the program that drew pocket's lessons, the
light that falls into them, and what a camera makes of it. So what is right to answer is known."""

import functools
import io
import random
import sys
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from server import ROOT

sys.path.insert(0, str(ROOT / "models/pocket/train"))

from scenes import COLOURS, Painter  # noqa: E402, F401

SIZE = (360, 270)
# What a screen makes of a value, and a camera of light.
GAMMA = 2.2


@dataclass(frozen=True)
class Thing:
    """A shape; its centre in shares of the picture's sides, its radius in shares of the height."""
    colour: str
    shape: str
    x: float
    y: float
    radius: float = 0.13

    @property
    def name(self):
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True)
class Room:
    """Things before a wall."""
    things: tuple
    wall: tuple = (228, 222, 208)

    def with_thing(self, thing):
        return replace(self, things=(*self.things, thing))

    def without(self, name):
        left = tuple(thing for thing in self.things if thing.name != name)
        assert len(left) == len(self.things) - 1, f"there is no {name}"
        return replace(self, things=left)

    def changed(self, name, **fields):
        assert any(thing.name == name for thing in self.things), f"there is no {name}"
        return replace(self, things=tuple(replace(t, **fields) if t.name == name else t for t in self.things))

    def moved(self, name, x=0.0, y=0.0):
        thing = next(thing for thing in self.things if thing.name == name)
        return self.changed(name, x=thing.x + x, y=thing.y + y)


@functools.lru_cache(maxsize=64)
def surface(room):
    """How much light comes back from each place, 0...1. [height][width][red, green, blue]."""
    width, height = SIZE
    # A wall that is not all of one tone.
    ramp = np.linspace(0.97, 1.03, width)[None, :, None] * np.array(room.wall, np.float32)
    wall = Image.fromarray(np.clip(np.broadcast_to(ramp, (height, width, 3)), 0, 255).astype(np.uint8))
    painter = Painter(None, SIZE, "shapes", wall)
    for thing in room.things:
        # The same thing looks the same in each picture.
        painter.rng = random.Random(thing.name)
        painter.shape(thing.shape, thing.colour, thing.x * width, thing.y * height, thing.radius * height)
    return (np.asarray(painter.scene.image, np.float32) / 255) ** GAMMA


@dataclass(frozen=True)
class Look:
    """The light, and how the camera takes it."""
    # 1 is a well-lit room; a picture of shares, or a share.
    light: object = 1.0
    tint: tuple = (1.0, 1.0, 1.0)
    # Standard deviation in steps of 0...255.
    noise: float = 2.0
    quality: int = 85
    size: tuple = field(default=SIZE)

    def pixels(self, room, rng):
        light = np.asarray(self.light, np.float32)
        seen = surface(room) * (light[..., None] if light.ndim else light) * np.array(self.tint, np.float32)
        steps = 255 * np.clip(seen, 0, 1) ** (1 / GAMMA)
        steps = steps + self.noise * rng.standard_normal(steps.shape, np.float32)
        return Image.fromarray(np.clip(np.rint(steps), 0, 255).astype(np.uint8))

    def jpeg(self, room, rng):
        return jpeg(self.pixels(room, rng), self.quality)


def jpeg(image, quality=85, **more):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, **more)
    return file.getvalue()


def lamp(x, y, strength, reach=0.35, rest=0.6):
    """The light of a lamp at a place, in shares of the sides, beside what light there is elsewhere."""
    width, height = SIZE
    down, right = np.mgrid[0:height, 0:width]
    far = (right / width - x) ** 2 + (down / height - y) ** 2
    return rest + strength * np.exp(-far / reach ** 2)


def window(left, right):
    """Light that comes from one side."""
    width, height = SIZE
    return np.broadcast_to(np.linspace(left, right, width, dtype=np.float32), (height, width))


COVERED = Look(light=0.0, noise=2.0)
