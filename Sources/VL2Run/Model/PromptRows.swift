extension Model {
  /// The decoder's input rows for a prompt: token embeddings, with pictures' rows in their places.
  ///
  /// - Parameters:
  ///   - pictures: one for each picture of the prompt; nil for those that end before `first`.
  ///   - first: the position of the first row.
  package func promptRows(
    _ prompt: Prompt, _ pictures: [EncodedPicture?], from first: Int = 0, buffer: AlignedBuffer
  ) throws -> Rows {
    let hidden = config.language.hiddenSize
    let count = prompt.tokens.count - first
    let rows = Rows(buffer.reserve(count * hidden), count: count, columns: hidden)
    for position in first..<prompt.tokens.count {
      try decoder.embed(prompt.tokens[position], into: rows[position - first])
    }
    let spans = prompt.pictureSpans(
      imageToken: tokenizer.imageToken, places: ImageTokens(config.processor))
    for (span, picture) in zip(spans, pictures) {
      guard let picture else { continue }
      for position in span where position >= first {
        rows[position - first].update(from: picture.rows[position - span.lowerBound], count: hidden)
      }
    }
    return rows
  }
}
