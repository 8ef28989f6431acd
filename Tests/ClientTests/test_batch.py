"""`vl2 batch` held against `vl2 serve`: the same requests, the same answers; and every line against OpenAI's own types and
what its documentation says of batches."""

import json
import re
import subprocess

import openai
import pytest
from openai.types import chat

from openai_client import client
from pictures import ALL, COLOUR, HUGE_URL, OBJECTS, OBJECTS_SCHEMA, RECEIPT
from server import PROGRAMS, pocket

ID = re.compile(r"[a-z]+_(req_)?[0-9a-f]{24}")


def request(name, body, **more):
    return {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body, **more}


def body(asked, **more):
    return {"model": "pocket", "messages": [{"role": "user", "content": asked.content()}], "temperature": 0, **more}


def run(folder, requests, *options, status=0):
    source, target = folder / "in.jsonl", folder / "out.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in requests))
    words = [PROGRAMS / "vl2", "batch", "--model", pocket(), "--alias", "pocket", source, "-o", target, *options]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert not done.stdout
    with target.open(newline="\n") as lines:
        return [json.loads(line) for line in lines]


def check(lines, requests):
    """What OpenAI's documentation promises of an output file."""
    assert [line["custom_id"] for line in lines] == [line["custom_id"] for line in requests]
    for line in lines:
        assert set(line) == {"id", "custom_id", "response", "error"} and line["error"] is None
        assert set(line["response"]) == {"status_code", "request_id", "body"}
        assert line["id"].startswith("batch_req_") and ID.fullmatch(line["id"][6:])
        assert ID.fullmatch(line["response"]["request_id"])
    assert len({line["id"] for line in lines}) == len(lines)


def test_as_the_server_answers(client, server, tmp_path):
    form = {"type": "json_schema", "json_schema": {"name": "form", "strict": True, "schema": OBJECTS_SCHEMA}}
    requests = [request(f"{index}", body(asked)) for index, asked in enumerate(ALL)]
    requests += [
        request("schema", body(OBJECTS, response_format=form)),
        request("probabilities", body(COLOUR, logprobs=True, top_logprobs=3)),
        request("two tokens", body(RECEIPT, max_tokens=2)),
        request("a stop", body(RECEIPT, stop=[" from"])),
    ]
    lines = run(tmp_path, requests)
    check(lines, requests)
    expected = [asked.answer for asked in ALL] + [OBJECTS.answer, COLOUR.answer, "a receipt", "a receipt"]
    for line, asked, answer in zip(lines, requests, expected):
        assert line["response"]["status_code"] == 200
        mine = chat.ChatCompletion.model_validate(line["response"]["body"], strict=True)
        its = client.chat.completions.create(**asked["body"])
        assert mine.choices == its.choices and mine.model == its.model
        assert mine.usage.model_copy(update={"prompt_tokens_details": None}) == its.usage.model_copy(
            update={"prompt_tokens_details": None})
        assert mine.choices[0].message.content == answer
    server.secrets |= {secret for asked in ALL for secret in asked.secrets()}


def test_errors_as_the_server_gives_them(client, server, tmp_path):
    bodies = [
        body(COLOUR, model="gpt-4o"), body(COLOUR, n=2), body(COLOUR, temperature=-1), {"model": "pocket", "messages": []},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": HUGE_URL}}]}]},
        {"messages": [{"role": "user", "content": "word " * 9000}]},
    ]
    requests = [request(f"{index}", one) for index, one in enumerate(bodies)]
    lines = run(tmp_path, requests, status=65)
    check(lines, requests)
    for line, one in zip(lines, bodies):
        with pytest.raises(openai.APIStatusError) as error:
            client.chat.completions.create(**{"model": "pocket", **one})
        assert line["response"]["status_code"] == error.value.status_code
        assert line["response"]["body"]["error"] == error.value.body
    server.secrets |= COLOUR.secrets()
