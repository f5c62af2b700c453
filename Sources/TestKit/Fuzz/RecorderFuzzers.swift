// The fuzzers of what a recording is read from: entries, manifests.

import Base
import Recorder

extension Fuzzers {
    package static let recorder = [
        Fuzzer("journal-entries", fuzzJournalEntries), Fuzzer("journal-manifest", fuzzJournalManifest),
    ]
}

/// What is read is written as it was, whatever stands behind what.
private func fuzzJournalEntries(_ bytes: Bytes) {
    guard let written = JournalForms.rewritten(entries: bytes) else { return }
    promise(written == bytes, "entries are written as they were read")
}

private func fuzzJournalManifest(_ bytes: Bytes) {
    guard let written = JournalForms.rewritten(manifest: bytes) else { return }
    promise(written == bytes, "a manifest is written as it was read")
}
