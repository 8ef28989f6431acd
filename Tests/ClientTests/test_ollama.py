"""The ollama package, which Home Assistant and a widely used camera program talk through."""

import json

import jsonschema
import ollama
import pytest

from pictures import (
    ALL, COLOUR, FOLLOW_UP, HUGE, OBJECTS, OBJECTS_SCHEMA, PRICE, RECEIPT, SIGN, TWO, endless_schema)


@pytest.fixture
def client(server):
    return ollama.Client(host=server.url, headers={"Authorization": f"Bearer {server.key}"}, timeout=60)


def chat(client, asked, **more):
    return client.chat(
        model="pocket", messages=[{"role": "user", "content": asked.question, "images": asked.pictures()}],
        options={"temperature": 0, **more.pop("options", {})}, **more)


def generate(client, asked, **more):
    return client.generate(
        model="pocket", prompt=asked.question, images=asked.pictures(),
        options={"temperature": 0, **more.pop("options", {})}, **more)


def test_list(client):
    [model] = client.list().models
    assert model.model.removesuffix(":latest") == "pocket"
    assert model.size > 1_000_000 and len(model.digest) == 64 and int(model.digest, 16) >= 0
    assert model.modified_at.year > 2000
    assert model.details.format and model.details.family and model.details.parameter_size


def test_show(client):
    for name in ["pocket", "pocket:latest", client.list().models[0].model]:
        shown = client.show(name)
        assert {"completion", "vision"} <= set(shown.capabilities)
        architecture = shown.modelinfo["general.architecture"]
        assert shown.modelinfo[f"{architecture}.context_length"] == 2048


def test_running(client):
    chat(client, SIGN)
    [model] = client.ps().models
    assert model.model.removesuffix(":latest") == "pocket" and model.size > 0


@pytest.mark.parametrize("ask", [chat, generate], ids=["chat", "generate"])
@pytest.mark.parametrize("asked", ALL, ids=lambda asked: asked.question)
def test_plain(client, server, ask, asked):
    server.secrets |= asked.secrets()
    answer = ask(client, asked)
    assert text(answer) == asked.answer
    assert answer.done and answer.done_reason == "stop" and answer.model.removesuffix(":latest") == "pocket"
    assert answer.total_duration >= answer.eval_duration > 0 and answer.prompt_eval_duration > 0
    assert answer.prompt_eval_count > 49 * len(asked.files) and answer.eval_count > 0
    assert answer.created_at


def text(answer):
    return answer.message.content if "message" in answer else answer.response


@pytest.mark.parametrize("ask", [chat, generate], ids=["chat", "generate"])
@pytest.mark.parametrize("asked", [RECEIPT, TWO], ids=lambda asked: asked.question)
def test_streamed(client, ask, asked):
    pieces = list(ask(client, asked, stream=True))
    assert "".join(text(piece) for piece in pieces) == asked.answer
    assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1].done_reason == "stop" and pieces[-1].eval_count > 0


@pytest.mark.parametrize("ask", [chat, generate], ids=["chat", "generate"])
def test_schema(client, ask):
    answer = ask(client, OBJECTS, format=OBJECTS_SCHEMA)
    jsonschema.validate(json.loads(text(answer)), OBJECTS_SCHEMA)
    assert json.loads(text(answer)) == json.loads(OBJECTS.answer)


def test_format_json(client):
    assert isinstance(json.loads(text(chat(client, OBJECTS, format="json", options={"num_predict": 100}))), dict)


def test_schema_that_cannot_be_kept(client):
    with pytest.raises(ollama.ResponseError, match="pattern") as caught:
        chat(client, COLOUR, format={"type": "string", "pattern": "^x"})
    assert caught.value.status_code == 400


@pytest.mark.parametrize("keep_alive", [-1, 0, "5m", 300])
@pytest.mark.parametrize("think", [None, False])
def test_what_the_package_adds(client, keep_alive, think):
    answer = chat(client, SIGN, keep_alive=keep_alive, think=think, options={
        "num_ctx": 8192, "repeat_penalty": 1.05, "presence_penalty": 0.3, "seed": 1, "top_k": 40, "mirostat": 0})
    assert text(answer) == SIGN.answer


def test_tools_are_answered_in_text(client):
    """This dialect has no way to force one."""
    def report(colour: str) -> str:
        """Reports a colour."""
        return colour
    message = chat(client, COLOUR, tools=[report]).message
    assert message.content == COLOUR.answer and not message.tool_calls


def test_roles(client):
    answer = client.chat(model="pocket", options={"temperature": 0}, messages=[
        {"role": "system", "content": "You look at drawn pictures."},
        {"role": "user", "content": PRICE.question, "images": PRICE.pictures()},
        {"role": "assistant", "content": PRICE.answer},
        {"role": "user", "content": FOLLOW_UP.question}])
    assert text(answer) == FOLLOW_UP.answer


@pytest.mark.parametrize("ask", [chat, generate], ids=["chat", "generate"])
def test_one_token(client, ask):
    answer = ask(client, RECEIPT, options={"num_predict": 1})
    assert answer.done_reason == "length" and answer.eval_count == 1


@pytest.mark.parametrize("ask", [chat, generate], ids=["chat", "generate"])
def test_as_many_as_allowed(client, ask):
    assert text(ask(client, RECEIPT, options={"num_predict": -1})) == RECEIPT.answer


def test_stop(client):
    assert text(chat(client, RECEIPT, options={"stop": [" from"]})) == "a receipt"


def test_loading(client):
    """An empty question asks for the model to be loaded. It is."""
    assert client.generate(model="pocket", prompt="").done
    assert client.chat(model="pocket", messages=[]).done
    assert client.generate(model="pocket", prompt="", keep_alive=0).done


def test_pull(client):
    assert client.pull("pocket").status == "success"
    assert [step.status for step in client.pull("pocket:latest", stream=True)][-1] == "success"
    with pytest.raises(ollama.ResponseError) as caught:
        client.pull("llava")
    assert caught.value.status_code == 404 and "llava" in caught.value.error


@pytest.mark.parametrize("call", [
    lambda client: chat(client, SIGN), lambda client: client.list(), lambda client: client.show("pocket"),
    lambda client: client.pull("pocket"), lambda client: client.ps(),
], ids=["chat", "list", "show", "pull", "ps"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic dmwyOng="}],
                         ids=["none", "wrong", "basic"])
def test_wrong_key(server, call, headers):
    with pytest.raises(ollama.ResponseError) as caught:
        call(ollama.Client(host=server.url, headers=headers))
    assert caught.value.status_code == 401 and caught.value.error


@pytest.mark.parametrize("call", [
    lambda client: client.show("llava"),
    lambda client: client.generate(model="llava", prompt="x"),
    lambda client: client.chat(model="llava", messages=[{"role": "user", "content": "x"}]),
    lambda client: list(client.chat(model="llava", messages=[{"role": "user", "content": "x"}], stream=True)),
], ids=["show", "generate", "chat", "stream"])
def test_wrong_model(client, call):
    with pytest.raises(ollama.ResponseError) as caught:
        call(client)
    assert caught.value.status_code == 404 and "llava" in caught.value.error


@pytest.mark.parametrize("call", [
    lambda client: client.create(model="mine", from_="pocket"), lambda client: client.delete("pocket"),
    lambda client: client.copy("pocket", "other"), lambda client: client.push("pocket"),
    lambda client: client.embed(model="pocket", input="x"),
], ids=["create", "delete", "copy", "push", "embed"])
def test_what_this_server_does_not_do(client, call):
    """Refused with a sentence; nothing of the model that is there changes."""
    with pytest.raises(ollama.ResponseError) as caught:
        call(client)
    assert caught.value.status_code in (404, 405, 501) and caught.value.error
    assert len(client.list().models) == 1


def test_picture_of_too_many_pixels(client):
    with pytest.raises(ollama.ResponseError, match="40000") as caught:
        client.chat(model="pocket", messages=[{"role": "user", "content": "What is it?", "images": [HUGE]}])
    assert caught.value.status_code in (400, 413)


def test_bytes_that_are_no_picture(client):
    with pytest.raises(ollama.ResponseError, match="images") as caught:
        client.chat(model="pocket", messages=[{"role": "user", "content": "What is it?", "images": [b"hello world"]}])
    assert caught.value.status_code == 400


@pytest.mark.parametrize("ask", [chat, generate], ids=["chat", "generate"])
def test_cancelled_stream(client, server, ask):
    before = server.cancelled()
    for _ in range(6):        # more often than there are places in the queue
        stream = ask(client, COLOUR, stream=True, format=endless_schema(), options={"num_predict": 1700})
        for _ in zip(range(3), stream):
            pass
        stream.close()
    server.honest(SIGN)
    assert server.cancelled() > before, server.log()
