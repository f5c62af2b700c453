import Base
import Testing
import Wire

@testable import Media

/// Which codecs are the same, with which parameters we answer, and what is read of layers and sources.
struct CodecTests {
    private typealias Vectors = NegotiationVectors

    // MARK: H.264

    @Test(arguments: [
        ("42e01f", H264Profile.Profile.constrainedBaseline, 31), ("42c00b", .constrainedBaseline, 11),
        ("4d801f", .constrainedBaseline, 31), ("58c01f", .constrainedBaseline, 31), ("42001f", .baseline, 31),
        ("588015", .baseline, 21), ("58001f", .extended, 31), ("4d001f", .main, 31), ("4d4028", .main, 40),
        ("640032", .high, 50), ("640c1f", .constrainedHigh, 31), ("6e001f", .high10, 31), ("7a001f", .high422, 31),
        ("f4001f", .high444, 31), ("42f00b", .constrainedBaseline, 9),
    ]) func `profiles are told apart by table 5 of RFC 6184`(
        text: String, profile: H264Profile.Profile, level: Int
    ) throws {
        let parsed = try #require(H264Profile(text))
        #expect(parsed.profile == profile && Int(parsed.level) == level)
    }

    @Test(arguments: ["", "42e0", "42e01f0", "zzzzzz", "-2e01f", "00001f", "64ff1f"])
    func `what is no profile is none`(text: String) { #expect(H264Profile(text) == nil) }

    private struct Case: Sendable {
        var offered: String
        var answered: String?
    }

    @Test func `the level is ours with asymmetry, and the lower of both without`() {
        let ours = FormatParameters("packetization-mode=1;profile-level-id=42e01f")
        let cases = [
            Case(
                offered: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034",
                answered: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
            Case(
                offered: "packetization-mode=1;profile-level-id=42e034",
                answered: "packetization-mode=1;profile-level-id=42e01f"),
            Case(
                offered: "packetization-mode=1; profile-level-id=42c00b; max-fs=240",
                answered: "packetization-mode=1;profile-level-id=42c00b"),
            Case(offered: "packetization-mode=0;profile-level-id=42e01f", answered: nil),
            Case(offered: "packetization-mode=1;profile-level-id=64001f", answered: nil),
            Case(offered: "packetization-mode=1", answered: nil),
        ]
        for test in cases {
            let isSame = CodecMatching.isSame(.h264, FormatParameters(test.offered), ours)
            #expect(isSame == (test.answered != nil), "\(test.offered)")
            guard let answered = test.answered else { continue }
            #expect(CodecMatching.answer(.h264, offered: test.offered, ours: ours) == answered)
        }
    }

    @Test func `profiles of the other codecs have to be equal, and have a value when nothing is said`() {
        func same(_ codec: Codec, _ one: String, _ other: String) -> Bool {
            CodecMatching.isSame(codec, FormatParameters(one), FormatParameters(other))
        }
        #expect(same(.vp9, "", "profile-id=0") && !same(.vp9, "profile-id=2", ""))
        #expect(same(.av1, "level-idx=5;profile=0;tier=0", "") && !same(.av1, "profile=1", ""))
        #expect(same(.h265, "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST", "profile-id=1"))
        #expect(!same(.h265, "profile-id=2", "") && !same(.h265, "tx-mode=MRST", ""))
        #expect(same(.vp8, "max-fs=12288", ""))
    }

    @Test func `Opus keeps what the offer asks for, and always has in-band correction`() {
        func answer(_ offered: String, _ ours: String = "") -> String {
            CodecMatching.answer(.opus, offered: offered, ours: FormatParameters(ours))
        }
        #expect(answer("") == "useinbandfec=1")
        #expect(answer("minptime=10;useinbandfec=1;x-mine=2") == "minptime=10;useinbandfec=1")
        #expect(answer("stereo=1;usedtx=0", "usedtx=1") == "stereo=1;usedtx=0;useinbandfec=1")
        #expect(answer("", "usedtx=1") == "useinbandfec=1;usedtx=1")
    }

    @Test func `a publisher's codec is found among those of a subscriber`() {
        var other = Vectors.vp8
        other.payloadType = 120
        #expect(other.isSame(as: Vectors.vp8) && !other.isSame(as: Vectors.opus))
        var one = NegotiatedCodec(payloadType: 98, codec: .vp9, clockRate: 90_000, channels: 0)
        var two = one
        two.parameters = "profile-id=2"
        #expect(!one.isSame(as: two))
        one.parameters = "profile-id=2"
        #expect(one.isSame(as: two))
    }

    // MARK: Selection

    private func receiving(_ name: String, _ index: Int = 0) throws -> Transceiver.Receiving? {
        var negotiator = Vectors.negotiator()
        _ = try negotiator.accept(offer: Vectors.description(name), freshCredentials: Vectors.credentials(2))
        return negotiator.transceivers[index].receiving
    }

    @Test func `our order of preference stands in the answer`() throws {
        var negotiator = Vectors.negotiator {
            $0.policy.video = [CodecPreference(.av1), CodecPreference(.vp8)]
            $0.policy.audio = [CodecPreference(.red), CodecPreference(.opus)]
        }
        let answer = try negotiator.accept(
            offer: Vectors.description("chromium156-local-av-sendrecv-offer"),
            freshCredentials: Vectors.credentials(2))
        #expect(answer.media[1].formats == ["45", "46", "96", "97"])
        #expect(answer.media[0].formats == ["63", "111"])
        let video = try #require(negotiator.transceivers[1].receiving)
        #expect(video.codecs.map(\.codec) == [.av1, .vp8])
        #expect(video.codecs.map(\.rtxPayloadType) == [46, 97])
        #expect(video.codecs.allSatisfy { $0.feedback == .offeredForVideo })
        #expect(
            video.extensions.id(for: .transportSequenceNumber) == 3
                && video.extensions.kind(for: 3) == .transportSequenceNumber)
        #expect(video.extensions.kind(for: 0) == nil && video.extensions.kind(for: 200) == nil)
    }

    @Test func `forward error correction and unknown codecs are left out`() throws {
        let video = try #require(try receiving("chromium156-local-codec-vp8-rtx-red-ulpfec-offer"))
        #expect(video.codecs.map(\.codec) == [.vp8])
        var negotiator = Vectors.negotiator()
        let answer = try negotiator.accept(
            offer: Vectors.description("chromium156-local-codec-g722-only-offer"),
            freshCredentials: Vectors.credentials(2))
        #expect(answer.media[0].port == 0 && answer.groups.isEmpty && negotiator.transceivers.isEmpty)
    }

    @Test func `retransmission that names itself repairs nothing`() throws {
        let description = try Vectors.description("malformed/mutated-apt-cycle")
        var negotiator = Vectors.negotiator()
        _ = try negotiator.accept(offer: description, freshCredentials: Vectors.credentials(2))
        #expect(negotiator.transceivers[1].receiving?.codecs.first?.rtxPayloadType == nil)
    }

    // MARK: Layers and sources

    @Test func `layers by identifier keep their order, their pauses and their payload types`() throws {
        let chromium = try #require(try receiving("chromium156-local-simulcast3-rid-vp8-offer"))
        #expect(chromium.isSimulcast && chromium.layers.map(\.rid) == ["q", "h", "f"])
        #expect(chromium.extensions.id(for: .rid) == 10 && chromium.sources.isEmpty)
        #expect(chromium.extensions.id(for: .videoLayersAllocation) == 14)
        // `send f,~h;i;q` with `a=rid:q send pt=120,121;…`: the first of two alternatives is taken.
        let firefox = try #require(try receiving("medooze-semantic-sdp-simulcast-l16", 1))
        #expect(firefox.layers.map(\.rid) == ["f", "i", "q"] && firefox.layers[2].payloadTypes == [120, 121])
    }

    @Test func `more layers than the policy allows are not answered`() throws {
        var negotiator = Vectors.negotiator { $0.policy.layersPerSection = 2 }
        let answer = try negotiator.accept(
            offer: Vectors.description("chromium156-local-simulcast3-rid-vp8-offer"),
            freshCredentials: Vectors.credentials(2))
        #expect(answer.media[0].simulcast == SDPSimulcast(receive: [[.init(rid: "q")], [.init(rid: "h")]]))
        #expect(answer.media[0].rids.map(\.id) == ["q", "h"])
    }

    @Test func `layers by source come in the order of their group`() throws {
        let name = "lib-jitsi-meet-simulcastrtxsdpstr"
        var negotiator = Vectors.negotiator()
        _ = try negotiator.accept(offer: Vectors.description(name), freshCredentials: Vectors.credentials(2))
        let simulcast = try #require(negotiator.transceivers.compactMap(\.receiving).first { $0.isSimulcast })
        let text = String(decoding: Vectors.bytes(name), as: UTF8.self)
        let group = try #require(text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("a=ssrc-group:SIM ") })
        let expected = group.split(separator: " ").dropFirst().map(String.init)
        #expect(simulcast.sources.prefix(expected.count).map { "\($0.ssrc)" } == expected)
        #expect(simulcast.sources.prefix(expected.count).allSatisfy { $0.rtxSSRC != nil && $0.cname != nil })
    }

    @Test func `a source and its repairs are one`() throws {
        let video = try #require(try receiving("chromium156-local-av-sendrecv-offer", 1))
        #expect(video.sources.count == 1 && video.sources[0].rtxSSRC != nil)
        #expect(video.streamID != nil && video.trackID != nil && !video.isSimulcast)
    }

    // MARK: Data channels

    @Test(arguments: [
        ("a=max-message-size:0\r\n", UInt64?.none), ("a=max-message-size:1000\r\n", 1_000), ("", 65_536),
    ]) func `the largest message is what the peer says, and 64 KiB when it says nothing`(
        line: String, expected: UInt64?
    ) throws {
        var text = String(decoding: Vectors.bytes("chromium156-local-datachannel-only-offer"), as: UTF8.self)
        text = text.split(separator: "\r\n").filter { !$0.hasPrefix("a=max-message-size") }.joined(separator: "\r\n")
        var negotiator = Vectors.negotiator()
        let answer = try negotiator.accept(
            offer: SessionDescription(parsing: Bytes((text + "\r\n" + line).utf8)),
            freshCredentials: Vectors.credentials(2))
        #expect(negotiator.transceivers.first?.data?.remoteMaxMessageSize == expected)
        #expect(answer.media.first?.sctpPort == 5_000 && answer.media.first?.formats == ["webrtc-datachannel"])
    }

    @Test func `the older form of data channels is answered in its form`() throws {
        var negotiator = Vectors.negotiator()
        let answer = try negotiator.accept(
            offer: Vectors.description("webrtc-corpus-opera-1"), freshCredentials: Vectors.credentials(2))
        let data = try #require(answer.media.last)
        #expect(data.protocolName == "DTLS/SCTP" && data.formats == ["5000"])
        #expect(data.sctpMap == "5000 webrtc-datachannel 1024" && data.sctpPort == nil)
    }
}
