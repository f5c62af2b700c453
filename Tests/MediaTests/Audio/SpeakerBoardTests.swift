import Base
import TestKit
import Testing

@testable import Media

/// Rooms of people who speak by a script, in packets of 20 ms.
@Suite struct SpeakerBoardTests {
    private final class Room {
        var board: SpeakerBoard
        var now = Instant(nanoseconds: 1_000_000_000)
        var random = SplitMix(seed: 1)
        var changes: [(at: Int, slot: Int)] = []
        var milliseconds = 0
        var heard: [Int: Int] = [:]

        init(people: Int, places: Int = 3) {
            board = SpeakerBoard(capacity: people, places: places)
            for slot in 0..<people { board.add(slot) }
        }

        func say(_ slot: Int, level: UInt8) -> Bool { board.note(slot, level: level, now: now) }
        func add(_ slot: Int) -> Bool { board.add(slot) }

        /// `speech`: levels around these; everybody else is at the level of a quiet room, or sends nothing.
        func run(_ seconds: Double, speech: [Int: UInt8], quiet: Set<Int> = []) {
            for _ in 0..<Int(seconds * 50) {
                for slot in speech.keys.sorted() {
                    let level = Int(speech[slot] ?? 127) + Int.random(in: -4...4, using: &random)
                    if board.note(slot, level: UInt8(max(0, min(127, level))), now: now) {
                        heard[slot, default: 0] += 1
                    }
                }
                for slot in quiet.sorted() where speech[slot] == nil {
                    if board.note(slot, level: UInt8.random(in: 75...127, using: &random), now: now) {
                        heard[slot, default: 0] += 1
                    }
                }
                if let slot = board.look(now: now) { changes.append((milliseconds, slot)) }
                now = now + .milliseconds(20)
                milliseconds += 20
            }
        }
    }

    @Test func `who speaks becomes dominant within a second, and stays so in pauses`() {
        let room = Room(people: 4)
        room.run(2, speech: [:], quiet: [0, 1, 2, 3])
        #expect(room.board.dominant == nil)
        room.run(3, speech: [2: 30], quiet: [0, 1, 3])
        #expect(room.board.dominant == 2)
        #expect(room.changes.first.map { $0.at <= 3_000 } == true)
        room.run(5, speech: [:], quiet: [0, 1, 2, 3])
        #expect(room.board.dominant == 2, "silence takes it from nobody")
        room.run(2, speech: [1: 35], quiet: [0, 2, 3])
        #expect(room.board.dominant == 1)
        #expect(room.changes.map(\.slot) == [2, 1])
    }

    @Test func `a cough takes the floor from nobody`() {
        let room = Room(people: 3)
        room.run(4, speech: [0: 30])
        for _ in 0..<5 {
            room.run(0.06, speech: [0: 30, 1: 10])
            room.run(1, speech: [0: 30])
        }
        #expect(room.changes.map(\.slot) == [0])
    }

    @Test func `two who speak at once do not take turns`() {
        let room = Room(people: 2)
        room.run(30, speech: [0: 30, 1: 31])
        #expect(room.changes.count <= 2)
    }

    @Test func `who leaves is dominant no more`() {
        let room = Room(people: 2)
        room.run(2, speech: [0: 30])
        room.board.remove(0)
        #expect(room.board.dominant == nil && !room.board.isHeard(0))
        #expect(!room.say(0, level: 10), "a slot that was removed")
        #expect(!room.say(99, level: 10))
        #expect(!room.add(99))
    }

    @Test func `the first packet of speech takes a free place, and the place is kept in pauses`() {
        let room = Room(people: 10)
        #expect(room.say(5, level: 40))
        room.run(1.5, speech: [:], quiet: [5])
        #expect(room.board.isHeard(5))
        room.run(2, speech: [:], quiet: [5])
        #expect(!room.board.isHeard(5), "but not for ever")
        #expect(!room.say(5, level: 90), "noise takes none")
    }

    @Test func `no more are heard than there are places, and the louder win`() {
        let room = Room(people: 12, places: 3)
        room.run(3, speech: [0: 45, 1: 45, 2: 45])
        room.run(3, speech: [0: 45, 1: 45, 2: 45, 3: 44])
        #expect((0..<12).filter { room.board.isHeard($0) } == [0, 1, 2], "as loud is not louder")
        room.run(3, speech: [0: 45, 1: 30, 2: 30, 4: 20])
        #expect((0..<12).filter { room.board.isHeard($0) } == [1, 2, 4])
        for slot in 0..<12 { _ = room.board.note(slot, level: 5, now: room.now) }
        #expect((0..<12).filter { room.board.isHeard($0) }.count == 3)
    }

    @Test func `packets of another length, or none at all, change nothing of who speaks`() {
        let room = Room(people: 2)
        // 60 ms packets of one, discontinuous transmission of the other.
        for step in 0..<100 {
            _ = room.board.note(0, level: 30, now: room.now)
            if step < 5 { _ = room.board.note(1, level: 80, now: room.now) }
            _ = room.board.look(now: room.now)
            room.now = room.now + .milliseconds(60)
        }
        #expect(room.board.isHeard(0) && !room.board.isHeard(1))
    }
}
