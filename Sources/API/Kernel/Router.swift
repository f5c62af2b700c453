// From method and path to a route. A tree of segments, built once when the server starts.

import Net
import Wire

struct Router: Sendable {
    struct Match {
        /// One route, or one per dialect where two documents claim the path.
        let routes: [Route]
        let parameterValues: [String]

        /// Whether some row here needs no caller.
        var isForAnyone: Bool { routes.contains { if case .everyone = $0.access { true } else { false } } }
    }

    enum Outcome {
        case found(Match)
        case wrongMethod(allowed: [HTTPMethod])
        case notFound
    }

    private struct Node: Sendable {
        var literals: [String: Int] = [:]
        var parameter: Int?
        var routes: [Route] = []
    }

    private var nodes = [Node()]

    init(_ routes: [Route]) {
        for route in routes { insert(route) }
    }

    private mutating func insert(_ route: Route) {
        var node = 0
        for segment in Self.segments(ofPattern: route.path) {
            if segment.hasPrefix("{") {
                node = nodes[node].parameter ?? append { $0[node].parameter = $1 }
            } else {
                node = nodes[node].literals[segment] ?? append { $0[node].literals[segment] = $1 }
            }
        }
        precondition(
            !nodes[node].routes.contains { $0.method == route.method && $0.dialect == route.dialect },
            "a dialect has two rows for one method and path")
        nodes[node].routes.append(route)
    }

    private mutating func append(_ link: (inout [Node], Int) -> Void) -> Int {
        link(&nodes, nodes.count)
        nodes.append(Node())
        return nodes.count - 1
    }

    static func segments(ofPattern path: String) -> [String] {
        path.split(separator: "/").map(String.init)
    }

    static func parameterNames(ofPattern path: String) -> [String] {
        segments(ofPattern: path).filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    func route(_ method: HTTPMethod, _ segments: ArraySlice<String>) -> Outcome {
        // HEAD is GET without the body (RFC 9110 §9.3.2): the server leaves the body out.
        let wanted = method == .head ? .get : method
        var allowed: [HTTPMethod] = []
        var values: [String] = []
        if let routes = find(wanted, segments, from: 0, &values, &allowed) {
            return .found(Match(routes: routes, parameterValues: values))
        }
        return allowed.isEmpty ? .notFound : .wrongMethod(allowed: allowed)
    }

    /// Literal segments win over parameters; where the literal has no row for the method, the parameter gets its turn
    /// (`POST /client-settings/bulk-update` beside `GET /client-settings/{setting_key}`).
    private func find(
        _ method: HTTPMethod, _ rest: ArraySlice<String>, from node: Int, _ values: inout [String],
        _ allowed: inout [HTTPMethod]
    ) -> [Route]? {
        guard let segment = rest.first else {
            let routes = nodes[node].routes.filter { $0.method == method }
            if routes.isEmpty { add(nodes[node].routes.map(\.method), to: &allowed) }
            return routes.isEmpty ? nil : routes
        }
        if let literal = nodes[node].literals[segment],
            let routes = find(method, rest.dropFirst(), from: literal, &values, &allowed)
        {
            return routes
        }
        guard let parameter = nodes[node].parameter else { return nil }
        values.append(segment)
        if let routes = find(method, rest.dropFirst(), from: parameter, &values, &allowed) { return routes }
        values.removeLast()
        return nil
    }

    private func add(_ methods: [HTTPMethod], to allowed: inout [HTTPMethod]) {
        for method in methods.flatMap({ $0 == .get ? [$0, .head] : [$0] }) where !allowed.contains(method) {
            allowed.append(method)
        }
    }
}
