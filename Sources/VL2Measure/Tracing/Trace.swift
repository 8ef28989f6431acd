import VL2Run

extension Model {
  /// Runs one case and records every stage.
  ///
  /// Tensors are named as the reference names them: `input_ids`, `grids`, `tiles.<i>`, `vision.*` and
  /// `projector.out` of the first picture, `embed`, `route.<layer>.*`, `layer.<i>`, `logits`, `greedy`.
  ///
  /// - Parameters:
  ///   - tiled: the case's pictures, cut into tiles.
  ///   - chunk: rows that go through the decoder together.
  ///   - forcedRoutes: expert ids to use in the prompt, for each layer with experts, [tokens][kept].
  package func trace(
    turns: [Turn], tiled: [TiledPicture], newTokens: Int, chunk: Int = Decoder.defaultChunk,
    forcedRoutes: [Int: [Int32]]? = nil
  ) throws -> [StoredTensor] {
    let recorder = StageRecorder()
    let prompt = try Prompt(
      turns: turns, imageGrids: tiled.map(\.grid), tokenizer: tokenizer, config: config)
    let limit = config.language.maxPositions
    let encoded = try tiled.map { picture in
      let rows = try encode(picture, observer: recorder)
      recorder.isRecording = false
      return rows
    }
    recorder.isRecording = true
    let cache = try decoder.makeCache(positions: min(limit, prompt.tokens.count + newTokens))
    let buffer = AlignedBuffer()
    defer { withExtendedLifetime(buffer) {} }
    let x = try promptRows(prompt, encoded, buffer: buffer)
    recorder.observe("embed", x)
    try decoder.forward(
      x, cache: cache, answers: prompt.answers, chunk: chunk, forcedRoutes: forcedRoutes, observer: recorder)
    var next = 0
    for first in stride(from: 0, to: x.count, by: 64) {
      let logits = decoder.logits(x.slice(first..<min(x.count, first + 64)))
      recorder.observe("logits", logits)
      next = decoder.likeliest(logits)
    }

    var greedy: [Int64] = []
    while greedy.count < newTokens && next != endToken {
      greedy.append(Int64(next))
      if greedy.count == newTokens || cache.length == cache.capacity { break }
      next = try decoder.step(next, cache: cache)
    }
    return tensors(recorder, prompt: prompt, tiled: tiled, greedy: greedy)
  }

  private func tensors(
    _ recorder: StageRecorder, prompt: Prompt, tiled: [TiledPicture], greedy: [Int64]
  ) -> [StoredTensor] {
    var out = [
      StoredTensor("input_ids", [prompt.tokens.count], .i64(prompt.tokens.map(Int64.init))),
      StoredTensor(
        "grids", [tiled.count, 2], .i64(tiled.flatMap { [Int64($0.grid.columns), Int64($0.grid.rows)] })),
    ]
    for (i, picture) in tiled.enumerated() {
      let count = 1 + picture.grid.rows * picture.grid.columns
      out.append(StoredTensor("tiles.\(i)", [count, picture.side, picture.side, 3], .u8(picture.tiles)))
    }
    for stage in recorder.stages {
      if let (columns, values) = recorder.integers[stage] {
        out.append(StoredTensor(stage, [values.count / columns, columns], .i64(values)))
      } else if let (columns, values) = recorder.floats[stage] {
        var shape = [values.count / columns, columns]
        // The reference keeps tiles apart.
        if stage.hasPrefix("vision.") || stage == "projector.out", let first = tiled.first {
          let tiles = 1 + first.grid.rows * first.grid.columns
          shape = [tiles, shape[0] / tiles, columns]
        }
        out.append(StoredTensor(stage, shape, .f32(values)))
      }
    }
    out.append(StoredTensor("greedy", [greedy.count], .i64(greedy)))
    return out
  }
}
