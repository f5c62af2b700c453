import Base
import TestKit
import Testing

@Suite struct RelayScriptTests {
    @Test(arguments: 0..<40 as Range<UInt64>) func `a relay survives a script of random bytes`(seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        for round in 0..<20 {
            let length = 50 + Int(random.next() % 2_000)
            let script = Bytes((0..<length).map { _ in UInt8(truncatingIfNeeded: random.next() >> 8) })
            #expect(RelayScript.run(script) == nil, "seed \(seed), round \(round)")
        }
    }
}
