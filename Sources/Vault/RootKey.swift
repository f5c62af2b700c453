// Where the root key comes from: docs/formats/vault.md, "Root key".

import Base
import CShims
import Crypto
import Glibc

extension Vault.RootKeySource {
    static let keyCount = 32

    /// `mayCreate`: there is no data yet that another key could have sealed.
    func rootKey(mayCreate: Bool) throws(VaultError) -> Secret {
        switch self {
        case .file(let path): return try keyFile(path, mayCreate: mayCreate)
        case .environment(let name):
            guard let text = getenv(name) else { throw .rootKey("\(self) is not set") }
            return try parse(Secret(text: String(cString: text)), rawAllowed: false)
        case .systemdCredential(let name):
            guard let folder = getenv("CREDENTIALS_DIRECTORY") else {
                throw .rootKey("\(self): no credentials were handed over (CREDENTIALS_DIRECTORY is not set)")
            }
            guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), name != ".", name != ".." else {
                throw .rootKey("\(self): that is no credential's name")
            }
            // The service manager answers for who may read it; its access list shows as group bits.
            let file = try open("\(String(cString: folder))/\(name)")
            guard let file else { throw .rootKey("\(self) was not handed over") }
            return try parse(try file.content(of: self), rawAllowed: true)
        }
    }

    private func keyFile(_ path: String, mayCreate: Bool) throws(VaultError) -> Secret {
        if let file = try open(path) { return try checked(file, path) }
        guard mayCreate else {
            throw .rootKey(
                "\(self) is missing, but there is data that was sealed with it; restore it from where it is kept safe")
        }
        try create(path)
        // Read back, whoever made it: two processes that start at once must have the same key.
        guard let file = try open(path) else { throw .rootKey("\(self) went away while it was made") }
        return try checked(file, path)
    }

    private func checked(_ file: borrowing KeyFile, _ path: String) throws(VaultError) -> Secret {
        guard file.isRegular else { throw .rootKey("\(self) is not a regular file") }
        guard file.mode & 0o077 == 0 else {
            let mode = String(file.mode & 0o777, radix: 8)
            throw .rootKey("\(self) can be read or written by others (mode \(mode)); run: chmod 600 \(path)")
        }
        guard file.owner == geteuid() || file.owner == 0 else {
            throw .rootKey("\(self) belongs to user \(file.owner), neither to us nor to root")
        }
        return try parse(try file.content(of: self), rawAllowed: true)
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
    private func open(_ path: String) throws(VaultError) -> KeyFile? {
        // Not blocking, for a path that turns out to be a pipe.
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 {
            if errno == ENOENT { return nil }
            throw .rootKey("\(SystemError("\(self)"))")
        }
        return KeyFile(descriptor)
    }

    private func create(_ path: String) throws(VaultError) {
        let temporary = "\(path).\(getpid()).\(Hex.encode(SecureRandom.bytes(4)))"
        let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .rootKey("\(SystemError("making \(self)"))") }
        defer { unlink(temporary) }
        let written = SecureRandom.secret(Self.keyCount).withExposedBytes {
            Glibc.write(descriptor, $0.baseAddress, $0.count)
        }
        let synchronised = fchmod(descriptor, 0o600) == 0 && fsync(descriptor) == 0
        let problem = SystemError("making \(self)")
        Glibc.close(descriptor)
        guard written == Self.keyCount, synchronised else { throw .rootKey("\(problem)") }
        // Unlike rename, link never replaces a key that another process has just made.
        guard link(temporary, path) == 0 || errno == EEXIST else { throw .rootKey("\(SystemError("making \(self)"))") }
        try synchroniseFolder(of: path)
    }

    private func synchroniseFolder(of path: String) throws(VaultError) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if descriptor >= 0 { Glibc.close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw .rootKey("\(SystemError("synchronising the folder of \(self)"))")
        }
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

    /// At most what the longer form needs, and one byte to see that there is more.
    func content(of source: Vault.RootKeySource) throws(VaultError) -> Secret {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 66, alignment: 16)
        defer {
            plexi_zeroise(buffer.baseAddress, UInt(buffer.count))
            buffer.deallocate()
        }
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        guard count >= 0 else { throw .rootKey("\(SystemError("reading \(source)"))") }
        return Secret(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
}
