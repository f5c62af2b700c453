// Keys, folders in memory and entries for tests of recordings.

package import Base
import Crypto
package import Recorder
import Synchronization
import Vault

/// Keys from a number: the same number, the same keys.
package struct TestJournalKeys: Sendable {
    package let writing: JournalWritingKeys
    package let reading: JournalReadingKeys

    package init(_ number: UInt8 = 1) throws {
        let identity = try XWingPrivateKey(seed: Secret(Bytes(repeating: number, count: XWing.seedCount)))
        let signing = try Ed25519PrivateKey(seed: Secret(Bytes(repeating: number, count: Ed25519PrivateKey.seedCount)))
        writing = JournalWritingKeys(
            recipients: [.hybrid(identity.publicKey)], signer: signing.publicKey, sign: { signing.sign($0) })
        reading = JournalReadingKeys(identities: [.hybrid(identity)], verifiers: [signing.publicKey])
    }
}

/// A folder in memory that can be full, slow, or changed behind the recorder's back.
package final class MemoryJournalFiles: JournalFiles {
    private struct State {
        var files: [String: Bytes] = [:]
        /// Bytes that still fit.
        var room = Int.max
    }

    private let state = Mutex(State())

    package init(_ files: [String: Bytes] = [:]) { state.withLock { $0.files = files } }

    package var files: [String: Bytes] {
        get { state.withLock { $0.files } }
        set { state.withLock { $0.files = newValue } }
    }

    /// Bytes that still fit.
    package var room: Int {
        get { state.withLock { $0.room } }
        set { state.withLock { $0.room = newValue } }
    }

    package func names() throws(JournalError) -> [String] { state.withLock { $0.files.keys.sorted() } }

    package func read(_ name: String, most: Int) throws(JournalError) -> Bytes? {
        guard let bytes = state.withLock({ $0.files[name] }) else { return nil }
        guard bytes.count <= most else { throw .malformed(file: name, reason: "it is too long") }
        return bytes
    }

    package func write(_ bytes: Bytes, to name: String) throws(JournalError) {
        let fits = state.withLock { state in
            guard bytes.count <= state.room else { return false }
            state.room -= bytes.count
            state.files[name] = bytes
            return true
        }
        guard fits else { throw .unavailable("write \(name): the disk is full") }
    }
}

/// Entries that may follow each other, by a seed: people come, agree, send, withdraw and go.
package struct JournalScript {
    private var random: SplitMix
    private var time = RecordingTime.zero
    private var people: [(id: UUID, agrees: Bool, hasAgreed: Bool)] = []
    private var tracks: [(number: TrackNumber, person: Int, sequence: UInt64)] = []
    private var nextTrack: UInt16 = 1

    package init(seed: UInt64) { random = SplitMix(seed: seed) }

    package static func beginning(at start: Instant = Instant(nanoseconds: 1_000_000_000_000)) -> JournalBeginning {
        JournalBeginning(
            call: UUID(high: 1, low: 2), started: Timestamp(secondsSinceEpoch: 1_790_000_000), instant: start,
            policy: .ask, version: "test")
    }

    /// The next entry, up to 30 ms after the one before. `media` in a thousand are packets and reports.
    package mutating func next(media: Int = 950) -> JournalEntry {
        time = time + .microseconds(Int64.random(in: 0...30_000, using: &random))
        let open = tracks.indices.filter { people[tracks[$0].person].agrees }
        if !open.isEmpty, Int.random(in: 0..<1_000, using: &random) < media {
            return JournalEntry(at: jittered, mediaOf(open.randomElement(using: &random) ?? 0))
        }
        return JournalEntry(at: time, event())
    }

    /// Packets arrive a little before they are put in.
    private var jittered: RecordingTime {
        mutating get {
            RecordingTime(microseconds: max(0, time.microseconds - Int64.random(in: 0...2_000, using: &random)))
        }
    }

    private mutating func mediaOf(_ index: Int) -> JournalEntry.Content {
        let track = tracks[index].number
        if Int.random(in: 0..<50, using: &random) == 0 {
            return .senderReport(
                JournalSenderReport(
                    track: track, stream: 1, ntp: random.next(), timestamp: UInt32(truncatingIfNeeded: random.next())))
        }
        tracks[index].sequence += UInt64.random(in: 1...3, using: &random)
        var head = JournalPacketHead(
            track: track, stream: UInt16.random(in: 0...300, using: &random), payloadType: 96,
            marker: Bool.random(using: &random), flags: .init(rawValue: UInt8.random(in: 0...31, using: &random)),
            sequence: tracks[index].sequence, timestamp: UInt32(truncatingIfNeeded: random.next()))
        if Bool.random(using: &random) { head.audioLevel = UInt8.random(in: 0...127, using: &random) }
        if Bool.random(using: &random) {
            (head.layer, head.spatial, head.temporal) = (
                UInt8.random(in: 0...3, using: &random), UInt8.random(in: 0...7, using: &random),
                UInt8.random(in: 0...7, using: &random)
            )
        }
        let descriptor = Int.random(in: 0..<4, using: &random) == 0 ? bytes(1...255) : []
        return .packet(JournalPacket(head, descriptor: descriptor, payload: bytes(0...1_200)))
    }

    private mutating func bytes(_ counts: ClosedRange<Int>) -> Bytes {
        let byte = UInt8.random(in: 0...255, using: &random)
        return Bytes(repeating: byte, count: Int.random(in: counts, using: &random))
    }

    private mutating func event() -> JournalEntry.Content {
        guard people.count >= 3, let index = people.indices.randomElement(using: &random) else {
            people.append((UUID(high: 7, low: UInt64(people.count)), false, false))
            return .participant(JournalParticipant(id: people[people.count - 1].id, name: "Émile \(people.count)"))
        }
        let person = people[index]
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return agree(index)
        case 1 where nextTrack < 200: return track(index)
        case 2: return .speaker(Bool.random(using: &random) ? person.id : nil)
        case 3 where tracks.contains { $0.person == index }:
            guard let place = tracks.indices.filter({ tracks[$0].person == index }).randomElement(using: &random) else {
                return .speaker(nil)
            }
            return .trackEnded(tracks.remove(at: place).number, .ended)
        case 4:
            (people[index].agrees, tracks) = (false, tracks.filter { $0.person != index })
            return .participantLeft(person.id)
        default:
            let gap = JournalGap(track: nil, .tapFull, count: random.next() >> 20, since: time)
            return .gap(gap)
        }
    }

    private mutating func agree(_ index: Int) -> JournalEntry.Content {
        let person = people[index]
        let withdraws = person.agrees && Bool.random(using: &random)
        if withdraws { tracks.removeAll { $0.person == index } }
        people[index] = (person.id, !withdraws, true)
        return .consent(
            JournalConsent(
                participant: person.id, withdraws ? .withdrawn : .agreed, by: person.id, means: .socket,
                at: Timestamp(secondsSinceEpoch: 1_790_000_000)))
    }

    private mutating func track(_ index: Int) -> JournalEntry.Content {
        let number = TrackNumber(nextTrack)
        nextTrack += 1
        tracks.append((number, index, 65_536))
        let isVideo = Bool.random(using: &random)
        let codec =
            isVideo
            ? JournalCodec(payloadType: 96, name: "VP8", clockRate: 90_000)
            : JournalCodec(payloadType: 111, name: "opus", clockRate: 48_000, channels: 2, parameters: "useinbandfec=1")
        return .trackBegan(
            JournalTrack(
                number, of: people[index].id, session: UUID(high: 9, low: UInt64(index)), isVideo ? .video : .audio,
                isVideo ? .camera : .microphone, codecs: [codec],
                protection: number.value % 5 == 0 ? .sframe(descriptor: [1, 2, 3]) : .none))
    }
}
