"""instructor: a class is filled from a picture, by a forced tool unless told otherwise."""

import asyncio
from typing import Annotated, Literal, Optional

import instructor
import openai
import pytest
from pydantic import BaseModel, Field, create_model

from pictures import COLOUR, HUGE_URL, SIGN, TABLE, TWO, endless_schema


class Circle(BaseModel):
    colour: Literal["red", "green", "blue", "yellow", "black", "white"] = Field(description="its colour")
    size: Optional[int] = None


class Anything(BaseModel, extra="allow"):
    pass


class Word(BaseModel):
    title: str = Field(max_length=20)


def endless():
    """A class that takes a thousand tokens to fill."""
    [(name, _)] = endless_schema()["properties"].items()
    words = list[Annotated[str, Field(min_length=4, max_length=12)]]
    return create_model("Endless", **{name: (Annotated[words, Field(min_length=150)], ...)})


def client(server, mode=None, key=None):
    inner = openai.OpenAI(base_url=server.url + "/v1", api_key=key or server.key, max_retries=0, timeout=60)
    return instructor.from_openai(inner) if mode is None else instructor.from_openai(inner, mode=mode)


def create(server, asked, wanted, mode=None, key=None, **more):
    return client(server, mode, key).chat.completions.create(**{
        "model": "pocket", "response_model": wanted, "temperature": 0, "max_retries": 0,
        "messages": [{"role": "user", "content": asked.content()}], **more})


def test_default_mode(server):
    server.secrets |= COLOUR.secrets()
    assert create(server, COLOUR, Circle).colour == "yellow"


@pytest.mark.parametrize("mode", [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA], ids=lambda mode: mode.value)
def test_modes_that_force_the_form(server, mode):
    assert create(server, COLOUR, Circle, mode).colour == "yellow"


def test_mode_json(server):
    """Here the schema stands in the system's text, which pocket cannot follow; what is sure is that an object comes back."""
    assert isinstance(create(server, TABLE, Anything, instructor.Mode.JSON), Anything)


def test_its_own_form_of_pictures(server):
    answer = create(server, COLOUR, Circle, messages=[
        {"role": "system", "content": "You look at drawn pictures."},
        {"role": "user", "content": [instructor.Image.from_raw_base64(COLOUR.coded()[0]), COLOUR.question]}])
    assert answer.colour == "yellow"


def test_a_property_named_title(server):
    assert len(create(server, SIGN, Word).title) <= 20


def test_two_pictures(server):
    class Which(BaseModel):
        answer: Literal["the first", "the second", "both", "neither"]
    assert create(server, TWO, Which).answer


def test_streamed_in_parts(server):
    parts = list(client(server).chat.completions.create_partial(
        model="pocket", response_model=Circle, temperature=0,
        messages=[{"role": "user", "content": COLOUR.content()}]))
    assert parts[-1].colour == "yellow"


def test_wrong_key(server):
    with pytest.raises(Exception, match="401"):
        create(server, COLOUR, Circle, key="wrong")


def test_wrong_model(server):
    with pytest.raises(Exception, match="gpt-4o"):
        create(server, COLOUR, Circle, model="gpt-4o")


def test_picture_of_too_many_pixels(server):
    with pytest.raises(Exception, match="40000"):
        create(server, COLOUR, Circle, messages=[
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": HUGE_URL}}]}])


def test_cancelled(server):
    """The package gives a stream only when it is over, so it is a task that is cancelled."""
    async def some_of_it():
        inner = openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=server.key, max_retries=0)
        async with asyncio.timeout(0.1):
            await instructor.from_openai(inner).chat.completions.create(
                model="pocket", response_model=endless(), max_tokens=1700,
                messages=[{"role": "user", "content": COLOUR.content()}])
    for _ in range(6):        # more often than there are places in the queue
        with pytest.raises(TimeoutError):
            asyncio.run(some_of_it())
    server.honest(SIGN)
