"""A network camera: GStreamer's RTSP server, which is killed, comes back, stops answering and goes on, watched through ffmpeg."""

import json
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from camera import Look, Room, Thing
from watching import Watch, marked, until

# The packages of Debian belong to its own Python.
PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")

WALL = (225, 225, 218)
RED = Room((Thing("red", "circle", 0.3, 0.5, 0.25), Thing("blue", "square", 0.75, 0.5, 0.2)), WALL)
GREEN = Room((Thing("green", "circle", 0.3, 0.5, 0.25), Thing("blue", "square", 0.75, 0.5, 0.2)), WALL)
# Red is seen so long after somebody has connected.
SECONDS = 12


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """The same film as H.264 and as MJPEG: red for a while, then green for minutes, with noise."""
    folder = tmp_path_factory.mktemp("films")
    for name, room in [("red", RED), ("green", GREEN)]:
        Look(noise=0).pixels(room, np.random.default_rng(1)).save(folder / f"{name}.png")
    for name, words in [("film.mp4", ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuv420p"]),
                        ("film.avi", ["-c:v", "mjpeg", "-q:v", "4", "-huffman", "default", "-pix_fmt", "yuvj420p"])]:
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-loop", "1", "-framerate", "5", "-t", str(SECONDS), "-i", "red.png"]
        command += ["-loop", "1", "-framerate", "5", "-t", "300", "-i", "green.png"]
        # RTP carries JPEG in sides that are multiples of 8.
        command += ["-filter_complex", "[0][1]concat=n=2,noise=alls=6:allf=t,scale=360:272", *words, name]
        subprocess.run(command, cwd=folder, check=True)
    return folder


class Camera:
    def __init__(self, films, port=0):
        self.process = subprocess.Popen(
            [PYTHON, SERVER, str(port), f"cam={films}/film.mp4", f"mjpeg={films}/film.avi"], stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        assert line.strip().isdigit(), f"the RTSP server did not start: {self.process.wait(30)}"
        self.port = int(line)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def cameras(films):
    """Starts a camera, again at the same port where one is given; ends those that are left."""
    started = []

    def start(port=0):
        started.append(Camera(films, port))
        return started[-1]
    yield start
    for camera in started:
        if camera.process.poll() is None:
            camera.kill()


@pytest.mark.parametrize("name", ["cam", "mjpeg"])
def test_camera(name, cameras, tmp_path):
    """Answers while it is there, one event when it goes and one when it comes back, and an answer to what is then seen."""
    camera = cameras()
    config = tmp_path / "watch.yaml"
    config.write_text(json.dumps({
        "camera": f"rtsp://watcher:secret@127.0.0.1:{camera.port}/{name}", "looks_per_second": 4, "hung_after": "10s",
        "questions": [{"name": "colour", "ask": "What colour is the circle?", "choices": ["red", "green", "blue"], "tell": "always"}]}))
    with Watch(config) as watch:
        def answers(*wanted):
            watch.wait_for(lambda _: len(watch.answers) >= len(wanted))
            assert [line["answer"] for line in watch.answers] == list(wanted)

        answers("red")
        answers("red", "green")
        assert watch.events == []
        camera.kill()
        gone = watch.event("gone")
        assert "ffmpeg" in gone["message"] or "program" in gone["message"]
        assert "secret" not in gone["message"]
        # Meanwhile it is tried again and again, and told no more.
        assert until(lambda: not [one for one in marked(watch.mark) if one[0] != watch.pid], patience=60)
        camera = cameras(camera.port)
        watch.event("back")
        answers("red", "green", "red")
        answers("red", "green", "red", "green")
        # It no longer answers, though it is there.
        camera.process.send_signal(signal.SIGSTOP)
        watch.event("hung")
        camera.process.send_signal(signal.SIGCONT)
        seen = len(watch.lines)
        watch.event("back", after=seen - 1)
        answers("red", "green", "red", "green", "red")
        watch.stop()
        assert watch.events == ["gone", "back", "hung", "back", "ended"]
    camera.kill()
    for line in watch.lines:
        assert "secret" not in json.dumps(line)
