import Base
import Relay
import TestKit
import Testing

@Suite struct RelayScriptTests {
    @Test(arguments: 0..<16 as Range<UInt64>) func `a relay survives a script of random bytes`(seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        var allocated: UInt64 = 0
        var refused: Set<RelayRefusal> = []
        for round in 0..<20 {
            let length = 50 + Int(random.next() % 2_000)
            let script = Bytes((0..<length).map { _ in UInt8(truncatingIfNeeded: random.next() >> 8) })
            let outcome = RelayScript.run(script)
            #expect(outcome.wrong == nil, "seed \(seed), round \(round)")
            allocated += outcome.counters.allocated
            refused.formUnion(RelayRefusal.allCases.filter { outcome.counters[$0] > 0 })
        }
        // A script that came to nothing would survive too.
        #expect(allocated > 50 && refused.count > 10)
    }
}
