// Which source (SSRC) of a participant is which stream: asked once per packet that comes in.

import Crypto
import Wire

/// A source that is known: it carries a layer's packets, or repairs them.
struct Source {
    unowned(unsafe) let layer: PublishedLayer
    let isRepair: Bool
    /// Of RTP of this source.
    var window: SRTPReplayWindow
}

struct SourceTable {
    /// Apart from `sources`, so that the search stays within a cache line or two.
    private var ssrcs: [SSRC] = []
    var sources: [Source] = []
    /// The one that was found last: media comes in runs.
    private var last = 0

    /// Sources that have ended. One that comes back goes on counting: after 65,536 packets their index cannot be told
    /// from the packet alone (RFC 3711 §3.3.1), and old packets must stay old.
    private var retired: [(ssrc: SSRC, window: SRTPReplayWindow)] = []
    /// More keeps more memory for who changes sources; a source that is forgotten can only come back near its start.
    static let retiredLimit = 64

    var count: Int { ssrcs.count }

    /// For the first packet of a source.
    func startWindow(_ ssrc: SSRC) -> SRTPReplayWindow {
        retired.last { $0.ssrc == ssrc }?.window ?? SRTPReplayWindow()
    }

    @inline(__always)
    mutating func find(_ ssrc: SSRC) -> Int? {
        if last < ssrcs.count, ssrcs[last] == ssrc { return last }
        for index in 0..<ssrcs.count where ssrcs[index] == ssrc {
            last = index
            return index
        }
        return nil
    }

    mutating func add(_ ssrc: SSRC, _ source: Source) {
        retired.removeAll { $0.ssrc == ssrc }
        ssrcs.append(ssrc)
        sources.append(source)
    }

    mutating func removeAll(of layer: PublishedLayer) {
        for index in ssrcs.indices.reversed() where sources[index].layer === layer {
            if retired.count == Self.retiredLimit { retired.removeFirst() }
            retired.append((ssrcs[index], sources[index].window))
            ssrcs.remove(at: index)
            sources.remove(at: index)
        }
    }
}
