"""Examples/home-assistant with Debian's broker, and Examples/spoken with the real espeak-ng, which writes what it says to
files. What a user has to change in them is changed here: the camera, the question, its choices. Everything else is as it stands."""

import json
import os
import shutil
import signal
import subprocess
import time
import wave
from pathlib import Path

import pytest
import yaml
from PIL import Image

from pictures import POCKET, SHAPE, SIGN
from server import PROGRAMS, ROOT, pocket
from test_nginx import free_port, replaced

EXAMPLES = ROOT / "Examples"
PATH = f"{PROGRAMS}:{os.environ['PATH']}:/usr/sbin:/sbin"


def program(name):
    found = shutil.which(name, path=PATH)
    assert found, f"{name} is not installed; scripts/install-dependencies.sh clients does it"
    return found


def until(holds, what, patience=120):
    """Waits until something holds, and gives what it is."""
    end = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < end, f"not within {patience} s: {what() if callable(what) else what}"
        time.sleep(0.05)
    return found


def members(group):
    """The processes of a group that have not ended: {number: words of its command line}."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
    return found


class Script:
    """One of the example's scripts, at work in a process group of its own."""

    def __init__(self, folder, words, **environment):
        self.output = folder / "output"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in words], cwd=folder, stdin=subprocess.PIPE, stdout=output, stderr=output,
                start_new_session=True, env={**os.environ, "PATH": PATH, **environment})

    def said(self):
        return self.output.read_text(errors="replace")

    def member(self, name, word=None):
        """The number of a process of it that runs a program, with a word among its arguments."""
        return next((number for number, words in members(self.process.pid).items()
                     if Path(words[0]).name == name and (word is None or word in words)), None)

    def end(self, number):
        """Ends it as a terminal or systemd does, which signal all of it; nothing may be left."""
        os.killpg(self.process.pid, number)
        self.process.wait(60)
        until(lambda: not members(self.process.pid), lambda: members(self.process.pid))

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def script():
    running = []

    def start(*words, **more):
        running.append(Script(*words, **more))
        return running[-1]

    yield start
    for one in running:
        one.kill()


class Broker:
    """mosquitto, and a subscriber to everything."""

    def __init__(self, folder):
        self.port = free_port()
        self.processes = [self.start(folder / "broker", "mosquitto", "-p", self.port)]
        until(lambda: self.publishes("ready", "yes"), lambda: (folder / "broker").read_text())
        self.lines = folder / "lines"
        self.processes.append(self.start(self.lines, "mosquitto_sub", *self.place(), "-t", "#", "-F", "%j"))
        until(lambda: self.publishes("subscribed", "yes") and "subscribed" in self.lines.read_text(), "a subscriber")

    def place(self):
        return "-h", "127.0.0.1", "-p", self.port

    def start(self, output, name, *words):
        with open(output, "wb") as file:
            return subprocess.Popen([program(name), *map(str, words)], stdout=file, stderr=file)

    def publishes(self, topic, text):
        words = [program("mosquitto_pub"), *map(str, self.place()), "-t", topic, "-m", text]
        return subprocess.run(words, stderr=subprocess.DEVNULL, timeout=60).returncode == 0

    def messages(self, topic):
        """What was published to a topic so far."""
        whole = self.lines.read_text().rpartition("\n")[0]
        found = [json.loads(line) for line in whole.splitlines()]
        return [message["payload"] for message in found if message["topic"] == topic]

    def retained(self, topic):
        """What somebody gets at once who subscribes now."""
        words = [program("mosquitto_sub"), *map(str, self.place()), "-t", topic, "-C", "1", "-W", "30", "-F", "%j"]
        message = json.loads(subprocess.run(words, capture_output=True, text=True, timeout=60).stdout)
        assert message["retain"] == 1
        return message["payload"]

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def broker(tmp_path):
    running = Broker(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def gate(tmp_path):
    """The example in a folder of its own, about pocket's pictures that are put into a folder."""
    folder = tmp_path / "home-assistant"
    shutil.copytree(EXAMPLES / "home-assistant", folder)
    (tmp_path / "camera").mkdir()
    text = (folder / "gate.yaml").read_text()
    text = replaced(text, "rtsp://camera/stream", str(tmp_path / "camera"))
    text = replaced(text, "How is the gate?", SHAPE.question)
    (folder / "gate.yaml").write_text(replaced(text, "[open, shut]", "[circle, star]"))
    return folder


def put_pictures(folder, asked, until_holds, what):
    """Puts a picture into a folder, again and again, until something holds."""
    def holds():
        nonlocal count, due
        if time.monotonic() >= due:
            due = time.monotonic() + 1
            (folder / ".new").write_bytes((POCKET / asked.files[0]).read_bytes())
            (folder / ".new").rename(folder / f"{count}.jpg")
            count += 1
        return until_holds()

    count, due = 0, 0.0
    return until(holds, what)


def test_home_assistant(broker, gate, script):
    """The sensor is announced, its state is the right answer and stays for who comes later, and it goes offline at the end."""
    words = ["sh", "watch.sh", "--model", pocket(), "gate.yaml"]
    running = script(gate, words, BROKER_PORT=str(broker.port))
    until(lambda: broker.messages("vl2/state") == ["online"], running.said)
    put_pictures(gate.parent / "camera", SHAPE, lambda: broker.messages("vl2/gate"), running.said)
    assert broker.messages("vl2/gate")[0] == SHAPE.answer and broker.retained("vl2/gate") == SHAPE.answer
    sensor = json.loads(broker.retained("homeassistant/sensor/vl2_gate/config"))
    assert sensor == json.loads((EXAMPLES / "home-assistant/gate.json").read_text())
    event = json.loads(until(lambda: broker.messages("vl2/events"), running.said)[0])
    assert event["question"] == "gate" and event["answer"] == SHAPE.answer and event["probability"] >= 0.8
    os.kill(running.member("vl2"), signal.SIGTERM)
    running.process.wait(60)
    until(lambda: broker.messages("vl2/state") == ["online", "offline"], running.said)
    assert broker.retained("vl2/state") == "offline" and not members(running.process.pid)
    assert json.loads(broker.messages("vl2/events")[-1])["event"] == "ended"


def test_connection_is_lost(broker, gate, script):
    """Where the connection ends without a word, the broker says so itself."""
    running = script(gate, ["sh", "watch.sh", "--model", pocket(), "gate.yaml"], BROKER_PORT=str(broker.port))
    pid = until(lambda: running.member("mosquitto_pub", "vl2/events"), running.said)
    # Its will is with the broker once it is connected: then the first answer gets there.
    put_pictures(gate.parent / "camera", SHAPE, lambda: broker.messages("vl2/events"), running.said)
    os.killpg(running.process.pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    until(lambda: broker.messages("vl2/state") == ["online", "offline"], running.said)
    assert broker.retained("vl2/state") == "offline"


def test_sensor_fits_the_question():
    sensor = json.loads((EXAMPLES / "home-assistant/gate.json").read_text())
    config = yaml.safe_load((EXAMPLES / "home-assistant/gate.yaml").read_text())
    question = config["questions"][0]
    assert sensor["state_topic"] == f"vl2/{question['name']}" and sensor["options"] == question["choices"]
    assert '-t "vl2/$1"' in config["exec"]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*/*.yaml")), ids=lambda path: path.name)
def test_configurations_are_read(example, tmp_path):
    """All is right but the camera, which is checked last."""
    if example.parent.name == "monitoring":
        pytest.fail("Prometheus's file ends in .yml")
    camera = yaml.safe_load(example.read_text())["camera"]
    (tmp_path / "x.yaml").write_text(replaced(example.read_text(), camera, "/none/camera"))
    ran = subprocess.run(
        [PROGRAMS / "vl2", "watch", "--model", pocket(), tmp_path / "x.yaml"],
        capture_output=True, text=True, timeout=120)
    assert ran.returncode == 66 and "/none/camera: no such folder" in ran.stderr, ran.stderr


# What stands for the loudspeaker: the words, and a file for each that espeak-ng says them in.
SPEAKER = """\
#!/bin/sh
sound=$(mktemp {folder}/XXXXXX.wav)
if [ $# -gt 0 ]; then
  echo "$*" >>{folder}/heard
  exec {espeak} -w "$sound" "$@"
fi
tee -a {folder}/heard | {espeak} -w "$sound"
"""


@pytest.fixture
def spoken(tmp_path):
    """The example in a folder of its own, with a camera that is a file shown again and again, and a speaker."""
    folder = tmp_path / "spoken"
    shutil.copytree(EXAMPLES / "spoken", folder)
    text = (folder / "spoken.yaml").read_text()
    text = replaced(text, yaml.safe_load(text)["camera"], f'"command:while cat {folder}/now.jpg; do sleep 0.1; done"')
    text = replaced(text, "What is in front of me? Answer in short sentences.", SIGN.question)
    # The camera gives a picture again and again, and this machine may be slow.
    (folder / "spoken.yaml").write_text(text + "frozen_after: never\n")
    shutil.copy(POCKET / SIGN.files[0], folder / "now.jpg")
    (folder / "bin").mkdir()
    (folder / "bin/espeak-ng").write_text(SPEAKER.format(folder=folder, espeak=program("espeak-ng")))
    (folder / "bin/espeak-ng").chmod(0o755)
    (folder / "heard").write_text("")
    return folder


def seconds(sound):
    """How long a file of espeak-ng's is; where it was written to a pipe, its header does not know."""
    with wave.open(str(sound)) as file:
        return (sound.stat().st_size - 44) / (file.getframerate() * file.getsampwidth() * file.getnchannels())


def test_spoken(spoken, script):
    """Enter asks, and nothing else does; the answer is spoken, and so is what is wrong with the camera."""
    def heard():
        return (spoken / "heard").read_text().splitlines()

    running = script(spoken, ["sh", "ask-and-hear.sh", "--model", pocket()], PATH=f"{spoken}/bin:{PATH}")
    for turn in range(2):
        running.process.stdin.write(b"\n")
        running.process.stdin.flush()
        until(lambda: heard() == ["Looking.", SIGN.answer] * (turn + 1), lambda: f"{heard()} {running.said()}")
    Image.new("RGB", (640, 480)).save(spoken / "black.jpg")
    (spoken / "black.jpg").rename(spoken / "now.jpg")
    until(lambda: heard()[4:] == ["I see nothing. It is dark, or the camera is covered."], running.said)
    shutil.copy(POCKET / SIGN.files[0], spoken / "new.jpg")
    (spoken / "new.jpg").rename(spoken / "now.jpg")
    until(lambda: heard()[5:] == ["I can see again."], running.said)
    running.end(signal.SIGINT)
    # Two confirmations, two answers, and one for all that is said of the camera.
    sounds = sorted(spoken.glob("*.wav"))
    assert len(sounds) == 5 and all(seconds(sound) > 0.2 for sound in sounds), [(s.name, s.stat().st_size) for s in sounds]


def test_find_and_keep(tmp_path, script):
    """What is to be found has its box, in the line and drawn on the frame that is kept."""
    (tmp_path / "camera").mkdir()
    shutil.copy(POCKET / SHAPE.files[0], tmp_path / "camera")
    (tmp_path / "find.yaml").write_text(
        "camera: camera\nfrom_start: yes\nkeep: {folder: frames, bytes: 1M, age: 1d}\n"
        "questions: [{name: star, find: the green star, tell: always}]\n")
    running = script(tmp_path, ["vl2", "watch", "--model", pocket(), "find.yaml"])
    kept = until(lambda: list((tmp_path / "frames").glob("vl2-*-1-star.jpg")), running.said)
    line = json.loads(next(line for line in running.said().splitlines() if line.startswith("{")))
    box = line["boxes"][0]
    assert box["label"] == "the green star" and box["left"] < box["right"] and box["top"] < box["bottom"]
    before, after = Image.open(POCKET / SHAPE.files[0]).convert("RGB"), Image.open(kept[0]).convert("RGB")
    assert before.size == after.size

    def changed(place):
        return max(abs(a - b) for a, b in zip(before.getpixel(place), after.getpixel(place)))

    middle = (box["top"] + box["bottom"]) // 2
    assert changed((box["left"], middle)) > 60 and changed((box["right"] - 1, middle)) > 60
    running.end(signal.SIGTERM)
