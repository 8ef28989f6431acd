import VL2Base

extension ServedModel {
  /// The entry of `/v1/models`. Frigate reads `aliases`, `architecture`, `meta` and `max_model_len`.
  /// `description` is there for models that only demonstrate, and says so; the page shows it.
  var openAI: JSONValue {
    var entry: JSONValue = [
      "id": .text(name), "object": "model", "created": .integer(written), "owned_by": "vl2",
      "aliases": .array(aliases.map { .text($0) }),
      "architecture": ["input_modalities": ["text", "image"], "output_modalities": ["text"]],
      "meta": [
        "n_ctx": .integer(contextLength), "n_params": .integer(weightCount), "size": .integer(bytes),
      ],
      "max_model_len": .integer(contextLength),
    ]
    if let settings { entry.append("batch_settings", .text(settings)) }
    if let notice { entry.append("description", .text(notice)) }
    return entry
  }

  /// The answer to `/v1/models`.
  var openAIList: JSONValue {
    let entry: JSONValue = [
      "name": .text(name), "model": .text(name), "type": "model", "description": "",
      "capabilities": ["completion", "multimodal"],
    ]
    return ["object": "list", "data": [openAI], "models": [entry]]
  }

  /// The answer to llama.cpp's `/props`.
  var properties: JSONValue {
    [
      "default_generation_settings": ["n_ctx": .integer(contextLength), "params": [:]], "total_slots": 1,
      "model_alias": .text(name), "model_path": .text(fileName),
      "modalities": ["vision": true, "audio": false, "video": false],
      "chat_template_caps": ["supports_tools": false, "supports_tool_calls": false],
      "build_info": .text(ChatFormat.fingerprint), "is_sleeping": false,
    ]
  }
}
