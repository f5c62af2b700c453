import CShims
import Testing

/// What a worker may do, tried in processes of their own.
@Suite(.serialized) struct SandboxTests {
    @Test func `memory of one's own is allowed`() {
        #expect(plexi_sandbox_probe(PLEXI_PROBE_NOTHING) == 0)
    }

    @Test(arguments: [
        ("open a file", PLEXI_PROBE_OPEN.rawValue), ("make a socket", PLEXI_PROBE_SOCKET.rawValue),
        ("start a process", PLEXI_PROBE_FORK.rawValue), ("map code", PLEXI_PROBE_EXECUTABLE_MEMORY.rawValue),
        ("share memory", PLEXI_PROBE_SHARED_MEMORY.rawValue), ("write to a descriptor", PLEXI_PROBE_WRITE.rawValue),
        ("signal another process", PLEXI_PROBE_KILL.rawValue),
    ])
    func `whoever tries more is killed by the kernel`(what: String, probe: UInt32) {
        #expect(plexi_sandbox_probe(plexi_probe(rawValue: probe)) == 2, "\(what)")
    }

    @Test(.enabled(if: plexi_sandbox_limits_memory() == 1, "a sanitiser's memory has no limit"))
    func `more memory than allowed is refused`() {
        #expect(plexi_sandbox_probe(PLEXI_PROBE_MEMORY) == 1)
    }
}
