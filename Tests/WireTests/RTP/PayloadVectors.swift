import Base

@testable import Wire

/// The vectors of `Tests/Vectors/rtp` that are about payloads and the descriptors of frames.
enum PayloadVectors {
    static func list(_ file: String) -> [JSONValue] {
        let bytes = VectorFolder("rtp").bytes(of: file)
        return (try? JSONValue(parsing: bytes))?.arrayValue ?? []
    }

    static func named(_ file: String, containing name: String) -> [JSONValue] {
        list(file).filter { $0["name"]?.stringValue?.contains(name) == true }
    }

    static func captures() -> [String] {
        VectorFolder("rtp/captures").files.filter { $0.hasSuffix(".json") }
    }

    static func packets(ofCapture file: String) -> [JSONValue] {
        let bytes = VectorFolder("rtp/captures").bytes(of: file)
        let limits = JSONLimits(depth: 32, values: 1_000_000)
        return (try? JSONValue(parsing: bytes, limits: limits))?["packets"]?.arrayValue ?? []
    }

    static func bytes(_ hex: String) -> Bytes {
        var bytes: Bytes = []
        var high: UInt8?
        for character in hex {
            guard let digit = character.hexDigitValue.map({ UInt8($0) }) else { return [] }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }
}

extension JSONValue {
    var hexBytes: Bytes { PayloadVectors.bytes(stringValue ?? "") }
    var int: Int { integerValue.map(Int.init) ?? -1 }
    var integers: [Int] { arrayValue?.map(\.int) ?? [] }
}

/// A packet of a capture, cut up as the independent decoder did it.
struct CapturedPacket {
    let ssrc: Int
    let sequence: Int
    let timestamp: Int
    let marker: Bool
    let codec: String
    let payload: Bytes
    let descriptor: Bytes?
    let allocation: Bytes?
    let decoded: JSONValue

    /// `nil` for RTCP, padding and retransmissions.
    init?(_ packet: JSONValue) {
        guard packet["kind"]?.stringValue == "rtp", let decoded = packet["decoded"],
            let bytes = packet["hex"]?.hexBytes,
            let codec = decoded["codec"]?.stringValue, !codec.hasPrefix("rtx"),
            let header = decoded["header_size"]?.int, let size = decoded["payload_size"]?.int, size > 0
        else { return nil }
        self.decoded = decoded
        self.codec = codec
        ssrc = decoded["ssrc"]?.int ?? 0
        sequence = decoded["seq"]?.int ?? 0
        timestamp = decoded["timestamp"]?.int ?? 0
        marker = decoded["marker"]?.int == 1
        payload = Bytes(bytes[header..<(header + size)])
        descriptor = Self.extensionData("dependency-descriptor", decoded)
        allocation = Self.extensionData("video-layers-allocation", decoded)
    }

    private static func extensionData(_ name: String, _ decoded: JSONValue) -> Bytes? {
        element(name, decoded)?["data"]?.hexBytes
    }

    static func element(_ name: String, _ decoded: JSONValue) -> JSONValue? {
        decoded["extensions"]?.arrayValue?.first { $0["uri"]?.stringValue?.contains(name) == true }
    }

    func frame(_ codec: VideoCodec, _ structure: inout DependencyStructure) throws(WireError) -> VideoFrameInfo {
        guard let descriptor else {
            return try VideoFrameInfo.read(codec, payload: payload.span.bytes, descriptor: nil, structure: &structure)
        }
        return try VideoFrameInfo.read(
            codec, payload: payload.span.bytes, descriptor: descriptor.span.bytes, structure: &structure)
    }
}
