// Payloads of one picture, collected by the rules of its codec.

import Base

struct FrameAssembly {
    private enum Kind {
        case none
        case vp8(VP8Assembly)
        case vp9(VP9Assembly)
        case av1(AV1Assembly)
        case units(UnitAssembly)
    }

    private var kind: Kind

    init(_ codec: RecordedCodec, _ parameterSets: [Bytes]) {
        kind =
            switch codec {
            case .opus: .none
            case .vp8: .vp8(VP8Assembly())
            case .vp9: .vp9(VP9Assembly())
            case .av1: .av1(AV1Assembly())
            case .h264: .units(UnitAssembly(.h264, parameterSets))
            case .h265: .units(UnitAssembly(.h265, parameterSets))
            }
    }

    /// Bytes collected so far.
    var count: Int {
        switch kind {
        case .none: 0
        case .vp8(let assembly): assembly.bytes.count
        case .vp9(let assembly): assembly.bytes.count
        case .av1(let assembly): assembly.count
        case .units(let assembly): assembly.count
        }
    }

    var parameterSets: [Bytes] {
        if case .units(let assembly) = kind { assembly.sets.all } else { [] }
    }

    /// Whether a picture may begin with this payload, when what came before it is missing.
    func isFrameStart(_ payload: Bytes) -> Bool {
        switch kind {
        case .none: true
        case .vp8: VP8Assembly.isStart(payload)
        case .vp9: VP9Assembly.isStart(payload)
        case .av1: payload.first.map { $0 & 0x80 == 0 } ?? false
        // The first slice tells when the picture is whole.
        case .units: true
        }
    }

    /// False when the payload does not belong there, or is none of this codec.
    mutating func add(_ payload: Bytes) -> Bool {
        // Moved out and back in, so that the bytes are not copied for each packet.
        let moved = kind
        kind = .none
        switch consume moved {
        case .none: return false
        case .vp8(var assembly):
            let fits = assembly.add(payload)
            kind = .vp8(assembly)
            return fits
        case .vp9(var assembly):
            let fits = assembly.add(payload)
            kind = .vp9(assembly)
            return fits
        case .av1(var assembly):
            let fits = assembly.add(payload)
            kind = .av1(assembly)
            return fits
        case .units(var assembly):
            let fits = assembly.add(payload)
            kind = .units(assembly)
            return fits
        }
    }

    /// The picture; `nil` when it is not whole.
    mutating func take(_ time: MediaTime) -> EncodedFrame? {
        defer { reset() }
        return switch kind {
        case .none: nil
        case .vp8(let assembly): assembly.frame(time)
        case .vp9(let assembly): assembly.frame(time)
        case .av1(let assembly): assembly.frame(time)
        case .units(let assembly): assembly.frame(time)
        }
    }

    mutating func reset() {
        switch kind {
        case .none: break
        case .vp8: kind = .vp8(VP8Assembly())
        case .vp9: kind = .vp9(VP9Assembly())
        case .av1: kind = .av1(AV1Assembly())
        case .units(var assembly):
            assembly.reset()
            kind = .units(assembly)
        }
    }
}
