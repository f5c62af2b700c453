// @ts-check
/**
 * One call from its join to its end: the socket, the peer connection, what happens when either is lost, and the state.
 * `PlexiCall` is what pages see of it.
 *
 * @module
 */

import { CLOSE, delayBefore, isFinal } from './closing.js';
import { MediaConnection } from './connection.js';
import { Encryption } from './encryption.js';
import { environment } from './environment.js';
import * as say from './messages.js';
import { OwnControls } from './own.js';
import { Playback } from './playback.js';
import { problem } from './problems.js';
import { Publishing } from './publishing.js';
import { SignalSocket, socketAt } from './socket.js';
import { changed, initialState, reduce, toldOfOwn, track as changeTrack } from './state.js';
import { Timers } from './timers.js';
import { SETTLE_TIME, Watching } from './watching.js';

/** @typedef {import('./types.js').CallState} CallState */
/** @typedef {import('./types.js').CallProblem} CallProblem */
/** @typedef {import('./types.js').CallStats} CallStats */
/** @typedef {import('./types.js').CallOptions} CallOptions */
/** @typedef {import('./types.js').Outcome} Outcome */
/** @typedef {import('./types.js').Environment} Environment */
/** @typedef {import('./messages.js').ServerMessage} ServerMessage */

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

export class CallSession {
  /** @type {CallOptions} */ #options;
  /** @type {Environment} */ #env;
  /** @type {CallState} */ #state;
  /** @type {CallState|null} the one that the last `change` told */ #told = null;
  /** @type {SignalSocket} */ #socket;
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
  /** @type {Timers} */ #timers;

  /** @type {(type: string, detail: unknown) => void} */ #tell;

  /** @param {CallOptions} options @param {(type: string, detail: unknown) => void} tell events of the call */
  constructor(options, tell) {
    this.#tell = tell;
    this.#options = options;
    this.#env = environment(options.env);
    this.#timers = new Timers(this.#env);
    this.watching = new Watching();
    this.#state = initialState(options.callId, options.encryption !== undefined);
    this.publishing = new Publishing(this.#env);
    this.playback = new Playback(this.#env, {
      blocked: (isBlocked) => this.set({ playBlocked: isBlocked }),
      failed: (reason) => this.#problem(problem('playback_failed', { info: { reason: String(reason) } })),
    });
    this.own = new OwnControls({
      env: this.#env, publishing: this.publishing, own: () => this.#state.own,
      change: (changes) => this.set({ own: changed(this.#state.own, changes) }),
      send: (message) => this.send(message),
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

  get isIn() { return this.#state.phase === 'joined'; }

  // Coming and going

  /** @returns {Promise<Outcome>} */
  join() {
    if (this.#state.phase !== 'idle') return Promise.resolve({ ok: false, problem: problem('conflict') });
    const done = new Promise((/** @type {(outcome: Outcome) => void} */ resolve) => { this.#joining = resolve; });
    this.#begin();
    return done;
  }

  #begin() {
    if (!this.#encrypt()) return this.#finish(problem('encryption_unsupported'));
    this.#deadline = this.#env.now() + JOIN_LIMIT;
    this.#timers.after('limit', JOIN_LIMIT, () => this.#finish(problem('timeout')));
    this.set({ phase: 'connecting' });
    this.#socket.connect();
  }

  /** @returns {boolean} false where it was asked for and cannot be */
  #encrypt() {
    const { encryption, callId } = this.#options;
    if (!encryption) return true;
    if (!Encryption.isSupported(this.#env)) return false;
    try {
      this.#encryption = new Encryption(encryption, callId, this.#env, {
        failed: (failures) => this.set({ encryption: changed(this.#state.encryption, { failures }) }),
        broken: () => this.#finish(problem('encryption_unsupported')),
      });
      return true;
    } catch {
      return false;
    }
  }

  leave() {
    if (this.#state.phase === 'ended') return;
    this.send(say.hangup());
    this.#socket.close(CLOSE.hangUp);
    this.#finish(problem('left'));
  }

  // What the page asks for

  /** @param {object} message @returns {boolean} */
  send(message) { return this.isIn && this.#socket.send(message); }

  /** Tiles have changed, or tracks: what follows is asked for a little later. */
  wishLater(wait = SETTLE_TIME) {
    if (!this.isIn || this.#timers.has('wishes')) return;
    this.#timers.after('wishes', wait, () => {
      if (!this.isIn) return;
      const { messages, more } = this.watching.next(this.#state.tracks, this.#env.pixelRatio());
      for (const message of messages) this.send(message);
      if (more) this.wishLater();
    });
  }

  /** @param {string} action @param {Record<string, unknown>} members */
  power(action, members) {
    return this.send(say.control(action, { ...members, id: ++this.#lastID }));
  }

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
    this.#timers.after('join', JOIN_TIMEOUT, () => this.#reopen());
  }

  /** @param {number} attempt @param {number} at @param {CallProblem} why */
  #waiting(attempt, at, why) {
    this.#timers.cancel('join');
    // A server that stops tells that the call has ended, and goes.
    if (this.isIn && !LIVE.has(this.#state.status ?? '')) return this.#finish(problem('call_over'));
    this.#connection?.negotiator.lost();
    if (this.isIn) [this.#deadline, this.#lostAt] = [this.#env.now() + RECONNECT_LIMIT, this.#env.wallClock()];
    if (this.#env.now() >= this.#deadline) return this.#finish(this.#state.reconnect ? problem('connection_lost') : why);
    if (this.#state.phase === 'connecting') return;
    this.set({ phase: 'reconnecting', reconnect: Object.freeze({ attempt, at }) });
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
  #isReplaced(why) { return why.code === 'call_over' && this.isIn && LIVE.has(this.#state.status ?? ''); }

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
      case 'layers': return this.publishing.pauseLayers(message.mid, message.unwatched);
      case 'ice-servers': return this.#connection?.setIceServers(message.iceServers);
      case 'reconnect': return this.#willStop(message.url);
      case 'error': return this.#refused(message.problem, message.ref);
      case 'participant-updated':
        if (message.participant.userId !== this.#state.userId) break;
        return this.#apply(toldOfOwn(this.#state, message.participant, this.own.isAsking(message.participant)));
    }
    this.#apply(reduce(this.#state, message, { readyMids: this.playback.mids }));
    if (message.kind === 'tracks') this.wishLater();
  }

  /** @param {Extract<ServerMessage, {kind: 'joined'}>} message */
  #joined(message) {
    this.#timers.cancel('join');
    this.#timers.cancel('limit');
    this.#socket.accepted();
    [this.#resumeToken, this.#isResuming, this.#refusedJoins] = [message.resumeToken, false, 0];
    [this.#graceTime, this.#isMoving] = [message.resumeSeconds * 1_000, false];
    // At first the page's wish counts; after a loss what the host did meanwhile, unless we have asked for something since.
    const isAsking = this.#state.userId === null || this.own.isUnsure;
    this.#apply(reduce(this.#state, message));
    if (message.self) this.#apply(toldOfOwn(this.#state, message.self, isAsking));
    this.own.sendAll();
    if (message.resumed && this.#connection) {
      if (message.iceServers.length > 0) this.#connection.setIceServers(message.iceServers);
      this.#connection.negotiator.resumed();
      this.wishLater();
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
    this.playback.forget();
    this.watching.forget();
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
      env: this.#env, role, iceServers, video: kind === 'video', publishing: this.publishing,
      encryption: this.#encryption,
      handlers: {
        send: (message) => this.send(message),
        nextID: () => ++this.#lastID,
        track: (mid, track) => this.#tracked(mid, track),
        state: (media) => {
          if (media === 'connected') this.#rebuilds = 0;
          this.set({ media });
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
      this.#timers.after('ice', ICE_SERVERS_TIMEOUT, () => resolve([]));
    });
    const found = await Promise.race([iceServers().catch(() => []), late]);
    this.#timers.cancel('ice');
    return found;
  }

  /** @param {string} mid @param {MediaStreamTrack} track */
  #tracked(mid, track) {
    const isFlowing = () => {
      if (this.playback.stream(mid)) this.set(changeTrack(this.#state, mid, { ready: true, flowing: !track.muted }));
    };
    if (this.playback.set(mid, track)) [track.onmute, track.onunmute] = [isFlowing, isFlowing];
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
    if (!this.isIn) return this.#notAdmitted(why);
    if (why.code === 'media_ended') return this.#rebuild(why);
    if (why.code === 'forbidden' && ref === null) this.own.refused();
    if (why.code === 'rate_limited' && ref === null) {
      // Which ones were dropped is not said.
      this.watching.forget();
      this.wishLater((why.retryAfter ?? 1) * 1_000);
      this.#timers.after('own', (why.retryAfter ?? 1) * 1_000, () => this.own.sendAll());
    }
    this.#problem(why);
  }

  /** @param {CallProblem} why */
  #notAdmitted(why) {
    if (why.code === 'resume_invalid') return;  // the socket is closed next, and opened again without it
    if (isFinal(why)) return this.#finish(why);
    this.#timers.cancel('join');
    this.#refusedJoins += 1;
    const wait = Math.max((why.retryAfter ?? 0) * 1_000, delayBefore(this.#refusedJoins + 2, this.#env.random));
    if (this.#env.now() + wait >= this.#deadline) return this.#finish(why);
    this.#timers.after('join', wait, () => this.#reopen());
  }

  /**
   * The server will stop. A call does not move while it is on (docs/protocol/signaling.md): it stays to its end, and only
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

  /** @param {import('./state.js').Step} step */
  #apply({ state, notices }) {
    this.set(state);
    for (const notice of notices) this.#tell('notice', notice);
  }

  /** @param {Partial<CallState>} changes */
  set(changes) {
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

  /** @param {CallProblem} why */
  #finish(why) {
    if (this.#state.phase === 'ended') return;
    this.set({ phase: 'ended', end: why, reconnect: null, media: 'closed', tracks: Object.freeze([]), speaker: null });
    this.#timers.end();
    this.own.end();
    this.#connection?.close();
    this.#connection = null;
    this.#encryption?.end();
    this.playback.end();
    this.#socket.close(CLOSE.hangUp);
    this.#joining?.({ ok: false, problem: why });
    this.#joining = null;
    this.#tell('ended', why);
  }
}
