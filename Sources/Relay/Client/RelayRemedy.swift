// What an operator can do about a hop that fails.

import Wire

enum Remedy {
    static func way(_ url: RelayURL) -> String {
        "Is the relay running, and does the firewall let \(url.isStream ? "TCP" : "UDP") port \(url.port) through?"
    }

    static func certificate(_ host: String) -> String {
        "Give the relay a certificate for \(host) with its whole chain, from an authority that clients trust."
    }

    static func words(_ error: RelayClientError, _ url: RelayURL) -> String {
        switch error {
        case .timedOut: way(url)
        case .answersNotAuthentic, .credentialsRefused:
            "Is the secret (coturn: static-auth-secret) the relay's, are both clocks right, and has the name not expired?"
        case .alternateServer: "Look at the server that it names."
        case .refused(let code, _): words(code)
        case .malformed, .tooManyRequests: "Look at the relay's log and version."
        }
    }

    private static func words(_ code: STUNErrorCode) -> String {
        switch code.rawValue {
        case 401: "The relay wants credentials; none were given."
        case 403: "The relay's policy forbids it."
        case 440, 443: "The relay has no address of this family."
        case 442: "The relay does not relay UDP."
        case 486: "This name has as many allocations as it may; wait, or raise the relay's quota for one user."
        case 508: "The relay has no free allocation or port; look at its bounds and its load."
        default: "Look at the relay's log."
        }
    }
}

extension RelayLinkFailure {
    var text: String {
        switch self {
        case .transport(let text), .tls(let text), .certificate(let text): text
        }
    }
}

extension RelayReport {
    /// Nobody there lets himself be spoken with: another address of the same name may.
    var hasNoWay: Bool { failure?.hop == .udp || failure?.hop == .tcp }
}
