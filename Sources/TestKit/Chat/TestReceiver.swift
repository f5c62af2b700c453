// A receiver of webhooks in the test's hand: keeps what it is sent, and answers what it is told to.

package import Base
import Synchronization
package import Wire

package final class TestReceiver: HTTPTransport {
    package struct Delivery: Sendable {
        package let url: String
        package let headers: [(name: String, value: String)]
        package let body: Bytes

        package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
        package var json: JSONValue? { try? JSONValue(parsing: body) }
        package var type: String? { json?["type"]?.stringValue }
    }

    package typealias Answer = @Sendable (Delivery) async throws(TransportError) -> IncomingResponse

    private struct State {
        var deliveries: [Delivery] = []
        var answer: Answer = { (_) throws(TransportError) in TestReceiver.status(200) }
    }

    private let state = Mutex(State())

    package init() {}

    /// Everything that came, also what was not taken.
    package var deliveries: [Delivery] { state.withLock { $0.deliveries } }

    package func answer(_ answer: @escaping Answer) { state.withLock { $0.answer = answer } }

    package static func status(_ status: Int, headers: [(name: String, value: String)] = []) -> IncomingResponse {
        IncomingResponse(status: status, headers: headers, body: [])
    }

    package func send(_ request: OutgoingRequest) async throws(TransportError) -> IncomingResponse {
        guard case .bytes(let body) = request.body else { throw .unreachable("a delivery without a body") }
        let delivery = Delivery(url: request.url, headers: request.headers, body: body)
        let answer = state.withLock { state in
            state.deliveries.append(delivery)
            return state.answer
        }
        return try await answer(delivery)
    }

    package func send(
        _ request: OutgoingRequest, receive: @escaping @Sendable (Bytes) throws -> Void
    ) async throws(TransportError) -> IncomingResponse { try await send(request) }
}
