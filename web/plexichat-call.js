// @ts-check
/**
 * PlexiChat's calls for pages: joining, media, screens, reconnecting. Use `PlexiCall` for one call, and one `PlexiLine`
 * for as long as somebody is signed in: it is where calls come in. docs/web.md shows how; docs/protocol/signaling.md is
 * what is spoken. No DOM but WebSocket and WebRTC, and these can be brought along (`env`).
 *
 * @module
 */

/** @typedef {import('./call/types.js').CallState} CallState */
/** @typedef {import('./call/types.js').CallProblem} CallProblem */
/** @typedef {import('./call/types.js').CallStats} CallStats */
/** @typedef {import('./call/types.js').IncomingCall} IncomingCall */
/** @typedef {import('./call/types.js').Tile} Tile */
/** @typedef {import('./call/types.js').Environment} Environment */
/** @typedef {{ok: true} | {ok: false, problem: CallProblem}} Outcome */

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

/**
 * One call. Events (all are `CustomEvent`):
 * - `change` `{state, previous}`: after every change of `state`; several within one turn are one event.
 * - `stats` `CallStats`: every 2 s while joined.
 * - `problem` `CallProblem`: something failed and the call goes on.
 * - `ended` `CallProblem`: over; `code` `left` after one's own `leave()`.
 * - `notice` `{kind, userId}`: to be told once: `joined`, `left`, `connection-lost`, `removed`, `hand-raised`,
 *   `muted-by-host`, `host-changed`, `locked`, `unlocked`, `reconnected`, `screen-started`, `screen-stopped`.
 */
export class PlexiCall extends EventTarget {
  /** @param {CallOptions} options */
  constructor(options) {
    super();
    throw new Error(`not built yet: a call to ${options.url}`);
  }

  /** @returns {CallState} */
  get state() { throw new Error('not built yet'); }

  /**
   * Enters the call. Media that was set before goes along with the first offer.
   * @returns {Promise<Outcome>} resolves when joined, or when it is sure that it cannot be
   */
  async join() { throw new Error('not built yet'); }

  /** Hangs up and closes everything; does not stop tracks that the page gave. @returns {Promise<void>} */
  async leave() { throw new Error('not built yet'); }

  // Own media. The page opens devices and stops tracks; the SDK sends them. Null takes a track away.

  /** @param {MediaStreamTrack|null} track replaces the one before without negotiation. @returns {Promise<Outcome>} */
  async setMicrophone(track) { throw new Error(`not built yet ${track}`); }

  /** @param {MediaStreamTrack|null} track; null also tells the others that there is no picture. @returns {Promise<Outcome>} */
  async setCamera(track) { throw new Error(`not built yet ${track}`); }

  /**
   * @param {MediaStream|null} stream of `getDisplayMedia`; its sound goes along when it has any. When the browser ends
   *   the share (its own "stop" button), the SDK stops sharing.
   * @param {{hint?: 'detail'|'motion'|'text'}} [options] what the picture is; `detail` where it is not given
   * @returns {Promise<Outcome>}
   */
  async setScreen(stream, options) { throw new Error(`not built yet ${stream} ${options}`); }

  /** @param {boolean} on @returns {void} */
  setMuted(on) { throw new Error(`not built yet ${on}`); }

  /** @param {boolean} on neither sent nor received until it ends. @returns {void} */
  setHold(on) { throw new Error(`not built yet ${on}`); }

  /** @param {boolean} on @returns {void} */
  setHand(on) { throw new Error(`not built yet ${on}`); }

  // Others' media.

  /** @param {string} mid @returns {MediaStream|null} with this one track, always the same object for a track */
  streamOf(mid) { throw new Error(`not built yet ${mid}`); }

  /**
   * What is on the screen now; what is not named is not visible. Cheap: requests go out when something changed, 200 ms
   * later at the earliest.
   * @param {readonly Tile[]} tiles @returns {void}
   */
  setTiles(tiles) { throw new Error(`not built yet ${tiles}`); }

  /**
   * Shows a track in an element and keeps it there through reconnects; knows about autoplay.
   * @param {HTMLMediaElement} element @param {string} mid @returns {() => void} takes it out again
   */
  attach(element, mid) { throw new Error(`not built yet ${element} ${mid}`); }

  /** Plays what the browser held back; to be called in a gesture's handler. @returns {Promise<void>} */
  async resumePlayback() { throw new Error('not built yet'); }

  // Host powers: refused by the server with `forbidden` for everybody else (`state.hostId`).

  /** @param {string} userId @returns {void} */
  muteParticipant(userId) { throw new Error(`not built yet ${userId}`); }

  /** @param {string} userId @returns {void} */
  removeParticipant(userId) { throw new Error(`not built yet ${userId}`); }

  /** @param {string} userId @param {{audio?: boolean, video?: boolean, screen?: boolean}} may @returns {void} */
  permit(userId, may) { throw new Error(`not built yet ${userId} ${may}`); }

  /** @param {boolean} on @returns {void} */
  setLocked(on) { throw new Error(`not built yet ${on}`); }

  /** @param {readonly string[]} userIds @returns {void} */
  invite(userIds) { throw new Error(`not built yet ${userIds}`); }

  /** Ends the call for everybody. @returns {void} */
  endForAll() { throw new Error('not built yet'); }

  // The connection.

  /** After a change of network that the page knows of (`online`, `connection.onchange`). @returns {void} */
  networkChanged() { throw new Error('not built yet'); }

  /** @returns {Promise<CallStats|null>} now; null without a connection */
  async stats() { throw new Error('not built yet'); }
}

/**
 * @typedef {object} LineOptions
 * @property {string} url
 * @property {() => Promise<string|null>} token
 * @property {Partial<Environment>} [env]
 */

/**
 * The line that calls come in on, and presence. Events:
 * - `state` `'connecting'|'open'|'waiting'|'closed'`
 * - `incoming` `IncomingCall`: again after a reconnect while it still rings.
 * - `ringing-stopped` `{callId, reason}`: `answered_elsewhere`, `cancelled`, … or the call is over.
 * - `presence` `{userId, status, lastSeen}`
 * - `problem` `CallProblem`; with `signed_out` the line is closed for good.
 */
export class PlexiLine extends EventTarget {
  /** @param {LineOptions} options */
  constructor(options) {
    super();
    throw new Error(`not built yet: a line to ${options.url}`);
  }

  /** @returns {'connecting'|'open'|'waiting'|'closed'} */
  get state() { throw new Error('not built yet'); }

  /** Opens, and stays open by itself. @returns {void} */
  open() { throw new Error('not built yet'); }

  /** @returns {void} */
  close() { throw new Error('not built yet'); }

  /** Whose presence is looked at, all of them. @param {readonly string[]} userIds @returns {void} */
  watch(userIds) { throw new Error(`not built yet ${userIds}`); }

  /** After a change of network that the page knows of: tries now. @returns {void} */
  networkChanged() { throw new Error('not built yet'); }
}

/**
 * The socket of the server that a page came from.
 * @param {{protocol: string, host: string}} location @returns {string}
 */
export function signalingURL(location) {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/calls/ws`;
}
