// The answers to receivers that send nothing and want to know their round trip (RFC 3611 §4.5): theirs come from sender
// reports of ours only where they send too.

package import Base
package import Wire

/// The last reference times of one peer's receivers.
package struct ReferenceTimeAnswers: Sendable {
    /// Receivers of one peer that are answered. A browser has one name for all that it receives; what asks under more
    /// names than this gets no answer under the others.
    package static let capacity = 4

    private struct Receiver: Sendable {
        let ssrc: SSRC
        var lastReferenceTime: UInt32
        var arrival: Instant
        var isDue: Bool
    }

    private var receivers: [Receiver] = []

    package init() {}

    package mutating func receive(ntp: UInt64, from ssrc: SSRC, now: Instant) {
        let receiver = Receiver(ssrc: ssrc, lastReferenceTime: NTPTime.middle(ntp), arrival: now, isDue: true)
        if let index = receivers.firstIndex(where: { $0.ssrc == ssrc }) {
            receivers[index] = receiver
        } else if receivers.count < Self.capacity {
            receivers.append(receiver)
        }
    }

    /// Once for each reference time, with the next reports to that peer.
    package mutating func take(now: Instant, into delays: inout [RTCPExtendedReport.Delay]) {
        for index in receivers.indices where receivers[index].isDue {
            receivers[index].isDue = false
            delays.append(
                RTCPExtendedReport.Delay(
                    ssrc: receivers[index].ssrc, lastReferenceTime: receivers[index].lastReferenceTime,
                    delay: NTPTime.middle(NTPTime.duration(now - receivers[index].arrival))))
        }
    }
}
