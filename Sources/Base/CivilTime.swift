// Dates as text: RFC 3339 for JSON and storage, IMF-fixdate (RFC 9110 §5.6.7) for HTTP headers.
//
// The calendar arithmetic is the well-known days-from-civil method: eras of 400 years that begin on 1 March, so that
// the leap day is the last of its year.

package struct CivilTime: Hashable, Sendable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var microsecond: Int

    package init(_ time: Timestamp) {
        let seconds = time.secondsSinceEpoch
        let days = seconds.flooredDivision(by: 86_400)
        let inDay = Int(seconds - days * 86_400)
        microsecond = Int(time.microsecondsSinceEpoch - seconds * 1_000_000)
        hour = inDay / 3_600
        minute = inDay / 60 % 60
        second = inDay % 60

        let shifted = days + 719_468
        let era = shifted.flooredDivision(by: 146_097)
        let dayOfEra = Int(shifted - era * 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + Int(era) * 400 + (month <= 2 ? 1 : 0)
    }

    /// Sunday is 0.
    package static func weekday(_ time: Timestamp) -> Int {
        let days = time.secondsSinceEpoch.flooredDivision(by: 86_400)
        return Int((days % 7 + 11) % 7)
    }

    package static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int64 {
        let shiftedYear = Int64(month <= 2 ? year - 1 : year)
        let era = shiftedYear.flooredDivision(by: 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    package static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Timestamp {
    /// `2025-01-15T10:30:00Z`; with a fraction of six digits only where there is one.
    package var rfc3339: String {
        let time = CivilTime(self)
        var text = Bytes()
        text.reserveCapacity(27)
        text.appendDecimal(time.year, width: 4)
        text.append(UInt8(ascii: "-"))
        text.appendDecimal(time.month, width: 2)
        text.append(UInt8(ascii: "-"))
        text.appendDecimal(time.day, width: 2)
        text.append(UInt8(ascii: "T"))
        text.appendClock(time)
        if time.microsecond != 0 {
            text.append(UInt8(ascii: "."))
            text.appendDecimal(time.microsecond, width: 6)
        }
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    package var imfFixdate: String {
        let time = CivilTime(self)
        var text = Bytes()
        text.reserveCapacity(29)
        text += Array(weekdayNames[CivilTime.weekday(self)].utf8)
        text += Array(", ".utf8)
        text.appendDecimal(time.day, width: 2)
        text.append(UInt8(ascii: " "))
        text += Array(monthNames[time.month - 1].utf8)
        text.append(UInt8(ascii: " "))
        text.appendDecimal(time.year, width: 4)
        text.append(UInt8(ascii: " "))
        text.appendClock(time)
        text += Array(" GMT".utf8)
        return String(decoding: text, as: UTF8.self)
    }

    /// RFC 3339 with any offset and up to nine digits of fraction (truncated to microseconds). A leap second counts
    /// as the first second of the next minute.
    package init?(rfc3339 text: some StringProtocol) {
        var scanner = DigitScanner(text.utf8)
        guard let year = scanner.number(digits: 4), scanner.skip("-"),
            let month = scanner.number(digits: 2), (1...12).contains(month), scanner.skip("-"),
            let day = scanner.number(digits: 2), (1...CivilTime.days(inMonth: month, of: year)).contains(day),
            scanner.skip("T") || scanner.skip("t") || scanner.skip(" "),
            let time = scanner.clock()
        else { return nil }
        var microseconds = 0
        if scanner.skip(".") {
            guard let fraction = scanner.fraction() else { return nil }
            microseconds = fraction
        }
        var offset = 0
        if !(scanner.skip("Z") || scanner.skip("z")) {
            let negative = scanner.skip("-")
            guard negative || scanner.skip("+"), let hours = scanner.number(digits: 2), hours < 24,
                scanner.skip(":"), let minutes = scanner.number(digits: 2), minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * (negative ? -60 : 60)
        }
        guard scanner.isAtEnd else { return nil }
        let days = CivilTime.daysSinceEpoch(year: year, month: month, day: day)
        self.init(
            microsecondsSinceEpoch: (days * 86_400 + Int64(time - offset)) * 1_000_000 + Int64(microseconds))
    }

    /// The preferred form of HTTP dates. The two obsolete forms are answered as if the header were absent.
    package init?(imfFixdate text: some StringProtocol) {
        var scanner = DigitScanner(text.utf8)
        guard scanner.name(from: weekdayNames) != nil, scanner.skip(","), scanner.skip(" "),
            let day = scanner.number(digits: 2), scanner.skip(" "),
            let month = scanner.name(from: monthNames).map({ $0 + 1 }), scanner.skip(" "),
            let year = scanner.number(digits: 4), scanner.skip(" "),
            (1...CivilTime.days(inMonth: month, of: year)).contains(day),
            let time = scanner.clock(),
            scanner.skip(" "), scanner.skip("G"), scanner.skip("M"), scanner.skip("T"), scanner.isAtEnd
        else { return nil }
        let days = CivilTime.daysSinceEpoch(year: year, month: month, day: day)
        self.init(secondsSinceEpoch: days * 86_400 + Int64(time))
    }
}

private let weekdayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
private let monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

extension Bytes {
    fileprivate mutating func appendClock(_ time: CivilTime) {
        appendDecimal(time.hour, width: 2)
        append(UInt8(ascii: ":"))
        appendDecimal(time.minute, width: 2)
        append(UInt8(ascii: ":"))
        appendDecimal(time.second, width: 2)
    }

    /// Decimal digits, with leading zeros up to `width`. For `Int` apart, because a generic function that crosses
    /// targets is not specialised, and this is in the head of every answer.
    package mutating func appendDecimal(_ value: Int, width: Int = 1) {
        if value < 0 { append(UInt8(ascii: "-")) }
        appendDigits(of: UInt64(value.magnitude), width)
    }

    package mutating func appendDecimal(_ value: some BinaryInteger, width: Int = 1) {
        if value < 0 { append(UInt8(ascii: "-")) }
        appendDigits(of: UInt64(value.magnitude), width)
    }

    private mutating func appendDigits(of magnitude: UInt64, _ width: Int) {
        var rest = magnitude
        let start = count
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest != 0
        while count - start < width { append(UInt8(ascii: "0")) }
        // By index: a slice would be a second reference, and the whole array be copied.
        var (left, right) = (start, count - 1)
        while left < right {
            swapAt(left, right)
            left += 1
            right -= 1
        }
    }
}

private struct DigitScanner<Text: Collection<UInt8>> {
    private var rest: Text.SubSequence

    init(_ text: Text) { rest = text[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    mutating func number(digits: Int) -> Int? {
        var value = 0
        for _ in 0..<digits {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    mutating func name(from names: [String]) -> Int? {
        guard let index = names.firstIndex(where: { rest.starts(with: $0.utf8) }) else { return nil }
        rest.removeFirst(3)
        return index
    }

    /// `hh:mm:ss` in seconds; 60 seconds are allowed.
    mutating func clock() -> Int? {
        guard let hour = number(digits: 2), hour < 24, skip(":"), let minute = number(digits: 2), minute < 60,
            skip(":"), let second = number(digits: 2), second <= 60
        else { return nil }
        return hour * 3_600 + minute * 60 + second
    }

    /// One to nine digits after the point, as microseconds.
    mutating func fraction() -> Int? {
        var value = 0
        var digits = 0
        while let digit = digit() {
            if digits < 6 { value = value * 10 + digit }
            digits += 1
        }
        guard (1...9).contains(digits) else { return nil }
        for _ in min(digits, 6)..<6 { value *= 10 }
        return value
    }

    private mutating func digit() -> Int? {
        guard let character = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) else {
            return nil
        }
        rest.removeFirst()
        return Int(character - UInt8(ascii: "0"))
    }
}
