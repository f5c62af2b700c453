// When a key is replaced: an interval (`90d`), or fields as cron has them (`0 3 1 * *`), in UTC. Pure: the time is an
// argument.

package import Base

package struct KeySchedule: Sendable, Equatable {
    package static let shortest = Duration.hours(1)
    package static let longest = Duration.days(3_653)

    private enum Form: Equatable {
        case every(Duration)
        case calendar(CronExpression)
    }

    private let form: Form

    package init(parsing text: String) throws(KeyError) {
        let fields = text.split(separator: " ")
        guard text.utf8.count <= CronExpression.textMax, !fields.isEmpty else { throw Self.unreadable }
        let isInterval = fields.count == 1 && fields[0].first != "@"
        form = isInterval ? try Self.interval(fields[0]) : .calendar(try Self.calendar(text))
    }

    private static let unreadable = KeyError.invalid(
        "a schedule is an interval such as 90d, or five fields as cron has them: minute, hour, day, month, weekday, in UTC"
    )

    private static func interval(_ text: Substring) throws(KeyError) -> Form {
        let digits = text.utf8.dropLast()
        guard let unit = text.utf8.last, (1...6).contains(digits.count),
            digits.allSatisfy({ (0x30...0x39).contains($0) })
        else { throw unreadable }
        let count = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        let interval: Duration
        switch unit {
        case UInt8(ascii: "h"): interval = .hours(count)
        case UInt8(ascii: "d"): interval = .days(count)
        case UInt8(ascii: "w"): interval = .days(7 * count)
        default: throw unreadable
        }
        guard (shortest...longest).contains(interval) else {
            throw .invalid("keys are replaced every hour at most, and every ten years at least")
        }
        return .every(interval)
    }

    private static func calendar(_ text: String) throws(KeyError) -> CronExpression {
        let expression: CronExpression
        do { expression = try CronExpression(parsing: text) } catch {
            throw .invalid("\(unreadable.description): \(error)")
        }
        guard expression.timesPerHour == 1 else {
            throw .invalid("keys are replaced every hour at most: the schedule's first field is one minute")
        }
        return expression
    }

    /// The first time after `time`; `nil` when no calendar has it any more.
    package func next(after time: Timestamp) -> Timestamp? {
        switch form {
        case .every(let interval): time + interval
        case .calendar(let expression): expression.next(after: time)
        }
    }
}
