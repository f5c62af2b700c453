// The fuzzer of DTLS records: the look before OpenSSL, and then OpenSSL itself behind our machine.

import Base
import Crypto

extension Fuzzers {
    package static let dtls = [Fuzzer("dtls-records", fuzzDTLSRecords)]
}

/// Made once: a signature per input would leave time for nothing else.
private let identity: DTLSIdentity = {
    do { return try DTLSIdentity.make() } catch { fatalError("\(error)") }
}()

/// The records found cover the datagram exactly; nothing but records changes a session; whatever comes, what the
/// session answers stays within its bounds.
private func fuzzDTLSRecords(_ bytes: Bytes) {
    let records = bytes.withUnsafeBytes { DTLSDatagram(inspecting: $0) }
    if let records {
        promise(records.recordCount >= 1 && records.recordCount <= DTLSDatagram.recordLimit, "records are bounded")
        promise(records.protectedCount <= records.recordCount, "no more protected records than records")
        promise(records.applicationCount <= records.recordCount, "no more data records than records")
        promise(bytes.count >= records.recordCount * DTLSDatagram.headerCount, "each has a header")
        promise(DTLSDatagram.isDTLS(bytes.first ?? 0), "the first byte says DTLS")
        let longer = (bytes + [22]).withUnsafeBytes { DTLSDatagram(inspecting: $0) }
        promise(longer == nil, "a byte more is no record")
    }
    for role in [DTLSSession.Role.server, .client] {
        guard let session = try? DTLSSession(role, identity) else { fatalError("no session") }
        let now = Instant(nanoseconds: 1)
        session.start(now: now)
        while session.takeDatagram() != nil {}
        session.receive(bytes, now: now)
        session.receive(bytes, now: now)
        promise(session.phase != .established && session.exportedKeys() == nil, "no keys without a handshake")
        promise(records != nil || session.droppedCount == 2, "what is no record is dropped and counted")
        promise(session.takeApplicationData() == nil, "no data without a handshake")
        var count = 0
        while let answer = session.takeDatagram() {
            promise(answer.count <= DTLSSession.datagramLimit, "answers fit a datagram")
            count += 1
        }
        promise(count <= DTLSSession.unsentLimit, "answers are bounded")
    }
}
