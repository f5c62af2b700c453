// The body of a configuration: what is the same for the whole repository.

import Base
import Crypto
import Wire

struct RepositoryConfiguration: Sendable {
    static let keyCount = 32

    let repository: UUID
    /// Block ids are keyed with it.
    let blockKey: Secret
    let made: Timestamp

    static func make(at now: Timestamp) -> RepositoryConfiguration {
        RepositoryConfiguration(
            repository: .random(), blockKey: SecureRandom.secret(keyCount), made: FormTime.clamped(now))
    }

    var object: SignedObject {
        var body = blockKey.exposedBytes
        body.append(time: made)
        return SignedObject(.configuration, of: repository, body: body)
    }

    private init(repository: UUID, blockKey: Secret, made: Timestamp) {
        self.repository = repository
        self.blockKey = blockKey
        self.made = made
    }

    init(_ object: SignedObject) throws(WireError) {
        guard object.kind == .configuration else { throw .invalid("it is no configuration") }
        var reader = ByteReader(object.body.span.bytes)
        let key = Secret(try reader.readBytes(Self.keyCount))
        self.init(repository: object.repository, blockKey: key, made: try reader.readTime())
        try reader.requireEnd()
    }

    /// Says the same: only wrapped for others.
    func isSame(as other: RepositoryConfiguration) -> Bool {
        repository == other.repository && made == other.made
            && constantTimeEquals(blockKey.exposedBytes, other.blockKey.exposedBytes)
    }
}
