"""Documents and videos in pocket's words, made by programs from known text, and `vl2 read` and `vl2 ask` run on them."""

import os
import random
import subprocess
import sys
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

from server import PROGRAMS, ROOT, pocket

sys.path.append(str(ROOT / "models/pocket/train"))
import scenes  # noqa: E402

# PDF files of Debian's own packages, which scripts/test-clients.sh fetches for the part that takes minutes.
MANUALS = ROOT / ".build/clients/manuals"

# A page of pocket's: what it reads at once is a word on a band of this size.
WIDTH, PITCH, POINTS = 400, 267, 46


def words(seed, count):
    """Words that pocket knows, all of which fit on a line."""
    rng = random.Random(seed)
    known = [word for word in scenes.WORDS if len(word) <= 7]
    return [rng.choice(known) for _ in range(count)]


def page(text, columns=1, seed=0):
    """A page with a word on each line; of several columns the first has the first words."""
    rng = random.Random(seed)
    rows = (len(text) + columns - 1) // columns
    picture = Image.new("RGB", (WIDTH * columns, PITCH * rows), (246, 246, 244))
    draw = ImageDraw.Draw(picture)
    face = scenes.font("DejaVuSans-Bold.ttf", POINTS)
    for index, word in enumerate(text):
        column, row = divmod(index, rows)
        room = WIDTH - 40 - face.getlength(word.upper())
        x, y = column * WIDTH + 20 + rng.uniform(0, room), row * PITCH + rng.uniform(40, PITCH - 110)
        draw.text((x, y), word.upper(), font=face, fill=(24, 24, 24))
    return picture


def table(rng):
    """A drawn table of pocket's, and what it says."""
    while True:
        scene = scenes.table_scene(rng, False, True)
        if not scene.facts["heads"] and len(scene.facts["names"]) <= 3:
            return scene.image, {n: v[0] for n, v in zip(scene.facts["names"], scene.facts["values"])}


def shape(colour, name, size=(320, 240)):
    """A frame of a video with one shape on it."""
    rng = random.Random(f"{colour} {name}")
    painter = scenes.Painter(rng, size, "shapes", Image.new("RGB", size, (225, 225, 220)))
    painter.shape(name, colour, size[0] / 2, size[1] / 2, 80)
    return painter.scene.image


class PDF:
    """A PDF file, object by object, from the standard library alone."""

    def __init__(self):
        self.objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
        self.pages = []

    def add(self, body):
        self.objects.append(body)
        return len(self.objects)

    def stream(self, data, entries=b""):
        packed = zlib.compress(data)
        return self.add(b"<< /Filter /FlateDecode /Length %d %s >>\nstream\n%s\nendstream" % (len(packed), entries, packed))

    def page(self, content, box=(595, 842), resources=b"", rotate=0):
        stream = self.stream(content)
        self.pages.append(self.add(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %g %g] /Rotate %d /Resources << %s >> /Contents %d 0 R >>"
            % (*box, rotate, resources, stream)))

    def picture(self, image, rotate=0):
        """A page that is a picture, at 200 dots per inch; it is shown turned clockwise by `rotate`."""
        number = self.stream(image.convert("RGB").tobytes(), b"/Type /XObject /Subtype /Image /ColorSpace /DeviceRGB "
                             b"/BitsPerComponent 8 /Width %d /Height %d" % image.size)
        width, height = (side * 72 / 200 for side in image.size)
        self.page(b"%g 0 0 %g 0 0 cm /I Do" % (width, height), (width, height),
                  b"/XObject << /I %d 0 R >>" % number, rotate)

    def text(self, lines, points=12):
        """A page of text that can be copied."""
        written = b" ".join(b"(%s) Tj T*" % line.encode() for line in lines)
        content = b"BT /F %d Tf %g TL 60 %d Td %s ET" % (points, 1.25 * points, 800 - points, written)
        self.page(content, resources=b"/Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>")

    def save(self, path, count=None):
        kids = b" ".join(b"%d 0 R" % page for page in self.pages)
        self.objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count or len(self.pages))
        out, places = bytearray(b"%PDF-1.7\n"), []
        for number, body in enumerate(self.objects, 1):
            places.append(len(out))
            out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
        begin = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
        out += b"".join(b"%010d 00000 n \n" % place for place in places)
        out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, begin)
        path.write_bytes(out)
        return path


def video(path, parts, rate=5, *options):
    """A video of pictures, each of which is shown for so many seconds."""
    width, height = parts[0][0].size
    maker = subprocess.Popen(
        ["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate),
         "-i", "pipe:0", "-pix_fmt", "yuv420p", *options, f"file:{path}"], stdin=subprocess.PIPE)
    for picture, seconds in parts:
        pixels = picture.tobytes()
        for _ in range(round(seconds * rate)):
            maker.stdin.write(pixels)
    maker.stdin.close()
    assert maker.wait() == 0
    return path


def start(*given, path=None, **more):
    """vl2 with pocket, started."""
    environment = {**os.environ, "VL2_MODEL": str(pocket())}
    if path is not None:
        environment["PATH"] = str(path)
    command = [str(PROGRAMS / "vl2"), *(str(word) for word in given)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=environment, **more)


def run(*given, seconds=600, **more):
    """(exit status, standard output, lines of standard error without pocket's own)."""
    process = start(*given, **more)
    try:
        out, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    lines = [line for line in errors.decode().splitlines() if "demonstration" not in line]
    return process.returncode, out.decode(), lines


def read(*given, **more):
    """What `vl2 read` writes; it has to succeed."""
    status, out, lines = run("read", *given, **more)
    assert status == 0, (status, lines)
    return out


READ_WORDS = ["--lines", "1", "--prompt", "What does the sign say?", "--format", "text"]


def pages_of(text):
    """Numbers of pages and their lines, of a result in plain text."""
    pages = []
    for line in text.splitlines():
        if line.startswith("[page "):
            pages.append((int(line[6:-1]), []))
        elif line:
            pages[-1][1].append(line)
    return pages


def right(found, wanted):
    """How many words were read rightly, of those at the same place."""
    return sum(one == other for one, other in zip(found, wanted))


def alive(number):
    """Whether there is such a process; one that nobody has reaped yet has ended."""
    try:
        return Path(f"/proc/{number}/stat").read_text().split(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False
