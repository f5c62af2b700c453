// Messages of the server itself on data channels.

package import Base
package import Wire

extension MediaEngine {
    /// To the participant's channel of that label. `.full`: an unreliable channel lost it, a reliable one is closed.
    package func send(
        _ payload: Bytes, _ kind: DataChannels.Kind, label: String, to id: ParticipantID, now: Instant
    ) -> SCTPSendResult {
        guard let participant = participants[id], let data = participant.data,
            let channel = data.channels.channel(labelled: label)
        else { return .notConnected }
        let result = participant.sendData(DataMessage(payload: payload, kind: kind), on: channel, now: now)
        participant.room.flushData(now)
        return result
    }

    /// To everybody in the room with a channel of that label. Returns how many took it.
    package func send(
        _ payload: Bytes, _ kind: DataChannels.Kind, label: String, toRoom name: String, now: Instant
    ) -> Int {
        rooms[name]?.broadcast(DataMessage(payload: payload, kind: kind), label: label, now: now) ?? 0
    }

    /// Opens a channel of ours: part of the room from the peer's acknowledgement on. False when there is no association,
    /// or no place for another channel.
    package func openChannel(_ open: DataChannelOpen, to id: ParticipantID, now: Instant) -> Bool {
        guard let participant = participants[id], let data = participant.data,
            data.channels.open(open, now: now) != nil
        else { return false }
        participant.flushData(now, self)
        return true
    }

    /// Bytes that wait to be sent to the participant or to be acknowledged by it.
    package func bufferedData(of id: ParticipantID) -> Int { participants[id]?.data?.channels.bufferedBytes ?? 0 }
}
