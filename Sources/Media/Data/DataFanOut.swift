// A room's data: what one participant sends on a channel goes to the channel of the same label of everybody else.
//
// This is the table of who has which label, and the verdict on every message; the participants' machines are elsewhere,
// so the driver calls `DataChannels.send` for each recipient it is told. The payload is one array for all of them. A
// recipient whose buffer is full never holds up another: an unreliable channel loses the message, a reliable one is
// closed, because a reliable channel with a hole in it would be a lie (`Overflow`).

package import Base
package import Wire

package struct DataFanOut {
    /// The room's number for a participant; reused after `leave`.
    package typealias Member = Int

    /// Labels at a time in one room. A channel with one more is not connected to anybody.
    package static let mostLabels = 256

    package struct Limits: Sendable {
        /// What a participant may send to the room, in bytes of payload. Above, an unreliable channel loses messages and
        /// a reliable one is closed. Every byte leaves once per other participant: a room of 100 makes 50 MB/s of 512
        /// KiB/s. Lower protects the uplink, higher is for rooms that move files.
        package var bytesPerSecond = 524_288
        /// How far a participant may be ahead of that: at least the longest message.
        package var burst = 1_048_576
        /// In a room with more channels of a label than this, a message costs its sender that many times more, so that
        /// one participant's messages leave at no more than this times the rate. Above four times this number the
        /// longest message does not fit into the burst. Lower protects a large room's core, higher lets its people write
        /// more.
        package var fullRateRecipients = 64

        package init() {}
    }

    package struct Recipient: Equatable, Sendable {
        package var member: Member
        package var channel: DataChannels.ChannelID
    }

    /// What becomes of a message that one side has no room for.
    package enum Overflow: Equatable, Sendable { case drop, close }

    package enum Verdict: Equatable, Sendable {
        case forward
        /// Too much from this participant.
        case tooFast(Overflow)
        /// The channel is not in the table.
        case unknown
    }

    private struct Budget {
        var bytes: Double
        var at: Instant
    }

    private let limits: Limits
    private var labels: [String: [Recipient]] = [:]
    private var budgets: [Member: Budget] = [:]
    package private(set) var forwarded = 0
    package private(set) var refused = 0

    package init(_ limits: Limits = .init()) { self.limits = limits }

    /// A participant's channel is open. One channel per label and participant: a second does not receive.
    package mutating func channelOpened(_ member: Member, _ id: DataChannels.ChannelID, label: String) -> Bool {
        var recipients = labels[label] ?? []
        guard !recipients.contains(where: { $0.member == member }) else { return false }
        guard !recipients.isEmpty || labels.count < Self.mostLabels else { return false }
        recipients.append(Recipient(member: member, channel: id))
        labels[label] = recipients
        return true
    }

    package mutating func channelClosed(_ member: Member, _ id: DataChannels.ChannelID, label: String) {
        guard var recipients = labels[label] else { return }
        recipients.removeAll { $0.member == member && $0.channel == id }
        labels[label] = recipients.isEmpty ? nil : recipients
    }

    package mutating func leave(_ member: Member) {
        budgets[member] = nil
        for label in labels.keys {
            labels[label]?.removeAll { $0.member == member }
            if labels[label]?.isEmpty ?? false { labels[label] = nil }
        }
    }

    /// Everybody with a channel of this label: for messages of the server itself.
    package func recipients(label: String) -> [Recipient] { labels[label] ?? [] }

    /// The recipients are those of `recipients(label:)` without the sender.
    package mutating func verdict(
        on payload: Bytes, from member: Member, label: String, reliability: DataChannelReliability, now: Instant
    ) -> Verdict {
        guard let recipients = labels[label], recipients.contains(where: { $0.member == member }) else {
            return .unknown
        }
        let weight = max(1, (recipients.count + limits.fullRateRecipients - 1) / max(1, limits.fullRateRecipients))
        guard spend((payload.count + SCTPLimits.perMessage) * weight, of: member, now: now) else {
            refused += 1
            return .tooFast(Self.overflow(of: reliability))
        }
        forwarded += 1
        return .forward
    }

    /// What to do when a recipient's `send` says `.full`.
    package static func overflow(of reliability: DataChannelReliability) -> Overflow {
        reliability.limit == .reliable ? .close : .drop
    }

    private mutating func spend(_ bytes: Int, of member: Member, now: Instant) -> Bool {
        var budget = budgets[member] ?? Budget(bytes: Double(limits.burst), at: now)
        let earned = (now - budget.at).inSeconds * Double(limits.bytesPerSecond)
        budget.bytes = min(Double(limits.burst), budget.bytes + earned)
        budget.at = now
        let isEnough = budget.bytes >= Double(bytes)
        if isEnough { budget.bytes -= Double(bytes) }
        budgets[member] = budget
        return isEnough
    }
}
