"""`vl2 read` and videos in `vl2 ask` with Debian's poppler and ffmpeg: words of pocket's, orders, turns, going on
after kills, limits. `test_reading_long.py` has what takes minutes."""

import json
import os
import random
import signal
import struct
import time

import pytest
from PIL import Image

from documents import PDF, READ_WORDS, alive, page, pages_of, read, right, run, shape, start, table, video, words
from pictures import png

SHAPES = [("red", "circle"), ("blue", "square"), ("green", "star"), ("purple", "heart"), ("black", "triangle")]


def pdf(path, pages, **more):
    """A PDF file of pictures."""
    document = PDF()
    for picture in pages:
        document.picture(picture, **more)
    return document.save(path)


def tool(folder, name, script):
    """A program of our own that stands before Debian's; what to give as PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


# What pages say


def test_words_in_their_order(tmp_path):
    texts = [words(seed, 5) for seed in range(3)]
    file = pdf(tmp_path / "a.pdf", [page(text, seed=seed) for seed, text in enumerate(texts)])
    pages = pages_of(read(file, *READ_WORDS))
    assert [number for number, _ in pages] == [1, 2, 3]
    assert [len(lines) for _, lines in pages] == [5, 5, 5]
    assert sum(right(lines, text) for (_, lines), text in zip(pages, texts)) >= 13
    # A part of the pages keeps their numbers.
    assert pages_of(read(file, *READ_WORDS, "--pages", "2-3")) == pages[1:]


def test_columns(tmp_path):
    text = words(7, 8)
    page(text, columns=2, seed=7).save(tmp_path / "a.png")
    [(_, lines)] = pages_of(read(tmp_path / "a.png", *READ_WORDS, "--columns", "2"))
    assert len(lines) == 8 and right(lines, text) >= 7


@pytest.mark.parametrize("way", ["file", "exif", "option"])
def test_turned(tmp_path, way):
    text = words(8, 4)
    upright = page(text, seed=8)
    if way == "file":
        # What the file says, poppler does.
        [(_, lines)] = pages_of(read(pdf(tmp_path / "a.pdf", [upright.rotate(90, expand=True)], rotate=90), *READ_WORDS))
    elif way == "exif":
        exif = Image.Exif()
        exif[0x0112] = 6
        upright.rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif, quality=95)
        [(_, lines)] = pages_of(read(tmp_path / "a.jpg", *READ_WORDS))
    else:
        upright.rotate(180).save(tmp_path / "a.png")
        [(_, lines)] = pages_of(read(tmp_path / "a.png", *READ_WORDS, "--rotate", "180"))
    assert len(lines) == 4 and right(lines, text) >= 3


def test_longer_than_an_answer(tmp_path):
    """Answers of one token hold one word, so the page is halved until each part is one line."""
    text = words(9, 7)
    page(text, seed=9).save(tmp_path / "a.png")
    out = read(tmp_path / "a.png", "--prompt", "What does the sign say?", "--format", "text", "--max-tokens", "1")
    [(_, lines)] = pages_of(out)
    assert len(lines) == 7 and right(lines, text) >= 6


def test_tables(tmp_path):
    rng = random.Random(3)
    tables = [table(rng) for _ in range(12)]
    for index, (picture, _) in enumerate(tables):
        picture.save(tmp_path / f"{index}.png")
    files = [tmp_path / f"{index}.png" for index in range(12)]
    out = [json.loads(line) for line in read(*files, "--format", "json", "--prompt", "Write the table as JSON.").splitlines()]
    assert [line["file"] for line in out] == [str(file) for file in files]
    assert [line["page"] for line in out] == [1] * 12
    # pocket has four tables in five right that its own program made; these are of the same kind.
    cells = [(f'"{name}": {value}' in line["text"]) for line, (_, facts) in zip(out, tables) for name, value in facts.items()]
    assert sum(cells) >= 0.6 * len(cells), out
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 4}')
    status, out, lines = run("read", files[0], "--schema", schema, "--prompt", "Write the table as JSON.")
    if status == 0:
        assert isinstance(json.loads(out)["data"], dict)
    else:
        assert status == 65 and "schema.json" in lines[0]


def test_csv(tmp_path):
    page(words(5, 1)).save(tmp_path / "a.png")
    out = read(tmp_path / "a.png", "--format", "csv", "--prompt", "What does the sign say?")
    assert out.splitlines()[0] == "page,cells" and out.splitlines()[1].startswith("1,")


def test_text_layer(tmp_path):
    document = PDF()
    texts = [[f"Line {line} of page {number}" for line in range(40)] for number in range(1, 4)]
    for lines in texts:
        document.text(lines)
    file = document.save(tmp_path / "a.pdf")
    status, _, lines = run("read", file, "--pages", "2", "--max-tokens", "4", "-o", tmp_path / "a.md")
    assert status == 0 and any("a.pdf: it has a text layer: --text-layer" in line for line in lines)
    # No model is needed to copy it.
    status, out, lines = run("read", file, "--text-layer", "--format", "text", "--model", tmp_path / "none.vl2q")
    assert status == 0 and lines == []
    assert pages_of(out) == [(number, text) for number, text in enumerate(texts, 1)]


def test_blank_page(tmp_path):
    Image.new("RGB", (400, 500), "white").save(tmp_path / "a.png")
    status, out, lines = run("read", tmp_path / "a.png")
    assert (status, out) == (0, "<!-- page 1 -->\n\n") and "nothing is on it" in lines[0]


# Going on


def test_killed_and_resumed(tmp_path):
    file = pdf(tmp_path / "a.pdf", [page(words(seed, 3), seed=seed) for seed in range(6)])
    whole = read(file, *READ_WORDS)
    out, part = tmp_path / "out.txt", tmp_path / "out.txt.part"
    rng = random.Random(4)
    kills = 0
    while not out.exists():
        process = start("read", file, *READ_WORDS, "-o", out, "--resume")
        end = time.monotonic() + rng.uniform(0.2, 3) + kills * 0.2
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        if process.poll() is None:
            kills += 1
            process.send_signal(signal.SIGKILL)
        process.communicate()
        if part.exists():
            assert whole.startswith(part.read_text()) or part.read_text().startswith("[page")
    assert out.read_text() == whole
    assert sorted(os.listdir(tmp_path)) == ["a.pdf", "out.txt"]
    status, _, lines = run("read", file, *READ_WORDS, "-o", out, "--resume")
    assert status == 64 and len(lines) == 1 and "it is finished" in lines[0]


def test_goes_on_with_the_same_alone(tmp_path):
    pages = [page(words(seed, 2), seed=seed) for seed in range(4)]
    file, other = pdf(tmp_path / "a.pdf", pages), pdf(tmp_path / "b.pdf", pages[::-1])
    out = tmp_path / "out.txt"
    process = start("read", file, *READ_WORDS, "-o", out)
    while not (tmp_path / "out.txt.part").exists() or not (tmp_path / "out.txt.part").stat().st_size:
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == -signal.SIGTERM and not out.exists()
    for words_, what in [((other, *READ_WORDS), "files"), ((file, *READ_WORDS, "--rotate", "90"), "options")]:
        status, _, lines = run("read", *words_, "-o", out, "--resume")
        assert status == 64 and len(lines) == 1 and f"was begun with other {what}" in lines[0]
    assert run("read", file, *READ_WORDS, "-o", out, "--resume")[0] == 0
    assert out.read_text() == read(file, *READ_WORDS)


def test_output_destroys_nothing(tmp_path):
    file = pdf(tmp_path / "a.pdf", [page(words(1, 1))])
    picture = tmp_path / "a.png"
    page(words(1, 1)).save(picture)
    for out in [file, picture, tmp_path / "notes", tmp_path / "b.jpg"]:
        if not out.exists():
            out.write_text("precious")
        before = out.read_bytes()
        status, _, lines = run("read", file, picture, "-o", out)
        assert status == 64 and len(lines) == 1 and str(out) in lines[0]
        assert out.read_bytes() == before
    for left in ["out.md.part", "out.md.part.journal"]:
        (tmp_path / left).write_text("precious")
        assert run("read", file, "-o", tmp_path / "out.md")[0] == 64
        assert (tmp_path / left).read_text() == "precious"
        (tmp_path / left).unlink()


SCHEMA = {"type": "object", "properties": {"shape": {"enum": ["star", "circle"]}, "words": {"type": "array", "items": {
    "type": "string", "maxLength": 8}, "maxItems": 3}}, "required": ["shape", "words"]}


def test_one_value_of_a_document(tmp_path):
    """All pages are read, then one object is made: of each file one, from bands and from text layers, killed and resumed."""
    def fits(value):
        return (set(value) == {"shape", "words"} and value["shape"] in ("star", "circle")
                and len(value["words"]) <= 3 and all(len(word) <= 8 for word in value["words"]))

    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(SCHEMA))
    drawn = pdf(tmp_path / "drawn.pdf", [page(words(seed, 3), seed=seed) for seed in range(4)])
    written = PDF()
    for number in (1, 2, 3):
        written.text([f"Page {number}", "a star, 3 apples"])
    written = written.save(tmp_path / "written.pdf")
    command = [drawn, written, "--schema", schema, "--per", "document", "--lines", "2", "--max-tokens", "60"]
    whole = read(*command)
    objects = [json.loads(line) for line in whole.splitlines()]
    assert [(line["file"], line["pages"]) for line in objects] == [(str(drawn), "1-4"), (str(written), "1-3")]
    assert all(fits(line["data"]) for line in objects)
    [line] = read(written, "--schema", schema, "--per", "document", "--text-layer", "--pages", "2-").splitlines()
    assert fits(json.loads(line)["data"]) and json.loads(line)["pages"] == "2-3"

    out, journal = tmp_path / "out.jsonl", tmp_path / "out.jsonl.part.journal"
    # After each page and each document, in whatever is done then.
    for mark in range(1, 9):
        process = start("read", *command, "-o", out, "--resume")
        while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") <= mark):
            time.sleep(0.005)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode in (0, -signal.SIGKILL)
        if out.exists():
            break
        # One line for the work, and then one for each page and for each document: none is read again.
        assert mark < journal.read_bytes().count(b"\n") <= 10
    if not out.exists():
        assert run("read", *command, "-o", out, "--resume")[0] == 0
    assert out.read_text() == whole
    assert sorted(os.listdir(tmp_path)) == ["drawn.pdf", "out.jsonl", "schema.json", "written.pdf"]


# Videos


def test_times_of_a_video(tmp_path):
    parts = [(shape(*what), 4) for what in SHAPES]
    file = video(tmp_path / "a.mp4", parts)
    out = read(file, "--every", "2s", "--prompt", "What is in the picture?", "-o", tmp_path / "a.jsonl")
    assert out == ""
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line["seconds"] for line in lines] == [2 * index for index in range(10)]
    assert [line["time"] for line in lines[:6]] == ["0:00", "0:02", "0:04", "0:06", "0:08", "0:10"]
    wanted = [f"a {' '.join(SHAPES[int(line['seconds'] // 4)])}" for line in lines]
    assert sum(line["text"] == text for line, text in zip(lines, wanted)) >= 8, lines


def test_asking_about_a_video(tmp_path):
    parts = [(shape(*SHAPES[0]), 6), (shape(*SHAPES[1]), 5), (shape(*SHAPES[2]), 7)]
    file = video(tmp_path / "a.mkv", parts)
    status, out, lines = run("ask", file, "--frames", "3", "What do you see?")
    assert status == 0 and out.strip()
    assert f"vl2: {file}: asking about at most 3 pictures" in lines
    assert f"vl2: {file}: pictures at 0:00, 0:06, 0:11" in lines
    status, out, lines = run("ask", file, "--every", "5s", "What do you see?")
    assert status == 0 and f"vl2: {file}: pictures at 0:00, 0:05, 0:10, 0:15" in lines
    # More than fit are thinned out, and what fits is said before.
    status, out, lines = run("ask", file, "--every", "200ms", "--context", "512", "What do you see?")
    assert status == 0 and any("more do not fit into the context of 512 tokens" in line for line in lines), lines
    for words_ in [("--boxes",), ("--placed",), ("--ground", "it")]:
        assert run("ask", *words_, file, *(() if words_[0] == "--ground" else ("What?",)))[0] == 64


def test_videos_that_lie(tmp_path):
    """A header that claims a million frames, and times that are days apart."""
    file = video(tmp_path / "a.avi", [(shape(*SHAPES[0]), 3)], 5, "-c:v", "mjpeg")
    data = bytearray(file.read_bytes())
    place = data.index(b"avih") + 8 + 16
    data[place:place + 4] = struct.pack("<I", 1_000_000)
    place = data.index(b"strh") + 8 + 32
    data[place:place + 4] = struct.pack("<I", 1_000_000)
    file.write_bytes(data)
    lines = read(file, "--every", "1s", "--prompt", "What is in the picture?").splitlines()
    assert 3 <= len(lines) <= 4
    far = video(tmp_path / "far.mkv", [(shape(*SHAPES[1]), 1)], 5, "-vf", "setpts=N*100000/TB", "-fps_mode", "passthrough")
    lines = read(far, "--every", "1h", "--prompt", "What is in the picture?").splitlines()
    assert 1 <= len(lines) <= 25
    half = tmp_path / "half.mp4"
    half.write_bytes(video(tmp_path / "b.mp4", [(shape(*SHAPES[1]), 3)]).read_bytes()[:2000])
    status, _, lines = run("read", half)
    assert status == 65 and len(lines) == 1 and "half.mp4: ffmpeg cannot read it" in lines[0]


# What no program should be asked to bear


@pytest.mark.parametrize("program, package, name", [
    ("pdfinfo", "poppler-utils", "a.pdf"), ("pdftoppm", "poppler-utils", "a.pdf"), ("ffmpeg", "ffmpeg", "a.mp4"),
])
def test_missing_programs(tmp_path, program, package, name):
    file = tmp_path / name
    if name == "a.pdf":
        pdf(file, [page(words(1, 1))])
    else:
        video(file, [(shape(*SHAPES[0]), 1)])
    others = tmp_path / "programs"
    others.mkdir()
    for other in {"pdfinfo", "pdftoppm", "pdftotext"} - {program}:
        (others / other).symlink_to(f"/usr/bin/{other}")
    for words_ in [("read", file)] + ([("ask", file, "What?")] if program == "ffmpeg" else []):
        status, _, lines = run(*words_, path=others)
        lines = [line for line in lines if "asking about at most" not in line]
        assert status == 69 and len(lines) == 1, lines
        assert f"{program}: no such program" in lines[0] and f"apt install {package}" in lines[0]


@pytest.mark.parametrize("program", ["pdfinfo", "pdftoppm", "ffmpeg"])
@pytest.mark.parametrize("does", ["hangs", "floods"])
def test_programs_that_hang_or_flood(tmp_path, program, does):
    file = tmp_path / ("a.mp4" if program == "ffmpeg" else "a.pdf")
    if program == "ffmpeg":
        video(file, [(shape(*SHAPES[0]), 1)])
    else:
        pdf(file, [page(words(1, 1))])
    pids = tmp_path / "pids"
    does_it = "sleep 1000 & echo $! >>'{0}'; wait" if does == "hangs" else "exec yes 'far too much'"
    path = tool(tmp_path / "bad", program, f"echo $$ >>'{pids}'\n" + does_it.format(pids) + "\n")
    begin = time.monotonic()
    status, _, lines = run("read", file, "--program-seconds", "3", "-o", tmp_path / "out.jsonl", "--format", "json", path=path)
    assert status == 69 and len(lines) == 1 and program in lines[0] and "was ended" in lines[0], lines
    assert time.monotonic() - begin < 60
    started = [int(number) for number in pids.read_text().split()]
    assert started and not any(alive(number) for number in started)


def test_names(tmp_path):
    for name in ["-o", "new\nline", "--help", "a b'c\"d", "|x", "%d", "concat:a"]:
        file = pdf(tmp_path / (name + ".pdf"), [page(words(1, 1))])
        film = video(tmp_path / (name + ".mp4"), [(shape(*SHAPES[0]), 1)])
        for path in [file, film]:
            assert run("read", path, "--max-tokens", "4")[0] == 0, path
            # By their names alone, behind --.
            status, out, lines = run("read", "--max-tokens", "4", "--", path.name, cwd=tmp_path)
            assert status == 0, lines
            assert all(line.startswith("vl2: ") for line in lines)


def test_pdf_bombs(tmp_path):
    """A page of 141 km, one that unpacks to 300 MB, two million pages, and pages that are broken."""
    huge = PDF()
    huge.page(b"0 0 m 400000000 400000000 l 99 w S", (400_000_000, 400_000_000))
    status, _, lines = run("read", huge.save(tmp_path / "huge.pdf"), "--max-tokens", "4")
    assert status in (0, 65) and len(lines) <= 2, lines
    packed = PDF()
    packed.page(b"1 0 0 rg 0 0 9 9 re f\n" * 15_000_000)
    status, _, lines = run("read", packed.save(tmp_path / "packed.pdf"), "--program-seconds", "5", "--max-tokens", "4")
    assert status in (0, 65, 69) and len(lines) <= 2, lines
    many = PDF()
    many.picture(page(words(1, 1)))
    file = many.save(tmp_path / "many.pdf", count=2_000_000)
    status, _, lines = run("read", file)
    assert status == 65 and len(lines) == 1, lines
    # Where poppler believes it.
    status, _, lines = run("read", file, path=tool(tmp_path / "bad", "pdfinfo", "echo Pages: 2000000\n"))
    assert status == 65 and len(lines) == 1 and "claims to have 2000000 pages" in lines[0], lines
    broken = PDF()
    broken.picture(page(words(1, 1)))
    broken.page(b"", (0, 0))
    file = broken.save(tmp_path / "broken.pdf")
    file.write_bytes(file.read_bytes()[:len(file.read_bytes()) // 2])
    status, _, lines = run("read", file)
    assert status in (0, 65) and lines, lines


def test_pictures_that_are_too_large(tmp_path):
    """One page that is no picture that anybody has costs only its own text."""
    (tmp_path / "huge.png").write_bytes(png(40000, 40000))
    page(words(1, 1)).save(tmp_path / "a.png")
    status, out, lines = run("read", tmp_path / "huge.png", tmp_path / "a.png", *READ_WORDS)
    assert status == 65 and "huge.png" in lines[0]
    assert out.count("page 1]") == 2 and "(not read: " in out


@pytest.mark.parametrize("words_", [
    [], ["-"], ["a.pdf", "--pages", "0"], ["a.pdf", "--rotate", "45"], ["a.pdf", "--resume"], ["a.mp4", "b.mp4"],
    ["a.pdf", "--schema", "s.json", "--format", "csv"], ["a.pdf", "--pages", "9"], ["a.mp4", "--pages", "1"],
    ["a.pdf", "--text-layer", "--format", "csv"], ["a.pdf", "--every", "0"], ["a.pdf", "-o", "/dev/null", "--resume"],
    ["a.pdf", "--per", "document"], ["a.mp4", "--per", "document"],
], ids=str)
def test_usage(tmp_path, words_):
    pdf(tmp_path / "a.pdf", [page(words(1, 1))])
    for name in ["a.mp4", "b.mp4"]:
        video(tmp_path / name, [(shape(*SHAPES[0]), 1)])
    status, out, lines = run("read", *words_, cwd=tmp_path)
    assert status == 64 and out == "" and len(lines) == 1, lines
