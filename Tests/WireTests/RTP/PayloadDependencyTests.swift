import Base
import Testing

@testable import Wire

@Suite struct PayloadDependencyTests {
    /// What an independent decoder says of a descriptor.
    private func check(_ descriptor: DependencyDescriptor, _ structure: DependencyStructure, _ expected: JSONValue) {
        #expect(descriptor.startsFrame == (expected["start_of_frame"]?.int == 1))
        #expect(descriptor.endsFrame == (expected["end_of_frame"]?.int == 1))
        #expect(Int(descriptor.templateID) == expected["template_id"]?.int)
        #expect(Int(descriptor.frameNumber) == expected["frame_number"]?.int)
        #expect(Int(descriptor.spatial) == expected["spatial_id"]?.int)
        #expect(Int(descriptor.temporal) == expected["temporal_id"]?.int)
        #expect(descriptor.hasStructure == (expected["structure_present"]?.int == 1))
        #expect(descriptor.hasActiveDecodeTargets == (expected["active_decode_targets_present"]?.int == 1))
        if let mask = expected["active_decode_targets_bitmask"]?.int {
            #expect(Int(structure.activeDecodeTargets) == mask)
        }
        let letters: [DependencyDescriptor.Indication: Character] = [
            .notPresent: "-", .discardable: "D", .switch: "S", .required: "R",
        ]
        let indications = (0..<structure.decodeTargetCount).compactMap { letters[descriptor.indication(forTarget: $0)] }
        #expect(String(indications) == expected["frame_dtis"]?.stringValue)
        let references = (0..<Int(descriptor.referenceCount)).map { Int(descriptor.references[$0]) }
        #expect(references == expected["frame_fdiffs"]?.integers)
        let chains = (0..<descriptor.chainCount).map { Int(descriptor.chains[$0]) }
        #expect(chains == expected["frame_chain_fdiffs"]?.integers ?? [])
        guard let expected = expected["structure"] else { return }
        #expect(structure.templateCount == expected["templates"]?.arrayValue?.count)
        #expect(structure.decodeTargetCount == expected["dt_cnt"]?.int)
        #expect(structure.chainCount == expected["chain_cnt"]?.int)
        let protecting = (0..<structure.decodeTargetCount).compactMap { structure.protectingChain(ofTarget: $0) }
        #expect(protecting.map(Int.init) == expected["decode_target_protected_by"]?.integers ?? [])
        for (layer, size) in (expected["resolutions"]?.arrayValue ?? []).enumerated() {
            #expect(Int(structure.size(ofLayer: layer)?.width ?? 0) == size.integers[0])
            #expect(Int(structure.size(ofLayer: layer)?.height ?? 0) == size.integers[1])
        }
    }

    @Test func `a sequence of descriptors of another server's tests`() throws {
        let sequence = try #require(PayloadVectors.list("dependency-descriptor.json").first?["sequence"]?.arrayValue)
        var structure = DependencyStructure()
        for item in sequence {
            let bytes = item["hex"]?.hexBytes ?? []
            let descriptor = try DependencyDescriptor(parsing: bytes.span.bytes, structure: &structure)
            check(descriptor, structure, try #require(item["decoded"]))
        }
        #expect(sequence.count == 14)
    }

    @Test func `descriptors in the packets of a third server, each stream with its own structure`() throws {
        let sequence = try #require(PayloadVectors.list("dependency-descriptor.json").last?["sequence"]?.arrayValue)
        var structures: [Int: DependencyStructure] = [:]
        var count = 0
        for item in sequence {
            let ssrc = item["decoded"]?["ssrc"]?.int ?? 0
            for element in item["decoded"]?["extensions"]?.arrayValue ?? [] {
                guard let expected = element["dependency_descriptor"], let bytes = element["data"]?.hexBytes else {
                    continue
                }
                var structure = structures[ssrc] ?? DependencyStructure()
                guard let descriptor = try? DependencyDescriptor(parsing: bytes.span.bytes, structure: &structure)
                else {
                    #expect(structures[ssrc] == nil, "only what comes before a structure is refused")
                    continue
                }
                structures[ssrc] = structure
                #expect(Int(descriptor.frameNumber) == expected["frame_number"]?.int)
                #expect(Int(descriptor.templateID) == expected["template_id"]?.int)
                if expected["structure_present"]?.int == 1 { check(descriptor, structure, expected) }
                count += 1
            }
        }
        #expect(count >= 3)
    }

    @Test func `every descriptor of the captures is read as the independent decoder reads it`() throws {
        var count = 0
        for file in PayloadVectors.captures() {
            var structures: [Int: DependencyStructure] = [:]
            for packet in PayloadVectors.packets(ofCapture: file).compactMap(CapturedPacket.init) {
                guard let bytes = packet.descriptor,
                    let expected = CapturedPacket.element("dependency-descriptor", packet.decoded)?["decoded"]
                else { continue }
                var structure = structures[packet.ssrc] ?? DependencyStructure()
                let descriptor = try DependencyDescriptor(parsing: bytes.span.bytes, structure: &structure)
                check(descriptor, structure, expected)
                structures[packet.ssrc] = structure
                count += 1
            }
        }
        #expect(count > 100)
    }

    // MARK: Refusals

    private let structured = PayloadVectors.bytes(
        "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a0941b820ac12"
            + "82503157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d")

    @Test func `nothing is understood before a structure`() {
        var structure = DependencyStructure()
        #expect(throws: WireError.self) {
            try DependencyDescriptor(parsing: ([0xC1, 0, 1] as Bytes).span.bytes, structure: &structure)
        }
        #expect(!structure.isKnown)
    }

    @Test func `a structure that ends early leaves the old one`() throws {
        var structure = DependencyStructure()
        _ = try DependencyDescriptor(parsing: structured.span.bytes, structure: &structure)
        for length in 4..<structured.count {
            let start = structure.templateCount
            #expect(throws: WireError.self, "\(length) bytes") {
                try DependencyDescriptor(parsing: structured.span.bytes.extracting(0..<length), structure: &structure)
            }
            #expect(structure.templateCount == start)
        }
        #expect(throws: WireError.truncated) {
            try DependencyDescriptor(parsing: ([0xC1, 0] as Bytes).span.bytes, structure: &structure)
        }
        #expect(throws: WireError.self, "template 63 of 15") {
            try DependencyDescriptor(parsing: ([0xFF, 0, 9] as Bytes).span.bytes, structure: &structure)
        }
    }

    @Test func `too many templates, layers or references are refused`() {
        // A structure whose template layers never end: next_layer_idc 0, 1 or 2 for ever.
        for pattern: UInt8 in [0x00, 0x55, 0xAA] {
            var structure = DependencyStructure()
            let bytes: Bytes = [0xC0, 0, 1, 0x80, 0] + Bytes(repeating: pattern, count: 100)
            #expect(throws: WireError.self) {
                try DependencyDescriptor(parsing: bytes.span.bytes, structure: &structure)
            }
        }
    }

    // MARK: Layers and the mask

    @Test func `layers map to the best active decode target`() throws {
        var structure = DependencyStructure()
        let key = try DependencyDescriptor(parsing: structured.span.bytes, structure: &structure)
        #expect(key.needed == .max && key.switches == .max, "everybody begins with a keyframe")
        #expect(structure.layers(ofTarget: 0)! == (0, 0) && structure.layers(ofTarget: 8)! == (2, 2))
        #expect(structure.decodeTargets(upToSpatial: 3, temporal: 7) == 0x1FF)
        #expect(structure.decodeTargets(upToSpatial: 1, temporal: 7) == 0x3F)
        #expect(structure.decodeTargets(upToSpatial: 1, temporal: 0) == 0b001001)
        // Template 6 is the first of spatial layer 1.
        let upper = try DependencyDescriptor(parsing: ([0xC6, 1, 0x73] as Bytes).span.bytes, structure: &structure)
        #expect(upper.needed & LayerCell.bit(spatial: 0, temporal: 7) == 0)
        #expect(upper.needed & LayerCell.bit(spatial: 1, temporal: 0) != 0)
        // The publisher stops spatial layer 2: who asked for it gets layer 1.
        structure.activate(0x3F)
        let base = try DependencyDescriptor(parsing: ([0xC6, 1, 0x74] as Bytes).span.bytes, structure: &structure)
        #expect(base.needed & LayerCell.bit(spatial: 2, temporal: 7) != 0)
        #expect(structure.decodeTargets(upToSpatial: 3, temporal: 7) == 0x3F)
    }

    @Test func `a rewritten element differs in number and mask alone`() throws {
        var count = 0
        for file in PayloadVectors.captures() {
            var structures: [Int: DependencyStructure] = [:]
            for packet in PayloadVectors.packets(ofCapture: file).compactMap(CapturedPacket.init) {
                guard let bytes = packet.descriptor else { continue }
                var structure = structures[packet.ssrc] ?? DependencyStructure()
                let old = try DependencyDescriptor(parsing: bytes.span.bytes, structure: &structure)
                structures[packet.ssrc] = structure
                let mask = structure.decodeTargets(upToSpatial: 0, temporal: 1)
                let written = try rewritten(bytes, structure, frameNumber: 0xBEEF, mask: mask)
                #expect(written.count <= bytes.count + 5)
                var again = structure
                let new = try DependencyDescriptor(parsing: written.span.bytes, structure: &again)
                #expect(new.frameNumber == 0xBEEF && new.hasActiveDecodeTargets && again.activeDecodeTargets == mask)
                #expect(new.hasStructure == old.hasStructure && again.templateCount == structure.templateCount)
                #expect(new.templateID == old.templateID && new.referenceCount == old.referenceCount)
                #expect(new.startsFrame == old.startsFrame && new.endsFrame == old.endsFrame)
                for target in 0..<structure.decodeTargetCount {
                    #expect(new.indication(forTarget: target) == old.indication(forTarget: target))
                }
                count += 1
            }
        }
        #expect(count > 100)
    }

    @Test func `custom fields survive a rewriting`() throws {
        var structure = DependencyStructure()
        _ = try DependencyDescriptor(parsing: structured.span.bytes, structure: &structure)
        // Flags: indications, references, chains of their own. Nine indications, a reference of 8 bits, three chains.
        var bits: [UInt8] = [0, 0, 1, 1, 1]
        for value in [0, 1, 2, 3, 0, 1, 2, 3, 2] { bits += [UInt8(value >> 1), UInt8(value & 1)] }
        bits += [1, 0] + [1, 0, 1, 0, 1, 0, 1, 0] + [0, 0]
        for value in [7, 8, 9] { bits += (0..<8).map { UInt8(value >> (7 - $0) & 1) } }
        while bits.count % 8 != 0 { bits.append(0) }
        let body = stride(from: 0, to: bits.count, by: 8).map { start in
            bits[start..<(start + 8)].reduce(UInt8(0)) { $0 << 1 | $1 }
        }
        let element: Bytes = [0xC1, 2, 3] + body
        for bytes in [element, try rewritten(element, structure, frameNumber: 515, mask: 7)] {
            var copy = structure
            let read = try DependencyDescriptor(parsing: bytes.span.bytes, structure: &copy)
            #expect(read.frameNumber == 515)
            #expect((0..<9).map { Int(read.indication(forTarget: $0).rawValue) } == [0, 1, 2, 3, 0, 1, 2, 3, 2])
            #expect(read.referenceCount == 1 && read.references[0] == 171)
            #expect((0..<3).map { read.chains[$0] } == [7, 8, 9])
        }
    }

    @Test func `an element that does not fit is refused, and nothing past the end written`() throws {
        var structure = DependencyStructure()
        _ = try DependencyDescriptor(parsing: structured.span.bytes, structure: &structure)
        for room in 0..<5 {
            var output = Bytes(repeating: 0x55, count: 8)
            #expect(throws: WireError.truncated) {
                var all = output.mutableSpan
                var bytes = all.mutableBytes
                var part = bytes._mutatingExtracting(0..<room)
                _ = try DependencyDescriptor.rewrite(
                    ([0xC1, 0, 1] as Bytes).span.bytes, structure: structure, frameNumber: 7, activeDecodeTargets: 1,
                    into: &part)
            }
            #expect(output[room...].allSatisfy { $0 == 0x55 })
        }
    }

    private func rewritten(
        _ element: Bytes, _ structure: DependencyStructure, frameNumber: UInt16, mask: UInt32
    ) throws(WireError) -> Bytes {
        var output = Bytes(repeating: 0xFF, count: element.count + 5)
        var span = output.mutableSpan
        var bytes = span.mutableBytes
        let length = try DependencyDescriptor.rewrite(
            element.span.bytes, structure: structure, frameNumber: frameNumber, activeDecodeTargets: mask, into: &bytes)
        return Bytes(output[..<length])
    }
}
