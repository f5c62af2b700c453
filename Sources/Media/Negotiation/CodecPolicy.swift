// Which codecs a call uses, in which order, and how many sections and layers one participant may have.

/// A codec we are ready to receive, with the parameters that make it that codec.
package struct CodecPreference: Equatable, Sendable {
    package var codec: Codec
    package var parameters: FormatParameters

    package init(_ codec: Codec, _ parameters: String = "") {
        self.codec = codec
        self.parameters = FormatParameters(parameters)
    }
}

package struct CodecPolicy: Sendable {
    /// In order of preference: the first that the peer has too is what it will send.
    package var audio: [CodecPreference]
    package var video: [CodecPreference]
    /// Whether retransmissions have a payload type of their own (RFC 4588). Without, lost packets are sent again as
    /// they were.
    package var usesRTX = true
    /// Codecs agreed in one section, companions not counted. More let a peer change without renegotiation; each is
    /// some lines in every description. Those of lower preference are left out.
    package var codecsPerSection = 12
    /// RFC 8853 sets no bound; browsers send 3 layers, encoders know up to 4. Further ones are refused in the answer.
    package var layersPerSection = 4

    package init(audio: [CodecPreference], video: [CodecPreference]) {
        self.audio = audio
        self.video = video
    }

    package static let standard = CodecPolicy(
        audio: [
            CodecPreference(.opus), CodecPreference(.red), CodecPreference(.pcmu), CodecPreference(.pcma),
            CodecPreference(.comfortNoise), CodecPreference(.telephoneEvent),
        ],
        video: [
            CodecPreference(.vp8), CodecPreference(.vp9, "profile-id=0"),
            // Level 5.2: we forward whatever size arrives.
            CodecPreference(.h264, "packetization-mode=1;profile-level-id=42e034"),
            CodecPreference(.h264, "packetization-mode=0;profile-level-id=42e034"),
            CodecPreference(.h264, "packetization-mode=1;profile-level-id=640c34"),
            CodecPreference(.h264, "packetization-mode=1;profile-level-id=640034"),
            CodecPreference(.h264, "packetization-mode=1;profile-level-id=4d0034"),
            CodecPreference(.h264, "packetization-mode=1;profile-level-id=420034"),
            CodecPreference(.av1, "profile=0"), CodecPreference(.h265, "profile-id=1"),
            CodecPreference(.vp9, "profile-id=2"),
        ])

    /// The same codecs, those of `codecs` before all others and in that order.
    func preferring(_ codecs: [Codec]) -> CodecPolicy {
        guard !codecs.isEmpty else { return self }
        func sorted(_ preferences: [CodecPreference]) -> [CodecPreference] {
            codecs.reduce(into: []) { found, codec in
                if !found.contains(where: { $0.codec == codec }) { found += preferences.filter { $0.codec == codec } }
            } + preferences.filter { !codecs.contains($0.codec) }
        }
        var policy = self
        policy.audio = sorted(audio)
        policy.video = sorted(video)
        return policy
    }

    func preferences(_ kind: MediaKind) -> [CodecPreference] {
        switch kind {
        case .audio: audio
        case .video: video
        case .data: []
        }
    }
}
