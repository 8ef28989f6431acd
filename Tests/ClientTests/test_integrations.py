"""docs/INTEGRATIONS.md: its blocks are run as they stand there, or read, and what they say is held against the server.

Of the text of a block that runs nothing is changed but the port, and that only where 11434 is taken on this machine. Settings
name a board at 192.168.1.20, which is a server of this machine here; their other values drive the requests that the
programs make of them."""

import csv
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import yaml

from pictures import COLOUR, COLOURS, POCKET, RECEIPT, SHAPE, chunk
from server import KEY, PROGRAMS, ROOT, Server
from test_frigate import READ, RECORDED, described, schema_of, with_pictures, with_the_key
from test_home import llm_vision, ndjson

PAGE = ROOT / "docs/INTEGRATIONS.md"
PORT = 11434
BOARD = "192.168.1.20:11434"
# What the page says the picture shows.
SAID = {"What colour is the star?", "What does the sign say?", "Describe the picture.", "a red star", "thanks", "cafe"}


@dataclass(frozen=True)
class Block:
    section: str
    language: str
    text: str
    line: int
    runs: bool

    def __str__(self):
        return f"{self.section}, line {self.line}"


def blocks():
    """The fenced blocks of the page. `<!-- runs -->` on the line before one has it run."""
    found, section, marked, lines = [], "", False, PAGE.read_text().splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.startswith("## "):
            section = line[3:]
        if line.startswith("```"):
            end = lines.index("```", number + 1)
            found.append(Block(section, line[3:], "\n".join(lines[number + 1:end]) + "\n", number + 1, marked))
            number = end
        marked = line == "<!-- runs -->"
        number += 1
    return found


ALL_BLOCKS = blocks()
RUN = [block for block in ALL_BLOCKS if block.runs]
YAML = [block for block in ALL_BLOCKS if block.language == "yaml"]

# What no block of the page may be without: it runs, it is yaml that a test below reads, or it stands here with the reason.
NOT_RUN = {
    "docker run -d --name open-webui":
        "the image is a gigabyte and needs Docker; test_open_webui reads its address, key and names",
}
READ_YAML = [
    "provider: openai\n", "provider: ollama\n", "provider: llamacpp\n", "ai_task.generate_data", "llmvision.image_analyzer"]


def only(texts, block):
    return [text for text in texts if text in block.text]


@pytest.mark.parametrize("block", ALL_BLOCKS, ids=str)
def test_every_block_has_its_use(block):
    assert block.language in ("bash", "python", "yaml"), "a block says its language"
    if block.runs:
        assert len(only(ANSWERS, block)) == 1, "what a block prints that runs is not held against anything"
    elif block.language == "yaml":
        assert len(only(READ_YAML, block)) == 1, "these settings are not held against anything"
    else:
        assert len(only(NOT_RUN, block)) == 1, "mark it with <!-- runs -->, or give the reason in NOT_RUN"


@pytest.mark.parametrize("text", [*NOT_RUN, *READ_YAML])
def test_what_is_said_of_blocks_is_of_one(text):
    assert len([block for block in ALL_BLOCKS if text in block.text]) == 1


def test_links_lead_somewhere():
    """Files that are there, and headings that they have."""
    for target in re.findall(r"\]\(([^)]+)\)", PAGE.read_text()):
        if target.startswith("http"):
            continue
        file, _, heading = target.partition("#")
        text = (PAGE.parent / file if file else PAGE).read_text()
        names = {re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
                 for line in text.splitlines() if line.startswith("#")}
        assert not heading or heading in names, target


# Blocks that run


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A server as the page has it started, at its port where that is free."""
    try:
        socket.create_server(("127.0.0.1", PORT)).close()
        port = PORT
    except OSError:
        port = 0
    running = Server(tmp_path_factory.mktemp("board"), keys=(), port=port)
    running.secrets |= SAID
    yield running
    running.stop()


@pytest.fixture(scope="module")
def run(board, tmp_path_factory):
    """Runs a block in a clone, which here is a folder with a link to the clone's models, by a user without settings."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "models").symlink_to(ROOT / "models")
    environment = {
        "HOME": str(folder), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(block):
        text = block.text.replace(str(PORT), str(board.port))
        command = ["bash", "-e", "-c", text] if block.language == "bash" else [sys.executable, "-c", text]
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    run(next(block for block in RUN if "cp models/pocket/demo.png" in block.text))
    return run


def lists_pocket(out):
    [model] = json.loads(out)["models"]
    assert model["name"].removesuffix(":latest") == "pocket"


def says_red(out):
    assert json.loads(out)["response"] == "red"


def is_red_json(out):
    assert json.loads(json.loads(out)["response"]) == {"colour": "red"}


def finds_the_star(out):
    """Within a few pixels of where it is: the picture is 190 x 150."""
    [box] = json.loads(out)["choices"][0]["message"]["boxes"]
    assert box["label"] == "the star"
    for name, pixels in {"left": 95, "top": 64, "right": 161, "bottom": 127}.items():
        assert abs(box[name] - pixels) <= 5, box


def lists_signs(out):
    rows = list(csv.reader(io.StringIO(out), delimiter="\t"))
    assert rows == [["demo.png", "cafe"], ["models/pocket/eval/ci/pictures/0001.jpg", "thanks"]]


def prints(*lines):
    def check(out):
        assert out.splitlines() == list(lines)
    return check


def answers_llm(out):
    cafe, colour = out.splitlines()
    assert cafe == "cafe" and json.loads(colour) == {"colour": "red"}


# A text that stands in one running block alone, and what its output is held against.
ANSWERS = {
    "curl http://127.0.0.1:11434/api/tags": lists_pocket,
    'What colour is the star?",\n "images"': says_red,
    ' "format": {': is_red_json,
    '"ground": true': finds_the_star,
    "cat > ask.sh": lists_signs,
    "print(answer.choices[0].message.content)": prints("red"),
    "response_format=Seen": prints("red", "a red star"),
    "ollama.Client": prints("red"),
    "ChatOpenAI": prints("red"),
    "extra-openai-models.yaml": answers_llm,
}


@pytest.mark.parametrize("block", RUN, ids=str)
def test_runs(run, block):
    [text] = only(ANSWERS, block)
    ANSWERS[text](run(block))


def test_the_shell_script_with_a_photo(run, board):
    """A file larger than a word of a command line may be goes through the same lines."""
    script = next(block for block in RUN if "cat > ask.sh" in block.text)
    run(script)
    picture = (POCKET / "demo.png").read_bytes()
    large = Path(run(Block("", "bash", "pwd", 0, True)).strip()) / "large.png"
    # A PNG may hold chunks that nobody reads, before its end.
    end = picture.index(b"IEND") - 4
    large.write_bytes(picture[:end] + chunk(b"teSt", os.urandom(1_000_000)) + picture[end:])
    assert run(Block("", "bash", './ask.sh "What does the sign say?" large.png', 0, True)) == "large.png\tcafe\n"


# How the page has pocket started


@pytest.fixture
def make(tmp_path):
    """`make serve-demo` at a port, in a terminal's process group. For `swift` it finds a program that says where the programs are
    that are tested."""
    (tmp_path / "swift").write_text(f"""#!/bin/sh
case $* in
  --version) echo "Swift version 6.0.3" ;;
  *--show-bin-path) echo "{PROGRAMS}" ;;
esac
""")
    (tmp_path / "swift").chmod(0o755)
    started = []

    def start(port):
        started.append(subprocess.Popen(
            ["make", "--no-print-directory", "serve-demo", f"PORT={port}"], cwd=ROOT, start_new_session=True, text=True,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
        one.communicate()


def test_serve_demo(make):
    """It says what to paste, which is answered rightly, and Ctrl-C ends it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = make(port)
    said = []
    for line in running.stdout:
        said.append(line)
        if "serving pocket at" in line:
            break
    assert said[-1].strip().endswith(f"http://127.0.0.1:{port}"), said
    assert any(f"open http://127.0.0.1:{port}/ in a browser" in line for line in said)
    [curl] = [line for line in said if line.startswith("curl ")]
    ran = subprocess.run(["bash", "-c", curl], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert json.loads(ran.stdout)["response"] == "red", ran
    os.killpg(running.pid, signal.SIGINT)
    running.communicate(timeout=30)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=2)


def test_serve_demo_where_the_port_is_taken(make, board):
    running = make(board.port)
    said, _ = running.communicate(timeout=30)
    assert running.returncode != 0 and f"Port {board.port} is taken" in said, said
    assert f"make serve-demo PORT={board.port + 1}" in said and "Building" not in said


@pytest.mark.parametrize("port", ["0", "65536", "x"])
def test_serve_demo_with_a_port_that_is_none(make, port):
    running = make(port)
    said, _ = running.communicate(timeout=30)
    assert running.returncode != 0 and f"PORT={port}" in said, said


# Settings


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A server as the page has it for other machines: with keys, with `tiny`, with a network that needs no key."""
    running = Server(
        tmp_path_factory.mktemp("home"), ["--alias", "tiny", "--allow-host", "host.docker.internal"])
    yield running
    running.stop()


@pytest.fixture(scope="module")
def let_in(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("let-in"), ["--alias", "tiny", "--allow", "127.0.0.1"])
    yield running
    running.stop()


def settings(text):
    [block] = [block for block in YAML if text in block.text]
    return yaml.safe_load(block.text)


def path_of(address):
    """What an address of the board has behind host and port."""
    begin = f"http://{BOARD}"
    assert address.startswith(begin), address
    return address[len(begin):].rstrip("/")


@pytest.mark.parametrize("one", RECORDED, ids=described)
def test_frigate(home, one):
    """Each recorded request goes to the address, with the model and the key, that the settings of its provider say."""
    provider = one["client"].split()[1]
    [said] = settings(f"provider: {provider}\n")["genai"].values()
    assert said["provider"] == provider and said["roles"] == ["descriptions"] and said["api_key"] == "{FRIGATE_VL2_KEY}"
    # The openai package puts its paths behind the whole address, the others behind host and port.
    path = one["path"].replace("pocket", said["model"])
    path = path_of(said["base_url"]) + (path.removeprefix("/v1") if provider == "openai" else path)
    body = one["body"] and {**with_pictures(one["body"]), "model": said["model"]}
    status, _, answer = home.request(
        one["method"], path, body and json.dumps(body).encode(), with_the_key(one["headers"], KEY), key=False)
    if "/upstream/" in path:
        # Asked only where /props fails; it is another program's address.
        assert status == 404
        return
    assert status == 200, answer
    if one["path"] in ("/v1/models", "/api/tags"):
        assert f'"{said["model"]}' in answer.decode()
    else:
        READ[one["path"].split("?")[0]](json.loads(answer), body)


def test_frigate_object_descriptions(home):
    """The prompt of the settings, about one picture, as the openai provider asks."""
    said = settings("provider: openai\n")
    assert said["objects"]["genai"]["enabled"] is True and said["objects"]["genai"]["use_snapshot"] is True
    assert said["review"]["genai"]["enabled"] is False
    [one] = [one for one in RECORDED if one["client"] == "frigate openai" and one["body"] and not schema_of(one["body"])]
    body = with_pictures(one["body"])
    body["messages"][0]["content"][0]["text"] = said["objects"]["genai"]["prompt"].replace("{label}", "circle")
    status, _, answer = home.post("/v1/chat/completions", body)
    assert status == 200 and answer["choices"][0]["message"]["content"].strip(), answer


def home_assistant_schema(structure):
    """As Home Assistant makes one of an AI task's structure (voluptuous-openapi, selectors)."""
    properties = {}
    for name, field in structure.items():
        [(kind, options)] = field["selector"].items()
        assert kind == "select", f"no test knows the selector {kind}"
        properties[name] = {"type": "string", "enum": options["options"], "description": field["description"]}
    return {"type": "object", "properties": properties,
            "required": [name for name, field in structure.items() if field["required"]]}


def test_home_assistant(home):
    """The action's instructions, structure and attachment, as the integration sends them; then with words that pocket knows,
    for which the answer is right."""
    look, decide = settings("ai_task.generate_data")["script"]["look_at_the_gate"]["sequence"]
    assert look["response_variable"] in decide["if"] and "'open'" in decide["if"]
    data = look["data"]
    schema = home_assistant_schema(data["structure"])
    assert schema["properties"]["gate"]["enum"] == ["open", "shut", "cannot tell"]
    assert [one["media_content_type"] for one in data["attachments"]] == ["image/jpeg"]

    def ask(instructions):
        status, _, answer = home.request("POST", "/api/chat", {
            "model": "tiny", "stream": True, "format": schema, "think": False, "keep_alive": -1.0, "tools": [],
            "options": {"num_ctx": 8192},
            "messages": [{"role": "system", "content": "You are a home."},
                         {"role": "user", "content": instructions, "images": COLOUR.coded()}]})
        assert status == 200, answer
        result = json.loads("".join(line["message"]["content"] for line in ndjson(answer)))
        jsonschema.validate(result, schema)
        return result
    assert ask(data["instructions"])["gate"] in ("open", "shut", "cannot tell")
    schema["properties"]["gate"]["enum"] = COLOURS
    assert ask(COLOUR.question) == {"gate": COLOUR.answer}


def test_llm_vision(let_in):
    """The action's words and limits in the request of the provider without a key; then a question that pocket knows."""
    said = settings("llmvision.image_analyzer")
    data = said["data"]
    assert said["response_variable"] == "seen" and data["image_entity"] == ["camera.front_door"]
    assert let_in.get("/api/tags", key=False)[2]["models"][0]["model"].removesuffix(":latest") == data["model"]

    def ask(message):
        body = llm_vision(SHAPE, model=data["model"])
        body["messages"][0]["content"] = message
        body["options"]["num_predict"] = data["max_tokens"]
        status, _, answer = let_in.post("/api/chat", body, key=False)
        assert status == 200, answer
        return answer["message"]["content"]
    assert ask(data["message"]).strip()
    assert ask(SHAPE.question) == SHAPE.answer


def test_open_webui(home):
    """What it asks first, and a message, by the name and with the key that its container has."""
    [block] = [block for block in ALL_BLOCKS if "open-webui" in block.text]
    words = shlex.split(block.text)
    said = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "-e")
    assert "--add-host=host.docker.internal:host-gateway" in words and said["ENABLE_OLLAMA_API"] == "False"
    assert {said[f"ENABLE_{what}_GENERATION"] for what in ("TITLE", "TAGS", "FOLLOW_UP")} == {"False"}
    host, _, path = said["OPENAI_API_BASE_URL"].removeprefix("http://").partition("/")
    assert said["OPENAI_API_KEY"] == "KEY"
    headers = {"Host": host}
    status, _, models = home.get(f"/{path}/models", headers=headers)
    assert status == 200 and [model["id"] for model in models["data"]] == ["tiny"]
    status, _, answer = home.post(f"/{path}/chat/completions", {
        "model": "tiny", "stream": False, "messages": [{"role": "user", "content": RECEIPT.content()}]}, headers=headers)
    assert status == 200 and answer["choices"][0]["message"]["content"] == RECEIPT.answer


@pytest.mark.parametrize("line", re.findall(r"^    (vl2 serve .*)$", PAGE.read_text(), re.M))
def test_command_lines_of_the_server(line, tmp_path):
    """The options of each line are taken, with a model, a key file and an address of this machine in place of theirs: what
    is refused first is not the line."""
    words = shlex.split(line)
    assert words[:4] == ["vl2", "serve", "--model", "tiny.vl2q"]
    (tmp_path / "keys").write_text(KEY + "\n")
    options = [str(tmp_path / "keys") if word == "/etc/vl2/keys" else word for word in words[4:]]
    options = [{"192.168.1.20": "127.0.0.1", "172.17.0.1": "127.0.0.2"}.get(word, word) for word in options]
    running = Server(tmp_path, options, keys=())
    assert running.request("GET", "/v1/models", key=False)[0] == 401
    assert running.request("GET", "/v1/models", headers={"Authorization": f"Bearer {KEY}"}, key=False)[0] == 200
    running.stop()
