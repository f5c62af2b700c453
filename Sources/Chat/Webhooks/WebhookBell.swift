// Rings when something happened in a conversation that has a webhook. What is lost (another node wrote it, the process
// was killed) the next look at the database finds: a ring only makes it sooner.

package import Base
import Synchronization

package final class WebhookBell: ChatEvents {
    private let next: any ChatEvents
    private let hooked = Mutex<Set<ConversationID>>([])
    private let rings: AsyncStream<Void>.Continuation
    let stream: AsyncStream<Void>

    /// Stands before `next`, and passes everything on.
    package init(before next: any ChatEvents) {
        self.next = next
        // However often it rings before somebody looks, one look is enough.
        (stream, rings) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package func deliver(_ event: ChatEvent) {
        next.deliver(event)
        if event.position != nil, hooked.withLock({ $0.contains(event.conversation) }) { ring() }
    }

    package func notify(_ notice: ChatNotice, _ users: [UserID]) { next.notify(notice, users) }

    func ring() { rings.yield() }

    func watch(_ conversations: [ConversationID]) { hooked.withLock { $0 = Set(conversations) } }

    func watch(_ conversation: ConversationID) { hooked.withLock { _ = $0.insert(conversation) } }

    /// Nobody hears it any more.
    func end() { rings.finish() }
}
