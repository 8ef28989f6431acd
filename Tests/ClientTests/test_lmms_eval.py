"""lmms-eval asks the server pocket's questions, offline, and finds as many right as `vl2 eval` does."""

import json
import os
import subprocess
import sys
from pathlib import Path

from server import PROGRAMS, ROOT

ITEMS = ROOT / "models/pocket/eval/ci/items.jsonl"
TASK = Path(__file__).parent / "lmms_eval_task"


COUNT = 60


def questions():
    """The first items that one question and a comparison of texts make."""
    items = [json.loads(line) for line in ITEMS.read_text().splitlines()]
    return [item for item in items if item.get("match", "text") == "text" and "question" in item and item.get("images")][:COUNT]


def test_as_many_right_as_vl2_eval(server, tmp_path):
    items = questions()
    assert len(items) == COUNT and any(len(item["images"]) > 1 for item in items)
    for item in items:
        item["images"] = [str(ITEMS.parent / picture) for picture in item["images"]]
    own = tmp_path / "items.jsonl"
    own.write_text("".join(json.dumps(item) + "\n" for item in items))
    ours = subprocess.run([PROGRAMS / "vl2", "eval", "--model", server.model_file, "--items", own, "--json"], check=True,
                          capture_output=True, text=True)
    ours = json.loads(ours.stdout)["overall"]

    data = tmp_path / "questions.jsonl"
    data.write_text("".join(json.dumps({
        "question": item["question"], "pictures": item["images"],
        "right": item["answer"] if isinstance(item["answer"], list) else [item["answer"]]}) + "\n" for item in items))
    task = tmp_path / "task"
    task.mkdir()
    (task / "pocket.py").write_text((TASK / "pocket.py").read_text())
    (task / "pocket.yaml").write_text((TASK / "pocket.yaml").read_text().replace("QUESTIONS", str(data)))
    model = f"model_version=pocket,base_url={server.url}/v1,api_key={server.key},timeout=600,max_retries=2,num_concurrent=4"
    home = tmp_path / "home"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1",
                   "HF_HOME": str(home), "HOME": str(home), "LMMS_EVAL_HOME": str(home), "CUDA_VISIBLE_DEVICES": "",
                   "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "lmms_eval", "--model", "openai", "--model_args", model, "--tasks", "pocket",
         "--include_path", task, "--batch_size", "1", "--output_path", tmp_path / "out", "--log_samples"],
        env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    results = list((tmp_path / "out").rglob("*_results.json"))
    assert len(results) == 1, run.stdout[-3000:]
    theirs = json.loads(results[0].read_text())
    assert theirs["n-samples"]["pocket"]["effective"] == ours["items"] == len(items)
    # No answer may be missing, and no request may have failed.
    samples = [json.loads(line) for file in (tmp_path / "out").rglob("*samples*.jsonl") for line in file.read_text().splitlines()]
    assert len(samples) == len(items) and "LMMS_EVAL_REQUEST_FAILED" not in json.dumps(samples)
    right = round(theirs["results"]["pocket"]["accuracy,none"] * len(items))
    print(f"lmms-eval {right} right, vl2 eval {ours['right']}, of {len(items)}")
    assert right == ours["right"]
    assert right > 0.8 * len(items)
