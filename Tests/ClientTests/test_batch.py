"""`vl2 batch` held against `vl2 serve`: the same requests, the same answers; and every line against OpenAI's own types and
what its documentation says of batches. And `vl2 batch --server`: the bytes of a batch without one, whatever breaks on the way."""

import base64
import contextlib
import json
import random
import re
import socket
import subprocess
import threading

import openai
import pytest
from openai.types import chat

from openai_client import client
from pictures import ALL, COLOUR, HUGE_URL, OBJECTS, OBJECTS_SCHEMA, RECEIPT
from server import KEY, PROGRAMS, pocket

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


class BadNetwork:
    """Between a client and a server: it breaks connections at random, on the way there and on the way back, by a reset or an end,
    answers some itself as a proxy whose server is gone does, and leaves some without an answer."""

    def __init__(self, port, seed, share=0.4):
        self.server, self.share, self.chance = port, share, random.Random(seed)
        self.broken, self.passed = 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.carry, args=[connection, self.fate()], daemon=True).start()

    def fate(self):
        if self.chance.random() > self.share:
            self.passed += 1
            return None
        self.broken += 1
        return self.chance.choice(["there", "back", "back", "502", "silence"]), self.chance.randint(0, 1500)

    def carry(self, connection, fate):
        what, count = fate or (None, 0)
        with connection, contextlib.suppress(OSError):
            if what == "502":
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\n<p/>")
                return
            if what == "silence":
                while connection.recv(1 << 16):
                    pass
                return
            with socket.create_connection(("127.0.0.1", self.server)) as server:
                back = threading.Thread(target=self.pass_on, args=[server, connection, count if what == "back" else None])
                back.start()
                self.pass_on(connection, server, count if what == "there" else None)
                back.join()

    def pass_on(self, source, target, most):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data if most is None else data[:most])
                if most is not None and (most := most - len(data)) <= 0:
                    # Both ways end, with a reset every second time.
                    for end in [source, target]:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0" if len(data) % 2 else b"\0" * 8)
                        end.shutdown(socket.SHUT_RDWR)
                    return
            target.shutdown(socket.SHUT_WR)


def ask_server(folder, port, *options, status=0):
    (folder / "key").write_text(KEY + "\n")
    words = [PROGRAMS / "vl2", "batch", "--server", f"http://127.0.0.1:{port}", "--api-key-file", folder / "key",
             folder / "in.jsonl", "-o", folder / "there.jsonl", *options]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=600)
    assert done.returncode == status, done.stderr
    return (folder / "there.jsonl").read_bytes()


def mixed(folder):
    """Requests of all sorts; pictures are sent and named."""
    form = {"type": "json_schema", "json_schema": {"name": "form", "strict": True, "schema": OBJECTS_SCHEMA}}
    requests = [request(f"{index}", body(asked)) for index, asked in enumerate(ALL * 3)]
    for index, line in enumerate(requests[::2]):
        for part in line["body"]["messages"][0]["content"]:
            if part["type"] == "image_url":
                name = f"{index}.bin"
                (folder / name).write_bytes(base64.b64decode(part["image_url"]["url"].split(",")[1]))
                part["image_url"]["url"] = name
    return requests + [
        request("schema", body(OBJECTS, response_format=form)), request("warm", body(RECEIPT, temperature=1, max_tokens=9)),
        request("probabilities", body(COLOUR, logprobs=True, top_logprobs=3)), request("another", body(COLOUR, model="gpt-4o")),
        request("none", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "none.png"}}]}]}),
        request("schema", body(COLOUR)),
    ]


def test_a_server_gives_the_same_bytes(server, tmp_path):
    requests = mixed(tmp_path)
    run(tmp_path, requests, "--images", tmp_path, status=65)
    here = (tmp_path / "out.jsonl").read_bytes()
    server.secrets |= {secret for asked in [*ALL, OBJECTS, COLOUR, RECEIPT] for secret in asked.secrets()}
    # More at a time than the server has places for.
    for concurrency in [1, 12]:
        assert ask_server(tmp_path, server.port, "--images", tmp_path, "--concurrency", concurrency, status=65) == here
        (tmp_path / "there.jsonl").unlink()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_network_that_breaks(server, tmp_path, seed):
    requests = mixed(tmp_path)
    run(tmp_path, requests, "--images", tmp_path, status=65)
    here = (tmp_path / "out.jsonl").read_bytes()
    network = BadNetwork(server.port, seed)
    options = ["--images", tmp_path, "--concurrency", 6, "--retries", 30, "--timeout", 5]
    assert ask_server(tmp_path, network.port, *options, status=65) == here
    assert network.broken > 5 and network.passed > len(requests) / 2, (network.broken, network.passed)
    network.listener.close()
