// Values to and from PostgreSQL's binary formats. Parameters carry their type, so that the server need not guess it.

import Base
import CPQ

enum PostgreSQLType {
    static let boolean: UInt32 = 16
    static let bytes: UInt32 = 17
    static let integer8: UInt32 = 20
    static let integer2: UInt32 = 21
    static let integer4: UInt32 = 23
    static let text: UInt32 = 25
    static let objectIdentifier: UInt32 = 26
    static let real4: UInt32 = 700
    static let real8: UInt32 = 701
    static let numeric: UInt32 = 1700
    static let void: UInt32 = 2278
    /// Name, JSON, unknown, padded and variable characters: their binary form is their text.
    static let asText: Set<UInt32> = [text, 18, 19, 114, 705, 1042, 1043]
}

/// A statement ready to be sent: all parameters in one piece of memory.
struct PostgreSQLParameters {
    private(set) var types: [UInt32] = []
    private var bytes = Bytes()
    private var ranges: [Range<Int>?] = []

    /// The protocol counts them in 16 bits.
    private static let limit = 65_535

    init(_ values: [SQLValue]) throws(StoreError) {
        guard values.count <= Self.limit else { throw .misuse("the statement has too many parameters") }
        for value in values {
            try value.requirePortable()
            append(value)
        }
    }

    var count: Int { types.count }

    private mutating func append(_ value: SQLValue) {
        let start = bytes.count
        switch value {
        case .null:
            // Type 0: the server takes it from the place where the parameter stands.
            types.append(0)
            ranges.append(nil)
            return
        case .integer(let number):
            types.append(PostgreSQLType.integer8)
            append(UInt64(bitPattern: number))
        case .real(let number):
            types.append(PostgreSQLType.real8)
            append(number.bitPattern)
        case .text(let text):
            types.append(PostgreSQLType.text)
            bytes += Array(text.utf8)
        case .blob(let blob):
            types.append(PostgreSQLType.bytes)
            bytes += blob
        }
        ranges.append(start..<bytes.count)
    }

    private mutating func append(_ word: UInt64) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: word >> shift))
        }
    }

    /// Calls `body` with what libpq wants: pointers, lengths and formats, all binary.
    func withPointers<Value>(
        _ body: (_ values: [UnsafePointer<CChar>?], _ lengths: [Int32], _ formats: [Int32]) -> Value
    ) -> Value {
        bytes.withUnsafeBytes { buffer in
            // A pointer is wanted for an empty value, too: nil would be NULL.
            let empty = UnsafeRawPointer(bitPattern: 1)
            let values = ranges.map { range in
                range.flatMap { (buffer.baseAddress ?? empty)?.advanced(by: $0.lowerBound) }?
                    .assumingMemoryBound(to: CChar.self)
            }
            return body(
                values, ranges.map { Int32(clamping: $0?.count ?? 0) }, Array(repeating: 1, count: ranges.count))
        }
    }
}

enum PostgreSQLStatement {
    /// `?` becomes `$1`, `$2`, …; what stands in quotes stays.
    static func numbered(_ sql: String) -> String {
        var text = ""
        var count = 0
        var scanner = SQLScanner(sql)
        while let piece = scanner.next() {
            switch piece {
            case .placeholder:
                count += 1
                text += "$\(count)"
            case .word(let part), .other(let part): text += part
            }
        }
        return text
    }
}

enum PostgreSQLResult {
    static func rows(_ result: OpaquePointer) throws(PostgreSQLFailure) -> [Row] {
        let columns = PQnfields(result)
        let types = (0..<columns).map { PQftype(result, $0) }
        var rows: [Row] = []
        rows.reserveCapacity(Int(PQntuples(result)))
        for index in 0..<PQntuples(result) {
            var values: [SQLValue] = []
            values.reserveCapacity(types.count)
            for column in 0..<columns {
                values.append(try value(result, index, column, types[Int(column)]))
            }
            rows.append(Row(values))
        }
        return rows
    }

    /// Rows that an INSERT, UPDATE or DELETE changed; 0 for anything else.
    static func changes(_ result: OpaquePointer) -> Int {
        let tag = String(cString: PQcmdStatus(result))
        guard tag.hasPrefix("INSERT") || tag.hasPrefix("UPDATE") || tag.hasPrefix("DELETE") else { return 0 }
        return Int(String(cString: PQcmdTuples(result))) ?? 0
    }

    private static func value(
        _ result: OpaquePointer, _ row: Int32, _ column: Int32, _ type: UInt32
    ) throws(PostgreSQLFailure) -> SQLValue {
        guard PQgetisnull(result, row, column) == 0 else { return .null }
        let field = UnsafeRawBufferPointer(
            start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
        guard let value = decode(field, type) else {
            throw .misuse("column \(column) has a type that is not in the common subset (number \(type))")
        }
        return value
    }

    static func decode(_ field: UnsafeRawBufferPointer, _ type: UInt32) -> SQLValue? {
        switch type {
        case PostgreSQLType.integer8, PostgreSQLType.integer4, PostgreSQLType.integer2:
            return .integer(signed(field))
        case PostgreSQLType.boolean, PostgreSQLType.objectIdentifier:
            return .integer(Int64(truncatingIfNeeded: unsigned(field)))
        case PostgreSQLType.real8: return .real(Double(bitPattern: unsigned(field)))
        case PostgreSQLType.real4: return .real(Double(Float(bitPattern: UInt32(truncatingIfNeeded: unsigned(field)))))
        case PostgreSQLType.bytes: return .blob(Bytes(field))
        case PostgreSQLType.numeric: return numeric(field)
        case PostgreSQLType.void: return .null
        case _ where PostgreSQLType.asText.contains(type): return .text(String(decoding: field, as: UTF8.self))
        default: return nil
        }
    }

    private static func unsigned(_ field: UnsafeRawBufferPointer) -> UInt64 {
        field.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func signed(_ field: UnsafeRawBufferPointer) -> Int64 {
        let unused = UInt64(max(0, 8 - field.count) * 8)
        return Int64(bitPattern: unsigned(field) << unused) >> Int64(unused)
    }

    /// SUM and AVG of BIGINT are NUMERIC: digits to the base of 10,000, the first of which counts 10,000^weight. A
    /// whole number without decimal places is an integer, as SQLite has it, and anything else a real.
    private static func numeric(_ field: UnsafeRawBufferPointer) -> SQLValue? {
        guard field.count >= 8, field.count % 2 == 0 else { return nil }
        let words = stride(from: 0, to: field.count, by: 2).map { UInt16(field[$0]) << 8 | UInt16(field[$0 + 1]) }
        let (weight, sign, places) = (Int(Int16(bitPattern: words[1])), words[2], words[3])
        guard sign == 0 || sign == 0x4000 else { return nil }  // not a number, infinite
        let digits = words[4...]
        if places == 0, let whole = wholeNumber(digits, weight, isNegative: sign != 0) { return .integer(whole) }
        var value = 0.0
        for digit in digits { value = value * 10_000 + Double(digit) }
        for _ in 0..<max(0, weight - digits.count + 1) { value *= 10_000 }
        for _ in 0..<max(0, digits.count - 1 - weight) { value /= 10_000 }
        return .real(sign == 0 ? value : -value)
    }

    private static func wholeNumber(_ digits: ArraySlice<UInt16>, _ weight: Int, isNegative: Bool) -> Int64? {
        var value: Int64 = 0
        guard weight < 5 else { return nil }
        for position in 0..<max(0, weight + 1) {
            let digit = position < digits.count ? Int64(digits[digits.startIndex + position]) : 0
            let (product, overflow) = value.multipliedReportingOverflow(by: 10_000)
            let (sum, more) =
                isNegative
                ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
            guard !overflow, !more else { return nil }
            value = sum
        }
        return value
    }
}
