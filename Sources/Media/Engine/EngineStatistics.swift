// What an engine has done, added up for who watches it: the sums over those who are gone are kept, those over who is
// there are taken when somebody asks. Counting costs the packet path nothing beyond the counters that it keeps anyway.

/// All values but the first three only ever rise.
package struct EngineStatistics: Sendable, Equatable {
    package var participants = 0
    package var connected = 0
    package var tracks = 0

    package var media = MediaTotals()
    package var drops = DropTotals()
    package var ends = EndTotals()
    package var datagramsReceived: UInt64 = 0
}

/// Packets of media, both ways.
package struct MediaTotals: Sendable, Equatable {
    package var receivedPackets: UInt64 = 0
    package var receivedBytes: UInt64 = 0
    /// As they were sent: encrypted, repeated ones among them.
    package var forwardedPackets: UInt64 = 0
    package var forwardedBytes: UInt64 = 0
    package var retransmissions: UInt64 = 0

    mutating func add(_ participant: Participant) {
        if let sending = participant.sending {
            forwardedPackets &+= sending.packets
            forwardedBytes &+= sending.bytes
        }
        for subscription in participant.subscriptions {
            retransmissions &+= subscription.counters.retransmissions
        }
        for track in participant.tracks {
            for layer in track.layers {
                receivedPackets &+= layer.counters.packets
                receivedBytes &+= layer.counters.bytes
            }
        }
    }
}

/// What was not taken, or not sent, by reason.
package struct DropTotals: Sendable, Equatable {
    package var malformed: UInt64 = 0
    package var forged: UInt64 = 0
    package var replayed: UInt64 = 0
    package var unknownSource: UInt64 = 0
    package var noMemory: UInt64 = 0
    /// From an address that nobody here has.
    package var unknownPath: UInt64 = 0
    /// Checks of ICE that name nobody.
    package var strangers: UInt64 = 0
    package var bandwidth: UInt64 = 0
    /// The socket's buffer was full.
    package var socketFull: UInt64 = 0
    package var unreachable: UInt64 = 0
    /// Longer than any packet that we take.
    package var tooLong: UInt64 = 0

    mutating func add(_ participant: Participant) {
        let counters = participant.counters
        malformed &+= counters.malformed
        forged &+= counters.forged
        replayed &+= counters.replayed
        unknownSource &+= counters.unknownSource
        noMemory &+= counters.noSlot
        unknownPath &+= counters.notOurPath
        for subscription in participant.subscriptions { bandwidth &+= subscription.counters.droppedForBandwidth }
    }

    mutating func add(_ counters: EngineCounters) {
        malformed &+= counters.malformed
        unknownPath &+= counters.unknown
        strangers &+= counters.strangers
    }

    mutating func add(_ counters: SocketCounters) {
        socketFull &+= UInt64(counters.droppedByKernel)
        unreachable &+= UInt64(counters.unreachable)
        tooLong &+= UInt64(counters.truncated)
    }
}

/// How participants ended.
package struct EndTotals: Sendable, Equatable {
    package var left: UInt64 = 0
    package var silent: UInt64 = 0
    package var handshakeFailed: UInt64 = 0
    package var neverConnected: UInt64 = 0
}

/// The sums over those who are gone.
struct EngineHistory {
    private(set) var media = MediaTotals()
    private(set) var drops = DropTotals()
    private(set) var ends = EndTotals()

    /// Before the participant is taken apart.
    mutating func retire(_ participant: Participant) {
        media.add(participant)
        drops.add(participant)
    }

    mutating func count(_ end: ParticipantEnd) {
        switch end {
        case .left: ends.left &+= 1
        case .silent: ends.silent &+= 1
        case .handshakeFailed: ends.handshakeFailed &+= 1
        case .neverConnected: ends.neverConnected &+= 1
        }
    }
}

extension MediaEngine {
    /// Looks at every participant, subscription and layer: for once a second, not for once a batch.
    package func statistics() -> EngineStatistics {
        var statistics = EngineStatistics()
        statistics.media = history.media
        statistics.drops = history.drops
        statistics.ends = history.ends
        statistics.datagramsReceived = counters.datagrams
        statistics.drops.add(counters)
        statistics.participants = participants.count
        for case let participant? in participants.entries {
            statistics.media.add(participant)
            statistics.drops.add(participant)
            statistics.tracks += participant.tracks.count
            if participant.isConnected { statistics.connected += 1 }
        }
        return statistics
    }
}
