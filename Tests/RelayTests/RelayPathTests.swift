import Base
import Testing

@testable import Relay

@Suite struct RelayPathTests {
    @Test(arguments: [0, 1, 0x7FFF_FFFF] as [UInt32], [false, true])
    func `a relayed socket survives epoll's user data`(generation: UInt32, isV6: Bool) {
        for index in [0, 4_095, UInt32.max] {
            let relay = RelayID(index: index, generation: generation, isV6: isV6)
            #expect(RelayID(rawValue: relay.rawValue) == relay)
        }
    }
}
