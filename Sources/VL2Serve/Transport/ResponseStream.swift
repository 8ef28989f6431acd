import CMicrohttpd
import VL2Base

/// A response's body that is written while it is sent. May be used from any thread.
package final class ResponseStream: @unchecked Sendable {
  private struct State {
    var waiting: [UInt8] = []
    var isEnded = false
    var isAborted = false
    /// Whether libmicrohttpd waits for more; the connection is suspended.
    var isSuspended = false
    /// Whether everything was handed over.
    var isRead = false
    var readBytes = 0
  }

  private let connection: OpaquePointer
  private let state = Monitor(State())

  init(_ connection: OpaquePointer) { self.connection = connection }

  /// Adds to the body.
  package func send(_ bytes: [UInt8]) { change { $0.waiting += bytes } }

  /// Adds text to the body.
  package func send(_ text: String) { send(Array(text.utf8)) }

  /// Ends the body.
  package func end() { change { $0.isEnded = true } }

  /// Has the connection closed in the middle of the body, as a sign that it is not complete.
  package func abort() {
    change { state in
      state.isAborted = true
      state.waiting = []
    }
  }

  /// Bytes that wait to be taken.
  var waitingBytes: Int { state.withLock { $0.waiting.count } }

  /// Bytes that were handed over.
  var readBytes: Int { state.withLock { $0.readBytes } }

  var isRead: Bool { state.withLock { $0.isRead } }

  private func change(_ body: (inout State) -> Void) {
    state.withLock { state in
      body(&state)
      if state.isSuspended {
        state.isSuspended = false
        MHD_resume_connection(connection)
      }
    }
  }

  /// Called by libmicrohttpd for more. Where there is none yet, the connection is suspended.
  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    state.withLock { state in
      if state.isAborted { return vl2_mhd_end_with_error }
      if state.waiting.isEmpty {
        if state.isEnded {
          state.isRead = true
          return vl2_mhd_end_of_stream
        }
        state.isSuspended = true
        MHD_suspend_connection(connection)
        return 0
      }
      let count = min(buffer.count, state.waiting.count)
      buffer.copyBytes(from: state.waiting.prefix(count))
      state.waiting.removeFirst(count)
      state.readBytes += count
      return count
    }
  }
}
