// The later course of a soft peer's negotiation: offers of the server answered, sections added, stopped and turned round,
// ICE restarted from either side.

package import Base
import Crypto
package import Wire

extension SoftPeer {
    /// A section's name, and whether it was given up.
    struct Place {
        var mid: String
        var isStopped = false
    }

    /// The whole description, with a direction for each section.
    func description(setup: String, _ direction: (Int) -> SDPDirection) -> String {
        let members = sections.indices.filter { !places[$0].isStopped }.map { places[$0].mid }
        var lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
        if !members.isEmpty { lines.append("a=group:BUNDLE " + members.joined(separator: " ")) }
        for index in sections.indices { lines += describe(index, setup: setup, direction(index)) }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    // MARK: What we change before an offer

    package func add(_ section: Section) {
        sections.append(section)
        places.append(Place(mid: "\(places.count)"))
        if section.kind == .application, data == nil { data = SoftData(seed: random.next()) }
    }

    package func turn(_ section: Int, _ direction: SDPDirection) { sections[section].direction = direction }

    package func stop(_ section: Int) { places[section].isStopped = true }

    /// New credentials stand in the next description.
    package func renewCredentials() {
        credentials = ICECredentials(
            randomBytes: (0..<ICECredentials.randomByteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    // MARK: An offer of the other side

    /// Everything is accepted: what is new is received, and where the other side would receive, is sent.
    package func accept(offer text: String, now: Instant) throws -> String {
        let offer = try SessionDescription(parsing: Bytes(text.utf8))
        for (index, media) in offer.media.enumerated() {
            if index == sections.count {
                let kind: Section.Kind = media.kind == .audio ? .audio : media.kind == .video ? .video : .application
                let theirs = offer.direction(of: media)
                add(Section(kind, theirs.receives ? SDPDirection(sends: true, receives: theirs.sends) : .receiveOnly))
                places[index].mid = media.mid ?? ""
                if kind == .application, phase == .connected { startData(now: now) }
            }
            if media.port == 0 {
                places[index].isStopped = true
            } else if places[index].isStopped {
                // A rejected section is used again for something else.
                places[index] = Place(mid: media.mid ?? "")
                sections[index] = Section(media.kind == .audio ? .audio : .video, .receiveOnly)
            }
        }
        try adopt(offer, isOffer: true, now: now)
        return description(setup: "active") { index in
            let theirs = offer.direction(of: offer.media[index])
            let ours = sections[index].direction
            return SDPDirection(sends: ours.sends && theirs.receives, receives: ours.receives && theirs.sends)
        }
    }

    /// The other side's credentials: new ones restart the checks. In an offer they ask for new ones of ours.
    func restart(with remote: ICECredentials, isOffer: Bool, now: Instant) {
        guard remote.ufrag != remoteUfrag else { return }
        if isOffer { renewCredentials() }
        remoteUfrag = remote.ufrag
        ice?.restart(local: credentials, remote: remote, now: now)
    }

    /// What the other side says it sends in each section: the stream's name, by `mid`.
    package var shown: [String: String] {
        var shown: [String: String] = [:]
        for media in remoteDescription?.media ?? [] where media.port != 0 {
            guard let mid = media.mid, let stream = media.streams.first?.stream,
                remoteDescription?.direction(of: media).sends == true
            else { continue }
            shown[mid] = stream
        }
        return shown
    }
}
