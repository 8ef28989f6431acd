import Glibc

/// A lock that threads can wait at until something changes. `Monitor` guards a value with one; this is for states that are
/// let go of and taken up again in the middle of a function.
///
/// It is POSIX's, which ThreadSanitizer sees; it does not know the one of the Synchronization module.
package final class Condition: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  package func lock() { pthread_mutex_lock(mutex) }

  package func unlock() { pthread_mutex_unlock(mutex) }

  /// Lets go of the lock until another thread calls `broadcast`, or for no reason.
  package func wait() { pthread_cond_wait(changed, mutex) }

  /// Wakes all threads that wait.
  package func broadcast() { pthread_cond_broadcast(changed) }

  package func withLock<Result>(_ body: () throws -> Result) rethrows -> Result {
    lock()
    defer { unlock() }
    return try body()
  }
}
