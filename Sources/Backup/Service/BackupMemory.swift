// The newest record that this machine has seen of a repository, so that an older state of it is noticed.

import Base
import Glibc

package struct BackupMemory: Sendable {
    private static let bytesMax = 128

    private let folder: String
    private let file: String

    package init(_ folder: String, _ repository: Repository) {
        self.folder = folder
        file = "\(folder)/\(repository.id).seen"
    }

    package var witness: RepositoryWitness? {
        let descriptor = Glibc.open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = Bytes(repeating: 0, count: Self.bytesMax)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        let words = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let sequence = UInt64(words[0]) else { return nil }
        return RepositoryWitness(sequence: sequence, hash: String(words[1]))
    }

    /// On a machine without the data folder nothing is remembered.
    package func keep(_ witness: RepositoryWitness) {
        mkdir(folder, 0o700)
        let new = file + ".new"
        let descriptor = Glibc.open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        let text = Bytes("\(witness.sequence) \(witness.hash)\n".utf8)
        let count = text.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        let isDurable = fsync(descriptor) == 0
        close(descriptor)
        if count == text.count, isDurable { rename(new, file) } else { unlink(new) }
    }
}
