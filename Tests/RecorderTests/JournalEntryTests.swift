import Base
import Recorder
import Testing

@Suite struct JournalEntryTests {
    @Test func `a time before the recording is its beginning`() {
        let start = Instant(nanoseconds: 5_000_000)
        #expect(RecordingTime(Instant(nanoseconds: 1), since: start) == .zero)
        #expect(RecordingTime(Instant(nanoseconds: 7_500_000), since: start).microseconds == 2_500)
    }
}
