// The end of a server that stops in order: clients hear where to go on, have some time for it, and are then closed.

import Base

extension SignalingHub {
    /// How often it is looked whether everybody has gone.
    private static let drainStep = Duration.milliseconds(50)

    /// Takes nobody more. With a `url`, every socket is told of it and has `limit` to go there, while calls go on;
    /// returns when all have gone, or the time is over. `finishDrain` closes who is left.
    package func drain(to url: String?, within limit: Duration) async {
        let open = beginDrain()
        guard let url, limit > .zero else { return }
        let seconds = Int(limit.inSeconds.rounded(.up))
        for connection in open { connection.channel.send(.reconnect(url: url, seconds: seconds)) }
        let end = Instant.now() + limit
        while connectionCount > 0, Instant.now() < end { try? await Task.sleep(for: Self.drainStep) }
    }

    /// After the calls have ended, so that people hear of that, too.
    package func finishDrain() {
        for connection in beginDrain() { connection.end(.serverStops, "the server stops") }
    }
}
