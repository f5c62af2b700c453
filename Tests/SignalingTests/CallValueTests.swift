// What follows from a call's values alone.

import Base
import Signaling
import Testing

@Suite struct CallValueTests {
    @Test func `the four last states of the documents are over`() {
        #expect(CallState.allCases.filter(\.isOver) == [.ended, .missed, .declined, .failed])
    }

    @Test func `a call's id is accepted with and without the documents' prefix`() {
        let uuid = UUID.random()
        #expect(CallID("call_\(uuid)")?.uuid == uuid)
        #expect(CallID("\(uuid)")?.uuid == uuid)
        #expect(CallID("call-123") == nil)
    }
}
