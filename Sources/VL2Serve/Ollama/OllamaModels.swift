import FoundationEssentials
import Glibc
import VL2Base

extension ServedModel {
  private var ollamaName: String { name.contains(":") ? name : name + ":latest" }

  private var details: JSONValue {
    [
      "parent_model": "", "format": "vl2q", "family": "deepseek_vl_v2", "families": ["deepseek_vl_v2"],
      "parameter_size": .text(size), "quantization_level": .text(code),
    ]
  }

  private var modified: JSONValue { .text(OllamaFormat.time(Date(timeIntervalSince1970: Double(written)))) }

  private func entry(_ name: String) -> JSONValue {
    [
      "name": .text(name), "model": .text(name), "modified_at": modified, "size": .integer(bytes),
      "digest": .text(digest), "details": details, "capabilities": ["completion", "vision"],
    ]
  }

  /// The answer to `/api/tags`.
  var ollamaTags: JSONValue { ["models": [entry(ollamaName)]] }

  /// The answer to `/api/ps`: the model stays loaded.
  var ollamaRunning: JSONValue {
    var entry = entry(ollamaName)
    entry.append("expires_at", "2318-01-01T00:00:00Z")
    entry.append("size_vram", 0)
    entry.append("context_length", .integer(contextLength))
    return ["models": [entry]]
  }

  /// The answer to `/api/show`.
  var ollamaDescription: JSONValue {
    [
      "modelfile": "", "parameters": "", "template": "", "license": "", "details": details,
      "model_info": [
        "general.architecture": "deepseek_vl_v2", "deepseek_vl_v2.context_length": .integer(contextLength),
      ],
      "capabilities": ["completion", "vision"], "modified_at": modified,
    ]
  }
}
