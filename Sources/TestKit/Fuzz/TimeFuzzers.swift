// The fuzzers of what says when: schedules, and files of time zones.

import Base
import Wire

extension Fuzzers {
    package static let time = [Fuzzer("cron", fuzzCron), Fuzzer("time-zone", fuzzZone)]
}

/// The year 1 to the year 9999.
private let years: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

/// Moments that the input chooses, and some that every zone has something to say about.
private func moments(_ bytes: Bytes) -> [Int64] {
    let word = bytes.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let chosen = years.lowerBound + Int64(word % UInt64(years.upperBound - years.lowerBound))
    return [chosen, years.lowerBound, -2_000_000_000, 0, 1_774_746_000, 4_000_000_000, years.upperBound]
}

/// What is taken comes after the time that was asked for, and there is always a next one but at the end of time.
private func fuzzCron(_ bytes: Bytes) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let schedule = try? CronExpression(parsing: text) else { return }
    promise(text.utf8.count <= CronExpression.textMax, "a schedule is no longer than one may be")
    for seconds in moments(bytes) {
        let time = Timestamp(secondsSinceEpoch: seconds)
        guard let next = schedule.next(after: time) else {
            promise(CivilTime(time).year > 9_999 - 41, "a schedule comes again")
            continue
        }
        promise(next > time && next.secondsSinceEpoch % 60 == 0, "the next time is a later minute")
        promise(schedule.next(after: next - .seconds(1)) == next, "nothing lies between")
    }
}

/// However a zone lies, its periods hold what they are asked for and follow each other, and schedules go forward.
private func fuzzZone(_ bytes: Bytes) {
    guard let zone = try? TimeZoneRules(parsing: bytes) else { return }
    let schedules = ["30 2 * * *", "*/7 * * * *"].compactMap { try? CronExpression(parsing: $0) }
    for seconds in moments(bytes) {
        let period = zone.period(at: Timestamp(secondsSinceEpoch: seconds))
        promise(abs(period.offset) < 2 * 86_400, "an offset is less than two days")
        promise(period.start ?? .min <= seconds && seconds < period.end ?? .max, "a period holds what it is asked for")
        if let end = period.end, years.contains(end) {
            let next = zone.period(at: Timestamp(secondsSinceEpoch: end))
            promise(next.start == end, "periods follow each other")
        }
        for schedule in schedules {
            var time = Timestamp(secondsSinceEpoch: seconds)
            for _ in 0..<4 {
                guard let next = schedule.next(after: time, in: zone) else { break }
                promise(next > time, "the next time is later")
                time = next
            }
        }
    }
}
