// The dependency descriptor (AV1 RTP specification, appendix A): a header extension that says which layers a frame is of
// and which frames it needs, whatever the codec, and under end-to-end encryption too.
//
//      0                   1                   2
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |S|E|template id|         frame number          |   then, when longer: five flags, [structure], [mask of active
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+   decode targets], [indications], [references], [chains]
//
// Not byte-aligned after the first three bytes.

package struct DependencyDescriptor: Sendable, BitwiseCopyable {
    /// The mandatory fields alone.
    package static let shortLength = 3

    package enum Indication: UInt8, Sendable {
        case notPresent = 0
        case discardable, `switch`, required
    }

    package private(set) var startsFrame = false
    package private(set) var endsFrame = false
    package private(set) var templateID: UInt8 = 0
    package private(set) var frameNumber: UInt16 = 0
    package private(set) var hasStructure = false
    package private(set) var hasActiveDecodeTargets = false
    package private(set) var spatial: UInt8 = 0
    package private(set) var temporal: UInt8 = 0
    package private(set) var referenceCount: UInt8 = 0
    /// How many frames back.
    package private(set) var references = InlineArray<8, UInt16>(repeating: 0)
    package private(set) var chainCount = 0
    package private(set) var chains = InlineArray<32, UInt8>(repeating: 0)
    private var indications: UInt64 = 0
    /// No frame of any decode target refers to this one.
    package var isDiscardable: Bool { indications & 0xAAAA_AAAA_AAAA_AAAA == 0 }
    /// By layer cell: who asked for these layers needs the frame, or can begin with it.
    package private(set) var needed: UInt32 = 0
    package private(set) var switches: UInt32 = 0
    /// In bits from the start: where the structure and the mask end, and where all ends but padding.
    private var structureEnd = 0
    private var maskEnd = 0
    private var end = 0

    /// A structure that comes along replaces the one given, and a mask changes it; when anything is refused it is left
    /// as it was.
    package init(parsing element: RawSpan, structure: inout DependencyStructure) throws(WireError) {
        var bits = BitReader(element)
        let first = try bits.read(8)
        startsFrame = first & 0x80 != 0
        endsFrame = first & 0x40 != 0
        templateID = UInt8(truncatingIfNeeded: first & 0x3F)
        frameNumber = UInt16(truncatingIfNeeded: try bits.read(16))
        guard bits.remaining > 0 else {
            (structureEnd, maskEnd, end) = (bits.position, bits.position, bits.position)
            try take(structure)
            return
        }
        let flags = try bits.read(5)
        hasStructure = flags & 0x10 != 0
        hasActiveDecodeTargets = flags & 0x08 != 0
        if flags & 0x18 == 0 {
            (structureEnd, maskEnd) = (bits.position, bits.position)
            try readFrame(&bits, flags, structure)
            return
        }
        try readStructured(&bits, flags, &structure)
    }

    /// Apart from the ordinary case, so that only a keyframe or a change of layers pays for two and a half kilobytes of
    /// copy.
    @inline(never)
    private mutating func readStructured(
        _ bits: inout BitReader, _ flags: UInt32, _ structure: inout DependencyStructure
    ) throws(WireError) {
        var next = structure
        if hasStructure { next = try DependencyStructure(parsing: &bits) }
        structureEnd = bits.position
        if hasActiveDecodeTargets { next.activate(try bits.read(next.decodeTargetCount)) }
        maskEnd = bits.position
        try readFrame(&bits, flags, next)
        structure = next
    }

    package func indication(forTarget target: Int) -> Indication {
        guard target >= 0, target < DependencyStructure.maximumDecodeTargets else { return .notPresent }
        return Indication(rawValue: UInt8(indications >> (2 &* UInt64(target)) & 3)) ?? .notPresent
    }

    /// `frame_dependency_definition()`.
    private mutating func readFrame(
        _ bits: inout BitReader, _ flags: UInt32, _ structure: borrowing DependencyStructure
    ) throws(WireError) {
        try take(structure)
        if flags & 0x04 != 0 {
            indications = 0
            for target in 0..<structure.decodeTargetCount {
                indications |= UInt64(try bits.read(2)) << (2 &* UInt64(target))
            }
            (needed, switches) = structure.cells(of: indications)
        }
        if flags & 0x02 != 0 { try readReferences(&bits) }
        if flags & 0x01 != 0 {
            for chain in 0..<chainCount { chains[chain] = UInt8(truncatingIfNeeded: try bits.read(8)) }
        }
        end = bits.position
    }

    private mutating func readReferences(_ bits: inout BitReader) throws(WireError) {
        referenceCount = 0
        while case let size = try bits.read(2), size > 0 {
            guard referenceCount < DependencyStructure.maximumReferences else {
                throw .invalid("dependencies: too many references")
            }
            references[Int(referenceCount)] = UInt16(truncatingIfNeeded: try bits.read(4 &* Int(size)) &+ 1)
            referenceCount &+= 1
        }
    }

    private mutating func take(_ structure: borrowing DependencyStructure) throws(WireError) {
        guard structure.isKnown else { throw .invalid("dependencies: a descriptor before any structure") }
        guard let template = structure.template(templateID) else {
            throw .invalid("dependencies: no such template")
        }
        spatial = template.spatial
        temporal = template.temporal
        indications = template.indications
        needed = template.needed
        switches = template.switches
        referenceCount = template.referenceCount
        for index in 0..<Int(referenceCount) {
            references[index] = UInt16(truncatingIfNeeded: template.references >> (4 &* UInt32(index)) & 15) &+ 1
        }
        chainCount = structure.chainCount
        for chain in 0..<chainCount {
            let packed = chain < 16 ? template.lowChains : template.highChains
            chains[chain] = UInt8(truncatingIfNeeded: packed >> (4 &* UInt64(chain & 15)) & 15)
        }
    }
}

extension DependencyDescriptor {
    /// The frame number alone, in place. The caller has checked that an element is there; a shorter one is left.
    package static func store(frameNumber: UInt16, in element: inout MutableRawSpan) {
        guard element.byteCount >= shortLength else { return }
        element.store(bigEndian: frameNumber, at: 1)
    }

    /// Writes the element anew with another frame number and mask of active decode targets; everything else is copied
    /// bit by bit. Returns the bytes written: up to five more than the old element had. `.truncated` when `output` is too
    /// small.
    package static func rewrite(
        _ element: RawSpan, structure: DependencyStructure, frameNumber: UInt16,
        activeDecodeTargets: UInt32, into output: inout MutableRawSpan
    ) throws(WireError) -> Int {
        var copy = structure
        let old = try DependencyDescriptor(parsing: element, structure: &copy)
        let count = copy.decodeTargetCount
        var bits = BitWriter()
        try bits.write(UInt32(element.byte(0)), 8, to: &output)
        try bits.write(UInt32(frameNumber), 16, to: &output)
        let flags = element.byteCount > shortLength ? UInt32(element.byte(shortLength)) >> 3 : 0
        try bits.write(flags | 0x08, 5, to: &output)
        let extendedStart = shortLength &* 8 &+ 5
        if old.hasStructure { try bits.copy(extendedStart..<old.structureEnd, of: element, to: &output) }
        try bits.write(activeDecodeTargets & copy.allDecodeTargets, count, to: &output)
        if old.end > old.maskEnd { try bits.copy(old.maskEnd..<old.end, of: element, to: &output) }
        return (bits.position &+ 7) >> 3
    }
}
