// CBOR (RFC 8949) as WebAuthn uses it: attestation objects and COSE keys, in CTAP2's canonical form (FIDO CTAP 2.1 §8).
//
// Read are definite lengths in their shortest form, integers that fit, byte and text strings, arrays, maps without
// repeated keys, false, true and null. Refused are indefinite lengths, tags, floats and other simple values: nothing
// that an authenticator sends needs them. The order of map keys is not checked; browsers differ in it.

package import Base

package enum CBORValue: Sendable, Equatable {
    case integer(Int64)
    case bytes(Bytes)
    case text(String)
    case array([CBORValue])
    case map(CBORMap)
    case bool(Bool)
    case null

    package var integerValue: Int64? { if case .integer(let value) = self { value } else { nil } }
    package var bytesValue: Bytes? { if case .bytes(let value) = self { value } else { nil } }
    package var textValue: String? { if case .text(let value) = self { value } else { nil } }
    package var arrayValue: [CBORValue]? { if case .array(let value) = self { value } else { nil } }
    package var mapValue: CBORMap? { if case .map(let value) = self { value } else { nil } }

    /// The entry of a map; `nil` too when this is no map.
    package subscript(_ key: String) -> CBORValue? { mapValue?[.text(key)] }
    package subscript(_ key: Int64) -> CBORValue? { mapValue?[.integer(key)] }
}

/// The entries in the order in which they came; searched from the front, since COSE keys have five.
package struct CBORMap: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package let key: CBORValue
        package let value: CBORValue
    }

    package fileprivate(set) var entries: [Entry] = []

    package var count: Int { entries.count }
    package subscript(_ key: CBORValue) -> CBORValue? { entries.first { $0.key == key }?.value }
}

package enum CBORError: Error, Equatable {
    case truncated
    /// A tag, float, simple value or indefinite length.
    case unsupported
    /// An integer or length that would fit in fewer bytes.
    case notShortest
    case integerTooLarge
    case notUTF8
    case repeatedKey
    case tooDeep
    case tooManyValues
    case trailingBytes
}

package struct CBORLimits: Sendable {
    /// Arrays and maps within each other. An attestation object needs 3.
    package var depth = 8
    /// All values together, keys included. A certificate chain needs about 20. Keys of one map are compared with each
    /// other, so this also bounds the work.
    package var values = 512

    package init() {}

    package init(depth: Int, values: Int) {
        self.depth = depth
        self.values = values
    }
}

extension CBORValue {
    /// Exactly one value.
    package init(parsing bytes: Bytes, limits: CBORLimits = .init()) throws(CBORError) {
        var reader = CBORReader(bytes, limits: limits)
        self = try reader.next()
        guard reader.isAtEnd else { throw .trailingBytes }
    }
}

/// Reads values one after the other: a COSE key in authenticator data is followed by extensions, and only reading it
/// tells where it ends.
package struct CBORReader {
    private let bytes: Bytes
    private let depthLimit: Int
    private var valuesLeft: Int
    /// The first byte that was not read.
    package private(set) var offset: Int

    package init(_ bytes: Bytes, from offset: Int = 0, limits: CBORLimits = .init()) {
        self.bytes = bytes
        self.offset = max(offset, 0)
        depthLimit = limits.depth
        valuesLeft = limits.values
    }

    package var isAtEnd: Bool { offset >= bytes.count }

    package mutating func next() throws(CBORError) -> CBORValue { try value(depthLimit) }

    private mutating func value(_ depthLeft: Int) throws(CBORError) -> CBORValue {
        guard valuesLeft > 0 else { throw .tooManyValues }
        valuesLeft -= 1
        let initial = try byte()
        let argument = try argument(initial & 31, isSimple: initial >> 5 == 7)
        switch initial >> 5 {
        case 0: return .integer(try integer(argument))
        case 1: return .integer(-1 - (try integer(argument)))
        case 2: return .bytes(try string(argument))
        case 3:
            guard let text = String(validating: try string(argument), as: UTF8.self) else { throw .notUTF8 }
            return .text(text)
        case 4: return .array(try array(argument, depthLeft))
        case 5: return .map(try map(argument, depthLeft))
        case 7: return try simple(argument)
        default: throw .unsupported
        }
    }

    /// What the low five bits of the first byte stand for (§3).
    private mutating func argument(_ information: UInt8, isSimple: Bool) throws(CBORError) -> UInt64 {
        switch information {
        case 0..<24: return UInt64(information)
        case _ where isSimple: throw .unsupported
        case 24: return try bigEndian(count: 1, atLeast: 24)
        case 25: return try bigEndian(count: 2, atLeast: 1 << 8)
        case 26: return try bigEndian(count: 4, atLeast: 1 << 16)
        case 27: return try bigEndian(count: 8, atLeast: 1 << 32)
        default: throw .unsupported
        }
    }

    private mutating func bigEndian(count: Int, atLeast smallest: UInt64) throws(CBORError) -> UInt64 {
        var value: UInt64 = 0
        for _ in 0..<count { value = value << 8 | UInt64(try byte()) }
        guard value >= smallest else { throw .notShortest }
        return value
    }

    private func integer(_ argument: UInt64) throws(CBORError) -> Int64 {
        guard let value = Int64(exactly: argument) else { throw .integerTooLarge }
        return value
    }

    private mutating func string(_ argument: UInt64) throws(CBORError) -> Bytes {
        let count = try count(argument, bytesEach: 1)
        defer { offset += count }
        return Bytes(bytes[offset..<offset + count])
    }

    private mutating func array(_ argument: UInt64, _ depthLeft: Int) throws(CBORError) -> [CBORValue] {
        guard depthLeft > 0 else { throw .tooDeep }
        var elements: [CBORValue] = []
        for _ in 0..<(try count(argument, bytesEach: 1)) { elements.append(try value(depthLeft - 1)) }
        return elements
    }

    private mutating func map(_ argument: UInt64, _ depthLeft: Int) throws(CBORError) -> CBORMap {
        guard depthLeft > 0 else { throw .tooDeep }
        var map = CBORMap()
        for _ in 0..<(try count(argument, bytesEach: 2)) {
            let key = try value(depthLeft - 1)
            guard map[key] == nil else { throw .repeatedKey }
            map.entries.append(.init(key: key, value: try value(depthLeft - 1)))
        }
        return map
    }

    private func simple(_ argument: UInt64) throws(CBORError) -> CBORValue {
        switch argument {
        case 20: .bool(false)
        case 21: .bool(true)
        case 22: .null
        default: throw .unsupported
        }
    }

    /// A length that the rest of the input can hold, so that nothing is allocated for bytes that never come.
    private func count(_ argument: UInt64, bytesEach: Int) throws(CBORError) -> Int {
        guard let count = Int(exactly: argument), count <= (bytes.count - offset) / bytesEach else { throw .truncated }
        return count
    }

    private mutating func byte() throws(CBORError) -> UInt8 {
        guard offset < bytes.count else { throw .truncated }
        defer { offset += 1 }
        return bytes[offset]
    }
}
