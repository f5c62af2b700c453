// What a recording needs of media: a tap on the call (docs/media/recording.md). `MediaService` is it; tests have their own.

package import Base
package import Media

package protocol RecordedMedia: Sendable {
    func startTap(
        ofCall call: UUID, capacity: Int, wake: @escaping @Sendable () -> Void
    ) async throws(MediaError) -> CallTap
    func setTapped(_ owner: UUID, _ isTapped: Bool, inCall call: UUID) async throws(MediaError)
    func stopTap(ofCall call: UUID) async
}

extension MediaService: RecordedMedia {}

extension JournalError {
    /// Why a call cannot be listened to.
    init(_ error: MediaError) {
        self =
            switch error {
            case .conflict(let reason): .refused(reason)
            case .unavailable(let reason): .unavailable(reason)
            default: .unavailable("the call cannot be listened to: \(error)")
            }
    }
}
