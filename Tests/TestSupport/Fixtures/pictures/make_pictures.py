#!/usr/bin/env python3
"""Writes small pictures beside this script, and expected.json with what Pillow makes of each of them.

black-on-clear.png, missing-eoi.jpg, rst-lost-30-bytes.jpg and login-page.jpg are as people brought them.

    python3 make_pictures.py

Needs Pillow (13.0 was used), numpy and libturbojpeg. The PNG files are written here, byte by byte, because
Pillow writes neither interlaced nor 16-bit nor 1-, 2- and 4-bit ones of every colour type.
"""

import ctypes
import ctypes.util
import hashlib
import io
import json
import os
import random
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
MASK = (1 << 64) - 1
PUBLISHED = [[1, 1], [1, 2], [2, 1], [1, 3], [3, 1], [1, 4], [4, 1], [2, 2], [1, 5], [5, 1], [1, 6], [6, 1],
             [2, 3], [3, 2], [1, 7], [7, 1], [4, 2], [2, 4], [1, 8], [8, 1], [1, 9], [3, 3], [9, 1]]
warnings.simplefilter("ignore")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# ---- what is right


def best_resolution(width, height, candidates):
    best, best_kept, least_wasted = None, 0, float("inf")
    for cw, ch in candidates:
        scale = min(cw / width, ch / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        wasted = cw * ch - kept
        if kept > best_kept or (kept == best_kept and wasted < least_wasted):
            best, best_kept, least_wasted = (cw, ch), kept, wasted
    return best


def tiles(image, side, mean, cropping=True):
    """As deepseek-ai/DeepSeek-VL2's processing_deepseek_vl_v2.py cuts them: (bytes, columns, rows)."""
    candidates = [(a * side, b * side) for a, b in PUBLISHED]
    color = tuple(int(m * 255) for m in mean)
    width, height = best_resolution(*image.size, candidates) if cropping else (side, side)
    out = ImageOps.pad(image, (side, side), color=color).tobytes()
    canvas = ImageOps.pad(image, (width, height), color=color)
    for y in range(0, height, side):
        for x in range(0, width, side):
            out += canvas.crop((x, y, x + side, y + side)).tobytes()
    return out, width // side, height // side


def split_mix(seed):
    """SplitMix64, the generator of the tests."""
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def random_picture(seed, width, height):
    """Pixels are the generator's numbers, little-endian, one after the other."""
    numbers = split_mix(seed)
    count = width * height * 3
    data = b"".join(struct.pack("<Q", next(numbers)) for _ in range((count + 7) // 8))
    return Image.frombytes("RGB", (width, height), data[:count])


# ---- a subject


def subject(width, height, seed=1):
    """A smooth ground, an ellipse and some noise, uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = x / max(1, width - 1), y / max(1, height - 1)
    rgb = np.stack([255 * u, 255 * v, 255 * (1 - u) * (1 - v)], -1)
    inside = (u - 0.4) ** 2 / 0.05 + (v - 0.55) ** 2 / 0.09 < 1
    rgb[inside] = [230, 40, 90]
    rgb[(u > 0.7) & (v < 0.3)] = [10, 200, 250]
    return np.clip(rgb + rng.normal(0, 4, rgb.shape), 0, 255).astype(np.uint8)


# ---- JPEG


def jpeg(mode="RGB", size=(61, 47), **options):
    image = Image.fromarray(subject(*size)).convert(mode)
    out = io.BytesIO()
    image.save(out, "JPEG", **({"quality": 85} | options))
    return out.getvalue()


def turbo_jpeg(pixels, pixel_format, subsampling, quality=85):
    """What libturbojpeg writes where Pillow cannot: other subsamplings, YCCK."""
    library = ctypes.CDLL(ctypes.util.find_library("turbojpeg"))
    library.tjInitCompress.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(library.tjInitCompress())
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).tobytes()
    out, size = ctypes.c_void_p(), ctypes.c_ulong()
    status = library.tjCompress2(handle, data, width, 0, height, pixel_format, ctypes.byref(out),
                                 ctypes.byref(size), subsampling, quality, 0)
    assert status == 0
    result = ctypes.string_at(out, size.value)
    library.tjDestroy(handle)
    return result


def flat_blocks_jpeg(width, height, factors):
    """A baseline YCbCr JPEG of flat blocks with any sampling factors [(h, v)] * 3, written bit by bit."""
    across, down = max(h for h, _ in factors), max(v for _, v in factors)
    rng = random.Random(5)
    bits, last = "", [0, 0, 0]
    for _ in range(-(-height // (8 * down)) * -(-width // (8 * across))):
        for component, (h, v) in enumerate(factors):
            for _ in range(h * v):
                value = rng.randint(-60, 60)
                difference, last[component] = value - last[component], value
                size = abs(difference).bit_length()
                bits += format(size, "04b")                        # the DC table: code i has four bits, i
                if size:
                    shown = difference if difference > 0 else difference + (1 << size) - 1
                    bits += format(shown, f"0{size}b")
                bits += "0"                                        # the AC table: the end of the block
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\x00")

    def segment(code, payload):
        return struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload

    frame = struct.pack(">BHHB", 8, height, width, 3)
    frame += b"".join(bytes([i + 1, h << 4 | v, 0]) for i, (h, v) in enumerate(factors))
    return (b"\xff\xd8" + segment(0xDB, b"\0" + b"\x10" * 64) + segment(0xC0, frame)
            + segment(0xC4, b"\x00" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12)))
            + segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")
            + segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])) + data + b"\xff\xd9")


def exif(orientation, order="<", kind="H", entries_before=2, tail=b""):
    """A TIFF structure with an orientation, of 16 bits ("H") or another size, after some other entries."""
    mark, code = {"<": b"II", ">": b"MM"}[order], {"B": 1, "H": 3, "I": 4, "b": 6, "h": 8, "i": 9}[kind]
    entries = [struct.pack(order + "HHI", 0x0100 + i, 4, 1) + struct.pack(order + "I", 7 + i)
               for i in range(entries_before)]
    value = struct.pack(order + kind, orientation).ljust(4, b"\0")
    entries.append(struct.pack(order + "HHI", 0x0112, code, 1) + value)
    return (mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", len(entries))
            + b"".join(entries) + struct.pack(order + "I", 0) + tail)


def with_segment(data, code, payload):
    """A JPEG with a segment put right after its beginning."""
    return data[:2] + struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload + data[2:]


# ---- PNG


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples, depth, color, interlaced=False, before=(), after=(), pieces=1):
    """samples: [height, width, channels] of `depth` bits. Filters take turns."""
    height, width, channels = samples.shape
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for x0, y0, dx, dy in passes if interlaced else [(0, 0, 1, 1)]:
        part = samples[y0::dy, x0::dx]
        if part.size == 0:
            continue
        flat = part.reshape(part.shape[0], -1)
        if depth == 16:
            rows = [row.astype(">u2").tobytes() for row in flat]
        else:
            bits = (flat[..., None] >> np.arange(depth - 1, -1, -1)) & 1
            rows = [np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in bits]
        step, previous = max(1, channels * depth // 8), bytes(len(rows[0]))
        for index, row in enumerate(rows):
            raw += bytes([index % 5]) + filtered(index % 5, row, previous, step)
            previous = row
    packed = zlib.compress(raw, 9)
    size = -(-len(packed) // pieces)
    data = b"".join(chunk(b"IDAT", packed[i:i + size]) for i in range(0, len(packed), size))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced)))
    return (b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + data + b"".join(after) + chunk(b"IEND", b""))


def filtered(kind, row, previous, step):
    out = bytearray()
    for i, value in enumerate(row):
        a, b = row[i - step] if i >= step else 0, previous[i]
        c = previous[i - step] if i >= step else 0
        nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
        out.append((value - [0, a, b, (a + b) // 2, nearest][kind]) & 255)
    return bytes(out)


def samples(depth, channels, size=(37, 29), seed=2):
    rng = np.random.default_rng(seed)
    rgb = subject(*size, seed=seed).astype(np.uint32)
    if channels in (1, 2):
        rgb = rgb[..., :1]
    if channels in (2, 4):
        rgb = np.concatenate([rgb, rng.integers(0, 256, rgb.shape[:2] + (1,), dtype=np.uint32)], -1)
    return rgb << 8 | rng.integers(0, 256, rgb.shape, dtype=np.uint32) if depth == 16 else rgb >> (8 - depth)


def found(name):
    with open(os.path.join(HERE, name), "rb") as file:
        return file.read()


# For a PNG with one transparent colour, where that is: Pillow compares other bits than the file has.
keyed = {}


def pngs():
    rng = np.random.default_rng(3)
    for color, name, channels, depths in [(0, "grey", 1, [1, 2, 4, 8, 16]), (2, "rgb", 3, [8, 16]),
                                          (4, "grey-alpha", 2, [8, 16]), (6, "rgba", 4, [8, 16])]:
        for depth in depths:
            values = samples(depth, channels)
            yield f"{name}{depth}.png", png(values, depth, color)
            yield f"{name}{depth}-interlaced.png", png(values, depth, color, True)
            if color in (0, 2):
                key = struct.pack(f">{channels}H", *values[3, 3])
                keyed[f"{name}{depth}-trns.png"] = (values == values[3, 3]).all(-1)
                yield f"{name}{depth}-trns.png", png(values, depth, color, before=[chunk(b"tRNS", key)])
    for depth in [1, 2, 4, 8]:
        count = min(200, 1 << depth)
        palette = chunk(b"PLTE", rng.integers(0, 256, 3 * count, dtype=np.uint8).tobytes())
        alpha = chunk(b"tRNS", rng.integers(0, 256, count - 1, dtype=np.uint8).tobytes())
        values = np.minimum(samples(depth, 1), count - 1)
        yield f"palette{depth}.png", png(values, depth, 3, before=[palette])
        yield f"palette{depth}-trns.png", png(values, depth, 3, before=[palette, alpha])
        yield f"palette{depth}-interlaced.png", png(values, depth, 3, True, before=[palette])
    short = chunk(b"PLTE", rng.integers(0, 256, 30, dtype=np.uint8).tobytes())
    yield "palette4-short.png", png(samples(4, 1), 4, 3, before=[short])
    rgb = samples(8, 3)
    yield "many-idat.png", png(rgb, 8, 2, pieces=40)
    yield "gamma.png", png(rgb, 8, 2, before=[chunk(b"gAMA", struct.pack(">I", 30000))])
    yield "sbit.png", png(rgb, 8, 2, before=[chunk(b"sBIT", b"\5\6\5")])
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"long " * 100_000, 9))
    yield "text.png", png(rgb, 8, 2, before=[text, chunk(b"tEXt", b"Title\0a subject")])
    yield "unknown-chunks.png", png(rgb, 8, 2, before=[chunk(b"abCd", b"?" * 99)], after=[chunk(b"xyZz", b"")])
    yield "bad-profile.png", png(rgb, 8, 2, before=[chunk(b"iCCP", b"none\0\0" + b"no zlib stream")])
    yield "exif-after-data.png", png(rgb, 8, 2, after=[chunk(b"eXIf", exif(6, ">"))])
    for orientation in range(1, 9):
        block = chunk(b"eXIf", exif(orientation, "<>"[orientation % 2]))
        yield f"exif{orientation}.png", png(rgb, 8, 2, before=[block])
    turned = chunk(b"eXIf", exif(6))
    yield "rgba8-exif.png", png(samples(8, 4), 8, 6, before=[turned])
    yield "one.png", png(rgb[:1, :1], 8, 2)
    for size in [(1, 20000), (20000, 1), (2, 3000), (3000, 2), (7, 1), (1, 2)]:
        yield f"{size[0]}x{size[1]}.png", png(samples(8, 3, size), 8, 2)


def jpegs():
    for index, name in enumerate(["444", "422", "420"]):
        yield f"{name}.jpg", jpeg(subsampling=index)
        yield f"{name}-progressive.jpg", jpeg(subsampling=index, progressive=True)
    picture = subject(61, 47)
    yield "440.jpg", turbo_jpeg(picture, 0, 4)
    yield "411.jpg", turbo_jpeg(picture, 0, 5)
    yield "h3.jpg", flat_blocks_jpeg(61, 47, [(3, 1), (1, 1), (1, 1)])
    yield "410.jpg", flat_blocks_jpeg(61, 47, [(4, 2), (1, 1), (1, 1)])
    yield "grey.jpg", jpeg("L")
    yield "grey-progressive.jpg", jpeg("L", progressive=True)
    yield "cmyk.jpg", jpeg("CMYK")
    cmyk = np.concatenate([255 - picture, picture[..., :1] // 2], -1)
    for name, subsampling in [("444", 0), ("420", 2)]:
        yield f"ycck-{name}.jpg", turbo_jpeg(255 - cmyk, 11, subsampling)
    yield "rgb.jpg", jpeg(keep_rgb=True)
    yield "quality1.jpg", jpeg(quality=1)
    yield "quality100.jpg", jpeg(quality=100, subsampling=0)
    yield "optimized.jpg", jpeg(optimize=True)
    yield "restart.jpg", jpeg(restart_marker_blocks=3)
    yield "restart-progressive.jpg", jpeg(restart_marker_rows=1, progressive=True)
    yield "one.jpg", jpeg(size=(1, 1))
    for size in [(8, 8), (9, 17), (300, 2), (2, 300), (1, 20000), (20000, 1)]:
        yield f"{size[0]}x{size[1]}.jpg", jpeg(size=size, quality=60)
    plain = jpeg()
    for orientation in range(1, 9):
        block = b"Exif\0\0" + exif(orientation, "<>"[orientation % 2])
        yield f"exif{orientation}.jpg", with_segment(plain, 0xE1, block)
    yield "exif-long.jpg", with_segment(plain, 0xE1, b"Exif\0\0" + exif(6, ">", "I"))
    yield "exif-thumbnail.jpg", with_segment(plain, 0xE1, b"Exif\0\0" + exif(3, tail=jpeg(size=(16, 12))))
    yield "exif-nonsense.jpg", with_segment(plain, 0xE1, b"Exif\0\0" + exif(9))
    yield "xmp-first.jpg", with_segment(with_segment(plain, 0xE1, b"Exif\0\0" + exif(8)), 0xE1,
                                        b"http://ns.adobe.com/xap/1.0/\0<x/>")
    scan = plain.index(b"\xff\xda")
    for kind in "Bbhi":
        # Pillow reads no orientation of bytes.
        block, read = (b"Exif\0\0" + exif(6, ">", type) for type in (kind, "H"))
        yield f"exif-type-{ord(kind)}.jpg", with_segment(plain, 0xE1, block), with_segment(plain, 0xE1, read)
    yield "missing-eoi.jpg", found("missing-eoi.jpg"), found("missing-eoi.jpg") + b"\xff\xd9"
    for name, options in [("", {}), ("-progressive", {"progressive": True})]:
        whole = jpeg(**options)
        yield f"no-end{name}.jpg", whole[:-2], whole
        yield f"half-an-end{name}.jpg", whole[:-1], whole
    yield "line-breaks-first.jpg", b"\r\n\r\n" + plain, plain
    yield "extraneous.jpg", plain[:scan] + b"\0\1\2\3" + plain[scan:]
    yield "after-end.jpg", plain + b"what follows the end does not count" + plain[:100]


# ---- WebP


def webp(size=(61, 47), mode="RGB", seed=1, **options):
    pixels = subject(*size, seed)
    if mode == "RGBA":
        alpha = np.random.default_rng(seed).integers(0, 256, pixels.shape[:2] + (1,), dtype=np.uint8)
        alpha[: size[1] // 3] = 0
        pixels = np.concatenate([pixels, alpha], -1)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", **options)
    return out.getvalue()


def riff(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def extended_webp(plain, flags, *chunks, size=(61, 47)):
    """A WebP file of one picture made into one with flags, and with chunks after its picture."""
    extent = b"".join(struct.pack("<I", side - 1)[:3] for side in size)
    body = b"WEBP" + riff(b"VP8X", struct.pack("<I", flags) + extent) + plain[12:] + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webps():
    lossy, lossless = webp(quality=85), webp(lossless=True)
    yield "lossy.webp", lossy
    yield "lossless.webp", lossless
    yield "quality1.webp", webp(quality=1)
    yield "quality100.webp", webp(quality=100, method=6)
    yield "near-lossless.webp", webp(lossless=True, quality=20, method=0)
    yield "lossy-alpha.webp", webp(mode="RGBA", quality=85)
    yield "lossless-alpha.webp", webp(mode="RGBA", lossless=True)
    yield "exact-alpha.webp", webp(mode="RGBA", lossless=True, exact=True)
    yield "profile.webp", webp(quality=85, icc_profile=b"no profile")
    yield "metadata.webp", webp(quality=85, xmp=b"<x/>")
    yield "unknown-chunks.webp", extended_webp(lossy, 0, riff(b"abcd", b"?" * 99), riff(b"XYZ ", b""))
    yield "after-end.webp", lossy + b"what follows the end does not count"
    for size in [(1, 1), (2, 1), (1, 3), (17, 33), (300, 2), (2, 300)]:
        yield f"lossy-{size[0]}x{size[1]}.webp", webp(size, quality=60)
        yield f"lossless-{size[0]}x{size[1]}.webp", webp(size, lossless=True)
    yield "1x16383.webp", webp((1, 16383), quality=60)
    yield "16383x1.webp", webp((16383, 1), quality=60)
    for orientation in range(1, 9):
        block = riff(b"EXIF", exif(orientation, "<>"[orientation % 2], entries_before=orientation % 3))
        yield f"exif{orientation}.webp", extended_webp([lossy, lossless][orientation % 2], 8, block)
    marked = b"Exif\0\0" + exif(6, ">")
    yield "exif-marked.webp", extended_webp(lossy, 8, riff(b"EXIF", marked))
    yield "exif-nonsense.webp", extended_webp(lossy, 8, riff(b"EXIF", exif(9)))
    yield "exif-twice.webp", extended_webp(lossy, 8, riff(b"EXIF", exif(3)), riff(b"EXIF", exif(6)))
    yield "exif-not-said.webp", extended_webp(lossy, 0, riff(b"EXIF", exif(6)))


# ---- what is expected


def on_background(image, alpha, color):
    """An RGB picture with an opacity, laid on a colour."""
    image = image.copy()
    image.putalpha(alpha)
    ground = Image.new("RGBA", image.size, color + (255,))
    return Image.alpha_composite(ground, image).convert("RGB")


def opacity(name, image):
    """The opacity of each pixel; None for pictures without."""
    if name in keyed:
        return Image.fromarray(np.where(keyed[name], 0, 255).astype(np.uint8))
    has_alpha = image.mode in ("LA", "RGBA") or "transparency" in image.info
    return image.convert("RGBA").getchannel("A") if has_alpha else None


def animation():
    """Three pictures in turn, which is refused."""
    frames = [Image.fromarray(subject(61, 47, seed)) for seed in range(3)]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


def main():
    expected = {"pictures": [], "resized": [], "tiled": [], "canvases": []}
    clear = [("black-on-clear.png", found("black-on-clear.png"))]
    for name, data, *twin in list(jpegs()) + list(pngs()) + list(webps()) + clear:
        with open(os.path.join(HERE, name), "wb") as file:
            file.write(data)
        # Of what Pillow refuses or reads otherwise, it reads a twin.
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(*twin or [data])))
        alpha = opacity(name, image)
        if image.mode == "I;16":
            # Pillow makes white of everything over 255; we keep the high byte.
            grey = (np.asarray(image) >> 8).astype(np.uint8)
            image = Image.fromarray(np.stack([grey] * 3, -1))
        image = image.convert("RGB")
        bits, columns, rows = tiles(image, 384, [0.5] * 3)
        expected["pictures"].append({
            "file": name, "width": image.width, "height": image.height, "sha256": sha256(image.tobytes()),
            "columns": columns, "rows": rows, "tiles": sha256(bits)})
        if alpha:
            expected["pictures"][-1]["on"] = {
                color: sha256(on_background(image, alpha, tuple(bytes.fromhex(color))).tobytes())
                for color in ["ffffff", "000000", "12c8f0"]}

    with open(os.path.join(HERE, "animation.webp"), "wb") as file:
        file.write(animation())

    rng = random.Random(4)
    sizes = [((1, 1), (5, 7)), ((1, 1), (384, 384)), ((2, 2), (1, 1)), ((1, 2000), (1, 384)),
             ((2000, 1), (384, 1)), ((3, 500), (1, 70)), ((500, 3), (70, 1)), ((100, 100), (100, 33)),
             ((100, 100), (33, 100)), ((5, 9), (384, 691)), ((640, 3), (1, 3)), ((3, 640), (3, 1)),
             ((1000, 40), (2, 2)), ((64, 64), (63, 65))]
    for limit in [12, 60, 300]:
        for _ in range(20):
            sizes.append(tuple((rng.randint(1, limit), rng.randint(1, limit)) for _ in range(2)))
    for seed, (old, new) in enumerate(sizes):
        image = random_picture(seed, *old).resize(new, Image.Resampling.BICUBIC)
        expected["resized"].append({"seed": seed, "from": old, "to": new, "sha256": sha256(image.tobytes())})

    for seed in range(60):
        limit = [20, 100, 400][seed % 3]
        width, height = rng.randint(1, limit), rng.randint(1, limit)
        side, cropping = rng.choice([14, 70, 56]), rng.random() < 0.8
        mean = [0.5] * 3 if seed % 2 else [0.48, 0.25, 0.9]
        bits, columns, rows = tiles(random_picture(seed, width, height), side, mean, cropping)
        expected["tiled"].append({
            "seed": seed, "width": width, "height": height, "side": side, "cropping": cropping, "mean": mean,
            "columns": columns, "rows": rows, "sha256": sha256(bits)})

    candidates = [(384 * a, 384 * b) for a, b in PUBLISHED]
    sizes = [(1, 1), (1, 20000), (20000, 1), (384, 384), (768, 384), (1152, 1152), (640, 480), (480, 640)]
    sizes += [(int(10 ** rng.uniform(0, 4)), int(10 ** rng.uniform(0, 4))) for _ in range(500)]
    for width, height in sizes:
        columns, rows = (side // 384 for side in best_resolution(width, height, candidates))
        expected["canvases"].append([width, height, columns, rows])

    with open(os.path.join(HERE, "expected.json"), "w") as file:
        lines = [f' "{key}": [\n  ' + ",\n  ".join(json.dumps(item) for item in items) + "\n ]"
                 for key, items in expected.items()]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
