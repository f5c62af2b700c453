// The numbers of payload types and header extensions over all sections of one connection: in a BUNDLE group a number
// means one thing (RFC 9143 §9.1), and what it has meant it goes on meaning.

import Wire

struct NumberTable: Sendable {
    private struct Format: Equatable, Sendable {
        var codec: Codec
        var clockRate: UInt32
        var channels: UInt8
        var identity: String
    }

    private var formats = [Format?](repeating: nil, count: 128)
    /// In use with a meaning we do not know.
    private var taken = [Bool](repeating: false, count: 128)
    private var extensionNumbers: [RTPExtensionKind: UInt8] = [:]
    private var takenExtensions = [Bool](repeating: false, count: 256)

    /// Dynamic payload types (RFC 3551 §6), then those that RFC 5761 leaves when they are used up.
    private static let free = Array(96...127) + Array(35...63)

    private func isFree(_ number: Int) -> Bool { formats[number] == nil && !taken[number] }

    /// What browsers call the codecs that every call has: recordings and captures of ours read like theirs.
    private static func usual(_ codec: Codec) -> Int? {
        switch codec {
        case .opus: 111
        case .vp8: 96
        default: nil
        }
    }

    /// Remembers what the peer uses. The first meaning of a number stays.
    mutating func learn(_ description: SessionDescription) {
        for mapping in description.extensions { learn(mapping) }
        for media in description.media where media.isRTP {
            for mapping in media.extensions { learn(mapping) }
            for payloadType in media.payloadTypes where payloadType < 128 { taken[Int(payloadType)] = true }
            for described in DescribedCodec.all(of: media) where formats[Int(described.payloadType)] == nil {
                formats[Int(described.payloadType)] = Format(
                    codec: described.codec, clockRate: described.clockRate,
                    channels: described.codec == .rtx ? 0 : described.channels,
                    identity: CodecMatching.identity(described.codec, described.parameters))
            }
        }
    }

    private mutating func learn(_ mapping: SDPExtension) {
        guard let number = UInt8(exactly: mapping.id) else { return }
        takenExtensions[Int(number)] = true
        guard let extended = RTPExtensionKind(uri: mapping.uri), extensionNumbers[extended] == nil else { return }
        extensionNumbers[extended] = number
    }

    /// The peer's number, else our own, else a free one.
    mutating func number(of extended: RTPExtensionKind) -> UInt8? {
        if let number = extensionNumbers[extended] { return number }
        let candidates = [extended.ownNumber] + Array(1...14) + Array(16...RTPExtensionMap.highestID)
        guard let number = candidates.first(where: { !takenExtensions[Int($0)] }) else { return nil }
        takenExtensions[Int(number)] = true
        extensionNumbers[extended] = number
        return number
    }

    /// A codec of a publisher, with numbers of this connection; `nil` when none is free, or when what it accompanies
    /// has none. `all` are the codecs of the same publisher.
    mutating func offered(_ codec: NegotiatedCodec, among all: [NegotiatedCodec]) -> NegotiatedCodec? {
        var offered = codec
        if codec.codec == .red {
            guard let opus = all.first(where: { $0.codec == .opus }), let inner = number(of: opus) else { return nil }
            offered.parameters = "\(inner)/\(inner)"
        }
        guard let number = number(of: offered) else { return nil }
        offered.payloadType = number
        if codec.rtxPayloadType != nil {
            offered.rtxPayloadType = self.number(
                Format(codec: .rtx, clockRate: codec.clockRate, channels: 0, identity: "apt=\(number)"))
        }
        offered.feedback = codec.codec.isVideo ? .offeredForVideo : .offeredForAudio
        if codec.codec.isCompanion { offered.feedback = [] }
        return offered
    }

    private mutating func number(of codec: NegotiatedCodec) -> UInt8? {
        number(
            Format(
                codec: codec.codec, clockRate: codec.clockRate, channels: codec.channels,
                identity: CodecMatching.identity(codec.codec, codec.parameters)))
    }

    private mutating func number(_ format: Format) -> UInt8? {
        if let known = formats.firstIndex(of: format) { return UInt8(known) }
        let fixed: Int? =
            switch format.codec {
            case .pcmu: 0
            case .pcma: 8
            case .comfortNoise where format.clockRate == 8_000: 13
            default: nil
            }
        let usual = Self.usual(format.codec).flatMap { isFree($0) ? $0 : nil }
        guard let number = fixed ?? usual ?? Self.free.first(where: { isFree($0) }) else { return nil }
        formats[number] = format
        return UInt8(number)
    }
}
