// Where the root key comes from: docs/formats/vault.md, "Root key".

import Base
import CShims
import Crypto
import Glibc

extension Vault.RootKeySource {
    static let keyCount = 32

    /// The key, and how it comes from a passphrase if it does. `record`: of the data; where there is none, no key can
    /// have sealed any, and one may be made.
    func rootKey(for record: RootRecord?) throws(VaultError) -> (key: Secret, passphrase: String?) {
        if case .passphrase(let source) = self {
            if record != nil, record?.passphrase == nil {
                throw .rootKey(
                    "this data's root key does not come from a passphrase; see `plexichat vault rekey-root --help`")
            }
            return try PassphraseKey.derive(from: try source.passphrase(), record?.passphrase)
        }
        if case .file(let path) = self, let record {
            try RootKeyFile.finishReplacement(of: path, by: record.check)
        }
        return (try plainKey(mayCreate: record == nil), nil)
    }

    private func plainKey(mayCreate: Bool) throws(VaultError) -> Secret {
        switch self {
        case .file(let path): try keyFile(path, mayCreate: mayCreate)
        case .environment, .systemdCredential:
            try parse(try content(most: Self.contentMax), rawAllowed: !isVariable)
        case .passphrase: throw .rootKey("a passphrase cannot come from a passphrase")
        }
    }

    private var isVariable: Bool { if case .environment = self { true } else { false } }

    /// At most what the longer form of a key needs, and one byte to see that there is more.
    private static let contentMax = 66

    /// A line of text.
    private func passphrase() throws(VaultError) -> Secret {
        let content: Secret
        switch self {
        case .file(let path):
            guard let file = try Self.open(path, self) else { throw .rootKey("\(self) is missing") }
            content = try Self.privateContent(file, path, self, most: PassphraseKey.bytes.upperBound + 2)
        case .environment, .systemdCredential: content = try self.content(most: PassphraseKey.bytes.upperBound + 2)
        case .passphrase: throw .rootKey("a passphrase cannot come from a passphrase")
        }
        let line = content.withExposedBytes { bytes in Secret(bytes.prefix { $0 != 0x0A && $0 != 0x0D }) }
        guard PassphraseKey.bytes.contains(line.count) else {
            throw .rootKey(
                "\(self) holds a passphrase of \(line.count) bytes; it must have \(PassphraseKey.bytes.lowerBound) to "
                    + "\(PassphraseKey.bytes.upperBound)")
        }
        return line
    }

    private func content(most: Int) throws(VaultError) -> Secret {
        switch self {
        case .environment(let name):
            guard let text = getenv(name) else { throw .rootKey("\(self) is not set") }
            return Secret(text: String(cString: text))
        case .systemdCredential(let name):
            guard let folder = getenv("CREDENTIALS_DIRECTORY") else {
                throw .rootKey("\(self): no credentials were handed over (CREDENTIALS_DIRECTORY is not set)")
            }
            guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), name != ".", name != ".." else {
                throw .rootKey("\(self): that is no credential's name")
            }
            // The service manager answers for who may read it; its access list shows as group bits.
            let file = try Self.open("\(String(cString: folder))/\(name)", self)
            guard let file else { throw .rootKey("\(self) was not handed over") }
            return try file.content(of: self, most: most)
        case .file, .passphrase: throw .rootKey("\(self) is not read like this")
        }
    }

    private func keyFile(_ path: String, mayCreate: Bool) throws(VaultError) -> Secret {
        if let key = try existingKey(path) { return key }
        guard mayCreate else {
            throw .rootKey(
                "\(self) is missing, but there is data that was sealed with it; restore it from where it is kept safe")
        }
        _ = try RootKeyFile.create(path, SecureRandom.secret(Self.keyCount))
        // Read back, whoever made it: two processes that start at once must have the same key.
        guard let key = try existingKey(path) else { throw .rootKey("\(self) went away while it was made") }
        return key
    }

    /// `nil` when there is no such file.
    func existingKey(_ path: String) throws(VaultError) -> Secret? {
        guard let file = try Self.open(path, self) else { return nil }
        return try parse(try Self.privateContent(file, path, self, most: Self.contentMax), rawAllowed: true)
    }

    private static func privateContent(
        _ file: borrowing KeyFile, _ path: String, _ source: Self, most: Int
    ) throws(VaultError) -> Secret {
        guard file.isRegular else { throw .rootKey("\(source) is not a regular file") }
        guard file.mode & 0o077 == 0 else {
            let mode = String(file.mode & 0o777, radix: 8)
            throw .rootKey("\(source) can be read or written by others (mode \(mode)); run: chmod 600 \(path)")
        }
        guard file.owner == geteuid() || file.owner == 0 else {
            throw .rootKey("\(source) belongs to user \(file.owner), neither to us nor to root")
        }
        return try file.content(of: source, most: most)
    }

    /// 32 raw bytes, or 64 hexadecimal digits and an optional newline.
    private func parse(_ content: Secret, rawAllowed: Bool) throws(VaultError) -> Secret {
        let key = rawAllowed && content.count == Self.keyCount ? content : hexadecimal(content)
        guard let key, key.count == Self.keyCount else {
            let forms = rawAllowed ? "32 bytes or 64 hexadecimal digits" : "64 hexadecimal digits"
            throw .rootKey("\(self) does not hold a root key: \(forms) are wanted (openssl rand -hex 32)")
        }
        let isPlaceholder = key.withExposedBytes { bytes in bytes.allSatisfy { $0 == bytes[0] } }
        guard !isPlaceholder else { throw .rootKey("\(self) holds the same byte 32 times: that is no key") }
        return key
    }

    private func hexadecimal(_ content: Secret) -> Secret? {
        content.withExposedBytes { bytes in
            let digits = bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...]
            return Hex.decode(String(decoding: digits, as: UTF8.self)).map { Secret($0) }
        }
    }

    /// `nil` when there is no such file.
    private static func open(_ path: String, _ source: Self) throws(VaultError) -> KeyFile? {
        // Not blocking, for a path that turns out to be a pipe.
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 {
            if errno == ENOENT { return nil }
            throw .rootKey("\(SystemError("\(source)"))")
        }
        return KeyFile(descriptor)
    }
}

/// An open key file, and what it was like when it was opened.
private struct KeyFile: ~Copyable {
    private let descriptor: Int32
    private var status = stat()

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        fstat(descriptor, &status)
    }

    deinit { Glibc.close(descriptor) }

    var isRegular: Bool { status.st_mode & S_IFMT == S_IFREG }
    var mode: UInt32 { status.st_mode }
    var owner: UInt32 { status.st_uid }

    func content(of source: Vault.RootKeySource, most: Int) throws(VaultError) -> Secret {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: most, alignment: 16)
        defer {
            plexi_zeroise(buffer.baseAddress, UInt(buffer.count))
            buffer.deallocate()
        }
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        guard count >= 0 else { throw .rootKey("\(SystemError("reading \(source)"))") }
        return Secret(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
}
