"""MJPEG as programs write it, whole and damaged, through `vl2 watch`; and programs that hang, flood and die."""

import functools
import json
import os
import random
import signal
import subprocess
import time

import numpy as np
import pytest

from camera import Look, Room, Thing, jpeg
from watching import Watch, marked, until

RANDOM = np.random.default_rng(4)
# In an order in which no color follows itself, so that each frame is a change.
# No colour beside its neighbour: of a plain thing that is wider than a ninth of the picture, that is no change (docs/WATCHING.md).
PALETTE = ["red", "green", "orange", "blue", "yellow", "purple", "pink", "black"]
QUESTION = "What colour is the square?"


def picture(colour):
    return Look(noise=0).pixels(Room((Thing(colour, "square", 0.5, 0.5, 0.3),), (235, 235, 235)), RANDOM)


# Streams of one frame of each colour


def ffmpeg(*words):
    """What ffmpeg makes of the frames. Timestamps are let go of, so that it leaves none out."""
    frames = b"".join(picture(colour).tobytes() for colour in PALETTE)
    return subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", "360x270",
         "-framerate", "2", "-i", "pipe:0", *words, "pipe:1"], input=frames, stdout=subprocess.PIPE, check=True).stdout


def frames_of(stream):
    """The frames of a stream that holds nothing but whole ones without thumbnails, and what stands before each."""
    frames, position = [], 0
    while (start := stream.find(b"\xff\xd8\xff", position)) >= 0:
        end = stream.index(b"\xff\xd9", start) + 2
        frames.append((stream[position:start], stream[start:end]))
        position = end
    return frames


def without_tables(frame):
    """Without its Huffman tables, as UVC cameras send it: a decoder takes the usual ones."""
    kept, position = frame[:2], 2
    while frame[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(frame[position + 2:position + 4], "big")
        if frame[position + 1] != 0xC4:
            kept += frame[position:end]
        position = end
    return kept + frame[position:]


def uvc():
    """The usual tables, left out; and padded to whole packets."""
    frames = [without_tables(frame) for _, frame in frames_of(ffmpeg("-f", "mjpeg", "-q:v", "4", "-huffman", "default"))]
    assert all(b"\xff\xc4" not in frame for frame in frames)
    return b"".join(frame + bytes(-len(frame) % 512) for frame in frames)


def rpicam():
    """rpicam-vid hands YUV 4:2:0 to libjpeg with its defaults, at quality 50, and writes the files one behind the other: JFIF
    header, two quantisation tables, frame, four Huffman tables, scan (raspberrypi/rpicam-apps, encoder/mjpeg_encoder.cpp)."""
    frames = [jpeg(picture(colour), quality=50, subsampling="4:2:0") for colour in PALETTE]
    assert {markers(frame) for frame in frames} == {(0xE0, 0xDB, 0xDB, 0xC0, 0xC4, 0xC4, 0xC4, 0xC4, 0xDA)}
    return b"".join(frames)


def markers(frame):
    found, position = [], 2
    while not found or found[-1] != 0xDA:
        found.append(frame[position + 1])
        position += 2 + int.from_bytes(frame[position + 2:position + 4], "big")
    return tuple(found)


STREAMS = {
    "mjpeg": lambda: ffmpeg("-f", "mjpeg"),
    "mpjpeg": lambda: ffmpeg("-f", "mpjpeg"),
    "image2pipe": lambda: ffmpeg("-f", "image2pipe", "-c:v", "mjpeg"),
    "best": lambda: ffmpeg("-f", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj444p"),
    "4:2:2": lambda: ffmpeg("-f", "mjpeg", "-q:v", "5", "-pix_fmt", "yuvj422p"),
    "worst": lambda: ffmpeg("-f", "mjpeg", "-q:v", "24", "-pix_fmt", "yuvj420p"),
    "slices": lambda: ffmpeg("-f", "mjpeg", "-q:v", "4", "-threads", "4", "-slices", "4"),
    "uvc": uvc,
    "rpicam": rpicam,
    "grey": lambda: b"".join(jpeg(picture(colour).convert("L"), quality=70) for colour in PALETTE),
}


@functools.cache
def stream(kind):
    return STREAMS[kind]()


def watch_file(folder, data):
    """What is said of a stream in a file, of which every frame is looked at: (answers, events, the last line)."""
    path = folder / "stream"
    path.write_bytes(data)
    config = folder / "watch.yaml"
    # Each frame counts by itself, however often it comes.
    config.write_text(json.dumps({
        "camera": "-", "settle_frames": "1", "frozen_after": "never",
        "questions": [{"name": "colour", "ask": QUESTION, "choices": PALETTE, "tell": "always"}]}))
    with open(path, "rb") as file, Watch(config, stdin=file) as watch:
        ended = watch.end()
        return [line["answer"] for line in watch.answers], watch.events, ended


def in_order(wanted, answers):
    """Whether the wanted are among the answers in their order."""
    left = iter(answers)
    return all(colour in left for colour in wanted)


@pytest.mark.parametrize("kind", STREAMS)
def test_whole(kind, tmp_path):
    """Each frame is found, decoded and answered rightly."""
    answers, events, ended = watch_file(tmp_path, stream(kind))
    assert events == ["ended"] and ended["frames"] == len(PALETTE) and ended["broken"] == 0
    if kind != "grey":
        assert answers == PALETTE
    else:
        # Two colours may be equally bright, which is no change.
        assert len(PALETTE) - 2 <= len(answers) <= len(PALETTE)


def damage(random, frame):
    """A frame that lost something, or got something."""
    place = random.randrange(2, len(frame) - 4)
    return random.choice([
        lambda: frame[:place],
        lambda: frame[place:],
        lambda: frame[:place] + frame[place + random.randrange(1, 400):],
        lambda: frame[:place] + random.randbytes(40) + frame[place:],
        lambda: frame[:place] + b"\xff\xd8\xff\xe0\x7f\xff" + frame[place:],
        lambda: frame[:place] + b"\xff\xd9" + frame[place:],
        lambda: frame[:2] + frame[place:],
    ])()


@pytest.mark.parametrize("kind", STREAMS)
def test_damaged(kind, tmp_path):
    """Cut anywhere, with garbage between: no frame that is whole is lost, and nothing else happens than a frame more or less."""
    random_ = random.Random(kind)
    frames = [frame for _, frame in frames_of(stream(kind))]
    headers = [header for header, _ in frames_of(stream(kind))]
    between = [b"", b"garbage", b"\0" * 700, b"\xff\xd9\xff\xd8", b"\r\n--x\r\nContent-Length: 99999\r\n\r\n"]
    data, wanted = b"", []
    for _ in range(2):
        for header, frame, colour in zip(headers, frames, PALETTE):
            data += damage(random_, random_.choice(frames)) + random_.choice(between) + header + frame
            wanted.append(colour)
    answers, events, ended = watch_file(tmp_path, data)
    assert set(events) <= {"broken", "ended"} and events.count("ended") == 1, events
    assert ended["frames"] >= len(wanted) and ended["broken"] > 0
    if kind != "grey":
        assert in_order(wanted, answers), f"{wanted} {answers}"


# Programs that misbehave


CAMERA = "cat {folder}/one.jpg; cat {folder}/two.jpg"


def misbehaving(folder, line, *words, **environment):
    """`vl2 watch` on a program whose every process is written to a file."""
    for name, colour in [("one", "red"), ("two", "red")]:
        (folder / f"{name}.jpg").write_bytes(jpeg(picture(colour)))
    config = folder / "watch.yaml"
    config.write_text(json.dumps({
        "camera": "command:" + f"echo $$ >>{folder}/begun; " + line.format(folder=folder), "hung_after": "1s",
        "questions": [{"name": "colour", "ask": QUESTION, "choices": PALETTE, "tell": "always"}]}))
    return Watch(config, *words, environment=environment)


def begun(folder):
    try:
        return [int(number) for number in (folder / "begun").read_text().split()]
    except FileNotFoundError:
        return []


def nothing_but(watch):
    """The processes of a watch beside itself."""
    return [entry for entry in marked(watch.mark) if entry[0] != watch.pid]


@pytest.mark.parametrize("name, line, event", [
    ("hangs", CAMERA + "; sleep 10000", "hung"),
    ("hangs at once", "sleep 10000", "hung"),
    ("hangs and ignores SIGTERM", "trap '' TERM; " + CAMERA + "; while :; do sleep 1; done", "hung"),
    ("leaves others behind", "sleep 10000 & sleep 10001 & " + CAMERA + "; exit 3", "gone"),
    ("floods", "exec yes", "hung"),
    ("floods with zeros", "exec cat /dev/zero", "hung"),
    ("floods both", "yes >&2 & exec yes", "hung"),
    ("dies", CAMERA + "; kill -9 $$", "gone"),
    ("is not there", "exec /no/such/program", "gone"),
])
def test_program(name, line, event, tmp_path):
    """It is ended and started again, more than once, with growing pauses; the state is told once, and nothing is left."""
    with misbehaving(tmp_path, line) as watch:
        told = watch.event(event)
        assert until(lambda: len(begun(tmp_path)) >= 3), "it was not started again"
        earlier = begun(tmp_path)[:-1]
        # Of those that were ended before, nothing runs.
        assert until(lambda: not [entry for entry in nothing_but(watch) if entry[0] in earlier], patience=30), nothing_but(watch)
        assert len(nothing_but(watch)) <= 4, nothing_but(watch)
        if event == "gone":
            assert {"dies": "signal 9", "is not there": "/no/such/program", "leaves others behind": "status 3"}[name] in told["message"]
        watch.stop()
        lines = [line["event"] for line in watch.lines if "event" in line]
        # Frames that come in between bring it back, and then it goes again.
        assert set(lines) <= {event, "back", "ended", "broken"}
        assert all(one != two for one, two in zip(lines, lines[1:])), lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_ends_what_ignores_it(number, tmp_path):
    """Camera and action, both with children of their own that ignore SIGTERM and SIGINT, are gone with vl2."""
    stubborn = "trap '' TERM INT HUP; (trap '' TERM INT HUP; while :; do sleep 1; done) & "
    action = stubborn + "while :; do sleep 1; done"
    with misbehaving(tmp_path, stubborn + "while :; do " + CAMERA + "; sleep 0.2; done", "--exec", action) as watch:
        watch.wait_for(lambda line: "question" in line)
        # Two shells of the camera, two of the action.
        assert until(lambda: len([entry for entry in nothing_but(watch) if "trap" in entry[1]]) >= 4), nothing_but(watch)
        begin = time.monotonic()
        watch.stop(number)
        assert time.monotonic() - begin < 60


def test_killed(tmp_path):
    """Where vl2 itself is killed, a camera's program that writes ends at its next frame."""
    with misbehaving(tmp_path, "while " + CAMERA + "; do sleep 0.2; done") as watch:
        watch.wait_for(lambda line: "question" in line)
        os.kill(watch.pid, signal.SIGKILL)
        watch.process.wait()
        assert until(lambda: not marked(watch.mark), patience=60), marked(watch.mark)
