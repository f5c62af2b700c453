// Logs, metrics and what must not be told.

import Base
import Testing

@Suite struct TellingTests {
    private let time = Timestamp(microsecondsSinceEpoch: 1_736_937_000_250_000)

    private func json(_ fields: [LogField], showPersonal: Bool = false) -> String {
        let line = LogLine.json(time, .info, "test", "it happened", fields, showPersonal: showPersonal)
        return String(decoding: line, as: UTF8.self)
    }

    @Test func `a JSON line holds its fields in order`() {
        #expect(
            json([.count("n", 3), .flag("ok", true), .text("what", "a \"b\"\n")])
                == #"{"time":"2025-01-15T10:30:00.250000Z","level":"info","source":"test","message":"it happened","#
                + #""n":3,"ok":true,"what":"a \"b\"\u000a"}"# + "\n")
    }

    @Test func `a human line cannot be forged by what a client sent`() {
        let fields = [LogField.text("name", "x\n12:00:00 error forged\u{1B}[2J")]
        let line = LogLine.human(time, .warning, "test", "seen", fields, showPersonal: false)
        let text = String(decoding: line, as: UTF8.self)
        #expect(text.filter { $0 == "\n" }.count == 1)
        #expect(!text.contains("\u{1B}"))
        #expect(text.hasPrefix("10:30:00.250 warning test: seen"))
    }

    @Test func `personal data shows at trace only`() {
        let fields = [LogField.personal("address", Private("192.0.2.7"))]
        #expect(!json(fields).contains("192.0.2.7"))
        #expect(json(fields, showPersonal: true).contains("192.0.2.7"))
    }

    @Test func `wrapped values print as placeholders, however they are printed`() {
        let name = Private("Ada")
        let key = Secret(text: "hunter2hunter2")
        for text in [
            "\(name)", "\(key)", "\([name])", "\(["k": key])", String(reflecting: name), String(reflecting: key),
        ] {
            #expect(!text.contains("Ada") && !text.contains("hunter2"))
        }
        var dumped = ""
        dump((name, key), to: &dumped)
        #expect(!dumped.contains("Ada") && !dumped.contains("hunter2"))
    }

    @Test func `a secret gives its bytes to who asks by name`() {
        let secret = Secret([1, 2, 3])
        #expect(secret.count == 3)
        #expect(secret.exposedBytes == [1, 2, 3])
        #expect(secret.withExposedBytes { $0.count } == 3)
    }

    @Test func `metrics are rendered for Prometheus`() {
        let metrics = Metrics()
        let requests = metrics.counter("requests_total", "Requests.", labels: ["path": "a\"b\\c\nd"])
        let other = metrics.counter("requests_total", "Requests.", labels: ["path": "e"])
        let gauge = metrics.gauge("open", "Open things.")
        metrics.sampled("sampled", "Asked for.") { 1.5 }
        requests.increment()
        requests.increment(by: 2)
        other.increment()
        gauge.set(5)
        gauge.add(-2)
        #expect(
            metrics.render() == """
                # HELP requests_total Requests.
                # TYPE requests_total counter
                requests_total{path="a\\"b\\\\c\\nd"} 3
                requests_total{path="e"} 1
                # HELP open Open things.
                # TYPE open gauge
                open 3
                # HELP sampled Asked for.
                # TYPE sampled gauge
                sampled 1.5

                """)
    }

    @Test func `a histogram counts into every bucket that holds the value`() {
        let metrics = Metrics()
        let histogram = metrics.histogram("time_seconds", "Time.")
        histogram.record(.milliseconds(3))
        histogram.record(.seconds(20))
        let text = metrics.render()
        #expect(text.contains("time_seconds_bucket{le=\"0.0025\"} 0\n"))
        #expect(text.contains("time_seconds_bucket{le=\"0.005\"} 1\n"))
        #expect(text.contains("time_seconds_bucket{le=\"+Inf\"} 2\n"))
        #expect(text.contains("time_seconds_sum 20.003\n"))
        #expect(text.contains("time_seconds_count 2\n"))
    }

    @Test func `a bounded queue refuses when it is full and keeps its order`() {
        var queue = BoundedQueue<Int>(capacity: 3)
        for round in 0..<10 {
            #expect(queue.append(round) && queue.append(round + 100) && queue.append(round + 200))
            #expect(queue.isFull && !queue.append(0))
            #expect(queue.popFirst() == round && queue.popFirst() == round + 100 && queue.popFirst() == round + 200)
            #expect(queue.popFirst() == nil && queue.isEmpty)
        }
    }
}

/// The sink is the process's.
@Suite(.serialized) struct LogOutputTests {
    @Test func `any number of lines leaves nothing behind that grows`() {
        LogOutput.replaceSink { _ in }
        let logger = Logger("test")
        // Were the sink wrapped once more with each line, releasing it below would overflow the stack.
        for _ in 0..<100_000 { logger.error("a line") }
        LogOutput.replaceSink(nil)
    }
}
