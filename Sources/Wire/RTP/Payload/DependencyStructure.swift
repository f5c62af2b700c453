// The template dependency structure of a dependency descriptor (AV1 RTP specification, appendix A.8.3): sent with a
// keyframe, and needed to understand the descriptors after it. Fixed in size; one per incoming stream.

/// The layers that can be asked for, as one bit each: what a frame means to a subscriber is then one bit test, whichever
/// codec and however many decode targets there are.
package enum LayerCell {
    /// MAX_SPATIAL_ID + 1 and MAX_TEMPORAL_ID + 1 of the specification.
    package static let spatialLayers = 4
    package static let temporalLayers = 8

    /// Higher layers than there are numbers for are taken as the highest.
    @inlinable package static func bit(spatial: UInt8, temporal: UInt8) -> UInt32 {
        1 << UInt32(min(spatial, 3) &* 8 &+ min(temporal, 7))
    }
}

package struct DependencyStructure: Sendable, BitwiseCopyable {
    package static let maximumTemplates = 64
    package static let maximumDecodeTargets = 32
    /// AV1 has seven references, H.266 up to fifteen, of which no encoder in use has more than four: a frame with more
    /// is refused. Higher would make every `VideoFrameInfo` longer.
    package static let maximumReferences = 8

    /// What a frame of this template has unless its own descriptor says otherwise.
    struct Template: Sendable, BitwiseCopyable {
        var spatial: UInt8 = 0
        var temporal: UInt8 = 0
        var referenceCount: UInt8 = 0
        /// Four bits each, less one.
        var references: UInt32 = 0
        /// Two bits per decode target.
        var indications: UInt64 = 0
        /// Four bits per chain.
        var lowChains: UInt64 = 0
        var highChains: UInt64 = 0
        /// `indications` by layer cell, as of the decode targets that are active.
        var needed: UInt32 = 0
        var switches: UInt32 = 0
    }

    package private(set) var templateCount = 0
    package private(set) var decodeTargetCount = 0
    package private(set) var chainCount = 0
    private(set) var templateIDOffset: UInt8 = 0
    /// Those that the publisher sends; one bit each.
    package private(set) var activeDecodeTargets: UInt32 = 0
    package private(set) var maximumSpatial: UInt8 = 0
    package private(set) var hasSizes = false
    private var templates = InlineArray<64, Template>(repeating: Template())
    private var protectedBy = InlineArray<32, UInt8>(repeating: 0)
    private var targetSpatial = InlineArray<32, UInt8>(repeating: 0)
    private var targetTemporal = InlineArray<32, UInt8>(repeating: 0)
    /// The best active decode target within each layer cell; 255 when none is active.
    private var targetOfCell = InlineArray<32, UInt8>(repeating: 255)
    private var sizes = InlineArray<4, VP9Descriptor.Size>(repeating: VP9Descriptor.Size())

    /// Nothing known yet: every descriptor without a structure of its own is refused.
    package init() {}

    package var isKnown: Bool { templateCount > 0 }

    package func protectingChain(ofTarget target: Int) -> UInt8? {
        target >= 0 && target < decodeTargetCount && chainCount > 0 ? protectedBy[target] : nil
    }

    package func layers(ofTarget target: Int) -> (spatial: UInt8, temporal: UInt8)? {
        guard target >= 0, target < decodeTargetCount else { return nil }
        return (targetSpatial[target], targetTemporal[target])
    }

    package func size(ofLayer layer: Int) -> VP9Descriptor.Size? {
        hasSizes && layer >= 0 && layer <= Int(maximumSpatial) ? sizes[layer] : nil
    }

    /// The active decode targets that a subscriber of these layers has any use for.
    package func decodeTargets(upToSpatial spatial: UInt8, temporal: UInt8) -> UInt32 {
        var mask: UInt32 = 0
        for target in 0..<decodeTargetCount
        where targetSpatial[target] <= spatial && targetTemporal[target] <= temporal {
            mask |= 1 << UInt32(target)
        }
        let useful = mask & activeDecodeTargets
        return useful == 0 ? activeDecodeTargets : useful
    }

    var allDecodeTargets: UInt32 { UInt32(truncatingIfNeeded: (UInt64(1) << UInt64(decodeTargetCount)) &- 1) }

    func template(_ id: UInt8) -> Template? {
        let index = Int((id &+ 64 &- templateIDOffset) & 63)
        return index < templateCount ? templates[index] : nil
    }

    /// Indications of one frame, as bits of layer cells.
    func cells(of indications: UInt64) -> (needed: UInt32, switches: UInt32) {
        var needed: UInt32 = 0
        var switches: UInt32 = 0
        for cell in 0..<32 {
            let target = targetOfCell[cell]
            guard target != 255 else { continue }
            let indication = indications >> (2 &* UInt64(target)) & 3
            if indication != 0 { needed |= 1 << UInt32(cell) }
            if indication == 2 { switches |= 1 << UInt32(cell) }
        }
        return (needed, switches)
    }

    /// About 2,000 steps; only when the mask changes.
    mutating func activate(_ mask: UInt32) {
        guard mask != activeDecodeTargets else { return }
        activeDecodeTargets = mask
        for cell in 0..<32 { targetOfCell[cell] = bestTarget(spatial: UInt8(cell >> 3), temporal: UInt8(cell & 7)) }
        for index in 0..<templateCount {
            (templates[index].needed, templates[index].switches) = cells(of: templates[index].indications)
        }
    }

    /// The highest active target within the layers; the lowest of all when each has more.
    private func bestTarget(spatial: UInt8, temporal: UInt8) -> UInt8 {
        var best: UInt8 = 255
        var lowest: UInt8 = 255
        var bestRank = -1
        var lowestRank = Int.max
        for target in 0..<decodeTargetCount where activeDecodeTargets >> UInt32(target) & 1 != 0 {
            let rank = Int(targetSpatial[target]) &* 8 &+ Int(targetTemporal[target])
            if rank < lowestRank { (lowest, lowestRank) = (UInt8(target), rank) }
            guard targetSpatial[target] <= spatial, targetTemporal[target] <= temporal else { continue }
            if rank > bestRank { (best, bestRank) = (UInt8(target), rank) }
        }
        return best == 255 ? lowest : best
    }
}

extension DependencyStructure {
    /// `template_dependency_structure()`. All decode targets are active until a mask says otherwise.
    init(parsing bits: inout BitReader) throws(WireError) {
        self.init()
        templateIDOffset = UInt8(try bits.read(6))
        decodeTargetCount = Int(try bits.read(5)) &+ 1
        try readLayers(&bits)
        for index in 0..<templateCount {
            for target in 0..<decodeTargetCount {
                templates[index].indications |= UInt64(try bits.read(2)) << (2 &* UInt64(target))
            }
        }
        try readReferences(&bits)
        try readChains(&bits)
        findTargetLayers()
        hasSizes = try bits.readFlag()
        if hasSizes {
            for layer in 0...Int(maximumSpatial) {
                // 65,536 does not fit and becomes 0: "not told".
                sizes[layer].width = UInt16(try bits.read(16)) &+ 1
                sizes[layer].height = UInt16(try bits.read(16)) &+ 1
            }
        }
        activate(allDecodeTargets)
    }

    private mutating func readLayers(_ bits: inout BitReader) throws(WireError) {
        var spatial: UInt8 = 0
        var temporal: UInt8 = 0
        while true {
            guard templateCount < Self.maximumTemplates else { throw .invalid("dependencies: too many templates") }
            templates[templateCount].spatial = spatial
            templates[templateCount].temporal = temporal
            templateCount &+= 1
            switch try bits.read(2) {
            case 0: break
            case 1: temporal &+= 1
            case 2:
                temporal = 0
                spatial &+= 1
            default:
                maximumSpatial = spatial
                return
            }
            guard spatial < LayerCell.spatialLayers, temporal < LayerCell.temporalLayers else {
                throw .invalid("dependencies: too many layers")
            }
        }
    }

    private mutating func readReferences(_ bits: inout BitReader) throws(WireError) {
        for index in 0..<templateCount {
            while try bits.readFlag() {
                let count = templates[index].referenceCount
                guard count < Self.maximumReferences else { throw .invalid("dependencies: too many references") }
                templates[index].references |= try bits.read(4) << (4 &* UInt32(count))
                templates[index].referenceCount = count &+ 1
            }
        }
    }

    private mutating func readChains(_ bits: inout BitReader) throws(WireError) {
        chainCount = try bits.readBelow(decodeTargetCount &+ 1)
        guard chainCount > 0 else { return }
        for target in 0..<decodeTargetCount {
            protectedBy[target] = UInt8(truncatingIfNeeded: try bits.readBelow(chainCount))
        }
        for index in 0..<templateCount {
            for chain in 0..<chainCount {
                let difference = UInt64(try bits.read(4))
                if chain < 16 {
                    templates[index].lowChains |= difference << (4 &* UInt64(chain))
                } else {
                    templates[index].highChains |= difference << (4 &* UInt64(chain &- 16))
                }
            }
        }
    }

    /// A decode target has the highest layers of the templates that it has any use for.
    private mutating func findTargetLayers() {
        for target in 0..<decodeTargetCount {
            for index in 0..<templateCount where templates[index].indications >> (2 &* UInt64(target)) & 3 != 0 {
                targetSpatial[target] = max(targetSpatial[target], templates[index].spatial)
                targetTemporal[target] = max(targetTemporal[target], templates[index].temporal)
            }
        }
    }
}
