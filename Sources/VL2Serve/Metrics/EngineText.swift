import VL2Run

extension EngineFigures {
  func write(to text: inout MetricsText) {
    text.add(
      "vl2_kept_bytes", .gauge, "Bytes of conversations and pictures that are kept for later questions.",
      keptBytes)
    text.add("vl2_kept_limit_bytes", .gauge, "The most bytes that are kept.", keptLimitBytes)
    text.add("vl2_kept_conversations", .gauge, "Conversations that are kept.", keptConversations)
    text.add("vl2_kept_pictures", .gauge, "Pictures that are kept.", keptPictures)
    text.add(
      "vl2_kept_lookups_total", .counter,
      "Prompts and pictures by whether something of them was kept (hit) or not (miss).",
      [
        ("conversation", "hit", conversationHits), ("conversation", "miss", conversationMisses),
        ("picture", "hit", pictureHits), ("picture", "miss", pictureMisses),
      ].map { ([("kind", $0), ("result", $1)], Double($2)) })
    text.add(
      "vl2_engine_state_bytes", .gauge,
      "Bytes of conversations and encoded pictures, of the question at work too.", stateBytes)
    text.add(
      "vl2_engine_peak_bytes", .gauge,
      "The largest memory of the process's own, after encoding a picture (tower) and after rows went through the decoder.",
      [([("stage", "tower")], Double(towerPeakBytes)), ([("stage", "decoder")], Double(decoderPeakBytes))])
    text.add(
      "vl2_experts_wanted_total", .counter,
      "Experts that layers wanted, one for each layer and pass.", expertsWanted)
    guard let slots else { return }
    text.add("vl2_memory_budget_bytes", .gauge, "Bytes that everything together may take.", slots.budgetBytes)
    text.add("vl2_expert_slots", .gauge, "Slots for experts.", slots.count)
    text.add("vl2_expert_slot_bytes", .gauge, "Bytes of a slot.", slots.bytes)
    text.add(
      "vl2_experts_total", .counter,
      "Experts that layers wanted: in memory (hit), read ahead, or read when they were wanted (miss).",
      [("hit", slots.hits), ("read_ahead", slots.readAhead), ("miss", slots.misses)].map {
        ([("result", $0)], Double($1))
      })
    text.add(
      "vl2_expert_read_bytes_total", .counter, "Bytes that were read from the model's file.", slots.bytesRead)
    text.add(
      "vl2_expert_wait_seconds_total", .counter, "Seconds that computing waited for experts.",
      slots.secondsWaited)
  }
}
