import Base
import Testing

@testable import Content

@Suite struct ContentSnifferTests {
    private func type(_ bytes: Bytes, suffix: Bytes = []) -> String {
        ContentSniffer.sniff(prefix: bytes, suffix: suffix).type.name
    }
    private func type(_ text: String) -> String { type(Bytes(text.utf8)) }

    @Test func `nothing is of no type`() {
        #expect(type("") == "application/x-empty")
    }
}
