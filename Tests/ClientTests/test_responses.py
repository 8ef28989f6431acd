"""The Responses API of the openai package, and the requests of Home Assistant's open_responses."""

import json
import os
import shutil

import jsonschema
import openai
import pytest
from openai.types.responses import Response
from pydantic import TypeAdapter

from openai_client import Circle, client
from pictures import (
    ALL, COLOUR, COLOURS, FOLLOW_UP, HUGE_URL, OBJECTS, OBJECTS_SCHEMA, PRICE, RECEIPT, SIGN, TWO, Asked, endless_schema)
from server import pocket

REPORT = {
    "type": "function", "name": "report", "description": "Reports what is seen", "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"colour": {"type": "string", "enum": ["yellow", "blue"]}, "count": {"type": "integer"}},
        "required": ["colour", "count"], "additionalProperties": False,
    },
}
NAMED = {"type": "function", "name": "report"}


def content(asked, **more):
    pictures = [{"type": "input_image", "image_url": url, "detail": "auto", **more} for url in asked.urls()]
    return [*pictures, {"type": "input_text", "text": asked.question}]


def said(asked):
    return [{"role": "user", "content": content(asked)}]


def create(client, asked, **more):
    return client.responses.create(model="pocket", input=said(asked), **{"temperature": 0, **more})


def form(schema):
    return {"format": {"type": "json_schema", "name": "form", "strict": True, "schema": schema}}


@pytest.mark.parametrize("asked", ALL, ids=lambda asked: asked.question)
def test_plain(client, server, asked):
    server.secrets |= asked.secrets()
    answer = create(client, asked)
    assert answer.output_text == asked.answer
    assert answer.status == "completed" and answer.error is None and answer.incomplete_details is None
    [message] = answer.output
    assert message.type == "message" and message.role == "assistant" and message.status == "completed"
    assert answer.id.startswith("resp_") and message.id.startswith("msg_") and answer.model == "pocket"
    assert answer.usage.input_tokens > 49 * len(asked.files), "the rows of the pictures belong to the prompt"
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_every_field_is_there(server):
    """The package itself does not check what it reads; its types do when they are asked to."""
    for more in [{}, {"tools": [REPORT], "tool_choice": NAMED}, {"text": form(OBJECTS_SCHEMA), "instructions": "Look."}]:
        status, _, answer = server.post("/v1/responses", {"model": "pocket", "input": said(COLOUR), **more})
        assert status == 200, answer
        Response.model_validate(answer, strict=True)


def test_text_alone(client):
    """A text is a question of the user's; instructions come before it."""
    plain = client.responses.create(model="pocket", input="Hi", temperature=0)
    same = client.responses.create(model="pocket", input=[{"role": "user", "content": "Hi"}], temperature=0)
    assert plain.output_text == same.output_text and plain.usage.input_tokens == same.usage.input_tokens
    more = client.responses.create(model="pocket", input="Hi", instructions="You look at drawn pictures.", temperature=0)
    assert more.usage.input_tokens > plain.usage.input_tokens and more.instructions == "You look at drawn pictures."


@pytest.mark.parametrize("role", ["system", "developer", None])
def test_instructions(client, role):
    words = "You look at drawn pictures."
    if role is None:
        answer = create(client, SIGN, instructions=words)
    else:
        answer = client.responses.create(model="pocket", temperature=0, input=[
            {"type": "message", "role": role, "content": [{"type": "input_text", "text": words}]}, *said(SIGN)])
    assert answer.output_text == SIGN.answer


def test_follow_up(client):
    """The items of an answer go into the next request as they are."""
    first = create(client, PRICE)
    assert first.output_text == PRICE.answer
    second = client.responses.create(model="pocket", temperature=0, input=[
        *said(PRICE), *first.output, {"role": "user", "content": FOLLOW_UP.question}])
    assert second.output_text == FOLLOW_UP.answer


@pytest.mark.parametrize("asked", [RECEIPT, TWO], ids=lambda asked: asked.question)
def test_streamed(client, asked):
    whole = create(client, asked)
    events = list(create(client, asked, stream=True))
    kinds = [event.type for event in events]
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert kinds == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        *["response.output_text.delta"] * len(deltas), "response.output_text.done", "response.content_part.done",
        "response.output_item.done", "response.completed"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in deltas) == whole.output_text == asked.answer
    last = events[-1].response
    assert last.output_text == asked.answer and last.usage.output_tokens == whole.usage.output_tokens
    assert {event.response.id for event in events if hasattr(event, "response")} == {last.id}
    assert {event.item_id for event in events if hasattr(event, "item_id")} == {last.output[0].id}
    assert events[-4].text == asked.answer and events[-3].part.text == asked.answer
    assert events[-2].item.to_dict() == last.output[0].to_dict()


def test_every_event_has_its_fields(server):
    """Each event, held against the package's own type for it."""
    kinds = TypeAdapter(openai.types.responses.ResponseStreamEvent)
    for more in [{}, {"tools": [REPORT], "tool_choice": "required"}, {"max_output_tokens": 1}]:
        status, headers, body = server.request("POST", "/v1/responses", {"model": "pocket", "input": said(RECEIPT), "stream": True, **more})
        assert status == 200 and headers["Content-Type"] == "text/event-stream"
        events = streamed(body)
        for event in events:
            assert kinds.validate_python(event, strict=True).type == event["type"]
        assert events[-1]["type"] == ("response.incomplete" if "max_output_tokens" in more else "response.completed")


def test_stream_helper(client):
    """What the package puts together from events is what the server says at the end."""
    with client.responses.stream(model="pocket", input=said(RECEIPT), temperature=0) as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        last = stream.get_final_response()
    assert snapshots[-1] == RECEIPT.answer and last.output_text == RECEIPT.answer


def test_class(client):
    answer = client.responses.parse(model="pocket", input=said(COLOUR), temperature=0, text_format=Circle)
    assert isinstance(answer.output_parsed, Circle) and answer.output_parsed.colour == "yellow"


def test_class_streamed(client):
    with client.responses.stream(model="pocket", input=said(COLOUR), temperature=0, text_format=Circle) as stream:
        assert stream.get_final_response().output_parsed.colour == "yellow"


def test_schema_as_taught(client):
    """pocket has learned this form, so what it says in it is right too."""
    answer = create(client, OBJECTS, text=form(OBJECTS_SCHEMA))
    assert json.loads(answer.output_text) == json.loads(OBJECTS.answer)
    assert answer.text.format.name == "form"


def test_json_object(client):
    answer = create(client, OBJECTS, text={"format": {"type": "json_object"}}, max_output_tokens=100)
    assert isinstance(json.loads(answer.output_text), dict)


@pytest.mark.parametrize("choice", [NAMED, "required"], ids=["named", "required"])
def test_forced_function(client, choice):
    answer = create(client, COLOUR, tools=[REPORT], tool_choice=choice)
    assert answer.status == "completed" and answer.output_text == ""
    [call] = answer.output
    assert call.type == "function_call" and call.name == "report" and call.status == "completed"
    assert call.id.startswith("fc_") and call.call_id.startswith("call_")
    arguments = json.loads(call.arguments)
    jsonschema.validate(arguments, REPORT["parameters"])
    assert arguments["colour"] == "yellow"


def test_forced_function_streamed(client):
    with client.responses.stream(model="pocket", input=said(COLOUR), temperature=0, tools=[REPORT], tool_choice="required") as stream:
        events = list(stream)
        [call] = stream.get_final_response().output
    pieces = [event for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(event.delta for event in pieces) == call.arguments == pieces[-1].snapshot
    assert [event.arguments for event in events if event.type == "response.function_call_arguments.done"] == [call.arguments]
    assert json.loads(call.arguments)["colour"] == "yellow"
    assert not any("output_text" in event.type for event in events)


@pytest.mark.parametrize("choice", ["auto", "none", openai.omit], ids=["auto", "none", "absent"])
def test_functions_that_are_not_forced(client, choice):
    answer = create(client, COLOUR, tools=[REPORT, {"type": "web_search"}], tool_choice=choice)
    assert answer.output_text == COLOUR.answer and [item.type for item in answer.output] == ["message"]


def test_conversation_with_a_function(client):
    """The call goes back as the item that it was, and what the function gave after it."""
    called = create(client, COLOUR, tools=[REPORT], tool_choice="required")
    answer = client.responses.create(model="pocket", temperature=0, tools=[REPORT], input=[
        *said(COLOUR), *called.output,
        {"type": "function_call_output", "call_id": called.output[0].call_id, "output": "done"},
        {"role": "user", "content": COLOUR.question}])
    assert answer.output_text == COLOUR.answer


def test_required_with_several_functions(client):
    with pytest.raises(openai.BadRequestError, match="tool"):
        create(client, COLOUR, tools=[REPORT, {**REPORT, "name": "other"}], tool_choice="required")


def test_one_token(client):
    answer = create(client, RECEIPT, max_output_tokens=1)
    assert answer.status == "incomplete" and answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage.output_tokens == 1 and RECEIPT.answer.startswith(answer.output_text)
    assert answer.output[0].status == "incomplete" and answer.max_output_tokens == 1
    last = list(create(client, RECEIPT, max_output_tokens=1, stream=True))[-1]
    assert last.type == "response.incomplete" and last.response.incomplete_details.reason == "max_output_tokens"


def test_log_probabilities(client):
    answer = create(client, RECEIPT, include=["message.output_text.logprobs"], top_logprobs=3)
    tokens = answer.output[0].content[0].logprobs
    assert b"".join(bytes(token.bytes) for token in tokens).decode() == answer.output_text
    assert all(token.logprob == max(top.logprob for top in token.top_logprobs) for token in tokens)
    events = list(create(client, RECEIPT, include=["message.output_text.logprobs"], top_logprobs=3, stream=True))
    told = [token.token for event in events if event.type == "response.output_text.delta" for token in event.logprobs]
    assert told == [token.token for token in tokens]


def test_seed_and_stop(client):
    answers = {create(client, RECEIPT, temperature=1.5, top_p=0.95, extra_body={"seed": 7}).output_text for _ in range(3)}
    assert len(answers) == 1
    answer = create(client, RECEIPT, extra_body={"stop": " from"})
    assert answer.output_text == "a receipt" and answer.status == "completed"


def test_boxes(client):
    """The circle is found at the same place whole and streamed, as text and in pixels."""
    circle = Asked(COLOUR.files, "the yellow circle", "")
    answers = [create(client, circle, extra_body={"ground": True}),
               list(create(client, circle, stream=True, extra_body={"ground": True}))[-1].response]
    found = [answer.output[0].to_dict()["boxes"] for answer in answers]
    assert found[0] == found[1] and len(found[0]) == 1
    [box] = found[0]
    assert box["label"] == "the yellow circle" and box["left"] < box["right"] and box["top"] < box["bottom"]
    assert str(box["grid"]) in answers[0].output_text


def test_low_detail_is_cheaper(client):
    def tokens(detail):
        return client.responses.input_tokens.count(
            model="pocket", input=[{"role": "user", "content": content(RECEIPT, detail=detail)}]).input_tokens
    assert tokens("low") < tokens("high")
    assert tokens("high") == create(client, RECEIPT, max_output_tokens=1).usage.input_tokens


def test_fields_that_mean_nothing_here(client):
    nothing = ["instructions", "max_output_tokens", "top_p", "tools", "tool_choice", "text", "previous_response_id",
               "conversation", "background", "include", "reasoning", "prompt", "stream_options", "top_logprobs"]
    answer = create(client, SIGN, extra_body={
        **dict.fromkeys(nothing), "user": "somebody", "service_tier": "auto", "store": True, "metadata": {"a": "b"},
        "prompt_cache_retention": "24h", "truncation": "auto", "parallel_tool_calls": True, "safety_identifier": "x",
        "an_unheard_of_field": [1, {"two": 3}]})
    assert answer.output_text == SIGN.answer and answer.store is False


@pytest.mark.parametrize("fields", [
    {"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"background": True}, {"prompt": {"id": "pmpt_1"}},
    {"temperature": -1}, {"top_p": 7}, {"max_output_tokens": -5}, {"tools": [REPORT], "tool_choice": {**NAMED, "name": "nobody"}},
    {"text": {"format": {"type": "json_schema", "name": "odd", "schema": {"type": "string", "pattern": "^x"}}}},
], ids=lambda fields: list(fields)[-1])
def test_fields_that_cannot_be_kept(client, fields):
    for stream in [False, True]:
        with pytest.raises(openai.BadRequestError) as caught:
            create(client, SIGN, stream=stream, **fields)
        assert caught.value.body["message"] and caught.value.type == "invalid_request_error"
        assert caught.value.param.split(".")[0] == list(fields)[-1]


@pytest.mark.parametrize("part", [
    *({"type": "input_image", "image_url": url} for url in [
        "http://127.0.0.1/a.png", "file:///etc/passwd", "data:image/png;base64,aGVsbG8gd29ybGQ=", "nonsense", "", HUGE_URL]),
    {"type": "input_image", "file_id": "file-1"}, {"type": "input_file", "file_id": "file-1"},
    {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
], ids=["address", "file", "no-picture", "nonsense", "empty", "huge", "file-id", "document", "sound"])
def test_parts_that_are_not_taken(client, part):
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="pocket", input=[{"role": "user", "content": [{"type": "input_text", "text": "What is it?"}, part]}])
    assert caught.value.param.startswith("input[0].content[1]")


def test_wrong_key_and_model(server, client):
    with openai.OpenAI(base_url=server.url + "/v1", api_key="wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            create(stranger, SIGN)
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.create(model="gpt-4o", input="Hi")
    assert caught.value.code == "model_not_found"


def test_nothing_is_kept(client):
    answer = create(client, SIGN)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)


def test_cancelled_stream(client, server):
    """Who closes a stream frees its place: the next is answered at once."""
    before = server.cancelled()
    for _ in range(6):        # more often than there are places in the queue
        with create(client, COLOUR, stream=True, max_output_tokens=1700, text=form(endless_schema())) as stream:
            for _ in zip(range(8), stream):
                pass
    server.honest(SIGN)
    assert server.cancelled() > before, server.log()


def test_an_answer_that_fails_is_raised(serve, tmp_path):
    """The model's file is cut while a stream is read: nobody takes the half of an answer for a whole one."""
    model = tmp_path / "pocket.vl2q"
    shutil.copy(pocket(), model)
    running = serve(model=model)
    with openai.OpenAI(base_url=running.url + "/v1", api_key=running.key, max_retries=0, timeout=60) as client:
        with pytest.raises(openai.APIError, match="cannot answer"):
            for number, _ in enumerate(create(client, COLOUR, stream=True, max_output_tokens=1700, text=form(endless_schema()))):
                if number == 8:
                    os.truncate(model, 4096)
    assert number >= 8


# Home Assistant's open_responses, written by us from its code, not recorded: it speaks without the openai package.


def streamed(body):
    events = [block.split("\n") for block in body.decode().split("\n\n") if block and not block.startswith(":")]
    for kind, data in events:
        assert kind.startswith("event: ") and data.startswith("data: ")
    values = [json.loads(data[len("data: "):]) for _, data in events]
    assert [value["type"] for value in values] == [kind[len("event: "):] for kind, _ in events]
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    return values


def home(asked, **more):
    return {
        "model": "pocket", "stream": True, "store": False, "user": "01K2CONVERSATION", "max_output_tokens": 1024, "top_p": 1.0,
        "temperature": 0, "service_tier": "auto", "prompt_cache_retention": "in_memory",
        "input": [
            {"type": "message", "role": "developer", "content": "You are a home."},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": asked.question},
                *({"type": "input_image", "image_url": url, "detail": "auto"} for url in asked.urls())]}],
        **more}


def test_home_assistant_set_up(server):
    """It finds out whether it can speak by a word of sixteen tokens."""
    status, _, answer = server.post("/v1/responses", {
        "model": "pocket", "stream": False, "store": False, "max_output_tokens": 16,
        "input": [{"type": "message", "role": "user", "content": "ping"}]})
    assert status == 200 and answer["object"] == "response"
    status, _, answer = server.post("/v1/responses", {"model": "gpt-5", "input": "ping", "stream": False})
    assert status == 404 and answer["error"]["param"] == "model"


def test_home_assistant_task(server):
    """A picture attached, an answer in parts under its kind of schema, which says `strict` inside."""
    schema = {
        "type": "object", "strict": True, "additionalProperties": False, "required": ["colour", "size"],
        "properties": {"colour": {"type": "string", "enum": COLOURS}, "size": {"type": ["integer", "null"]}}}
    status, headers, body = server.request("POST", "/v1/responses", home(
        COLOUR, text={"format": {"type": "json_schema", "name": "circle", "schema": schema}}), {"Accept": "text/event-stream"})
    assert status == 200 and headers["Content-Type"].startswith("text/event-stream")
    events = streamed(body)
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    jsonschema.validate(json.loads(text), schema)
    assert json.loads(text)["colour"] == "yellow"
    assert events[-1]["type"] == "response.completed" and events[-1]["response"]["usage"]["input_tokens"] > 49


def test_home_assistant_conversation(server):
    """It keeps the item of an answer, and sends it back as it was, with its own tools beside."""
    tools = [{"type": "function", "name": "GetState", "description": "State", "strict": False,
              "parameters": {"type": "object", "properties": {}}}]
    first = streamed(server.request("POST", "/v1/responses", home(PRICE, tools=tools))[2])
    [item] = [event["item"] for event in first if event["type"] == "response.output_item.done"]
    assert item["content"][0]["text"] == PRICE.answer
    asked = home(PRICE, tools=tools)
    asked["input"] += [
        item,
        {"type": "function_call", "name": "GetState", "arguments": "{}", "call_id": "call_1", "status": "completed"},
        {"type": "function_call_output", "call_id": "call_1", "output": '{"state": "on"}'},
        {"type": "message", "role": "user", "content": FOLLOW_UP.question}]
    status, _, body = server.request("POST", "/v1/responses", asked)
    assert status == 200, body
    text = "".join(event["delta"] for event in streamed(body) if event["type"] == "response.output_text.delta")
    assert text.strip(), "pocket has never seen a function's result; that there is an answer is all that can be asked"
