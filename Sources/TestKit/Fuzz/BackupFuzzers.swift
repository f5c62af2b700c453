// The fuzzers of what a backup repository is read from: records, indexes, catalogues, locks, copies of
// keys, packs, pieces.

import Backup
import Base

extension Fuzzers {
    package static let backup = [
        Fuzzer("backup-record") { fuzzForm(.record, $0) }, Fuzzer("backup-index") { fuzzForm(.index, $0) },
        Fuzzer("backup-catalogue") { fuzzForm(.catalogue, $0) }, Fuzzer("backup-lock") { fuzzForm(.lock, $0) },
        Fuzzer("backup-keys") { fuzzForm(.keys, $0) }, Fuzzer("backup-pack", fuzzPack),
        Fuzzer("backup-piece", fuzzPiece),
    ]
}

/// What is read is written as it was.
private func fuzzForm(_ form: BackupForms.Form, _ bytes: Bytes) {
    guard let written = BackupForms.rewritten(form, bytes) else { return }
    promise(written == bytes, "a \(form) is written as it was read")
}

/// The corpus is keyed with 32 bytes of 1. However a pack lies, no block is longer than one may be.
private func fuzzPack(_ bytes: Bytes) {
    guard let lengths = BackupForms.blockLengths(ofPack: bytes, key: Secret(Bytes(repeating: 1, count: 32))) else {
        return
    }
    promise(lengths.allSatisfy { (1...BackupLimits.block).contains($0) }, "a block is as long as one may be")
}

private func fuzzPiece(_ bytes: Bytes) {
    let id = String(repeating: "0a", count: 32)
    if let length = BackupForms.shareLength(ofPiece: bytes, named: "packs/0a/\(id).0-2-1") {
        promise(length < bytes.count, "a share is shorter than its piece")
    }
}
