import Testing
import Wire

@testable import Media

@Suite struct TapLayersTests {
    /// The machine behind a reference: expectations take no mutating calls.
    private final class Machine {
        private(set) var layers = TapLayers()

        func answers(
            _ packets: [(layer: UInt8, sequence: ExtendedSequence)], keyframe: Bool = false
        ) -> [TapLayers.Answer] {
            packets.map { answer($0.layer, stream: UInt16($0.layer), $0.sequence, keyframe: keyframe) }
        }

        func answer(
            _ layer: UInt8, stream: UInt16, _ sequence: ExtendedSequence, keyframe: Bool = false
        ) -> TapLayers.Answer {
            layers.answer(layer, stream: stream, sequence, beginsKeyframe: keyframe)
        }

        func choose(best: UInt8, bitsPerSecond: Int, current: Int) -> Bool {
            layers.choose(best: best, bitsPerSecond: bitsPerSecond, current: current)
        }

        func change(to layer: UInt8, _ sequence: ExtendedSequence, newest: ExtendedSequence) {
            layers.change(to: layer, stream: UInt16(layer), sequence, newest: newest)
        }
    }

    @Test func `before any rate is known the layer that comes first is heard`() {
        let machine = Machine()
        #expect(machine.answers([(1, 10), (0, 10), (1, 11), (2, 5)]) == [.take, .pass, .take, .pass])
        #expect(machine.layers.current == 1)
    }

    @Test func `a tap on a call under way begins with the best layer`() {
        let machine = Machine()
        #expect(machine.choose(best: 2, bitsPerSecond: 900_000, current: 0))
        #expect(machine.answers([(0, 10), (2, 70), (1, 10), (2, 71)]) == [.pass, .take, .pass, .take])
    }

    @Test func `another layer is heard from its keyframe on, with what overtook it`() {
        let machine = Machine()
        _ = machine.answers([(0, 100), (0, 101)])
        #expect(machine.choose(best: 2, bitsPerSecond: 900_000, current: 100_000))
        #expect(machine.layers.wanted == 2)
        #expect(machine.answers([(2, 50), (0, 102)]) == [.pass, .take])
        // Of another layer, a keyframe changes nothing.
        #expect(machine.answers([(1, 50)], keyframe: true) == [.pass])
        #expect(machine.answers([(2, 52)], keyframe: true) == [.change])
        machine.change(to: 2, 52, newest: 54)
        #expect(machine.layers.current == 2)
        // Before the keyframe nothing of the new one; of the old what is late, and no more than that.
        #expect(
            machine.answers([(2, 51), (2, 55), (0, 99), (0, 102), (0, 103)]) == [.pass, .take, .take, .pass, .pass])
    }

    @Test func `nothing that was heard is heard again when a layer comes back`() {
        let machine = Machine()
        _ = machine.answers([(2, 100)])
        _ = machine.choose(best: 0, bitsPerSecond: 100_000, current: 0)
        #expect(machine.answers([(0, 10)], keyframe: true) == [.change])
        machine.change(to: 0, 10, newest: 10)
        #expect(machine.choose(best: 2, bitsPerSecond: 900_000, current: 100_000))
        // A keyframe of before, repaired: one late packet, and no beginning.
        #expect(machine.answers([(2, 98)], keyframe: true) == [.take])
        #expect(machine.answers([(2, 140)], keyframe: true) == [.change])
    }

    @Test func `layers of about one rate are not changed between`() {
        let machine = Machine()
        _ = machine.answers([(1, 100)])
        #expect(!machine.choose(best: 2, bitsPerSecond: 1_200_000, current: 1_000_000))
        #expect(machine.layers.wanted == 1)
        #expect(machine.choose(best: 2, bitsPerSecond: 1_250_000, current: 1_000_000))
        // It went down again before its keyframe came.
        #expect(!machine.choose(best: 1, bitsPerSecond: 1_000_000, current: 1_000_000))
        #expect(machine.answers([(2, 7)], keyframe: true) == [.pass])
    }

    @Test func `a layer that has stopped is left for whatever flows`() {
        let machine = Machine()
        _ = machine.answers([(2, 100)])
        #expect(machine.choose(best: 0, bitsPerSecond: 90_000, current: 0))
        #expect(!machine.choose(best: 0, bitsPerSecond: 0, current: 0))
        #expect(machine.layers.wanted == 0)
    }

    @Test func `a layer that begins anew under another source goes on at once`() {
        let machine = Machine()
        #expect(machine.answer(0, stream: 0, 70_000) == .take)
        _ = machine.choose(best: 1, bitsPerSecond: 900_000, current: 1)
        machine.change(to: 1, 80_000, newest: 80_000)
        #expect(machine.answer(1, stream: 4, 66_000) == .take)
        #expect(machine.answer(1, stream: 4, 65_990) == .take)
    }
}
