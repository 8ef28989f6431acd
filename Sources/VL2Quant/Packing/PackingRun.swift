import VL2Base

/// The work of packing one model: what is written when, and how far it is.
final class PackingRun {
  private let packer: ModelPacker
  private let plans: [SectionPlan]
  private let tokenizer: [UInt8]
  private let tokenizerJSON: [UInt8]
  private let source: any WeightSource
  private let target: PackingTarget
  private let progress: (Double, String) -> Void
  /// Where the sections stand; nil where that is known only when those before are written.
  private let offsets: [Int]?

  /// Bytes that were read and weights that were made, of all that there are to read and to make.
  private var done = 0
  private var total = 1

  /// Raw bytes of sections in progress or waiting to be written.
  private static let budget = 256 << 20

  init(
    packer: ModelPacker, plans: [SectionPlan], tokenizer: [UInt8], tokenizerJSON: [UInt8],
    source: any WeightSource, target: PackingTarget, progress: @escaping (Double, String) -> Void
  ) {
    (self.packer, self.plans, self.source, self.target) = (packer, plans, source, target)
    (self.tokenizer, self.tokenizerJSON, self.progress) = (tokenizer, tokenizerJSON, progress)
    offsets = packer.compression == .never ? Self.offsets(plans, tokenizer: tokenizer.count) : nil
  }

  /// Where sections stand that are stored as they are. The last, the tokeniser's source, may be a frame.
  private static func offsets(_ plans: [SectionPlan], tokenizer: Int) -> [Int] {
    var position = FileHead.length
    return plans.map { plan in
      let offset = PackedFileWriter.offset(after: position)
      position = offset + (plan.name == ModelLayout.tokenizer ? tokenizer : plan.length)
      return offset
    }
  }

  /// Reads the shards from beginning to end, hashes them and makes the sections that can be made meanwhile: those that
  /// are stored as they are and that memory has room for. What an earlier run left is taken over.
  ///
  /// - Returns: the checkpoint's files with their hashes.
  /// - Throws: `InputError`, `CheckpointError`, `PackedFileError`, and what the packer's `check` throws.
  func readOnce(_ checkpoint: Checkpoint, _ weights: CheckpointWeights) throws -> [SourceFile] {
    let texts = try checkpoint.textFiles()
    let job = PackingJob(
      tool: packer.tool, compression: packer.compression, recipe: packer.recipe,
      calibration: packer.calibration?.origin.sha256,
      files: Checkpoint.inOrder(texts + (try checkpoint.shardHeads())))
    let earlier = try target.findEarlierWork(job)
    let reading = ShardReading(checkpoint, threads: packer.threads, check: packer.check)
    total = max(1, reading.bytesLeft)
    if let name = try reading.changed(since: earlier, progress: advance) {
      throw target.otherWork(PackingJob.change(of: name))
    }
    try target.begin(job, plans: plans, offsets: offsets)
    // The first section is small, and there in any case.
    if !target.made.contains(0) { try make([0]) }
    let order = try ReadingOrder(
      checkpoint, plans: plans, made: target.made, starts: reading.reached,
      room: offsets == nil ? 0 : ReadingOrder.roomForSections)
    total += plans.indices.reduce(0) {
      target.made.contains($1) || order.lastPieces[$1] != nil ? $0 : $0 + plans[$1].weights
    }
    try reading.read(
      order, plans: plans, weights: weights, passed: target.note,
      complete: { index, section in
        guard let offset = offsets?[index], let entry = section.entry(at: offset) else { return }
        try target.append(entry, UnsafeRawBufferPointer(section.bytes), index)
      }, progress: advance)
    return Checkpoint.inOrder(texts + reading.files)
  }

  /// Makes the sections that are not there yet, in their order.
  func makeRest() throws {
    let rest = plans.indices.filter { !target.made.contains($0) }
    if done == 0 { total = max(1, rest.reduce(0) { $0 + plans[$1].weights }) }
    try make(rest)
  }

  private func make(_ indices: [Int]) throws {
    let maker = SectionMaker(source: source, threads: packer.threads, check: packer.check)
    let work = OrderedWork(threads: packer.threads, budget: Self.budget)
    let (plans, tokenizer, tokenizerJSON) = (plans, tokenizer, tokenizerJSON)
    let (compression, check) = (packer.compression, packer.check)
    try work.run(costs: indices.map { plans[$0].length }) { place in
      try check()
      let plan = plans[indices[place]]
      switch plan.name {
      case ModelLayout.tokenizer:
        return PackedSection(name: plan.name, tensors: [], bytes: tokenizer, compression: compression)
      case ModelLayout.tokenizerSource:
        return PackedSection(
          name: plan.name, tensors: [], bytes: tokenizerJSON, compression: .whereUseful)
      default:
        let (tensors, bytes) = try maker.make(plan)
        // Not compressed, because a runtime with little memory reads the embedding a row at a time.
        let compression = plan.name == "embedding" ? PackedSection.Compression.never : compression
        return PackedSection(name: plan.name, tensors: tensors, bytes: bytes, compression: compression)
      }
    } finish: { place, section in
      let index = indices[place]
      try target.append(section, index, at: offsets?[index])
      advance(plans[index].weights, plans[index].name)
    }
  }

  private func advance(_ step: Int, _ label: String) {
    done += step
    progress(min(1, Double(done) / Double(total)), label)
  }
}
