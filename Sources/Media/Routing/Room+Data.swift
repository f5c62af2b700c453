// A room's data: a message on one participant's channel goes to the channels of the same label of all others. Nobody
// waits for anybody: see `DataFanOut` for what becomes of a message that finds no room.

import Base

struct DataMessage {
    var payload: Bytes
    var kind: DataChannels.Kind
}

struct RoomData {
    var fanOut = DataFanOut()
    /// Those who were given a message that has not been sent yet: each sends all of it at once.
    fileprivate var waiting: [Participant] = []
}

extension Room {
    func pass(
        _ message: DataMessage, of channel: DataChannels.Channel, _ id: DataChannels.ChannelID,
        from sender: Participant, now: Instant
    ) {
        let verdict = data.fanOut.verdict(
            on: message.payload, from: sender.dataMember, label: channel.label, reliability: channel.reliability,
            now: now)
        switch verdict {
        case .unknown, .tooFast(.drop): return
        case .tooFast(.close): sender.closeChannel(id, now: now)
        case .forward:
            for recipient in data.fanOut.recipients(label: channel.label) where recipient.member != sender.dataMember {
                _ = deliver(message, to: recipient, now: now)
            }
        }
    }

    /// What the server itself says. Returns how many took it.
    func broadcast(_ message: DataMessage, label: String, now: Instant) -> Int {
        let taken = data.fanOut.recipients(label: label).count { deliver(message, to: $0, now: now) == .accepted }
        flushData(now)
        return taken
    }

    private func deliver(_ message: DataMessage, to recipient: DataFanOut.Recipient, now: Instant) -> SCTPSendResult {
        guard let participant = engine.participants[UInt32(truncatingIfNeeded: recipient.member)] else {
            return .notConnected
        }
        return participant.sendData(message, on: recipient.channel, now: now)
    }

    func noteWaiting(_ participant: Participant, _ data: ParticipantData) {
        guard !data.isWaiting else { return }
        data.isWaiting = true
        self.data.waiting.append(participant)
    }

    func flushData(_ now: Instant) {
        guard !data.waiting.isEmpty else { return }
        let waiting = data.waiting
        data.waiting.removeAll()
        for participant in waiting {
            participant.data?.isWaiting = false
            participant.flushData(now, engine)
        }
    }
}
