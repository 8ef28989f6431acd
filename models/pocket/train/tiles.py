"""Pictures into tiles, as DeepSeek-VL2's processor does it, and where a pixel of the picture ends up in a tile."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

SIDE = 196                 # of a tile, in pixels
PATCH = 14
GRID = SIDE // PATCH       # patches a side
CELLS = GRID // 2          # rows of the language model a side, after the 2 x 2 projector
CANDIDATES = [(SIDE, SIDE), (SIDE, 2 * SIDE), (2 * SIDE, SIDE), (2 * SIDE, 2 * SIDE)]
GREY = (127, 127, 127)


def best_canvas(size):
    """The candidate (width, height) that keeps most pixels, then wastes least."""
    width, height = size
    best, most_kept, least_wasted = None, 0, float("inf")
    for w, h in CANDIDATES:
        scale = min(w / width, h / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        wasted = w * h - kept
        if kept > most_kept or (kept == most_kept and wasted < least_wasted):
            best, most_kept, least_wasted = (w, h), kept, wasted
    return best


@dataclass
class View:
    """A tile and how it was made: canvas pixel = picture pixel * scale + offset, tile pixel = canvas pixel - crop."""
    pixels: np.ndarray      # uint8 [SIDE, SIDE, 3]
    canvas: tuple           # (width, height)
    crop: tuple             # (x, y) of the tile's corner on the canvas


def views(image, cropping=True):
    """The global view, then the local tiles row by row, and (columns, rows) of the latter.

    A single local tile equals the global view and is not repeated here.
    """
    width, height = best_canvas(image.size) if cropping else (SIDE, SIDE)
    whole = np.asarray(ImageOps.pad(image, (SIDE, SIDE), color=GREY), np.uint8)
    out = [View(whole, (SIDE, SIDE), (0, 0))]
    if (width, height) != (SIDE, SIDE):
        canvas = np.asarray(ImageOps.pad(image, (width, height), color=GREY), np.uint8)
        for y in range(0, height, SIDE):
            for x in range(0, width, SIDE):
                out.append(View(canvas[y:y + SIDE, x:x + SIDE], (width, height), (x, y)))
    return out, (width // SIDE, height // SIDE)


def placement(size, canvas):
    """(x scale, y scale, x offset, y offset) of a picture that ImageOps.pad fits into a canvas."""
    fitted = ImageOps.contain(Image.new("L", size), canvas).size
    return (fitted[0] / size[0], fitted[1] / size[1],
            round((canvas[0] - fitted[0]) * 0.5), round((canvas[1] - fitted[1]) * 0.5))


def image_places(grid):
    """Rows of the language model that a picture with this grid of local tiles takes."""
    columns, rows = grid
    return CELLS * (CELLS + 1) + 1 + rows * CELLS * (columns * CELLS + 1)
