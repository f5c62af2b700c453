// @ts-check
/**
 * The peer connection of one session: made, watched, repaired by ICE restarts, and given up when these do not help.
 *
 * @module
 */

import { Negotiator } from './negotiator.js';
import { problem } from './problems.js';
import { STATS_INTERVAL, digest } from './stats.js';

/** @typedef {import('./types.js').Environment} Environment */
/** @typedef {import('./types.js').CallProblem} CallProblem */
/** @typedef {import('./types.js').CallStats} CallStats */
/** @typedef {import('./publishing.js').Publishing} Publishing */
/** @typedef {import('./encryption.js').Encryption} Encryption */

/** Browsers call a path of which nothing was heard for some seconds disconnected; it often comes back by itself at once. */
export const DISCONNECT_PATIENCE = 1_000;
/** Restarts that led to nothing before the session is made anew. */
export const RESTARTS_MAX = 4;

/**
 * @typedef {object} ConnectionHandlers
 * @property {(message: object) => boolean} send
 * @property {() => number} nextID
 * @property {(mid: string, track: MediaStreamTrack) => void} track
 * @property {(state: RTCPeerConnectionState) => void} state
 * @property {(stats: CallStats) => void} stats
 * @property {(mid: string) => string|null} userOf
 * @property {(why: CallProblem) => void} problem
 * @property {(why: CallProblem) => void} gaveUp
 */

export class MediaConnection {
  /** @type {Environment} */ #env;
  /** @type {ConnectionHandlers} */ #handlers;
  /** @type {Publishing} */ #publishing;
  /** @type {RTCPeerConnection} */ #pc;
  /** @type {Negotiator} */ #negotiator;
  #restarts = 0;
  #isClosed = false;
  /** @type {any} */ #patience = null;
  /** @type {any} */ #statsTimer = null;
  /** @type {import('./stats.js').Report|null} */ #report = null;

  /**
   * @param {{env: Environment, role: 'offerer'|'answerer', iceServers: RTCIceServer[], video: boolean,
   *   publishing: Publishing, encryption: Encryption|null, handlers: ConnectionHandlers}} options
   */
  constructor({ env, role, iceServers, video, publishing, encryption, handlers }) {
    this.#env = env;
    this.#handlers = handlers;
    this.#publishing = publishing;
    this.#pc = new env.RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' });
    this.#negotiator = new Negotiator({
      pc: this.#pc, role, env,
      handlers: {
        send: handlers.send, nextID: handlers.nextID, problem: handlers.problem,
        offered: (sdp) => (role === 'answerer' ? publishing.adopt(sdp) : undefined),
        settled: () => {},
        gaveUp: (why) => this.#giveUp(why),
      },
    });
    this.#pc.ontrack = ({ transceiver, track }) => {
      const kind = track.kind === 'audio' ? 'audio' : 'video';
      encryption?.reveal(transceiver.receiver, kind);
      if (transceiver.mid !== null) handlers.track(transceiver.mid, track);
    };
    this.#pc.onconnectionstatechange = () => this.#changed(this.#pc.connectionState);
    publishing.begin(this.#pc, {
      offers: role === 'offerer', video, isEncrypted: encryption !== null,
      prepare: (sender, kind) => encryption?.protect(sender, kind),
    });
    this.#measureLater();
  }

  get negotiator() { return this.#negotiator; }

  // The path

  /** @param {RTCPeerConnectionState} state */
  #changed(state) {
    if (this.#isClosed) return;
    this.#env.clearTimeout(this.#patience);
    this.#patience = null;
    this.#handlers.state(state);
    if (state === 'connected') this.#restarts = 0;
    if (state === 'failed') this.#repair();
    if (state === 'disconnected') {
      this.#patience = this.#env.setTimeout(() => { this.#patience = null; this.#repair(); }, DISCONNECT_PATIENCE);
    }
  }

  #repair() {
    // DTLS that failed is not repaired by another path.
    const isPathGood = this.#pc.iceConnectionState === 'connected' || this.#pc.iceConnectionState === 'completed';
    if (this.#restarts >= RESTARTS_MAX || (this.#pc.connectionState === 'failed' && isPathGood)) {
      return this.#giveUp(problem('media_failed'));
    }
    this.#restarts += 1;
    this.#negotiator.restartICE();
  }

  /** The page knows of another network before ICE does. */
  networkChanged() { this.#negotiator.restartICE(); }

  /** @param {RTCIceServer[]} iceServers renewed credentials, for the next restart */
  setIceServers(iceServers) {
    try {
      this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers });
    } catch (error) {
      this.#handlers.problem(problem('negotiation_failed', { info: { reason: String(error) } }));
    }
  }

  // Measurements

  #measureLater() {
    this.#statsTimer = this.#env.setTimeout(async () => {
      const stats = await this.stats(true);
      if (this.#isClosed) return;
      if (stats) this.#handlers.stats(stats);
      this.#measureLater();
    }, STATS_INTERVAL);
  }

  /** @param {boolean} [isBase] the next digest begins here @returns {Promise<CallStats|null>} */
  async stats(isBase = false) {
    if (this.#isClosed) return null;
    try {
      const entries = /** @type {any} */ (await this.#pc.getStats()).values();
      const { stats, report } = digest(entries, this.#report, this.#env.wallClock(), this.#handlers.userOf);
      if (isBase) this.#report = report;
      return stats;
    } catch {
      return null;  // closed meanwhile
    }
  }

  // The end

  /** @param {CallProblem} why */
  #giveUp(why) {
    if (this.#isClosed) return;
    this.close();
    this.#handlers.gaveUp(why);
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#env.clearTimeout(this.#patience);
    this.#env.clearTimeout(this.#statsTimer);
    this.#negotiator.close();
    this.#publishing.end();
    [this.#pc.ontrack, this.#pc.onconnectionstatechange] = [null, null];
    this.#pc.close();
  }
}
