"""What takes minutes of `vl2 read`: forty pages of pocket's, three hundred pages that are killed and go on, Debian's own
manuals, twenty minutes of video."""

import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from documents import MANUALS, PDF, READ_WORDS, page, pages_of, read, right, run, shape, start, video, words


def finish(command, out, rng, kills, longest):
    """Runs a command with --resume, killed so many times at random, to its end. Returns how often it was killed."""
    done = 0
    while not out.exists():
        process = start(*command, "-o", out, "--resume")
        end = time.monotonic() + (rng.uniform(0.1, longest) if done < kills else 3600)
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        if process.poll() is None:
            done += 1
            process.send_signal(signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL), process.stderr.read()
        process.communicate()
    return done


def test_forty_pages(tmp_path):
    """Single columns, two columns, turned pages, long ones; killed, resumed; words at pocket's rate."""
    rng = random.Random(11)
    found, wanted = 0, 0
    for name, count, lines, columns, rotate in [("a", 16, 5, 1, 0), ("b", 8, 8, 2, 0), ("c", 8, 4, 1, 90), ("d", 8, 12, 1, 0)]:
        document = PDF()
        texts = [words(f"{name}{number}", lines) for number in range(count)]
        for number, text in enumerate(texts):
            picture = page(text, columns, seed=number)
            document.picture(picture.rotate(rotate, expand=True), rotate=rotate)
        file, out = document.save(tmp_path / f"{name}.pdf"), tmp_path / f"{name}.txt"
        command = ["read", file, *READ_WORDS, "--columns", str(columns)]
        kills = finish(command, out, rng, 5, 8)
        pages = pages_of(out.read_text())
        assert [number for number, _ in pages] == list(range(1, count + 1))
        assert [len(text) for _, text in pages] == [lines] * count
        part = sum(right(text, known) for (_, text), known in zip(pages, texts))
        print(f"{name}: {part} of {count * lines} words right, killed {kills} times")
        found, wanted = found + part, wanted + count * lines
        # The same bytes as without kills.
        assert read(*command[1:]) == out.read_text()
    print(f"all: {found} of {wanted}")
    assert found >= 0.9 * wanted


def test_three_hundred_pages(tmp_path):
    """A manual's mechanics: whatever pocket makes of them, each page is there once, in its order, as without kills."""
    copied, drawn = PDF(), PDF()
    texts = [[f"Page {number}, line {line}: the quick brown fox jumps over the lazy dog" for line in range(45)]
             for number in range(1, 301)]
    for number, lines in enumerate(texts, 1):
        copied.text(lines)
        # So large that one tile shows it well.
        drawn.text([f"Page {number}", "of three", "hundred"], 100)
    rng = random.Random(12)
    for name, document, options, longest in [
            ("copied", copied, ["--text-layer"], 2), ("read", drawn, ["--max-tiles", "1"], 12)]:
        file, out = document.save(tmp_path / f"{name}.pdf"), tmp_path / f"{name}.txt"
        command = ["read", file, "--format", "text", *options]
        kills = finish(command, out, rng, 20, longest)
        pages = pages_of(out.read_text())
        print(f"{name}: {len(pages)} pages, killed {kills} times")
        assert [number for number, _ in pages] == list(range(1, 301))
        assert read(*command[1:], seconds=3600) == out.read_text()
        if name == "copied":
            assert [text for _, text in pages] == texts
    assert sorted(os.listdir(tmp_path)) == ["copied.pdf", "copied.txt", "read.pdf", "read.txt"]


def finish_by_pages(command, out, rng, kills, pages):
    """Runs a command with --resume, killed when so many pages chosen at random are written or a little later, to its end.
    Returns how often it was killed."""
    journal = out.parent / (out.name + ".part.journal")
    done = 0
    for mark in sorted(rng.sample(range(1, pages - 10), kills)):
        process = start(*command, "-o", out, "--resume")
        # One line is for the work.
        while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") <= mark):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        if process.poll() is None:
            done += 1
            process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, process.returncode
    status, _, lines = run(*command, "-o", out, "--resume", seconds=3600)
    assert status == 0, lines
    return done


@pytest.mark.parametrize("way", ["copied", "read"])
def test_debians_manuals(tmp_path, way):
    """Hundreds of pages as people write them: each is there once, in its order, with the same bytes as without kills; copied
    they are what poppler says, read by pocket whatever it makes of them."""
    files = sorted(MANUALS.glob("*.pdf"))
    counts = [int(re.search(r"^Pages: +(\d+)", subprocess.check_output(["pdfinfo", file], text=True), re.M)[1]) for file in files]
    assert sum(counts) >= 300, (files, counts)
    options = ["--text-layer"] if way == "copied" else ["--max-tiles", "1", "--columns", "1"]
    command, out = ["read", *files, "--format", "text", *options], tmp_path / "out.txt"
    begin = time.monotonic()
    kills = finish_by_pages(command, out, random.Random(14), 20, sum(counts))
    killed = time.monotonic() - begin
    begin = time.monotonic()
    status, whole, lines = run(*command, seconds=3600)
    assert status == 0 and whole == out.read_text()
    heads = [(file, number) for file, count in zip(files, counts) for number in range(1, count + 1)]
    assert re.findall(r"^\[(.*), page (\d+)\]$", whole, re.M) == [(str(file), str(number)) for file, number in heads]
    offered = [line for line in lines if "it has a text layer: --text-layer copies that" in line]
    assert len(offered) == (0 if way == "copied" else len(files))
    if way == "copied":
        parts = re.split(r"^\[.*, page \d+\]\n\n", whole, flags=re.M)[1:]
        for (file, number), part in zip(heads, parts):
            text = subprocess.check_output(["pdftotext", "-f", str(number), "-l", str(number), "-enc", "UTF-8", "-eol", "unix",
                                            "-nopgbrk", file, "-"], text=True)
            # A page without a text of its own is read.
            assert not text.strip() or part.strip() == text.strip(), (file, number)
    print(f"{way}: {sum(counts)} pages of {', '.join(file.name for file in files)}: killed {kills} times, {killed:.0f} s; "
          f"without {time.monotonic() - begin:.0f} s")
    assert kills == 20 and os.listdir(tmp_path) == ["out.txt"]


def peak(*given):
    """The most memory of its own that a run takes, in bytes."""
    process = start("read", *given)
    process.stdout.close()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_maxrss * 1024


def test_twenty_minutes(tmp_path):
    """Each shape is told within one step of when it appears, and memory does not grow with the video."""
    rng = random.Random(13)
    known = [(colour, name) for colour in ["red", "blue", "green", "purple", "orange", "pink"]
             for name in ["circle", "square", "star", "heart"]]
    parts, begins, clock = [], [], 0
    while clock < 1200:
        what, seconds = rng.choice([pair for pair in known if not begins or pair != begins[-1][1]]), rng.randint(21, 60)
        parts.append((shape(*what), seconds))
        begins.append((clock, what))
        clock += seconds
    file, step = video(tmp_path / "long.mp4", parts), 10
    out = tmp_path / "long.jsonl"
    most = peak(file, "--every", f"{step}s", "--prompt", "What is in the picture?", "-o", out)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["seconds"] for line in lines] == list(range(0, (clock - 1) // step * step + 1, step))
    told = 0
    for begin, what in begins:
        first = next((line for line in lines if line["seconds"] >= begin), None)
        told += first is not None and first["text"].split()[1:] == list(what) and first["seconds"] - begin < step
    print(f"{told} of {len(begins)} appearances told within {step} s")
    assert told >= 0.9 * len(begins)
    short = video(tmp_path / "short.mp4", parts[:3])
    least = peak(short, "--every", f"{step}s", "--prompt", "What is in the picture?", "-o", tmp_path / "short.jsonl")
    print(f"memory: {most >> 20} MiB for {clock} s, {least >> 20} MiB for {sum(seconds for _, seconds in parts[:3])} s")
    assert most < 1.1 * least + (8 << 20)
