import Base
import Glibc
import Wire

@testable import Media

/// The recorded descriptions, and a negotiator to hand them to.
enum NegotiationVectors {
    private static let folder: String = {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        let tests = parts.lastIndex(of: "Tests") ?? 0
        return parts[...tests].joined(separator: "/") + "/Vectors/sdp/"
    }()

    static let names = list("")
    static let malformed = list("malformed")

    static func list(_ subfolder: String) -> [String] {
        guard let stream = opendir(folder + subfolder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".sdp") { names.append(String(name.dropLast(4))) }
        }
        return names.sorted()
    }

    static let offers = names.filter { name in
        let isOffer = name.hasSuffix("-offer") || name.hasSuffix("-offer-trickle")
        return isOffer || name.hasPrefix("janus") && (name.hasSuffix("-offer-1") || name.hasSuffix("-offer-2"))
    }

    /// Empty when there is no such file.
    static func bytes(_ name: String) -> Bytes {
        guard let file = fopen(folder + name + ".sdp", "rb") else { return [] }
        defer { fclose(file) }
        var bytes: Bytes = []
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    static func description(_ name: String) throws -> SessionDescription {
        try SessionDescription(parsing: bytes(name))
    }

    /// Each offer with the answer that was recorded for it, wherever the author of either has named it.
    static let pairs: [(offer: String, answer: String)] = {
        let all = Set(names)
        let sources = [
            ("chromium156-local-answers-firefox-", "firefox153esr-local-", "-offer"),
            ("chromium156-local-answers-gst-", "gstreamer1.22-local-", "-offer"),
            ("chromium156-local-answers-janus-", "janus1.1.2-local-", ""),
            ("firefox153esr-local-answers-chrome-", "chromium156-local-", "-offer"),
            ("firefox153esr-local-answers-gst-", "gstreamer1.22-local-", "-offer"),
            ("firefox153esr-local-answers-janus-", "janus1.1.2-local-", ""),
            ("gstreamer1.22-local-to-chrome-", "chromium156-local-", "-offer"),
            ("gstreamer1.22-local-to-firefox-", "firefox153esr-local-", "-offer"),
        ]
        var pairs: [(String, String)] = []
        for name in names where name.hasSuffix("-answer") {
            let stem = String(name.dropLast("-answer".count))
            var candidates = [stem + "-offer"]
            for (prefix, other, suffix) in sources where name.hasPrefix(prefix) {
                candidates.append(other + stem.dropFirst(prefix.count) + suffix)
            }
            if let offer = candidates.first(where: { all.contains($0) }) { pairs.append((offer, name)) }
        }
        for name in names where name.hasPrefix("janus") {
            for (marker, other) in [
                ("-answer-to-chrome-", "chromium156-local-"), ("-answer-to-firefox-", "firefox153esr-local-"),
            ] {
                guard let range = name.utf8.firstRange(of: marker.utf8) else { continue }
                let offer = other + String(name[range.upperBound...]) + "-offer"
                if all.contains(offer) { pairs.append((offer, name)) }
            }
        }
        return pairs
    }()

    // MARK: Negotiators

    static let candidate = "1 1 udp 2130706431 192.0.2.1 40000 typ host"

    static var configuration: NegotiatorConfiguration {
        NegotiatorConfiguration(
            fingerprints: [
                SDPFingerprint(hash: .sha256, bytes: Bytes(repeating: 0xA5, count: 32)),
                SDPFingerprint(hash: .sha384, bytes: Bytes(repeating: 0x5A, count: 48)),
            ],
            candidates: [candidate], sessionID: 4_711, cname: "cname-of-ours")
    }

    static func credentials(_ number: Int) -> ICECredentials {
        ICECredentials(randomBytes: Bytes((0..<24).map { UInt8(truncatingIfNeeded: $0 + 24 * number) }))
    }

    static func negotiator(_ change: (inout NegotiatorConfiguration) -> Void = { _ in }) -> Negotiator {
        var configuration = configuration
        change(&configuration)
        return Negotiator(configuration, credentials: credentials(1))
    }

    static let vp8 = NegotiatedCodec(
        payloadType: 96, codec: .vp8, clockRate: 90_000, channels: 0, feedback: .supportedForVideo, rtxPayloadType: 97)
    static let opus = NegotiatedCodec(
        payloadType: 111, codec: .opus, clockRate: 48_000, channels: 2, parameters: "useinbandfec=1")
}

extension Sequence<UInt8> where Self: BidirectionalCollection {
    /// Where a shorter run of bytes begins and ends.
    fileprivate func firstRange(of other: some Collection<UInt8>) -> Range<Index>? {
        var start = startIndex
        while start != endIndex {
            var end = start
            var isSame = true
            for byte in other {
                guard end != endIndex, self[end] == byte else {
                    isSame = false
                    break
                }
                end = index(after: end)
            }
            if isSame { return start..<end }
            start = index(after: start)
        }
        return nil
    }
}
