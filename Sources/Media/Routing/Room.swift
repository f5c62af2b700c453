// A room: who is in it, and who gets what. The plan here is the plainest: every free section shows the first track of
// its kind that its owner does not see yet, in the order of publication.

import Base

final class Room {
    let name: String
    unowned let engine: MediaEngine
    /// Stand-ins of other shards' participants among them.
    private(set) var participants: [Participant] = []
    var data = RoomData()
    let policy: RoomPolicy
    /// To the other shards that the room is on.
    var links: [ShardLink] = []
    var speakers: RoomSpeakers
    var log = CallLog()
    /// Of a recorder.
    var tap: RoomTap?

    init(_ name: String, engine: MediaEngine) {
        self.name = name
        self.engine = engine
        policy = engine.roomPolicy(name)
        speakers = RoomSpeakers(places: engine.settings.loudestN)
        tap = engine.tap(on: name)
    }

    var isEmpty: Bool { participants.isEmpty }

    func add(_ participant: Participant) {
        participants.append(participant)
        speakers.ranksAreStale = true
        log.note(.joined, participant.id, now: participant.joined)
    }

    func remove(_ participant: Participant) {
        participants.removeAll { $0 === participant }
        speakers.remove(participant)
    }

    /// A track has come: everybody who has a free section gets it; by policy, others are offered one.
    func offer(_ track: PublishedTrack, now: Instant) {
        speakers.ranksAreStale = true
        for participant in participants where participant !== track.publisher {
            participant.showOrOffer(track, now: now, engine: engine)
        }
        guard track.publisher.origin == nil else { return }
        tap?.begin(track, now: now)
        for link in links { link.publish(track, in: name) }
    }

    /// A track has gone: whoever saw it may see another one.
    func withdraw(_ track: PublishedTrack, now: Instant) {
        tap?.end(track, .unpublished, now: now)
        for participant in participants { participant.withdrawOffer(of: track, engine: engine) }
        for subscription in track.subscriptions {
            subscription.detach()
            fill(subscription, now: now)
        }
        for mirror in track.mirrors { mirror.link.withdraw(track) }
    }

    /// A section is free: it shows the first track that its owner does not see.
    func fill(_ subscription: Subscription, now: Instant) {
        guard subscription.source == nil else { return }
        for publisher in participants where publisher !== subscription.subscriber {
            for track in publisher.tracks
            where subscription.canShow(track) && !subscription.subscriber.sees(track) {
                return subscription.attach(track, now: now)
            }
        }
    }
}

extension Participant {
    func sees(_ track: PublishedTrack) -> Bool { subscriptions.contains { $0.source === track } }

    func show(_ track: PublishedTrack, now: Instant) {
        guard !sees(track), let free = subscriptions.first(where: { $0.source == nil && $0.canShow(track) }) else {
            return
        }
        free.attach(track, now: now)
    }
}
