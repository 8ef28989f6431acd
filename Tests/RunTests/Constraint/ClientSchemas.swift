/// Schemas as clients write them, with wording of our own.
enum ClientSchemas {
  static let all = [pydantic, recursive, frigate, homeAssistant, strict]

  /// Written by pydantic 2.13: parts that name each other, a discriminated union, optional members, literals, an
  /// enumeration, bounds of lists and of integers of 64 bits, a date, dictionaries, and anything.
  static let pydantic = ##"""
    {"$defs": {"Car": {"properties": {"kind": {"const": "car", "title": "Kind", "type": "string"},
    "doors": {"default": 4, "maximum": 5, "minimum": 2, "title": "Doors", "type": "integer"},
    "colour": {"$ref": "#/$defs/Colour", "description": "of most of it"}}, "required": ["colour"],
    "title": "Car", "type": "object"}, "Colour": {"enum": ["red", "green"],
    "title": "Colour", "type": "string"}, "Parcel": {"properties": {"kind": {"const": "parcel",
    "title": "Kind", "type": "string"}, "size": {"$ref": "#/$defs/Size"}}, "required": ["size"],
    "title": "Parcel", "type": "object"},
    "Person": {"properties": {"kind": {"const": "person", "default": "person", "title": "Kind",
    "type": "string"}, "hat": {"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": null,
    "title": "Wears a hat"}}, "title": "Person", "type": "object"},
    "Size": {"description": "How large it is.", "properties": {"width": {"description": "in metres",
    "exclusiveMaximum": 10000, "minimum": 0, "title": "Width", "type": "number"},
    "height": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": null, "title": "Height"}},
    "required": ["width"], "title": "Size", "type": "object"}}, "description": "What a camera sees.",
    "properties": {"title": {"maxLength": 40, "title": "Title", "type": "string"},
    "seen_at": {"format": "date-time", "title": "Seen At", "type": "string"},
    "things": {"items": {"discriminator": {"mapping": {"car": "#/$defs/Car",
    "parcel": "#/$defs/Parcel"}, "propertyName": "kind"}, "oneOf": [{"$ref": "#/$defs/Car"},
    {"$ref": "#/$defs/Parcel"}]}, "maxItems": 3, "minItems": 1, "title": "Things", "type": "array"},
    "person": {"$ref": "#/$defs/Person", "description": "the nearest one"},
    "counts": {"additionalProperties": {"type": "integer"}, "title": "Counts", "type": "object"},
    "track": {"maximum": 9223372036854775807, "minimum": -9223372036854775808, "title": "Track",
    "type": "integer"}, "frame": {"exclusiveMaximum": 9223372036854775807,
    "exclusiveMinimum": 9007199254740992, "title": "Frame", "type": "integer"},
    "extra": {"default": null, "title": "Extra"}, "notes": {"additionalProperties": true,
    "default": {}, "title": "Notes", "type": "object"}, "weather": {"default": null, "enum": ["sun",
    "rain", 3, null], "title": "Weather"}}, "required": ["title", "seen_at", "things", "counts",
    "track", "frame"], "title": "Scene", "type": "object"}
    """##

  /// The same, of a model that holds itself.
  static let recursive = ##"""
    {"$defs": {"Child": {"properties": {"name": {"title": "Name", "type": "string"},
    "children": {"items": {"$ref": "#/$defs/Child"}, "maxItems": 2, "title": "Children",
    "type": "array"}}, "required": ["name", "children"], "title": "Child", "type": "object"}},
    "$ref": "#/$defs/Child"}
    """##

  /// Frigate's review of an event.
  static let frigate = ##"""
    {"properties": {"observations": {"description": "What is seen, one thing at a time, in order",
    "items": {"maxLength": 200, "minLength": 20, "type": "string"}, "maxItems": 8, "minItems": 3,
    "title": "Observations", "type": "array"},
    "scene": {"description": "The course of events in a few sentences", "maxLength": 600,
    "minLength": 150, "title": "Scene", "type": "string"}, "title": {"description": "A short heading",
    "maxLength": 80, "title": "Title", "type": "string"}, "shortSummary": {"maxLength": 140,
    "minLength": 70, "title": "Shortsummary", "type": "string",
    "description": "One sentence for a message"}, "confidence": {"maximum": 1.0, "minimum": 0.0,
    "title": "Confidence", "type": "number", "description": "How sure this is, from 0 to 1"},
    "potential_threat_level": {"maximum": 2, "minimum": 0, "title": "Potential Threat Level",
    "type": "integer", "description": "0 is usual, 1 unusual, 2 dangerous"},
    "other_concerns": {"anyOf": [{"items": {"type": "string"}, "type": "array"}, {"type": "null"}],
    "default": null, "description": "Anything else", "title": "Other Concerns"}},
    "required": ["observations", "scene", "title", "shortSummary", "confidence",
    "potential_threat_level", "other_concerns"], "title": "ReviewMetadata", "type": "object",
    "additionalProperties": false}
    """##

  /// As Home Assistant asks for data: OpenAPI's words in a schema.
  static let homeAssistant = ##"""
    {"type": "object", "properties": {"answer": {"type": "string",
    "description": "for the one who asked", "nullable": true}, "count": {"type": "integer",
    "minimum": 0, "maximum": 20}, "state": {"type": "string", "enum": ["open", "closed"],
    "nullable": true}, "areas": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
    "data": {"type": "object", "properties": {"kelvin": {"type": "number", "nullable": false}},
    "required": ["kelvin"]}}, "required": ["answer", "count", "state", "data"], "strict": true}
    """##

  /// OpenAI's strict mode, of members that are called as keywords are.
  static let strict = ##"""
    {"type": "object", "properties": {"title": {"type": "string", "maxLength": 20},
    "type": {"enum": ["a", "b"], "type": "string"}, "properties": {"type": "array",
    "items": {"type": "number"}, "maxItems": 3}, "$ref": {"type": ["integer", "null"]},
    "required": {"type": "boolean"}, "default": {"anyOf": [{"$ref": "#/$defs/enum"},
    {"type": "null"}]}}, "required": ["title", "type", "properties", "$ref", "required", "default"],
    "additionalProperties": false, "$defs": {"enum": {"type": "object",
    "properties": {"const": {"type": "string", "const": "x"}}, "required": ["const"],
    "additionalProperties": false}}, "strict": true}
    """##
}
