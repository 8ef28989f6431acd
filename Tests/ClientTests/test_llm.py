"""The program `llm`, as somebody at a terminal sets it up: a model of ours in its extra-openai-models.yaml."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from pictures import ALL, COLOUR, COLOURS, FOLLOW_UP, HUGE, POCKET, PRICE, RECEIPT, SIGN, endless_schema

PROGRAM = Path(sys.executable).with_name("llm")
MODEL = """\
- model_id: {name}
  model_name: {asked}
  api_base: "{url}/v1"
  api_key_name: board
  vision: true
  supports_schema: true
  supports_tools: true
"""


@pytest.fixture(scope="module")
def user(server, tmp_path_factory):
    """The environment of a user who has the server's model, and one that the server does not have."""
    folder = tmp_path_factory.mktemp("llm")
    (folder / "extra-openai-models.yaml").write_text(
        MODEL.format(name="board", asked="pocket", url=server.url) +
        MODEL.format(name="other", asked="gpt-4o", url=server.url))
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LLM_USER_PATH": str(folder)}


@pytest.fixture
def llm(user, server):
    def run(*words, model="board", key=server.key, **more):
        return subprocess.run(command(*words, model=model, key=key), env=user, capture_output=True, text=True, timeout=120, **more)
    return run


def command(*words, model, key):
    return [str(word) for word in [PROGRAM, "-m", model, "--key", key, *words]]


def asked(question):
    return [question.question, *(word for file in question.files for word in ("-a", POCKET / file)), "-o", "temperature", "0"]


@pytest.mark.parametrize("question", ALL, ids=lambda question: question.question)
def test_plain(llm, server, question):
    server.secrets |= question.secrets()
    ran = llm(*asked(question), "--no-stream")
    assert (ran.returncode, ran.stdout.strip()) == (0, question.answer), ran.stderr


def test_streamed_with_usage(llm):
    ran = llm(*asked(RECEIPT), "--usage")
    assert (ran.returncode, ran.stdout.strip()) == (0, RECEIPT.answer), ran.stderr
    used = re.search(r"Token usage: (\d+) input, (\d+) output", ran.stderr)
    assert used and int(used[1]) > 49 and int(used[2]) > 1, ran.stderr


def test_schema(llm):
    schema = {"type": "object", "properties": {"colour": {"type": "string", "enum": COLOURS}}, "required": ["colour"]}
    ran = llm(*asked(COLOUR), "--schema", json.dumps(schema))
    assert ran.returncode == 0, ran.stderr
    jsonschema.validate(json.loads(ran.stdout), schema)
    assert json.loads(ran.stdout) == {"colour": "yellow"}


def test_short_schema(llm):
    """The program's own way to write one: `name, age int`."""
    ran = llm(*asked(COLOUR), "-o", "max_tokens", "60", "--schema", "colour, count int")
    answer = json.loads(ran.stdout)
    assert isinstance(answer["colour"], str) and isinstance(answer["count"], int)


def test_tools_are_answered_in_text(llm):
    """This program leaves it to the model whether it calls one."""
    ran = llm(*asked(COLOUR), "--functions", "def report(colour: str) -> str:\n    'Reports a colour'\n    return colour")
    assert (ran.returncode, ran.stdout.strip()) == (0, COLOUR.answer), ran.stderr


def test_conversation_goes_on(llm):
    assert llm(*asked(PRICE)).stdout.strip() == PRICE.answer
    ran = llm("-c", FOLLOW_UP.question, "-o", "temperature", "0")
    assert (ran.returncode, ran.stdout.strip()) == (0, FOLLOW_UP.answer), ran.stderr


def test_wrong_key(llm):
    ran = llm(*asked(SIGN), key="wrong")
    assert ran.returncode == 1 and "401" in ran.stderr and "Traceback" not in ran.stderr, ran.stderr


def test_wrong_model(llm):
    ran = llm(*asked(SIGN), model="other")
    assert ran.returncode == 1 and "404" in ran.stderr and "gpt-4o" in ran.stderr, ran.stderr


def test_picture_of_too_many_pixels(llm, tmp_path):
    (tmp_path / "huge.png").write_bytes(HUGE)
    ran = llm("What is it?", "-a", tmp_path / "huge.png")
    assert ran.returncode == 1 and "40000" in ran.stderr, ran.stderr


def test_interrupted(user, server):
    """Ctrl-C at the terminal frees the place that the question had."""
    words = [*asked(COLOUR), "--schema", json.dumps(endless_schema()), "-o", "max_tokens", "1700"]
    with subprocess.Popen(command(*words, model="board", key=server.key), env=user, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdout.read(5)
        running.send_signal(signal.SIGINT)
        # The program has to end first, which takes a while on a busy machine.
        running.wait(30)
    server.honest(SIGN)
