#!/usr/bin/env bash
# Run the tests of the engine, of the threads that compute, of the one that reads and of the server, all instrumented by
# ThreadSanitizer, which finds memory that two threads use without being in step. Nothing is suppressed.
# Usage: test-threads.sh [REGEX]      other tests than these
set -euo pipefail
cd "$(dirname "$0")/.."

filter=${1:-ServeTests|RunTests.*(EngineTests|SessionTests|KeepingTests|ReadQueueTests|WorkerPoolTests|ExpertStoreTests/same)}
swift build -c release --build-tests --sanitize=thread --scratch-path .build-threads
TSAN_OPTIONS="halt_on_error=0 exitcode=66 ${TSAN_OPTIONS:-}" \
  swift test -c release --skip-build --disable-xctest --sanitize=thread --scratch-path .build-threads --filter "$filter"
