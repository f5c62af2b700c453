// plexibench media-janus: the same load on the video room of Janus, another server, for comparison: its process, its
// cost for each packet that came. The options of `plexibench media`, and:
//
//   --janus PROGRAM --janus-config FOLDER   started so; the folder says where its socket is
//   --janus-socket PATH                     the Unix socket (SOCK_SEQPACKET) on which it takes JSON
//   --address A                             where our sockets are: Janus offers no loopback address
//
// `scripts/bench-media` writes the configuration.

import Base
import CShims
import Crypto
import Glibc
import Media
import TestKit
import Wire

/// One request at a time over Janus' Unix socket. What nobody asked for (who is up, who left) is read over.
final class JanusClient {
    /// Of one answer.
    private static let sizeMax = 256 << 10
    private static let patience: Int32 = 10_000

    private let descriptor: Int32
    private var session: Int64 = 0
    private var number = 0
    private var buffer = Bytes(repeating: 0, count: sizeMax)

    /// Tries for five seconds: it may be starting.
    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("open a Unix socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemError("connect to Janus: its path is too long", code: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        var isConnected = false
        for _ in 0..<50 where !isConnected {
            isConnected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
                }
            }
            if !isConnected { usleep(100_000) }
        }
        guard isConnected else { throw SystemError("connect to Janus") }
        let answer = try ask([("janus", .string("create"))])
        session = answer["data"]?["id"]?.integerValue ?? 0
    }

    deinit { close(descriptor) }

    /// A handle of the video room: one for each peer connection.
    func attach() throws -> Int64 {
        let answer = try ask([
            ("janus", .string("attach")), ("session_id", .integer(session)),
            ("plugin", .string("janus.plugin.videoroom")),
        ])
        return answer["data"]?["id"]?.integerValue ?? 0
    }

    /// Returns the session description that came with the answer, if one did.
    @discardableResult
    func message(
        _ handle: Int64, _ body: [(String, JSONValue)], sdp: (kind: String, text: String)? = nil
    ) throws -> String? {
        var fields: [(String, JSONValue)] = [
            ("janus", .string("message")), ("session_id", .integer(session)), ("handle_id", .integer(handle)),
            ("body", .object(JSONObject(body))),
        ]
        if let sdp {
            let description = JSONObject([
                ("type", .string(sdp.kind)), ("sdp", .string(sdp.text)), ("trickle", .bool(false)),
            ])
            fields.append(("jsep", .object(description)))
        }
        let answer = try ask(fields)
        if let reason = answer["plugindata"]?["data"]?["error"]?.stringValue {
            throw SystemError("Janus: \(reason)", code: 0)
        }
        return answer["jsep"]?["sdp"]?.stringValue
    }

    private func ask(_ fields: [(String, JSONValue)]) throws -> JSONValue {
        number += 1
        let name = "\(number)"
        let request = JSONValue.object(JSONObject(fields + [("transaction", .string(name))])).encoded
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw SystemError("ask Janus")
        }
        while true {
            var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, Self.patience) == 1 else { throw SystemError("wait for Janus", code: ETIMEDOUT) }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw SystemError("read from Janus") }
            let answer = try JSONValue(parsing: Bytes(buffer[..<count]))
            guard answer["transaction"]?.stringValue == name else { continue }
            switch answer["janus"]?.stringValue {
            case "ack": continue
            case "error":
                throw SystemError("Janus: \(answer["error"]?["reason"]?.stringValue ?? "an error")", code: 0)
            default: return answer
            }
        }
    }
}

/// Answers the checks of a server that calls itself lite and checks all the same, as libnice does.
struct CheckAnswers {
    private let key: MessageIntegrityKey

    /// From the description in which we told our password.
    init?(_ description: String) {
        func value(_ name: String) -> String? {
            description.split(separator: "\r\n").first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
        }
        guard let ufrag = value("a=ice-ufrag:"), let password = value("a=ice-pwd:"),
            let credentials = try? ICECredentials(ufrag: ufrag, password: password)
        else { return nil }
        key = MessageIntegrityKey(credentials.password)
    }

    /// `nil` for anything but a request. Who asks is not looked at: nothing of ours hangs on it.
    func answer(_ datagram: UnsafeRawBufferPointer, to server: plexi_address) -> Bytes? {
        guard datagram.count >= 20, datagram[0] == 0, datagram[1] == 1 else { return nil }
        let id = STUNTransactionID(
            datagram.loadUnaligned(fromByteOffset: 8, as: UInt32.self).bigEndian,
            datagram.loadUnaligned(fromByteOffset: 12, as: UInt64.self).bigEndian)
        let ip = withUnsafeBytes(of: server.ip) { Bytes($0.prefix(4)) }
        guard let address = IPAddress(bytes: ip) else { return nil }
        var writer = STUNWriter()
        writer.begin(.success, .binding, id)
        writer.add(.xorMappedAddress, xor: TransportAddress(address, server.port))
        writer.addIntegrity(key)
        writer.addFingerprint()
        return writer.bytes
    }
}

/// Soft peers in one room of Janus: one peer connection for what somebody sends, another for all that it receives.
private struct JanusRoom {
    private static let room: Int64 = 1

    let client: JanusClient
    let load: MediaLoad
    let profile: SRTPProfile
    let address: IPAddress

    init(_ client: JanusClient, _ load: MediaLoad, _ profile: SRTPProfile, _ address: IPAddress) throws {
        self.client = client
        self.load = load
        self.profile = profile
        self.address = address
        // Nothing that costs: no limit of bandwidth to enforce, no levels to watch, no reports of the transport.
        try client.message(
            try client.attach(),
            [
                ("request", .string("create")), ("room", .integer(Self.room)), ("publishers", .integer(64)),
                ("bitrate", .integer(0)), ("fir_freq", .integer(0)), ("audiocodec", .string("opus")),
                ("videocodec", .string("vp8")), ("audiolevel_ext", .bool(false)), ("audiolevel_event", .bool(false)),
                ("videoorient_ext", .bool(false)), ("playoutdelay_ext", .bool(false)),
                ("transport_wide_cc_ext", .bool(false)), ("notify_joining", .bool(false)),
            ])
    }

    func publish(_ id: Int, _ sections: [SoftPeer.Section]) throws {
        let seed = load.nextSeed()
        let (peer, socket) = try makePeer(sections, seed)
        let joined = Instant.now()
        // It answers "passive" to nothing but "active", and then the profile is ours to choose.
        let offer = peer.offer().replacing("a=setup:actpass", with: "a=setup:active")
        let answer = try client.message(
            try client.attach(),
            [
                ("request", .string("joinandconfigure")), ("ptype", .string("publisher")),
                ("room", .integer(Self.room)), ("id", .integer(Int64(id))),
            ], sdp: ("offer", withCandidate(offer, socket)))
        guard let answer else { throw SystemError("publish: Janus gave no answer", code: 0) }
        let now = Instant.now()
        try peer.accept(answer: answer, now: now)
        let entry = try entry(peer, socket, joined)
        entry.checks = CheckAnswers(offer)
        entry.publish(sections: sections, seed: seed, now: now)
        load.add(entry)
    }

    func subscribe(to feeds: [Int]) throws -> LoadPeer {
        let (peer, socket) = try makePeer([], load.nextSeed())
        let joined = Instant.now()
        let handle = try client.attach()
        let offer = try client.message(
            handle,
            [
                ("request", .string("join")), ("ptype", .string("subscriber")), ("room", .integer(Self.room)),
                ("streams", .array(feeds.map { .object(JSONObject([("feed", .integer(Int64($0)))])) })),
            ])
        guard let offer else { throw SystemError("subscribe: Janus gave no offer", code: 0) }
        let answer = try peer.accept(offer: offer, now: .now())
        try client.message(
            handle, [("request", .string("start"))], sdp: ("answer", withCandidate(answer, socket)))
        let entry = try entry(peer, socket, joined)
        entry.checks = CheckAnswers(answer)
        load.add(entry)
        return entry
    }

    private func makePeer(_ sections: [SoftPeer.Section], _ seed: UInt64) throws -> (SoftPeer, MediaSocket) {
        let peer = try SoftPeer(sections, identity: load.identity, seed: seed)
        peer.offersTransportFeedback = false
        peer.sendsTransportFeedback = false
        peer.offerOnly(profile)
        return (peer, try MediaSocket(at: plexi_address(TransportAddress(address, 0))))
    }

    private func entry(_ peer: SoftPeer, _ socket: MediaSocket, _ joined: Instant) throws -> LoadPeer {
        guard let server = peer.remoteAddress else { throw SystemError("Janus gave no candidate", code: 0) }
        return LoadPeer(peer, socket, server: plexi_address(server), joined: joined)
    }

    /// In the first section, which carries the transport of all.
    private func withCandidate(_ text: String, _ socket: MediaSocket) -> String {
        let line = "a=candidate:1 1 udp 2130706431 \(address) \(socket.port) typ host\r\n"
        guard let place = text.ranges(of: "a=ice-ufrag:").first?.lowerBound else { return text }
        return text[..<place] + line + text[place...]
    }
}

/// Nobody can subscribe to who is not up, on Janus' side too, which is a little later than on ours.
private func connectEverybody(_ load: MediaLoad) throws {
    guard load.run(until: { load.peers.allSatisfy { $0.peer.phase == .connected } }, seconds: 30) else {
        let count = load.peers.count { $0.peer.phase == .connected }
        throw SystemError("connect everybody: \(count) of \(load.peers.count) are", code: 0)
    }
    load.run(seconds: 0.5)
}

private func fill(_ room: JanusRoom, _ options: MediaOptions) throws {
    let load = room.load
    if options.isConference {
        let everybody = Array(1...options.subscribers)
        for id in everybody { try room.publish(id, [.init(.audio, .sendOnly), .init(.video, .sendOnly)]) }
        try connectEverybody(load)
        for id in everybody {
            let entry = try room.subscribe(to: everybody.filter { $0 != id })
            entry.opens = id <= options.opening
            load.turn()
        }
        for entry in load.peers { entry.audience = options.subscribers - 1 }
    } else {
        try room.publish(1, [.init(options.isVideo ? .video : .audio, .sendOnly)])
        try connectEverybody(load)
        load.isPublishing = false
        for number in 0..<options.subscribers {
            try room.subscribe(to: [1]).opens = number < options.opening
            for _ in 0..<4 { load.turn() }
        }
        load.isPublishing = true
    }
    try connectEverybody(load)
    load.run(seconds: options.warmUp)
}

func benchmarkMediaJanus() {
    raiseDescriptorLimit()
    let options = MediaOptions()
    do {
        guard let program = Arguments.value("janus"), let folder = Arguments.value("janus-config"),
            let path = Arguments.value("janus-socket"), let address = IPAddress(Arguments.value("address") ?? ""),
            let process = MediaProcess(program: [program, "-F", folder], core: options.core)
        else { throw SystemError("start Janus", code: 0) }
        defer { process.end() }
        let profile: SRTPProfile = options.onlyCM ? .aes128CMSHA1_80 : .aeadAES128GCM
        let room = try JanusRoom(try JanusClient(path), try MediaLoad(), profile, address)
        try fill(room, options)
        room.load.inStep = options.inStep && !options.isConference
        for round in 0..<options.rounds {
            let leg = measureLeg(room.load, process, options)
            print("{\"leg\":\"janus\",\"round\":\(round),\(leg.json)}")
            fflush(nil)
        }
    } catch {
        print("plexibench media-janus: \(error)")
        exit(1)
    }
}

/// plexibench calls-janus: as `calls-joins`, from the request to the first packet that can be decrypted.
func benchmarkCallsJanus() {
    raiseDescriptorLimit()
    do {
        guard let program = Arguments.value("janus"), let folder = Arguments.value("janus-config"),
            let path = Arguments.value("janus-socket"), let address = IPAddress(Arguments.value("address") ?? ""),
            let process = MediaProcess(
                program: [program, "-F", folder], core: Arguments.value("server-core").flatMap { Int($0) })
        else { throw SystemError("start Janus", code: 0) }
        defer { process.end() }
        let load = try MediaLoad()
        let room = try JanusRoom(try JanusClient(path), load, .aeadAES128GCM, address)
        try room.publish(1, [.init(.audio, .sendOnly)])
        try connectEverybody(load)
        let latencies = try (0..<Arguments.integer("people", default: 100)).map { _ in
            let entry = try room.subscribe(to: [1])
            guard load.run(until: { entry.firstMedia != nil }, seconds: 10) else {
                throw SystemError("hear something from Janus", code: 0)
            }
            return (entry.firstMedia ?? .now()) - entry.joined
        }
        print("{\"profile\":\"janus\",\"count\":\(latencies.count),\(percentiles(latencies))}")
    } catch {
        print("plexibench calls-janus: \(error)")
        exit(1)
    }
}
