// Counters, gauges and histograms in the Prometheus text format (version 0.0.4).
//
// A metric is made once, at start-up, and kept by the component that updates it; updates are relaxed atomics.

import Synchronization

package final class Counter: Sendable {
    private let value = Atomic<UInt64>(0)
    package init() {}
    package func increment(by amount: UInt64 = 1) { value.wrappingAdd(amount, ordering: .relaxed) }
    package var current: UInt64 { value.load(ordering: .relaxed) }
}

package final class Gauge: Sendable {
    private let value = Atomic<Int64>(0)
    package init() {}
    package func set(_ newValue: Int64) { value.store(newValue, ordering: .relaxed) }
    package func add(_ amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }
    package var current: Int64 { value.load(ordering: .relaxed) }
}

/// Durations in seconds, counted into buckets that are fixed when it is made.
package final class Histogram: Sendable {
    package static let latencyBounds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    private let bounds: [Double]
    private let buckets: [Counter]
    private let sumNanoseconds = Counter()

    package init(bounds: [Double] = Histogram.latencyBounds) {
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in Counter() }
    }

    package func record(_ duration: Duration) {
        let seconds = duration.inSeconds
        let index = bounds.firstIndex { seconds <= $0 } ?? bounds.count
        buckets[index].increment()
        sumNanoseconds.increment(by: UInt64(clamping: duration.nanoseconds))
    }

    package var count: UInt64 { buckets.reduce(0) { $0 &+ $1.current } }

    /// Zero before the first record.
    package var meanMilliseconds: Double {
        let count = count
        return count == 0 ? 0 : Double(sumNanoseconds.current) / 1e6 / Double(count)
    }

    fileprivate func render(_ name: String, _ labels: String, into text: inout String) {
        var total: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            total &+= bucket.current
            let bound = index < bounds.count ? "\(bounds[index])" : "+Inf"
            let separator = labels.isEmpty ? "" : ","
            text += "\(name)_bucket{\(labels)\(separator)le=\"\(bound)\"} \(total)\n"
        }
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        text += "\(name)_sum\(braces) \(Double(sumNanoseconds.current) / 1e9)\n"
        text += "\(name)_count\(braces) \(total)\n"
    }
}

/// All metrics of one process. Passed to components that have something to count; there is no global one.
package final class Metrics: Sendable {
    private enum Kind: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case sampled(@Sendable () -> Double)
        case histogram(Histogram)
    }

    private struct Family: Sendable {
        let name: String
        let help: String
        let type: String
        var series: [(labels: String, kind: Kind)]
    }

    private let families = Mutex<[Family]>([])

    package init() {}

    package func counter(_ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:]) -> Counter {
        let counter = Counter()
        register(name, help, "counter", labels, .counter(counter))
        return counter
    }

    package func gauge(_ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:]) -> Gauge {
        let gauge = Gauge()
        register(name, help, "gauge", labels, .gauge(gauge))
        return gauge
    }

    /// A gauge whose value is asked for when the metrics are read.
    package func sampled(
        _ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:],
        _ sample: @escaping @Sendable () -> Double
    ) {
        register(name, help, "gauge", labels, .sampled(sample))
    }

    /// The same for a count that only rises.
    package func sampledCounter(
        _ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:],
        _ sample: @escaping @Sendable () -> Double
    ) {
        register(name, help, "counter", labels, .sampled(sample))
    }

    package func histogram(_ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:]) -> Histogram {
        let histogram = Histogram()
        register(name, help, "histogram", labels, .histogram(histogram))
        return histogram
    }

    package func render() -> String {
        let families = families.withLock { $0 }
        var text = ""
        for family in families {
            text += "# HELP \(family.name) \(family.help)\n# TYPE \(family.name) \(family.type)\n"
            for (labels, kind) in family.series {
                let braces = labels.isEmpty ? "" : "{\(labels)}"
                switch kind {
                case .counter(let counter): text += "\(family.name)\(braces) \(counter.current)\n"
                case .gauge(let gauge): text += "\(family.name)\(braces) \(gauge.current)\n"
                case .sampled(let sample): text += "\(family.name)\(braces) \(sample())\n"
                case .histogram(let histogram): histogram.render(family.name, labels, into: &text)
                }
            }
        }
        return text
    }

    private func register(
        _ name: String, _ help: String, _ type: String, _ labels: KeyValuePairs<String, String>, _ kind: Kind
    ) {
        let rendered = labels.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
        families.withLock { families in
            if let index = families.firstIndex(where: { $0.name == name }) {
                precondition(families[index].type == type, "one metric name is registered with two types")
                precondition(
                    !families[index].series.contains { $0.labels == rendered },
                    "a metric is registered twice with the same labels")
                families[index].series.append((rendered, kind))
            } else {
                families.append(Family(name: name, help: help, type: type, series: [(rendered, kind)]))
            }
        }
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }
}
