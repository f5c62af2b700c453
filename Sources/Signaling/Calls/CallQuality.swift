// What the measurements of a call come to, in the few figures that the documents show. Absent where nothing was measured.

import Base

package struct CallQuality: Sendable, Equatable {
    package enum Grade: String, Sendable, CaseIterable { case poor, fair, good, excellent }

    package var grade: Grade?
    /// How packets travelled; `mixed` where people differ.
    package var transport: String?
    /// To and from one person on average, over the time that they had media.
    package var bitsPerSecond: Int?
    /// From 0 to 1.
    package var lossShare: Double?
    package var jitter: Duration?
    package var roundTrip: Duration?
    package var opinion: Double?
    /// By name, each once.
    package var codecs: [String] = []

    /// `nil` when nobody's media was measured.
    package init?(_ all: [ParticipantMeasurements]) {
        guard !all.isEmpty else { return nil }
        let transports = Set(all.compactMap(\.transport))
        transport = transports.count > 1 ? "mixed" : transports.first
        let seconds = all.reduce(0) { $0 + $1.duration.inSeconds }
        let streams = all.flatMap(\.streams)
        if seconds > 0, !streams.isEmpty {
            let bytes = streams.reduce(0.0) { $0 + Double($1.bytes) }
            bitsPerSecond = Int(min(bytes * 8 / seconds, 1e15))
        }
        lossShare = Self.loss(streams)
        jitter = Self.mean(streams.compactMap(\.jitter))
        roundTrip = Self.mean(all.compactMap(\.roundTrip))
        opinion = all.compactMap(\.opinion).min()
        codecs = Set(streams.compactMap(\.codec)).sorted()
        grade = Self.grade(opinion: opinion, loss: lossShare, roundTrip: roundTrip)
    }

    /// Of the packets that were counted at both ends.
    private static func loss(_ streams: [ParticipantMeasurements.Stream]) -> Double? {
        var lost = 0.0
        var sent = 0.0
        for stream in streams {
            guard let missing = stream.lost else { continue }
            lost += Double(max(missing, 0))
            // What somebody sends is counted at its arrival, so that the lost ones come on top.
            sent += Double(stream.packets) + (stream.direction == .sent ? Double(max(missing, 0)) : 0)
        }
        return sent > 0 ? min(lost / sent, 1) : nil
    }

    private static func mean(_ values: [Duration]) -> Duration? {
        guard !values.isEmpty else { return nil }
        return .microseconds(values.reduce(0) { $0 + $1.microseconds } / Int64(values.count))
    }

    /// By the opinion score where audio was rated (ITU-T G.107's categories), else by loss and delay; `nil` when
    /// neither is known.
    private static func grade(opinion: Double?, loss: Double?, roundTrip: Duration?) -> Grade? {
        if let opinion { return opinion >= 4 ? .excellent : opinion >= 3.6 ? .good : opinion >= 3.1 ? .fair : .poor }
        guard loss != nil || roundTrip != nil else { return nil }
        let loss = loss ?? 0
        let delay = roundTrip ?? .zero
        if loss < 0.01, delay < .milliseconds(150) { return .excellent }
        if loss < 0.03, delay < .milliseconds(300) { return .good }
        return loss < 0.08 && delay < .milliseconds(500) ? .fair : .poor
    }
}
