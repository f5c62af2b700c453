// What Prometheus hears of requests: counts by dialect and class of status, and how long they took.

package import Base
import Wire

package struct RequestMetrics: Sendable {
    private static let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"]

    private let byDialect: [[Counter]]
    private let refusals: Counter
    package let duration: Histogram

    package init(_ metrics: Metrics) {
        byDialect = Dialect.allCases.map { dialect in
            Self.classes.map { name in
                metrics.counter(
                    "plexichat_http_requests_total", "Requests answered, by dialect and class of status.",
                    labels: ["dialect": dialect.rawValue, "status": name])
            }
        }
        refusals = metrics.counter(
            "plexichat_http_refused_total", "Requests refused before they reached a route: framing, size, time.")
        duration = metrics.histogram(
            "plexichat_http_request_duration_seconds", "From the request's head to the start of its answer.")
    }

    func record(_ dialect: Dialect, _ status: HTTPStatus, _ time: Duration) {
        let index = min(max(status.code / 100, 1), Self.classes.count) - 1
        if let row = Dialect.allCases.firstIndex(of: dialect) { byDialect[row][index].increment() }
        duration.record(time)
    }

    func refused(_ status: HTTPStatus) { refusals.increment() }
}
