// What is stored as bytes within a column.

import Base
import Store

/// For each role that has a rule: its number, then what is allowed and what is denied, four bytes each, high byte first.
enum RoleRulesCodec {
    private static let entry = 9

    static func encode(_ rules: RoleRules) -> Bytes? {
        guard !rules.isEmpty else { return nil }
        var bytes = Bytes()
        for role in MemberRole.allCases where !rules[role].isEmpty {
            bytes.append(UInt8(truncatingIfNeeded: role.rawValue))
            append(rules[role].allow.rawValue, to: &bytes)
            append(rules[role].deny.rawValue, to: &bytes)
        }
        return bytes
    }

    static func decode(_ bytes: Bytes) throws(StoreError) -> RoleRules {
        guard bytes.count.isMultiple(of: entry) else { throw .corrupt("conversations: rules of a strange length") }
        var rules = RoleRules()
        for start in stride(from: 0, to: bytes.count, by: entry) {
            guard let role = MemberRole(rawValue: Int64(bytes[start])) else {
                throw .corrupt("conversations: a rule for a role that this version does not know")
            }
            rules[role] = PermissionRule(
                allow: Abilities(rawValue: word(bytes, start + 1)), deny: Abilities(rawValue: word(bytes, start + 5)))
        }
        return rules
    }

    private static func append(_ word: UInt32, to bytes: inout Bytes) {
        for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }

    private static func word(_ bytes: Bytes, _ start: Int) -> UInt32 {
        bytes[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}

/// For each device: user, device, then the key, its algorithm and nonce, each behind its length in four bytes. All of
/// a message's boxes are always read together, so they are one value and not a table.
enum DeviceKeyCodec {
    static func encode(_ keys: [DeviceKeyBox]) -> Bytes {
        var bytes = Bytes()
        for key in keys {
            bytes += key.user.bytes
            bytes += key.device.bytes
            for text in [key.encryptedKey, key.algorithm, key.nonce] {
                let count = UInt32(clamping: text.utf8.count)
                for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
                bytes += text.utf8
            }
        }
        return bytes
    }

    static func decode(_ bytes: Bytes) throws(StoreError) -> [DeviceKeyBox] {
        var keys: [DeviceKeyBox] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let user = UUID(Bytes(rest.prefix(16))), let device = UUID(Bytes(rest.dropFirst(16).prefix(16)))
            else { throw damaged }
            rest = rest.dropFirst(32)
            var texts: [String] = []
            for _ in 0..<3 { texts.append(try text(&rest)) }
            keys.append(
                DeviceKeyBox(
                    user: UserID(user), device: ClientDeviceID(device), encryptedKey: texts[0], algorithm: texts[1],
                    nonce: texts[2]))
        }
        return keys
    }

    private static let damaged = StoreError.corrupt("messages: device keys of a strange length")

    private static func text(_ rest: inout Bytes.SubSequence) throws(StoreError) -> String {
        guard rest.count >= 4 else { throw damaged }
        let count = Int(rest.prefix(4).reduce(0 as UInt32) { $0 << 8 | UInt32($1) })
        rest = rest.dropFirst(4)
        guard rest.count >= count else { throw damaged }
        defer { rest = rest.dropFirst(count) }
        return String(decoding: rest.prefix(count), as: UTF8.self)
    }
}

enum IdentifierListCodec {
    static func encode<Kind>(_ list: [Identifier<Kind>]) -> Bytes? {
        list.isEmpty ? nil : list.flatMap(\.bytes)
    }

    static func decode<Kind>(_ bytes: Bytes, _ kind: Kind.Type = Kind.self) throws(StoreError) -> [Identifier<Kind>] {
        guard bytes.count.isMultiple(of: 16) else { throw .corrupt("a list of identifiers of a strange length") }
        return stride(from: 0, to: bytes.count, by: 16).compactMap { start in
            UUID(Bytes(bytes[start..<start + 16])).map { Identifier<Kind>($0) }
        }
    }
}
