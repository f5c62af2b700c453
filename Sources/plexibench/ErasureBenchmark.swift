// `plexibench erasure [--seconds N]`: packs cut into k + m pieces and put together again, on one thread, beside memcpy of
// as many bytes as the pieces have: the floor of whatever has to write them.

import Backup
import Base
import Glibc

func benchmarkErasure() {
    do {
        try ErasureBenchmark().run()
    } catch {
        print("plexibench: \(error)")
        exit(1)
    }
}

private struct ErasureBenchmark {
    private let perStep = Duration.milliseconds(Int64(Arguments.integer("seconds", default: 1)) * 1_000 / 2)
    /// A full pack.
    private let object = Bytes((0..<8 << 20).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) })
    /// Rounds of which the best counts: the others shared the machine.
    private static let rounds = 3

    struct Wrong: Error, CustomStringConvertible { let description: String }

    func run() throws {
        for text in ["2+1", "4+2", "8+3", "10+4", "16+16"] {
            guard let protection = Protection(parsing: text) else {
                throw Wrong(description: "\(text) is no protection")
            }
            try measure(protection)
        }
    }

    private func measure(_ protection: Protection) throws {
        let code = ErasureCode(protection)
        let shares = code.shares(of: object)
        let floor = copies(of: shares)
        let encoded = rate { shares.count == code.shares(of: object).count }
        tell("\(protection) encode", encoded, floor)
        var left = Dictionary(uniqueKeysWithValues: shares.enumerated().map { ($0, $1) })
        // The worst: as many data shares as may be missing.
        for index in 0..<min(protection.parity, protection.data) { left[index] = nil }
        guard code.object(of: object.count, from: left) == object else {
            throw Wrong(description: "\(protection) is wrong")
        }
        let decoded = rate { code.object(of: object.count, from: left)?.count == object.count }
        tell("\(protection) decode, \(min(protection.parity, protection.data)) lost", decoded, floor)
    }

    /// MiB of the object a second, when all its pieces are only copied.
    private func copies(of shares: [Bytes]) -> Double {
        var room = shares.map { Bytes(repeating: 0, count: $0.count) }
        return rate {
            for index in shares.indices {
                room[index].withUnsafeMutableBytes { target in
                    shares[index].withUnsafeBytes { target.copyMemory(from: $0) }
                }
            }
            return room.last?.last == shares.last?.last
        }
    }

    private func rate(_ body: () -> Bool) -> Double {
        var best = 0.0
        for _ in 0..<Self.rounds {
            let began = Instant.now()
            var (count, isRight) = (0, true)
            while Instant.now() - began < perStep {
                isRight = body() && isRight
                count += 1
            }
            precondition(isRight, "the shares of an object are its shares")
            best = max(best, Double(count * object.count >> 20) / (Instant.now() - began).inSeconds)
        }
        return best
    }

    private func tell(_ what: String, _ rate: Double, _ floor: Double) {
        print("erasure \(what): \(Int(rate)) MiB/s, \(Int(100 * rate / floor)) % of the floor")
    }
}
