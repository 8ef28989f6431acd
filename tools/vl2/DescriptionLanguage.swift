import VL2Base

/// A language of descriptions: what a question calls it, and its code for programs that speak.
struct DescriptionLanguage: Equatable {
  /// As a question has it: "German".
  var name: String
  /// Of ISO 639-1; nil for one that is not in the table.
  var code: String?

  static let english = DescriptionLanguage(name: "English", code: "en")

  private static let known = [
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian",
    "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
  ]
  private static let longestName = 40

  private init(name: String, code: String?) {
    self.name = name
    self.code = code
  }

  /// Reads a code, or a language's name; one that is not known is taken as it is.
  ///
  /// - Returns: nil for what cannot be a name.
  init?(_ text: String) {
    let lower = text.lowercased()
    if let name = Self.known[lower] {
      self.init(name: name, code: lower)
    } else if let found = Self.known.first(where: { $0.value.lowercased() == lower }) {
      self.init(name: found.value, code: found.key)
    } else {
      guard text.count > 2, text.count <= Self.longestName, UntrustedText.isLine(text),
        text.contains(where: \.isLetter)
      else { return nil }
      self.init(name: text, code: nil)
    }
  }
}
