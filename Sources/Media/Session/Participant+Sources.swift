// Where a new source belongs: by its announcement in SDP, by the identifiers in its packet, or by its payload type.

import Base
import Wire

extension Participant {
    /// Only for authenticated packets. `nil` when nothing says where it belongs.
    func identify(
        _ header: RTPHeader, _ packet: RawSpan, _ now: Instant
    ) -> (layer: PublishedLayer, isRepair: Bool)? {
        if let announced = announcedSource(header.ssrc, now) { return announced }
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
            return layer(index, of: track, ssrc: header.ssrc, now).map { ($0, false) }
        }
        // Without simulcast there is one layer; its repair comes after it.
        guard track.rids.isEmpty else { return nil }
        if isRepair { return track.layer(0).map { ($0, true) } }
        return layer(0, of: track, ssrc: header.ssrc, now).map { ($0, false) }
    }

    /// Sources named in SDP have their layers since then.
    private func announcedSource(_ ssrc: SSRC, _ now: Instant) -> (layer: PublishedLayer, isRepair: Bool)? {
        for track in tracks {
            for (index, source) in track.announced.enumerated() {
                let index = UInt8(truncatingIfNeeded: index)
                if source.ssrc == ssrc { return layer(index, of: track, ssrc: ssrc, now).map { ($0, false) } }
                // Repair makes no layer, and none gives way to it: a sender that began anew may still repair the old.
                if source.rtxSSRC == ssrc { return track.layer(index).map { ($0, true) } }
            }
        }
        return nil
    }

    private func layer(
        named rid: RTPExtensionReading.Element, of track: PublishedTrack, _ packet: RawSpan
    ) -> PublishedLayer? {
        track.ridIndex(packet.extracting(rid.range)).flatMap { track.layer($0) }
    }

    /// The layer of an index, made or moved to a new source: a sender may begin anew under another SSRC. `nil` for one
    /// that does so all the time.
    private func layer(
        _ index: UInt8, of track: PublishedTrack, ssrc: SSRC, _ now: Instant
    ) -> PublishedLayer? {
        let known = track.layer(index)
        if let known, known.ssrc == ssrc { return known }
        guard newLayers.take(now) else { return nil }
        if let known { remove(known) }
        let layer = PublishedLayer(ssrc: ssrc, index: index, track: track)
        track.add(layer)
        return layer
    }

    /// The layer's source has given way to another: its packets go, its track stays.
    func remove(_ layer: PublishedLayer) {
        sources.removeAll(of: layer)
        layer.track.remove(layer)
        // What comes under this layer's number next is another stream, with numbers of its own.
        for subscription in layer.track.subscriptions { subscription.sourceChanged() }
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
