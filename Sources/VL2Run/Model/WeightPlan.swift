import VL2Quant

/// Where a model's weights will be, decided when it is opened.
struct WeightPlan {
  var weights: Weights
  var experts: any ExpertStore
  /// Nil where the file is mapped.
  var slots: SlotExpertStore?
  var queue: ReadQueue?
  /// Nil where the file is mapped, or where only the number of slots was given.
  var bytes: Int?

  /// - Throws: `MemoryError` where the system refuses address space.
  init(_ file: PackedFile, options: RuntimeOptions, pool: WorkerPool) throws {
    bytes = Self.budget(
      file, options.memory, context: options.contextLength, keyValues: options.keyValuesInUse,
      threads: pool.threads)
    if let slots = options.slots ?? bytes.map({ max(1, $0 / max(1, SlotExpertStore.slotBytes(file))) }) {
      let queue = ReadQueue(file, checks: options.checks, bytesPerSecond: options.bytesPerSecond)
      weights = try Weights(file, checks: options.checks, reading: queue)
      let store = try SlotExpertStore(weights, reading: queue, slots: slots, policy: options.policy)
      (self.queue, self.slots, experts) = (queue, store, store)
    } else {
      weights = Weights(file, checks: options.checks)
      experts = MappedExpertStore(weights, pool: pool)
    }
  }

  /// The budget for everything, in bytes; nil where the file is simply mapped.
  private static func budget(
    _ file: PackedFile, _ choice: MemoryChoice, context: Int?, keyValues: KeyValueCode, threads: Int
  ) -> Int? {
    var meter = MemoryMeter()
    meter.sample()
    // What a mapped model takes: the process as it is, the file, and a conversation of some length.
    let config = file.config
    let positions = min(1536, context ?? config.language.maxPositions)
    let mapped =
      meter.peaks.anonymous + MemoryBudget.margin
      + (file.manifest.sections.last.map { $0.offset + $0.storedLength } ?? 0)
      + config.language.workingBytes(
        rows: positions, chunk: Decoder.defaultChunk, positions: positions, threads: threads)
      + config.language.cacheBytes(positions: positions, keyValues: keyValues)
    switch choice {
    case .mapped: return nil
    case .bytes(let bytes): return mapped <= bytes ? nil : bytes
    case .automatic:
      guard let free = AvailableMemory.read()?.available else { return nil }
      // A budget counts what this process has already. Some memory is left for the page cache and for other
      // processes.
      let available = free + meter.peaks.anonymous
      return mapped <= available / 10 * 9 ? nil : available / 100 * 85
    }
  }
}

extension LanguageConfig {
  /// The approximate bytes of a conversation's KV cache.
  fileprivate func cacheBytes(positions: Int, keyValues: KeyValueCode) -> Int {
    switch attention {
    case .mha(_, let keyValueHeads, let size):
      layers * keyValueHeads * keyValues.bytes(positions: positions, headSize: size)
    case .mla(_, _, let rank, _, let rope, _):
      layers * positions * (rank + rope) * MemoryLayout<Float>.stride
    }
  }
}
