// Presence over chat sockets: a change is told to those who follow a conversation that the person is in, once for each
// socket, however many conversations they share.

import Accounts
package import Base
import Synchronization
import Wire

extension ChatHub {
    private static let log = Logger("chat")

    /// Before the first socket.
    package func setPresence(_ gate: any PresenceGate) { presence.withLock { $0.gate = gate } }

    /// Told with the next turn of `advancePresence`. From any thread; does not wait.
    package func presenceChanged(_ user: UserID, _ presence: ChatPresence) {
        self.presence.withLock { $0.board.note(user, presence) }
    }

    var gate: (any PresenceGate)? { presence.withLock { $0.gate } }

    /// Every second: what comes and goes within one is not told, or a network that stutters would cost everybody.
    package func advancePresence() async {
        let news = presence.withLock { $0.board.take(limits.presenceNews) }
        guard let service, followedCount > 0 else { return }
        for (index, one) in news.enumerated() {
            do throws(ChatError) {
                try await tell(one, service)
            } catch {
                Self.log.warning("who came and went could not be told; the next turn tries again", [.error(error)])
                return presence.withLock { state in for one in news[index...] { state.board.giveBack(one) } }
            }
        }
    }

    private func tell(_ news: PresenceNews, _ service: ChatService) async throws(ChatError) {
        let places = try await service.conversationsThatShowPresence(
            of: news.user, members: limits.presenceMembers, limit: limits.presencePlaces)
        let lanes = lanes(following: places, but: news.user)
        var written: [ObjectIdentifier: [SharedFrame]] = [:]
        for lane in lanes {
            for group in lane.groups where written[ObjectIdentifier(group.style)] == nil {
                written[ObjectIdentifier(group.style)] = await group.style.frames(of: news)
            }
        }
        let frames = written
        for lane in lanes {
            let groups = lane.groups
            lane.loop.submit {
                for group in groups {
                    let frames = frames[ObjectIdentifier(group.style)] ?? []
                    for connection in group.connections { connection.tellPresence(frames) }
                }
            }
        }
    }

    /// Sockets that follow any of these, each once; those of the user themself know.
    private func lanes(following places: [ConversationID], but user: UserID) -> [Lane] {
        state.withLock { state in
            var found = Followers()
            var seen: Set<ObjectIdentifier> = []
            for place in places {
                for lane in state.followers[place]?.lanes ?? [] {
                    for connection in lane.groups.flatMap(\.connections)
                    where connection.principal.user != user && seen.insert(ObjectIdentifier(connection)).inserted {
                        found.add(connection)
                    }
                }
            }
            return found.lanes
        }
    }
}
