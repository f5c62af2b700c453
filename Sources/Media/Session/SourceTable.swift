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

    var count: Int { ssrcs.count }

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
        ssrcs.append(ssrc)
        sources.append(source)
    }

    mutating func removeAll(of layer: PublishedLayer) {
        for index in ssrcs.indices.reversed() where sources[index].layer === layer {
            ssrcs.remove(at: index)
            sources.remove(at: index)
        }
    }
}
