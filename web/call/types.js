// @ts-check
/**
 * The shapes that the SDK shows: what a screen reads and what its events carry. No code.
 *
 * Everything in `CallState` is plain data that survives `structuredClone`; media streams are asked for by `mid`
 * (`PlexiCall.streamOf`). A state is never changed in place: each change makes a new, frozen object, and parts that did
 * not change stay the same object, so that `===` tells what to draw anew.
 *
 * @module
 */

/**
 * Where the call is.
 * - `idle`: made, not joined.
 * - `connecting`: the socket opens, the join is asked.
 * - `joined`: in the call. Whether media flows is `media`.
 * - `reconnecting`: the socket is lost and is being opened again; media usually goes on meanwhile.
 * - `ended`: over for us; `end` says why. Nothing follows.
 * @typedef {'idle'|'connecting'|'joined'|'reconnecting'|'ended'} CallPhase
 */

/**
 * @typedef {object} CallState
 * @property {CallPhase} phase
 * @property {string} callId
 * @property {string|null} userId one's own, from the join on
 * @property {string|null} status of the call as the server says: `initiating`, `ringing`, `ongoing`, `ended`, …
 * @property {string|null} hostId
 * @property {boolean} locked nobody new is let in
 * @property {Recording|null} recording the one that is on
 * @property {readonly Participant[]} participants the others, in the order in which they came
 * @property {Own} own
 * @property {readonly RemoteTrack[]} tracks what others show, in the order of the server's list
 * @property {string|null} speaker user id of who dominates; may be one's own
 * @property {Quality|null} quality of one's own connection, every 5 s
 * @property {RTCPeerConnectionState} media of the peer connection
 * @property {Reconnect|null} reconnect while `phase` is `reconnecting`
 * @property {Encryption} encryption
 * @property {boolean} playBlocked the browser waits for a gesture before it plays sound: call `resumePlayback()` in one
 * @property {CallProblem|null} end
 */

/**
 * Who has agreed is in `people`, oneself among them (docs/protocol/recording.md).
 * @typedef {object} Recording
 * @property {string|null} id
 * @property {'asking'|'recording'|'paused'|'stopping'} state
 * @property {boolean} on whether anything is written now
 * @property {string} policy `ask`, `announce`, `operator`
 * @property {string|null} startedBy
 * @property {readonly {userId: string, consent: string}[]} people
 */

/**
 * @typedef {object} Participant
 * @property {string} userId
 * @property {boolean} audio whether it is sending, as far as it and its permissions say
 * @property {boolean} video
 * @property {boolean} hold
 * @property {boolean} hand
 * @property {boolean} connected false while the server keeps the place of one whose connection broke off
 * @property {string} state `joined`; of who is called and not in the call yet `invited`, `ringing`, …
 * @property {{audio: boolean, video: boolean, receive: boolean}} permissions what the host lets it do
 */

/**
 * @typedef {object} Own
 * @property {boolean} muted
 * @property {boolean} mutedByHost the host muted us; `setMuted(false)` ends it
 * @property {boolean} microphone a microphone track is set
 * @property {boolean} camera a camera track is set
 * @property {boolean} screen a screen is being shared
 * @property {boolean} hold
 * @property {boolean} hand
 * @property {boolean} mayAudio what the host has not taken away
 * @property {boolean} mayVideo
 */

/** @typedef {'microphone'|'camera'|'screen'|'screen-audio'} TrackSource */

/**
 * @typedef {object} RemoteTrack
 * @property {string} mid names the track in every call of the SDK
 * @property {'audio'|'video'} kind
 * @property {string} userId
 * @property {TrackSource} source
 * @property {boolean} paused the server sends nothing at present
 * @property {'bandwidth'|'preference'|'not_speaking'|null} pauseReason
 * @property {boolean} ready the browser has the track: `streamOf(mid)` is not null
 * @property {boolean} flowing sound or picture is coming in; false soon after the publisher switched a camera off
 */

/**
 * @typedef {object} Quality
 * @property {number|null} rttMs
 * @property {number|null} loss of the worst section, 0 to 1
 * @property {number|null} bitrateIn bits a second that the server gets from us
 * @property {number|null} bitrateOut bits a second that it sends us
 * @property {number|null} estimate what the network to us was found to carry, bits a second
 */

/**
 * @typedef {object} Reconnect
 * @property {number} attempt from 1
 * @property {number} at when the next try begins, in the clock of `Date.now()`
 */

/**
 * @typedef {object} Encryption
 * @property {boolean} on end-to-end encryption was asked for; nothing leaves unencrypted then
 * @property {number} failures frames of others that could not be decrypted so far (another key, or none)
 */

/**
 * Why something did not work, as a value. `code` is for programs (`web/strings.js` has a sentence for each); `text` is
 * the server's English sentence or the SDK's own.
 * @typedef {object} CallProblem
 * @property {string} code see `PROBLEMS` in `web/call/problems.js`
 * @property {string} text
 * @property {boolean} retry whether trying again later may work
 * @property {number|null} retryAfter seconds
 * @property {Record<string, unknown>} info as the server sent it
 */

/**
 * One track's digest out of `getStats`, once every `STATS_INTERVAL`. Null is what was not measured.
 * @typedef {object} TrackStats
 * @property {string} mid
 * @property {'in'|'out'} direction
 * @property {'audio'|'video'} kind
 * @property {string|null} userId null for one's own
 * @property {string|null} codec as in `VP8`, `opus`
 * @property {number|null} bitrate bits a second since the digest before
 * @property {number|null} width
 * @property {number|null} height
 * @property {number|null} fps
 * @property {number|null} loss 0 to 1, since the digest before
 * @property {number|null} jitterMs
 * @property {number|null} rttMs
 * @property {number|null} freezes since the track began
 * @property {string|null} limitation of one's own video: `cpu`, `bandwidth`, `other`, or null
 * @property {readonly LayerStats[]} layers of one's own simulcast, lowest first; empty otherwise
 */

/**
 * @typedef {object} LayerStats
 * @property {string} rid
 * @property {boolean} active
 * @property {number|null} bitrate
 * @property {number|null} width
 * @property {number|null} height
 * @property {number|null} fps
 */

/**
 * @typedef {object} CallStats
 * @property {number} at `Date.now()`
 * @property {number|null} rttMs of the connection
 * @property {number|null} available bits a second that the browser believes it may send
 * @property {'host'|'srflx'|'prflx'|'relay'|null} path how packets leave this machine
 * @property {'udp'|'tcp'|null} transport
 * @property {readonly TrackStats[]} tracks
 */

/**
 * What a tile on the screen shows of a track, in CSS pixels. The SDK asks the server for no more than that.
 * @typedef {object} Tile
 * @property {string} mid
 * @property {number} width
 * @property {number} height
 * @property {boolean} [visible] false pauses the track at the server; true where it is not given
 * @property {boolean} [pinned] before all others when bandwidth is short
 */

/**
 * @typedef {object} IncomingCall
 * @property {string} callId
 * @property {string} callerId
 * @property {'audio'|'video'} type
 * @property {readonly string[]} participants user ids, the caller's first
 */

/**
 * @typedef {object} CallOptions
 * @property {string} url of the socket, as in `wss://chat.example.org/calls/ws` (`signalingURL(location)` makes it)
 * @property {string} callId
 * @property {() => Promise<string|null>} token a good token for each try to connect (`PlexiAPI.accessToken`), or null
 *   when nobody is signed in any more. Never logged.
 * @property {'audio'|'video'} [kind] of the call; `video` where it is not given
 * @property {'offerer'|'answerer'} [role] `offerer` where it is not given
 * @property {() => Promise<RTCIceServer[]>} [iceServers] in addition to those that the server sends with the join
 * @property {{secret: Uint8Array, makeWorker: () => Worker}} [encryption] end-to-end (`web/sframe.js`). The join fails
 *   with `encryption_unsupported` where the browser cannot.
 * @property {Partial<Environment>} [env]
 */

/** @typedef {{ok: true} | {ok: false, problem: CallProblem}} Outcome */

/**
 * What the SDK needs of the world; tests bring their own.
 * @typedef {object} Environment
 * @property {typeof WebSocket} WebSocket
 * @property {typeof RTCPeerConnection} RTCPeerConnection
 * @property {() => number} now milliseconds, never going back
 * @property {() => number} wallClock milliseconds since 1970
 * @property {() => number} random from 0 to below 1
 * @property {(callback: () => void, milliseconds: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {(tracks: MediaStreamTrack[]) => MediaStream} makeStream
 * @property {any} RTCRtpScriptTransform undefined where the browser has none
 * @property {(kind: 'audio'|'video') => any[]} codecs that the browser has
 * @property {() => number} pixelRatio device pixels in a CSS pixel
 */

export {};
