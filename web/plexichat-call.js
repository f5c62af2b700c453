// @ts-check
/**
 * PlexiChat's calls for pages: joining, media, screens, reconnecting. Use `PlexiCall` for one call, and one `PlexiLine`
 * for as long as somebody is signed in: it is where calls come in. docs/web.md shows how; docs/protocol/signaling.md is
 * what is spoken. No DOM but WebSocket and WebRTC, and these can be brought along (`env`).
 *
 * @module
 */

import { CLOSE, delayBefore, isFinal } from './call/closing.js';
import { MediaConnection } from './call/connection.js';
import { Encryption } from './call/encryption.js';
import { environment } from './call/environment.js';
import { DetailEvent } from './call/events.js';
import * as say from './call/messages.js';
import { OwnControls } from './call/own.js';
import { Playback } from './call/playback.js';
import { problem } from './call/problems.js';
import { Publishing } from './call/publishing.js';
import { SignalSocket, socketAt } from './call/socket.js';
import { changed, initialState, reduce, toldOfOwn, track as changeTrack } from './call/state.js';
import { SETTLE_TIME, Watching } from './call/watching.js';

export { PlexiLine } from './call/line.js';
export { PROBLEMS, problem } from './call/problems.js';

/** @typedef {import('./call/types.js').CallState} CallState */
/** @typedef {import('./call/types.js').CallProblem} CallProblem */
/** @typedef {import('./call/types.js').CallStats} CallStats */
/** @typedef {import('./call/types.js').Tile} Tile */
/** @typedef {import('./call/types.js').Environment} Environment */
/** @typedef {import('./call/types.js').TrackSource} TrackSource */
/** @typedef {import('./call/messages.js').ServerMessage} ServerMessage */
/** @typedef {{ok: true} | {ok: false, problem: CallProblem}} Outcome */

/** Somebody who waits for a call to begin believes in a fault after this. */
export const JOIN_LIMIT = 20_000;
/** So long a lost connection is tried for. The server keeps the place for 30 s; a group call can be entered again. */
export const RECONNECT_LIMIT = 120_000;
/** An open socket that does not answer a join. */
const JOIN_TIMEOUT = 10_000;
/** Servers of a page that does not come by its relays go without them. */
const ICE_SERVERS_TIMEOUT = 3_000;
/** Sessions made anew in a row, before it is admitted that nothing gets through. */
const REBUILDS_MAX = 3;
/** The server's clock of the grace time began before ours. */
const GRACE_MARGIN = 3_000;
/** What a call is while it is on. */
const LIVE = new Set(['initiating', 'ringing', 'ongoing']);
/** The server counts its offers from 1, and an error names either by its number: ours are none of its. */
const FIRST_ID = 1_000_000;
/** Messages that come while the connection is being made. */
const EARLY_MAX = 256;

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
  /** @type {CallOptions} */ #options;
  /** @type {Environment} */ #env;
  /** @type {CallState} */ #state;
  /** @type {CallState|null} the one that the last `change` told */ #told = null;
  /** @type {SignalSocket} */ #socket;
  /** @type {OwnControls} */ #own;
  /** @type {Publishing} */ #publishing;
  /** @type {Playback} */ #playback;
  #watching = new Watching();
  /** @type {MediaConnection|null} */ #connection = null;
  /** @type {Encryption|null} */ #encryption = null;

  /** @type {string|null} */ #resumeToken = null;
  #isResuming = false;
  /** The time until which the present try to get in, or back in, may last. */
  #deadline = Infinity;
  /** By the wall clock, which goes on while a laptop sleeps. */
  #lostAt = 0;
  /** For so long the server keeps the place. */
  #graceTime = 0;
  #isMoving = false;
  #rebuilds = 0;
  #refusedJoins = 0;
  #lastID = FIRST_ID;
  /** @type {ServerMessage[]|null} what came while the connection was being made */ #early = null;
  /** @type {((outcome: Outcome) => void)|null} */ #joining = null;
  /** @type {Map<string, any>} one timer for each purpose */ #timers = new Map();
  /** @type {MediaStreamTrack|null} */ #screenTrack = null;

  /** @param {CallOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#env = environment(options.env);
    this.#state = initialState(options.callId, options.encryption !== undefined);
    this.#publishing = new Publishing(this.#env);
    this.#playback = new Playback(this.#env, {
      blocked: (isBlocked) => this.#set({ playBlocked: isBlocked }),
      failed: (reason) => this.#problem(problem('playback_failed', { info: { reason: String(reason) } })),
    });
    this.#own = new OwnControls({
      env: this.#env, publishing: this.#publishing, own: () => this.#state.own,
      change: (changes) => this.#set({ own: changed(this.#state.own, changes) }),
      send: (message) => this.#isIn && this.#socket.send(message),
    });
    this.#socket = new SignalSocket({
      url: options.url, token: options.token, env: this.#env,
      handlers: {
        opened: () => this.#opened(),
        received: (message) => this.#received(message),
        waiting: (attempt, at, why) => this.#waiting(attempt, at, why),
        ended: (why) => this.#finish(this.#isReplaced(why) ? problem('replaced') : why),
        rejoin: () => this.#resumeFailed(),
        resuming: () => this.#isResuming,
      },
    });
  }

  /** @returns {CallState} */
  get state() { return this.#state; }

  get #isIn() { return this.#state.phase === 'joined'; }

  // Coming and going

  /**
   * Enters the call. Media that was set before goes along with the first offer.
   * @returns {Promise<Outcome>} resolves when joined, or when it is sure that it cannot be
   */
  join() {
    if (this.#state.phase !== 'idle') return Promise.resolve({ ok: false, problem: problem('conflict') });
    const done = new Promise((/** @type {(outcome: Outcome) => void} */ resolve) => { this.#joining = resolve; });
    this.#begin();
    return done;
  }

  #begin() {
    if (!this.#encrypt()) return this.#finish(problem('encryption_unsupported'));
    this.#deadline = this.#env.now() + JOIN_LIMIT;
    this.#after('limit', JOIN_LIMIT, () => this.#finish(problem('timeout')));
    this.#set({ phase: 'connecting' });
    this.#socket.connect();
  }

  /** @returns {boolean} false where it was asked for and cannot be */
  #encrypt() {
    const { encryption, callId } = this.#options;
    if (!encryption) return true;
    if (!Encryption.isSupported(this.#env)) return false;
    try {
      this.#encryption = new Encryption(encryption, callId, this.#env, {
        failed: (failures) => this.#set({ encryption: changed(this.#state.encryption, { failures }) }),
        broken: () => this.#finish(problem('encryption_unsupported')),
      });
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Hangs up and closes everything; does not stop tracks that the page gave. Without a socket the server learns of it
   * when the grace time is over: `PlexiAPI.leaveCall` tells it at once.
   * @returns {Promise<void>}
   */
  async leave() {
    if (this.#state.phase === 'ended') return;
    if (this.#isIn) this.#socket.send(say.hangup());
    this.#socket.close(CLOSE.hangUp);
    this.#finish(problem('left'));
  }

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
      this.#publishing.screenHint = hint;
      picture.addEventListener('ended', () => { if (this.#screenTrack === picture) this.setScreen(null); }, { once: true });
    }
    const shown = await this.#publish('screen', picture, { screen: picture !== null });
    const heard = await this.#publish('screen-audio', sound, {});
    return shown.ok ? heard : shown;
  }

  /** @param {TrackSource} source @param {MediaStreamTrack|null} track @param {Partial<CallState['own']>} own @returns {Promise<Outcome>} */
  async #publish(source, track, own) {
    if (this.#state.phase === 'ended') return { ok: false, problem: problem('not_joined') };
    const work = this.#publishing.set(source, track);
    this.#own.have(own);
    const why = await work;
    return why ? { ok: false, problem: why } : { ok: true };
  }

  /** @param {boolean} on nothing of the microphone leaves; sound of a screen is held by the server with it. @returns {void} */
  setMuted(on) { this.#own.setMuted(on); }

  /** @param {boolean} on neither sent nor received until it ends. @returns {void} */
  setHold(on) { this.#own.setHold(on); }

  /** @param {boolean} on @returns {void} */
  setHand(on) { this.#own.setHand(on); }

  // Others' media

  /** @param {string} mid @returns {MediaStream|null} with this one track, always the same object for a track */
  streamOf(mid) { return this.#playback.stream(mid); }

  /**
   * What is on the screen now; what is not named is not visible. Cheap: requests go out when something changed, 200 ms
   * later at the earliest.
   * @param {readonly Tile[]} tiles @returns {void}
   */
  setTiles(tiles) {
    this.#watching.tiles = tiles;
    this.#wishLater();
  }

  /**
   * Shows a track in an element and keeps it there through reconnects; knows about autoplay.
   * @param {HTMLMediaElement} element @param {string} mid @returns {() => void} takes it out again
   */
  attach(element, mid) { return this.#playback.attach(element, mid); }

  /** Plays what the browser held back; to be called in a gesture's handler. @returns {Promise<void>} */
  resumePlayback() { return this.#playback.resume(); }

  #wishLater(wait = SETTLE_TIME) {
    if (!this.#isIn || this.#timers.has('wishes')) return;
    this.#after('wishes', wait, () => {
      if (!this.#isIn) return;
      const { messages, more } = this.#watching.next(this.#state.tracks, this.#env.pixelRatio());
      for (const message of messages) this.#socket.send(message);
      if (more) this.#wishLater();
    });
  }

  // Host powers: refused by the server with `forbidden` for everybody else (`state.hostId`). False: not connected.

  /** @param {string} userId @returns {boolean} */
  muteParticipant(userId) { return this.#power('mute_participant', { participant_id: userId }); }

  /** @param {string} userId @returns {boolean} */
  removeParticipant(userId) { return this.#power('remove', { participant_id: userId }); }

  /** @param {string} userId @param {{audio?: boolean, video?: boolean, receive?: boolean}} may @returns {boolean} `video` is a screen, too */
  permit(userId, may) { return this.#power('permissions', { participant_id: userId, ...may }); }

  /** @param {boolean} on @returns {boolean} */
  setLocked(on) { return this.#power('lock', { on }); }

  /** @param {readonly string[]} userIds @returns {boolean} */
  invite(userIds) { return this.#power('invite', { participants: userIds }); }

  /** Ends the call for everybody. @returns {boolean} */
  endForAll() { return this.#power('end', {}); }

  /** @param {string} action @param {Record<string, unknown>} members */
  #power(action, members) {
    return this.#isIn && this.#socket.send(say.control(action, { ...members, id: ++this.#lastID }));
  }

  // The connection

  /** After a change of network that the page knows of (`online`, `connection.onchange`). @returns {void} */
  networkChanged() {
    if (this.#state.phase === 'idle' || this.#state.phase === 'ended') return;
    this.#socket.networkChanged();
    this.#connection?.networkChanged();
  }

  /** @returns {Promise<CallStats|null>} since the last `stats` event; null without a connection */
  async stats() { return (await this.#connection?.stats()) ?? null; }

  // The socket

  #opened() {
    this.#isResuming = this.#resumeToken !== null && this.#connection !== null;
    const { callId, role = 'offerer' } = this.#options;
    this.#socket.send(say.join(callId, role, this.#isResuming ? this.#resumeToken : null));
    // Good once.
    this.#resumeToken = null;
    this.#after('join', JOIN_TIMEOUT, () => this.#reopen());
  }

  /** @param {number} attempt @param {number} at @param {CallProblem} why */
  #waiting(attempt, at, why) {
    this.#cancel('join');
    // A server that stops tells that the call has ended, and goes.
    if (this.#isIn && !LIVE.has(this.#state.status ?? '')) return this.#finish(problem('call_over'));
    this.#connection?.negotiator.lost();
    if (this.#isIn) [this.#deadline, this.#lostAt] = [this.#env.now() + RECONNECT_LIMIT, this.#env.wallClock()];
    if (this.#env.now() >= this.#deadline) return this.#finish(this.#state.reconnect ? problem('connection_lost') : why);
    if (this.#state.phase === 'connecting') return;
    this.#set({ phase: 'reconnecting', reconnect: Object.freeze({ attempt, at }) });
  }

  /**
   * A place that is gone before its grace time: another window of the same sign-in has taken it. To join anew would take
   * it back, and so on for ever. On another node it is no wonder.
   */
  #resumeFailed() {
    this.#resumeToken = null;
    const absence = this.#env.wallClock() - this.#lostAt;
    if (!this.#isMoving && absence < this.#graceTime - GRACE_MARGIN) this.#finish(problem('replaced'));
  }

  /** The call's own end is told by its status first. @param {CallProblem} why */
  #isReplaced(why) { return why.code === 'call_over' && this.#isIn && LIVE.has(this.#state.status ?? ''); }

  /** Leaves the socket for another: nothing of the call is given up. */
  #reopen() {
    this.#waiting(1, this.#env.wallClock(), problem('timeout'));
    if (this.#state.phase !== 'ended') this.#socket.move();
  }

  /** @param {ServerMessage} message */
  #received(message) {
    if (this.#early) {
      if (this.#early.length < EARLY_MAX) this.#early.push(message);
      return;
    }
    switch (message.kind) {
      case 'joined': return this.#joined(message);
      case 'offer': return this.#connection?.negotiator.receivedOffer(message);
      case 'answer': return this.#connection?.negotiator.receivedAnswer(message);
      case 'layers': return this.#publishing.pauseLayers(message.mid, message.unwatched);
      case 'ice-servers': return this.#connection?.setIceServers(message.iceServers);
      case 'reconnect': return this.#willStop(message.url);
      case 'error': return this.#refused(message.problem, message.ref);
      case 'participant-updated':
        if (message.participant.userId !== this.#state.userId) break;
        return this.#apply(toldOfOwn(this.#state, message.participant, this.#own.isAsking(message.participant)));
    }
    this.#apply(reduce(this.#state, message, { readyMids: this.#playback.mids }));
    if (message.kind === 'tracks') this.#wishLater();
  }

  /** @param {Extract<ServerMessage, {kind: 'joined'}>} message */
  #joined(message) {
    this.#cancel('join');
    this.#cancel('limit');
    this.#socket.accepted();
    [this.#resumeToken, this.#isResuming, this.#refusedJoins] = [message.resumeToken, false, 0];
    [this.#graceTime, this.#isMoving] = [message.resumeSeconds * 1_000, false];
    this.#apply(reduce(this.#state, message));
    if (message.self) this.#apply(toldOfOwn(this.#state, message.self, !message.resumed));
    this.#own.sendAll();
    if (message.resumed && this.#connection) {
      this.#connection.negotiator.resumed();
      this.#wishLater();
    } else {
      this.#connect(message.iceServers);
    }
    this.#joining?.({ ok: true });
    this.#joining = null;
  }

  // Media

  /** @param {RTCIceServer[]} told */
  async #connect(told) {
    this.#connection?.close();
    this.#connection = null;
    this.#playback.forget();
    this.#watching.forget();
    this.#early = [];
    const iceServers = [...told, ...(await this.#moreIceServers())];
    if (this.#state.phase === 'ended') return;
    try {
      this.#connection = this.#makeConnection(iceServers);
    } catch (error) {
      return this.#finish(problem('media_failed', { info: { reason: String(error) } }));
    }
    const early = this.#early ?? [];
    this.#early = null;
    for (const message of early) this.#received(message);
  }

  /** @param {RTCIceServer[]} iceServers */
  #makeConnection(iceServers) {
    const { role = 'offerer', kind = 'video' } = this.#options;
    return new MediaConnection({
      env: this.#env, role, iceServers, video: kind === 'video', publishing: this.#publishing,
      encryption: this.#encryption,
      handlers: {
        send: (message) => this.#isIn && this.#socket.send(message),
        nextID: () => ++this.#lastID,
        track: (mid, track) => this.#tracked(mid, track),
        state: (media) => {
          if (media === 'connected') this.#rebuilds = 0;
          this.#set({ media });
        },
        stats: (stats) => this.#tell('stats', stats),
        userOf: (mid) => this.#state.tracks.find((one) => one.mid === mid)?.userId ?? null,
        problem: (why) => this.#problem(why),
        gaveUp: (why) => this.#rebuild(why),
      },
    });
  }

  /** @returns {Promise<RTCIceServer[]>} */
  async #moreIceServers() {
    const { iceServers } = this.#options;
    if (!iceServers) return [];
    const late = new Promise((/** @type {(none: RTCIceServer[]) => void} */ resolve) => {
      this.#after('ice', ICE_SERVERS_TIMEOUT, () => resolve([]));
    });
    const found = await Promise.race([iceServers().catch(() => []), late]);
    this.#cancel('ice');
    return found;
  }

  /** @param {string} mid @param {MediaStreamTrack} track */
  #tracked(mid, track) {
    const isFlowing = () => {
      if (this.#playback.stream(mid)) this.#set(changeTrack(this.#state, mid, { ready: true, flowing: !track.muted }));
    };
    if (this.#playback.set(mid, track)) [track.onmute, track.onunmute] = [isFlowing, isFlowing];
    isFlowing();
  }

  /** The session is of no use any more: another one, in the same call. @param {CallProblem} why */
  #rebuild(why) {
    this.#rebuilds += 1;
    if (this.#rebuilds > REBUILDS_MAX) return this.#finish(why);
    this.#problem(why);
    this.#resumeToken = null;
    this.#connection?.close();
    this.#connection = null;
    this.#reopen();
  }

  // What the server refuses, and where it sends us

  /** @param {CallProblem} why @param {number|null} ref */
  #refused(why, ref) {
    if (this.#connection?.negotiator.refused(why, ref)) return;
    if (!this.#isIn) return this.#notAdmitted(why);
    if (why.code === 'media_ended') return this.#rebuild(why);
    if (why.code === 'forbidden' && ref === null) this.#own.refused();
    if (why.code === 'rate_limited' && ref === null) {
      // Which ones were dropped is not said.
      this.#watching.forget();
      this.#wishLater((why.retryAfter ?? 1) * 1_000);
      this.#after('own', (why.retryAfter ?? 1) * 1_000, () => this.#own.sendAll());
    }
    this.#problem(why);
  }

  /** @param {CallProblem} why */
  #notAdmitted(why) {
    if (why.code === 'resume_invalid') return;  // the socket is closed next, and opened again without it
    if (isFinal(why)) return this.#finish(why);
    this.#cancel('join');
    this.#refusedJoins += 1;
    const wait = Math.max((why.retryAfter ?? 0) * 1_000, delayBefore(this.#refusedJoins + 2, this.#env.random));
    if (this.#env.now() + wait >= this.#deadline) return this.#finish(why);
    this.#after('join', wait, () => this.#reopen());
  }

  /**
   * The server will stop. A call does not move while it is on (docs/protocol/signaling.md): it stays to the end, and only
   * tries after a loss go there.
   * @param {string} url
   */
  #willStop(url) {
    const target = socketAt(url, this.#socket.url);
    if (!target) return;
    this.#socket.redirect(target);
    this.#isMoving = true;
    this.#tell('notice', { kind: 'server-stopping', userId: null });
  }

  // State and events

  /** @param {import('./call/state.js').Step} step */
  #apply({ state, notices }) {
    this.#set(state);
    for (const notice of notices) this.#tell('notice', notice);
  }

  /** @param {Partial<CallState>} changes */
  #set(changes) {
    const previous = this.#state;
    this.#state = changed(previous, changes);
    if (this.#state === previous || this.#told !== null) return;
    this.#told = previous;
    queueMicrotask(() => {
      const [before, state] = [this.#told, this.#state];
      this.#told = null;
      this.#tell('change', { state, previous: before });
    });
  }

  /** @param {CallProblem} why */
  #problem(why) { this.#tell('problem', why); }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) { this.dispatchEvent(new DetailEvent(type, detail)); }

  /** @param {string} purpose @param {number} wait @param {() => void} run */
  #after(purpose, wait, run) {
    this.#cancel(purpose);
    this.#timers.set(purpose, this.#env.setTimeout(() => { this.#timers.delete(purpose); run(); }, wait));
  }

  /** @param {string} purpose */
  #cancel(purpose) {
    this.#env.clearTimeout(this.#timers.get(purpose));
    this.#timers.delete(purpose);
  }

  /** @param {CallProblem} why */
  #finish(why) {
    if (this.#state.phase === 'ended') return;
    this.#set({ phase: 'ended', end: why, reconnect: null, media: 'closed', tracks: Object.freeze([]), speaker: null });
    for (const purpose of [...this.#timers.keys()]) this.#cancel(purpose);
    this.#own.end();
    this.#connection?.close();
    this.#connection = null;
    this.#encryption?.end();
    this.#playback.end();
    this.#socket.close(CLOSE.hangUp);
    this.#joining?.({ ok: false, problem: why });
    this.#joining = null;
    this.#tell('ended', why);
  }
}

/**
 * The socket of the server that a page came from.
 * @param {{protocol: string, host: string}} location @returns {string}
 */
export function signalingURL(location) {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/calls/ws`;
}
