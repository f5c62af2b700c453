// @ts-check
/**
 * PlexiChat's calls for pages: joining, media, screens, reconnecting. Use `PlexiCall` for one call, and one `PlexiLine`
 * for as long as somebody is signed in: it is where calls come in. docs/web.md shows how; docs/protocol/signaling.md is
 * what is spoken. No DOM but WebSocket and WebRTC, and these can be brought along (`env`).
 *
 * @module
 */

import { DetailEvent } from './call/events.js';
import { problem } from './call/problems.js';
import { CallSession } from './call/session.js';

export { PlexiLine } from './call/line.js';
export { PROBLEMS, problem } from './call/problems.js';

/** @typedef {import('./call/types.js').CallState} CallState */
/** @typedef {import('./call/types.js').CallProblem} CallProblem */
/** @typedef {import('./call/types.js').CallStats} CallStats */
/** @typedef {import('./call/types.js').CallOptions} CallOptions */
/** @typedef {import('./call/types.js').Outcome} Outcome */
/** @typedef {import('./call/types.js').Tile} Tile */
/** @typedef {import('./call/types.js').TrackSource} TrackSource */

/**
 * One call. Events (with a `detail`):
 * - `change` `{state, previous}`: after every change of `state`; several within one turn are one event.
 * - `stats` `CallStats`: every 2 s while joined.
 * - `problem` `CallProblem`: something failed and the call goes on.
 * - `ended` `CallProblem`: over; `code` `left` after one's own `leave()`.
 * - `notice` `{kind, userId}`: to be told once: `joined`, `left`, `connection-lost`, `removed`, `hand-raised`,
 *   `muted-by-host`, `host-changed`, `locked`, `unlocked`, `reconnected`, `screen-started`, `screen-stopped`,
 *   `invited`, `declined`, `missed`, `busy`, `server-stopping`.
 */
export class PlexiCall extends EventTarget {
  /** @type {CallSession} */ #session;
  /** @type {MediaStreamTrack|null} */ #screenTrack = null;

  /** @param {CallOptions} options */
  constructor(options) {
    super();
    this.#session = new CallSession(options, (type, detail) => this.dispatchEvent(new DetailEvent(type, detail)));
  }

  /** @returns {CallState} */
  get state() { return this.#session.state; }

  /**
   * Enters the call. Media that was set before goes along with the first offer.
   * @returns {Promise<Outcome>} resolves when joined, or when it is sure that it cannot be
   */
  join() { return this.#session.join(); }

  /**
   * Hangs up and closes everything; does not stop tracks that the page gave. Without a socket the server learns of it
   * when the grace time is over: `PlexiAPI.leaveCall` tells it at once.
   * @returns {Promise<void>}
   */
  async leave() { this.#session.leave(); }

  // Own media. The page opens devices and stops tracks; the SDK sends them. Null takes a track away.

  /** @param {MediaStreamTrack|null} track replaces the one before without negotiation. @returns {Promise<Outcome>} */
  setMicrophone(track) { return this.#publish('microphone', track, { microphone: track !== null }); }

  /** @param {MediaStreamTrack|null} track; null also tells the others that there is no picture. @returns {Promise<Outcome>} */
  setCamera(track) { return this.#publish('camera', track, { camera: track !== null }); }

  /**
   * @param {MediaStream|null} stream of `getDisplayMedia`; its sound goes along when it has any. When the browser ends
   *   the share (its own "stop" button), the SDK stops sharing.
   * @param {{hint?: 'detail'|'motion'|'text'}} [options] what the picture is; `detail` where it is not given
   * @returns {Promise<Outcome>}
   */
  async setScreen(stream, { hint = 'detail' } = {}) {
    const picture = stream?.getVideoTracks()[0] ?? null;
    const sound = stream?.getAudioTracks()[0] ?? null;
    this.#screenTrack = picture;
    if (picture) {
      picture.contentHint = hint;
      this.#session.publishing.screenHint = hint;
      picture.addEventListener('ended', () => { if (this.#screenTrack === picture) this.setScreen(null); }, { once: true });
    }
    const shown = await this.#publish('screen', picture, { screen: picture !== null });
    const heard = await this.#publish('screen-audio', sound, {});
    return shown.ok ? heard : shown;
  }

  /** @param {TrackSource} source @param {MediaStreamTrack|null} track @param {Partial<CallState['own']>} own @returns {Promise<Outcome>} */
  async #publish(source, track, own) {
    if (this.#session.state.phase === 'ended') return { ok: false, problem: problem('not_joined') };
    const work = this.#session.publishing.set(source, track);
    this.#session.own.have(own);
    const why = await work;
    return why ? { ok: false, problem: why } : { ok: true };
  }

  /** @param {boolean} on nothing of the microphone leaves; sound of a screen is held by the server with it. @returns {void} */
  setMuted(on) { this.#session.own.setMuted(on); }

  /** @param {boolean} on neither sent nor received until it ends. @returns {void} */
  setHold(on) { this.#session.own.setHold(on); }

  /** @param {boolean} on @returns {void} */
  setHand(on) { this.#session.own.setHand(on); }

  // Others' media

  /** @param {string} mid @returns {MediaStream|null} with this one track, always the same object for a track */
  streamOf(mid) { return this.#session.playback.stream(mid); }

  /**
   * What is on the screen now; what is not named is not visible. Cheap: requests go out when something changed, 200 ms
   * later at the earliest.
   * @param {readonly Tile[]} tiles @returns {void}
   */
  setTiles(tiles) {
    this.#session.watching.tiles = tiles;
    this.#session.wishLater();
  }

  /**
   * Shows a track in an element and keeps it there through reconnects; knows about autoplay.
   * @param {HTMLMediaElement} element @param {string} mid @returns {() => void} takes it out again
   */
  attach(element, mid) { return this.#session.playback.attach(element, mid); }

  /** Plays what the browser held back; to be called in a gesture's handler. @returns {Promise<void>} */
  resumePlayback() { return this.#session.playback.resume(); }

  /** One's own answer to the recording; what it forbids is not written any more. @param {boolean} agrees @returns {boolean} */
  answerRecording(agrees) { return this.#session.power('consent', { agree: agrees }); }

  // Host powers: refused by the server with `forbidden` for everybody else (`state.hostId`). False: not connected.

  /** @param {string} userId @returns {boolean} */
  muteParticipant(userId) { return this.#session.power('mute_participant', { participant_id: userId }); }

  /** @param {string} userId @returns {boolean} */
  removeParticipant(userId) { return this.#session.power('remove', { participant_id: userId }); }

  /** @param {string} userId @param {{audio?: boolean, video?: boolean, receive?: boolean}} may @returns {boolean} `video` is a screen, too */
  permit(userId, may) { return this.#session.power('permissions', { participant_id: userId, ...may }); }

  /** @param {boolean} on @returns {boolean} */
  setLocked(on) { return this.#session.power('lock', { on }); }

  /** @param {readonly string[]} userIds @returns {boolean} */
  invite(userIds) { return this.#session.power('invite', { participants: userIds }); }

  /**
   * Begins or ends a recording. Who may is the server's policy: hosts, administrators, or nobody.
   * @param {boolean} on @returns {boolean}
   */
  setRecording(on) { return this.#session.power('record', { on }); }

  /** Ends the call for everybody. @returns {boolean} */
  endForAll() { return this.#session.power('end', {}); }

  // The connection

  /** After a change of network that the page knows of (`online`, `connection.onchange`). @returns {void} */
  networkChanged() { this.#session.networkChanged(); }

  /** @returns {Promise<CallStats|null>} since the last `stats` event; null without a connection */
  stats() { return this.#session.stats(); }
}

/**
 * The socket of the server that a page came from.
 * @param {{protocol: string, host: string}} location @returns {string}
 */
export function signalingURL(location) {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/calls/ws`;
}
