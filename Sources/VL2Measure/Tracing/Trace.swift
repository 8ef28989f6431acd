import VL2Run

extension Model {
  /// Runs one case and records every stage.
  ///
  /// Tensors are named as the reference names them: `input_ids`, `grids`, `tiles.<i>`, `vision.*` and
  /// `projector.out` of the first picture, `embed`, `route.<layer>.*`, `layer.<i>`, `logits`, `greedy`.
  ///
  /// - Parameters:
  ///   - chunk: rows that go through the decoder together.
  ///   - forcedRoutes: expert ids to use in the prompt, for each layer with experts, [tokens][kept].
  package func trace(
    _ item: TraceCase, pictures: [Picture], newTokens: Int? = nil, chunk: Int = Decoder.defaultChunk,
    forcedRoutes: [Int: [Int32]]? = nil
  ) throws -> [StoredTensor] {
    try trace(
      item.turns(pictures: pictures), newTokens: max(0, newTokens ?? item.newTokens ?? 16), chunk: chunk,
      forcedRoutes: forcedRoutes)
  }

  /// The same for any conversation.
  package func trace(
    _ turns: [Turn], newTokens: Int, chunk: Int = Decoder.defaultChunk,
    forcedRoutes: [Int: [Int32]]? = nil
  ) throws -> [StoredTensor] {
    let recorder = StageRecorder()
    let reading = try Reading(turns, room: .init(maxTokens: newTokens, keepsFree: false), model: self)
    let x = try reading.rows(chunk: chunk, routes: forcedRoutes, observer: recorder)
    var next = 0
    for first in stride(from: 0, to: x.count, by: 64) {
      let logits = decoder.logits(x.slice(first..<min(x.count, first + 64)))
      recorder.observe("logits", logits)
      next = decoder.likeliest(logits)
    }

    var greedy: [Int] = []
    while greedy.count < newTokens && !endsAnswer(next) {
      greedy.append(next)
      if greedy.count == reading.room(newTokens) { break }
      next = decoder.likeliest(try reading.logits(after: greedy))
    }
    let tiled = cut(turns.flatMap(\.pictures), reading)
    return tensors(reading.prompt, tiled: tiled) + tensors(recorder, tiled: tiled)
      + [StoredTensor("greedy", [greedy.count], .i64(greedy.map(Int64.init)))]
  }

  /// The tensors of a case that are known before anything is computed: `input_ids`, `grids` and `tiles.<i>`.
  package func traceTiles(_ item: TraceCase, pictures: [Picture]) throws -> [StoredTensor] {
    let reading = try Reading(
      item.turns(pictures: pictures), room: .init(maxTokens: 0, keepsFree: false), model: self)
    return tensors(reading.prompt, tiled: cut(pictures, reading))
  }

  private func cut(_ pictures: [Picture], _ reading: Reading) -> [TiledPicture] {
    zip(pictures, reading.plan.grids).map { TiledPicture($0, grid: $1, processor: config.processor) }
  }

  private func tensors(_ prompt: Prompt, tiled: [TiledPicture]) -> [StoredTensor] {
    var out = [
      StoredTensor("input_ids", [prompt.tokens.count], .i64(prompt.tokens.map(Int64.init))),
      StoredTensor(
        "grids", [tiled.count, 2], .i64(tiled.flatMap { [Int64($0.grid.columns), Int64($0.grid.rows)] })),
    ]
    for (i, picture) in tiled.enumerated() {
      let count = 1 + picture.grid.rows * picture.grid.columns
      out.append(StoredTensor("tiles.\(i)", [count, picture.side, picture.side, 3], .u8(picture.tiles)))
    }
    return out
  }

  private func tensors(_ recorder: StageRecorder, tiled: [TiledPicture]) -> [StoredTensor] {
    var out: [StoredTensor] = []
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
    return out
  }
}
