// A part of the root key on paper: docs/formats/vault.md, "Recovery shares".

package import Base
import CShims
import Crypto

package struct RecoveryShare: Sendable {
    /// More hands than that nobody brings together.
    package static let countMax = 32
    /// One share alone would be the key itself.
    package static let neededMin = 2

    private static let format: UInt8 = 1
    private static let prefix = "plexishare"
    private static let setCount = 4
    private static let headCount = 1 + setCount + 2

    /// Tells the shares that were made together from others.
    package let set: Bytes
    package let needed: Int
    package let number: Int
    let value: Secret

    /// In capitals, as Bech32 wants what is read aloud or scanned.
    package var text: Secret {
        let head = [Self.format] + set + [UInt8(needed), UInt8(number)]
        var bytes = value.withExposedBytes { head + Bytes($0) }
        var letters = bytes.withUnsafeBytes { Bech32.encode(Self.prefix, $0) }
        defer {
            Self.wipe(&bytes)
            Self.wipe(&letters)
        }
        for index in letters.indices where (0x61...0x7A).contains(letters[index]) { letters[index] &= ~0x20 }
        return Secret(letters)
    }

    private static func wipe(_ bytes: inout Bytes) {
        bytes.withUnsafeMutableBytes { plexi_zeroise($0.baseAddress, UInt($0.count)) }
    }

    /// White space and dashes are let pass: people put them in.
    package init(parsing text: Secret) throws(VaultError) {
        var plain = text.withExposedBytes { $0.filter { $0 > 0x20 && $0 != 0x2D } }
        defer { Self.wipe(&plain) }
        guard let (prefix, data) = plain.withUnsafeBytes({ Bech32.decode($0) }), prefix == Self.prefix else {
            throw .rootKey("this is no recovery share, or has a typing error: a share begins with PLEXISHARE1")
        }
        guard data.count == Self.headCount + Vault.RootKeySource.keyCount,
            data.withExposedBytes({ $0[0] }) == Self.format
        else { throw .rootKey("this recovery share was made by a newer version") }
        let head = data.withExposedBytes { Bytes($0.prefix(Self.headCount)) }
        (needed, number) = (Int(head[5]), Int(head[6]))
        set = Bytes(head[1..<5])
        value = data.withExposedBytes { Secret($0.dropFirst(Self.headCount)) }
        guard (Self.neededMin...Self.countMax).contains(needed), (1...Self.countMax).contains(number) else {
            throw .rootKey("this recovery share counts wrong: share \(number), \(needed) needed")
        }
    }

    private init(set: Bytes, needed: Int, number: Int, value: Secret) {
        self.set = set
        self.needed = needed
        self.number = number
        self.value = value
    }

    static func split(_ root: Secret, needed: Int, of count: Int) throws(VaultError) -> [RecoveryShare] {
        guard (neededMin...countMax).contains(needed), (needed...countMax).contains(count) else {
            throw .rootKey(
                "at least \(neededMin) shares must be needed, of at most \(countMax): not \(needed) of \(count)")
        }
        let set = SecureRandom.bytes(setCount)
        return Shamir.split(root, needed: needed, of: count).map {
            RecoveryShare(set: set, needed: needed, number: Int($0.x), value: $0.y)
        }
    }

    /// The root key. That it is the right one shows only when it is compared with the data.
    static func combine(_ shares: [RecoveryShare]) throws(VaultError) -> Secret {
        guard let first = shares.first else { throw .rootKey("no recovery share was given") }
        guard shares.allSatisfy({ $0.set == first.set && $0.needed == first.needed }) else {
            throw .rootKey("these recovery shares were not made together; bring those of one set")
        }
        var byNumber: [Int: RecoveryShare] = [:]
        for share in shares { byNumber[share.number] = share }
        guard byNumber.count >= first.needed else {
            throw .rootKey("\(first.needed) different recovery shares are needed, and \(byNumber.count) are here")
        }
        let used = byNumber.values.sorted { $0.number < $1.number }.prefix(first.needed)
        let root = Shamir.combine(used.map { Shamir.Share(x: UInt8($0.number), y: $0.value) })
        // One that was forged, or belongs to another key, shows where there are more than needed.
        for other in byNumber.values where !used.contains(where: { $0.number == other.number }) {
            let again = Array(used.dropFirst()) + [other]
            let same = Shamir.combine(again.map { Shamir.Share(x: UInt8($0.number), y: $0.value) })
            guard constantTimeEquals(Vault.check(of: same), Vault.check(of: root)) else {
                throw .rootKey("recovery share \(other.number) does not fit the others")
            }
        }
        return root
    }
}

extension Vault {
    /// Shares of the root key, any `needed` of which bring it back.
    package func recoveryShares(needed: Int, of count: Int) throws(VaultError) -> [RecoveryShare] {
        try withRootKey { root throws(VaultError) in try RecoveryShare.split(root, needed: needed, of: count) }
    }

    /// Writes the root key that the shares make into a new file, once it is known to be the one that the data needs.
    package static func recover(
        _ shares: [RecoveryShare], record: RootRecord, to path: String
    ) throws(VaultError) -> Vault {
        let root = try RecoveryShare.combine(shares)
        let vault = try open(root, from: .file(path), record: record)
        guard try RootKeyFile.create(path, root) else {
            throw .rootKey("\(path) is there already; move it away first")
        }
        return vault
    }
}
