// What the engine has to say, until the driver takes it: datagrams over memory that is the driver's (packets that are
// relayed) or ours (answers), and commands.
//
// The order for the driver: send the datagrams, then carry out the commands, then `removeAll`; carrying out may call the
// engine and so fill the outbox again; until it is empty. Before each `receive` there must be room (`hasRoom`). Nothing
// is allocated for a datagram after the start.

package import Wire

package enum RelayDestination: Sendable {
    /// On a stream: append to what is to be sent, and if too much is waiting there drop it (it is a datagram to the
    /// client, whole or not at all).
    case client(ClientPath)
    /// From the relayed socket.
    case peer(RelayID, TransportAddress)
}

package struct RelayDatagram {
    package let destination: RelayDestination
    package let start: UnsafeRawPointer
    package let count: Int
    /// The client asked for DF on this one (RFC 8656 §11.4). The others are sent without it.
    package let dontFragment: Bool
}

package enum RelayTransport: UInt8, Sendable {
    case udp
    /// RFC 6062: the relayed address listens, and connects to peers.
    case tcp
}

/// A relayed socket to open. The answer is `RelayEngine.relayOpened` or `relayRefused`, at once or later.
package struct RelayOrder: Equatable, Sendable {
    package enum Port: Equatable, Sendable {
        case any
        case even
        /// An even one, and its successor as another socket, for this relay to be.
        case evenAndNext(RelayID)
    }

    package let relay: RelayID
    package let transport: RelayTransport
    package let port: Port
    /// The client's own way in, for a driver that has a relayed address for each listening one.
    package let client: ClientPath
}

package enum RelayCommand: Equatable, Sendable {
    case open(RelayOrder)
    /// Also for an order that is not yet answered; the answer is then not taken (`relayOpened` gives `false`).
    case close(RelayID)
    /// After what was sent to it.
    case closeClient(ClientPath)
    /// The client's connection is a data connection from here on (RFC 6062 §5.4): bytes of it after the message that is
    /// being answered belong to the peer, and the other way round. Neither side's bytes come to the engine any more; ask
    /// `RelayEngine.pause` how fast they may go, and tell `peerClosed` when it is over.
    case join(ClientPath, PeerConnectionID)
    /// Answer: `peerConnected` or `peerFailed`.
    case connect(PeerConnectionID, from: RelayID, to: TransportAddress)
    case closePeer(PeerConnectionID)
}

package final class RelayOutbox {
    /// Datagrams between two flushes. A batch of `recvmmsg` is not longer than this less `perInput`.
    package static let datagramLimit = 256
    /// What one call of the engine adds at most: `tick` stops there and is due again.
    package static let perInput = 32
    /// An answer has its attributes within this.
    static let answerBytesMax = 1_024

    private let datagrams: UnsafeMutablePointer<RelayDatagram>
    /// For answers: one piece for each datagram that could be one.
    private let memory: UnsafeMutableRawPointer
    private var answerCount = 0
    @exclusivity(unchecked) package private(set) var count = 0
    /// In the order to be carried out.
    package private(set) var commands: [RelayCommand] = []

    init() {
        datagrams = .allocate(capacity: Self.datagramLimit)
        memory = .allocate(byteCount: Self.datagramLimit * Self.answerBytesMax, alignment: 64)
        commands.reserveCapacity(64)
    }

    deinit {
        datagrams.deallocate()
        memory.deallocate()
    }

    package var isEmpty: Bool { count == 0 && commands.isEmpty }
    /// Empty the outbox before the next input when there is none.
    package var hasRoom: Bool { count &+ Self.perInput <= Self.datagramLimit }

    package subscript(index: Int) -> RelayDatagram {
        @inline(__always) get {
            precondition(index >= 0 && index < count, "a datagram that is not there")
            return datagrams[index]
        }
    }

    /// Begin with it: the commands to carry out, which are then no longer here.
    package func takeCommands() -> [RelayCommand] {
        var taken: [RelayCommand] = []
        swap(&taken, &commands)
        return taken
    }

    package func removeDatagrams() {
        count = 0
        answerCount = 0
    }
}

extension RelayOutbox {
    /// Bytes that stay where they are.
    @inline(__always)
    func append(
        _ start: UnsafeRawPointer, _ count: Int, to destination: RelayDestination, dontFragment: Bool = false
    ) {
        guard self.count < Self.datagramLimit else { return }
        (datagrams + self.count).initialize(
            to: RelayDatagram(
                destination: destination, start: start, count: count, dontFragment: dontFragment))
        self.count &+= 1
    }

    /// Bytes that are copied. An answer that is too long is the program's mistake; it is not sent.
    func append(answer: RawSpan, to client: ClientPath) {
        guard count < Self.datagramLimit, answer.byteCount <= Self.answerBytesMax else { return }
        let start = memory + answerCount &* Self.answerBytesMax
        answer.withUnsafeBytes {
            start.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(start), byteCount: $0.count)
        }
        answerCount &+= 1
        append(UnsafeRawPointer(start), answer.byteCount, to: .client(client))
    }

    func append(_ command: RelayCommand) { commands.append(command) }
}
