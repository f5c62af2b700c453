// Where a new source belongs: by its announcement in SDP, by the identifiers in its packet, or by its payload type.

import Wire

extension Participant {
    /// Only for authenticated packets. `nil` when nothing says where it belongs.
    func identify(_ header: RTPHeader, _ packet: RawSpan) -> (layer: PublishedLayer, isRepair: Bool)? {
        if let announced = announcedSource(header.ssrc) { return announced }
        let reading = RTPExtensionReading(reading: packet, header: header, map: extensionMap)
        guard let track = track(named: reading[.mid], in: packet) ?? track(ofType: header.payloadType) else {
            return nil
        }
        let isRepair = track.isRepairType(header.payloadType)
        if let rid = reading[.repairedRID], isRepair { return layer(named: rid, of: track, packet).map { ($0, true) } }
        if let rid = reading[.rid] {
            let index = track.ridIndex(packet.extracting(rid.range))
            guard let index else { return nil }
            if isRepair { return track.layer(index).map { ($0, true) } }
            return (layer(index, of: track, ssrc: header.ssrc), false)
        }
        // Without simulcast there is one layer; its repair comes after it.
        guard track.rids.isEmpty else { return nil }
        if isRepair { return track.layer(0).map { ($0, true) } }
        return (layer(0, of: track, ssrc: header.ssrc), false)
    }

    /// Sources named in SDP have their layers since then.
    private func announcedSource(_ ssrc: SSRC) -> (layer: PublishedLayer, isRepair: Bool)? {
        for track in tracks {
            for (index, source) in track.announced.enumerated() {
                if source.ssrc == ssrc { return (layer(UInt8(index), of: track, ssrc: ssrc), false) }
                if source.rtxSSRC == ssrc {
                    return (layer(UInt8(index), of: track, ssrc: source.ssrc), true)
                }
            }
        }
        return nil
    }

    private func layer(
        named rid: RTPExtensionReading.Element, of track: PublishedTrack, _ packet: RawSpan
    ) -> PublishedLayer? {
        track.ridIndex(packet.extracting(rid.range)).flatMap { track.layer($0) }
    }

    /// The layer of an index, made or moved to a new source: a sender may begin anew under another SSRC.
    private func layer(_ index: UInt8, of track: PublishedTrack, ssrc: SSRC) -> PublishedLayer {
        if let known = track.layer(index) {
            if known.ssrc == ssrc { return known }
            remove(known)
        }
        let layer = PublishedLayer(ssrc: ssrc, index: index, track: track)
        track.add(layer)
        return layer
    }

    /// The layer's source has given way to another: its packets go, its track stays.
    func remove(_ layer: PublishedLayer) {
        sources.removeAll(of: layer)
        layer.track.remove(layer)
        layer.ring.removeAll(into: &room.engine.slab)
    }

    private func track(named mid: RTPExtensionReading.Element?, in packet: RawSpan) -> PublishedTrack? {
        guard let mid else { return nil }
        let bytes = packet.extracting(mid.range)
        return tracks.first { Self.isSame($0.midBytes, bytes) }
    }

    private func track(ofType type: UInt8) -> PublishedTrack? {
        let candidates = tracks.filter { $0.carries(type) }
        return candidates.count == 1 ? candidates.first : nil
    }

    static func isSame(_ text: [UInt8], _ bytes: RawSpan) -> Bool {
        guard text.count == bytes.byteCount else { return false }
        for index in text.indices where text[index] != bytes.byte(index) { return false }
        return true
    }
}
