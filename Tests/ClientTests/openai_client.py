"""What both forms of OpenAI's conversations are asked with."""

from typing import Literal

import openai
import pytest
from pydantic import BaseModel


class Circle(BaseModel):
    colour: Literal["red", "green", "blue", "yellow", "black", "white"]
    size: int | None = None


@pytest.fixture
def client(server):
    with openai.OpenAI(base_url=server.url + "/v1", api_key=server.key, max_retries=0, timeout=60) as client:
        yield client
