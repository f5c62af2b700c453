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

    /// Writes the block behind the fixed header; gives the offset of the payload. `packet` is the publisher's; `layer` is
    /// there when the mask of active decode targets is to be told, and the packet's structure is known.
    @inline(__always)
    func write(
        _ reading: borrowing RTPExtensionReading, of packet: UnsafeRawPointer, own: Own,
        rewrite: borrowing Rewrite, layer: PublishedLayer?, into span: inout MutableRawSpan
    ) -> Int {
        let descriptorElement = dependencyDescriptorID == 0 ? nil : reading[.dependencyDescriptor]
        if let layer, let descriptorElement {
            return writeMasked(
                reading, of: packet, own: own, rewrite: rewrite, layer: layer, descriptorElement, into: &span)
        }
        let isLong = Int(descriptorElement?.length ?? 0) > RTPExtensionBlockWriter.oneByteFormLimit
        var writer = begin(own, isLong: isLong, into: &span)
        copyElements(reading, of: packet, &writer, &span)
        if let descriptorElement { copy(descriptorElement, of: packet, rewrite, &writer, &span) }
        return writer.finish(into: &span)
    }

    /// Of a packet that is our own: nothing of a publisher's in it.
    func write(_ own: Own, into span: inout MutableRawSpan) -> Int {
        var writer = begin(own, isLong: false, into: &span)
        return writer.finish(into: &span)
    }

    @inline(__always)
    private func begin(_ own: Own, isLong: Bool, into span: inout MutableRawSpan) -> RTPExtensionBlockWriter {
        var writer = RTPExtensionBlockWriter(at: RTPHeader.fixedLength, twoByteForm: needsTwoByteForm || isLong)
        if transportSequenceID != 0 {
            writer.append(id: transportSequenceID, uint16: own.transportSequence, into: &span)
        }
        if absoluteSendTimeID != 0 {
            writer.append(id: absoluteSendTimeID, uint24: own.absoluteSendTime, into: &span)
        }
        return writer
    }

    @inline(__always)
    private func copyElements(
        _ reading: borrowing RTPExtensionReading, of packet: UnsafeRawPointer,
        _ writer: inout RTPExtensionBlockWriter, _ span: inout MutableRawSpan
    ) {
        for index in 0..<count {
            let entry = entries[index]
            guard let element = reading[entry.kind] else { continue }
            let data = RawSpan(_unsafeStart: packet + Int(element.offset), byteCount: Int(element.length))
            writer.append(id: entry.id, bytes: data, into: &span)
        }
    }

    @inline(__always)
    private func copy(
        _ element: RTPExtensionReading.Element, of packet: UnsafeRawPointer, _ rewrite: borrowing Rewrite,
        _ writer: inout RTPExtensionBlockWriter, _ span: inout MutableRawSpan
    ) {
        let data = RawSpan(_unsafeStart: packet + Int(element.offset), byteCount: Int(element.length))
        if writer.append(id: dependencyDescriptorID, bytes: data, into: &span) {
            patch(rewrite, element, writer, &span)
        }
    }

    /// The same with the descriptor written anew, which is rare: at keyframes, and when the layers shown change. One that
    /// cannot be (longer than the 255 bytes of an element, say) is copied: the mask helps the decoder, the number it needs.
    @inline(never)
    private func writeMasked(
        _ reading: borrowing RTPExtensionReading, of packet: UnsafeRawPointer, own: Own, rewrite: borrowing Rewrite,
        layer: PublishedLayer, _ element: RTPExtensionReading.Element, into span: inout MutableRawSpan
    ) -> Int {
        let old = RawSpan(_unsafeStart: packet + Int(element.offset), byteCount: Int(element.length))
        var scratch = InlineArray<255, UInt8>(repeating: 0)
        var written: Int?
        do {
            var elements = scratch.mutableSpan
            var output = elements.mutableBytes
            written = try? rewrite.writeDescriptor(from: old, structure: layer.structure, into: &output)
        }
        let length = written ?? Int(element.length)
        var writer = begin(own, isLong: length > RTPExtensionBlockWriter.oneByteFormLimit, into: &span)
        copyElements(reading, of: packet, &writer, &span)
        if written != nil {
            let elements = scratch.span
            writer.append(id: dependencyDescriptorID, bytes: elements.bytes.extracting(0..<length), into: &span)
        } else {
            copy(element, of: packet, rewrite, &writer, &span)
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
