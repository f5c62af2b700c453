// Root keys in files: made so that they are whole and durable or absent, and replaced so that a kill at any moment leaves
// the one that the data needs where it is looked for (docs/formats/vault.md, "Replacing the root key").

import Base
import CShims
import Crypto
import Glibc

enum RootKeyFile {
    /// A key file's name while it may become the key.
    static func next(_ path: String) -> String { path + ".next" }
    /// The name of the one before.
    static func old(_ path: String) -> String { path + ".old" }

    /// False when there is a file of that name already, which then stays.
    static func create(_ path: String, _ key: Secret) throws(VaultError) -> Bool {
        let temporary = "\(path).\(getpid()).\(Hex.encode(SecureRandom.bytes(4)))"
        let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("making", path) }
        defer { unlink(temporary) }
        let written = key.withExposedBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        let synchronised = fchmod(descriptor, 0o600) == 0 && fsync(descriptor) == 0
        let problem = failure("making", path)
        Glibc.close(descriptor)
        guard written == key.count, synchronised else { throw problem }
        // Unlike rename, link never replaces a key that another process has just made.
        let isNew = link(temporary, path) == 0
        guard isNew || errno == EEXIST else { throw failure("making", path) }
        try synchroniseFolder(of: path)
        return isNew
    }

    /// Puts a key beside the one in `path`, to take its place once the data needs it. One that was left there by a try
    /// that came to nothing is replaced.
    static func prepare(_ key: Secret, for path: String) throws(VaultError) {
        guard unlink(next(path)) == 0 || errno == ENOENT else { throw failure("removing", next(path)) }
        guard try create(next(path), key) else {
            throw .rootKey("\(next(path)) was made by another process; is the root key being replaced twice?")
        }
    }

    /// Once the data needs the prepared key: it becomes the key, and the one before is kept as `old`. Also what goes on
    /// where that was broken off. Nothing happens where the prepared key is not the one that `check` tells.
    static func finishReplacement(of path: String, by check: Bytes) throws(VaultError) {
        guard access(next(path), F_OK) == 0 else { return }
        // A server and a command may come here at once; the second one finds nothing to do.
        let folder = try openFolder(of: path)
        defer { Glibc.close(folder) }
        guard flock(folder, LOCK_EX) == 0 else { throw failure("locking the folder of", path) }
        let prepared = Vault.RootKeySource.file(next(path))
        guard let key = try prepared.existingKey(next(path)), constantTimeEquals(Vault.check(of: key), check) else {
            return
        }
        guard unlink(old(path)) == 0 || errno == ENOENT else { throw failure("removing", old(path)) }
        // A link first: at no moment is there no key under `path`.
        guard link(path, old(path)) == 0 || errno == ENOENT else { throw failure("keeping", old(path)) }
        guard rename(next(path), path) == 0 else { throw failure("replacing", path) }
        guard fsync(folder) == 0 else { throw failure("synchronising the folder of", path) }
    }

    private static func failure(_ verb: String, _ path: String) -> VaultError {
        .rootKey("\(SystemError("\(verb) the file \(path)"))")
    }

    private static func synchroniseFolder(of path: String) throws(VaultError) {
        let folder = try openFolder(of: path)
        defer { Glibc.close(folder) }
        guard fsync(folder) == 0 else { throw failure("synchronising the folder of", path) }
    }

    private static func openFolder(of path: String) throws(VaultError) -> Int32 {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("opening the folder of", path) }
        return descriptor
    }
}
