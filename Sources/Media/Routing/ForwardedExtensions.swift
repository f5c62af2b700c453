// Which header extensions one subscriber gets, and under which numbers: agreed once, used for every packet.

import Wire

/// What is copied from the publisher's packet is a short list; what is the subscriber's own (transport sequence, send
/// time) has a field each. Owns nothing: lies beside the hot state of a subscription.
struct ForwardedExtensions {
    /// The elements that are copied as they are, in this order.
    private static let copied: [RTPExtensionKind] = [
        .audioLevel, .videoOrientation, .playoutDelay, .absoluteCaptureTime, .colorSpace, .videoContentType,
    ]

    private struct Entry {
        var kind: RTPExtensionKind
        var id: UInt8
    }

    private var entries = InlineArray<6, Entry>(repeating: Entry(kind: .mid, id: 0))
    private var count = 0
    private(set) var transportSequenceID: UInt8 = 0
    private(set) var absoluteSendTimeID: UInt8 = 0
    private(set) var dependencyDescriptorID: UInt8 = 0
    private let needsTwoByteForm: Bool

    init(_ map: borrowing RTPExtensionMap) {
        transportSequenceID = map.id(for: .transportSequenceNumber) ?? 0
        absoluteSendTimeID = map.id(for: .absoluteSendTime) ?? 0
        dependencyDescriptorID = map.id(for: .dependencyDescriptor) ?? 0
        needsTwoByteForm = map.needsTwoByteForm
        for kind in Self.copied {
            guard let id = map.id(for: kind) else { continue }
            entries[count] = Entry(kind: kind, id: id)
            count += 1
        }
    }

    /// What is the same for every packet of a batch or counted by the subscriber.
    struct Own {
        var transportSequence: UInt16
        var absoluteSendTime: UInt32
    }

    /// Writes the block behind the fixed header; gives the offset of the payload. `packet` is the publisher's.
    @inline(__always)
    func write(
        _ reading: borrowing RTPExtensionReading, of packet: UnsafeRawPointer, own: Own,
        rewrite: borrowing Rewrite, into span: inout MutableRawSpan
    ) -> Int {
        let descriptorElement = dependencyDescriptorID == 0 ? nil : reading[.dependencyDescriptor]
        let isLong = Int(descriptorElement?.length ?? 0) > RTPExtensionBlockWriter.oneByteFormLimit
        var writer = RTPExtensionBlockWriter(at: RTPHeader.fixedLength, twoByteForm: needsTwoByteForm || isLong)
        if transportSequenceID != 0 {
            writer.append(id: transportSequenceID, uint16: own.transportSequence, into: &span)
        }
        if absoluteSendTimeID != 0 {
            writer.append(id: absoluteSendTimeID, uint24: own.absoluteSendTime, into: &span)
        }
        for index in 0..<count {
            let entry = entries[index]
            guard let element = reading[entry.kind] else { continue }
            let data = RawSpan(_unsafeStart: packet + Int(element.offset), byteCount: Int(element.length))
            writer.append(id: entry.id, bytes: data, into: &span)
        }
        if let descriptorElement {
            let data = RawSpan(
                _unsafeStart: packet + Int(descriptorElement.offset), byteCount: Int(descriptorElement.length))
            if writer.append(id: dependencyDescriptorID, bytes: data, into: &span) {
                patch(rewrite, descriptorElement, writer, &span)
            }
        }
        return writer.finish(into: &span)
    }

    /// The same for a packet that no publisher made: the subscriber's own elements alone.
    func write(_ own: Own, into span: inout MutableRawSpan) -> Int {
        var writer = RTPExtensionBlockWriter(at: RTPHeader.fixedLength, twoByteForm: needsTwoByteForm)
        if transportSequenceID != 0 {
            writer.append(id: transportSequenceID, uint16: own.transportSequence, into: &span)
        }
        if absoluteSendTimeID != 0 {
            writer.append(id: absoluteSendTimeID, uint24: own.absoluteSendTime, into: &span)
        }
        return writer.finish(into: &span)
    }

    /// The descriptor was copied as the last element: its frame number is rewritten where it lies.
    @inline(__always)
    private func patch(
        _ rewrite: borrowing Rewrite, _ element: RTPExtensionReading.Element, _ writer: RTPExtensionBlockWriter,
        _ span: inout MutableRawSpan
    ) {
        let end = writer.end
        var copy = span._mutatingExtracting((end - Int(element.length))..<end)
        rewrite.apply(toDescriptor: &copy)
    }
}
