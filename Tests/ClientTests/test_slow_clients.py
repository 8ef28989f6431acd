"""slowhttptest: many connections that are as slow as they can be. Others are served meanwhile, and no more connections are
held than the server takes."""

import subprocess
import time

import pytest

from pictures import SIGN

KEYS = None
SECONDS = 22
CONNECTIONS = 400          # more than the server takes

WAYS = {
    "headers": ["-H", "-i", "3", "-u", "{url}/v1/models", "-x", "24"],
    "body": ["-B", "-i", "3", "-s", "8192", "-t", "POST", "-f", "application/json", "-u", "{url}/v1/chat/completions", "-x", "10"],
    "read": ["-X", "-w", "10", "-y", "20", "-n", "5", "-z", "8", "-k", "3", "-u", "{url}/v1/models"],
}


@pytest.mark.parametrize("way", WAYS)
def test_others_are_served_meanwhile(server, way):
    descriptors = server.descriptors()
    words = [word.format(url=server.url) for word in WAYS[way]]
    command = ["slowhttptest", *words, "-c", str(CONNECTIONS), "-r", "200", "-l", str(SECONDS), "-p", "5"]
    waits, refused, held = [], [], []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as attacker:
        began = time.monotonic()
        while attacker.poll() is None and time.monotonic() - began < SECONDS + 30:
            try:
                waits.append(server.honest(SIGN))
            except (OSError, AssertionError) as error:
                refused.append(error)
            held.append(server.descriptors() - descriptors)
            time.sleep(0.5)
        attacker.kill()
    assert max(held) > 20, f"no more than {max(held)} slow connections came about"
    # The library takes twice as many as may stay, for the moment until the oldest are ended.
    assert max(held) < 150, f"{max(held)} connections at a time"
    # In the first moment, when hundreds come at once, one may find no place.
    assert len(waits) >= 20 and len(refused) <= 2, (waits, refused)
    end = time.monotonic() + 35
    while server.descriptors() > descriptors and time.monotonic() < end:
        time.sleep(0.2)
    assert server.descriptors() <= descriptors, "slow connections stay after their client is gone"
