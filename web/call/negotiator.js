// @ts-check
/**
 * Offers and answers of one peer connection (docs/protocol/signaling.md, "Negotiation"). The client is the impolite
 * side: while an offer of its own is out it ignores the server's, which the server has taken back. One thing is done at
 * a time, in the order in which it came.
 *
 * @module
 */

import * as say from './messages.js';
import { problem } from './problems.js';

/** @typedef {import('./types.js').Environment} Environment */
/** @typedef {import('./types.js').CallProblem} CallProblem */

/** A server that got the offer answers within milliseconds; one that dropped it for the rate of messages never does. */
export const ANSWER_TIMEOUT = 10_000;
/** Failed exchanges in a row before the connection is given up. */
export const FAILURES_MAX = 3;
/** Steps that wait: the server sends one offer at a time, so more than this is no negotiation. */
export const STEPS_MAX = 32;
/** The server takes one restart every 2 s; a path that is found takes less. */
export const RESTART_INTERVAL = 3_000;

/**
 * @typedef {object} NegotiatorHandlers
 * @property {(message: object) => boolean} send
 * @property {() => number} nextID for messages that the server may refer to
 * @property {(sdp: string) => Promise<void>|void} offered a description of the server is set; before it is answered
 * @property {() => void} settled an exchange has ended well
 * @property {(why: CallProblem) => void} problem
 * @property {(why: CallProblem) => void} gaveUp nothing more can come of this connection
 */

export class Negotiator {
  /** @type {RTCPeerConnection} */ #pc;
  /** @type {Environment} */ #env;
  /** @type {NegotiatorHandlers} */ #handlers;
  /** @type {boolean} */ #mayOffer;

  /** @type {Promise<void>} */ #chain = Promise.resolve();
  #steps = 0;
  #isClosed = false;
  #isOnline = true;
  /** Something is to be offered when nothing is out. */
  #isWanted = false;
  /** Our offer that is out. @type {{id: number, sdp: string}|null} */ #outstanding = null;
  #failures = 0;
  /** @type {any} */ #timer = null;
  #notBefore = 0;
  #restartedAt = -Infinity;
  /** @type {any} */ #restart = null;

  /**
   * @param {{pc: RTCPeerConnection, role: 'offerer'|'answerer', env: Environment, handlers: NegotiatorHandlers}} options
   */
  constructor({ pc, role, env, handlers }) {
    this.#pc = pc;
    this.#env = env;
    this.#handlers = handlers;
    // An answerer waits for the server's first offer.
    this.#mayOffer = role === 'offerer';
    pc.onnegotiationneeded = () => this.want();
    pc.onicecandidate = ({ candidate }) => {
      if (this.#isOnline && !this.#isClosed) handlers.send(say.candidate(candidate && candidate.toJSON()));
    };
  }

  get isOffering() { return this.#outstanding !== null; }

  /** There is something to offer. */
  want() {
    this.#isWanted = true;
    this.#step(() => this.#makeOffer());
  }

  /** New paths: at once, but not more often than the server takes. */
  restartICE() {
    if (this.#isClosed || this.#restart !== null) return;
    const wait = Math.max(0, this.#restartedAt + RESTART_INTERVAL - this.#env.now());
    this.#restart = this.#env.setTimeout(() => {
      this.#restart = null;
      if (this.#isClosed || this.#pc.signalingState === 'closed') return;
      this.#restartedAt = this.#env.now();
      this.#pc.restartIce();  // fires `negotiationneeded`
    }, wait);
  }

  // From the server

  /** @param {{sdp: string, id: number|null}} offer */
  receivedOffer({ sdp, id }) {
    this.#step(async () => {
      // Glare: ours counts.
      if (this.#outstanding) return;
      try {
        await this.#pc.setRemoteDescription({ type: 'offer', sdp });
        await this.#handlers.offered(sdp);
        await this.#pc.setLocalDescription();
      } catch (error) {
        await this.#undo('setRemoteDescription');
        return this.#failed(error);
      }
      this.#mayOffer = true;
      const local = this.#pc.localDescription;
      if (local) this.#handlers.send(say.answer(local.sdp, id));
      this.#succeeded();
      return this.#makeOffer();
    });
  }

  /** @param {{sdp: string, id: number|null}} answer */
  receivedAnswer({ sdp, id }) {
    this.#step(async () => {
      if (!this.#outstanding || (id !== null && id !== this.#outstanding.id)) return;
      this.#clear();
      try {
        await this.#pc.setRemoteDescription({ type: 'answer', sdp });
      } catch (error) {
        this.#isWanted = true;
        this.#notBefore = Infinity;
        await this.#undo('setLocalDescription');
        return this.#failed(error);
      }
      this.#succeeded();
      return this.#makeOffer();
    });
  }

  /**
   * An `error` of the server.
   * @param {CallProblem} why @param {number|null} ref
   * @returns {boolean} whether it was about our offer, so that nobody else need mind
   */
  refused(why, ref) {
    if (!this.#outstanding || ref !== this.#outstanding.id) return false;
    this.#step(async () => {
      if (!this.#outstanding || ref !== this.#outstanding.id) return;
      this.#clear();
      this.#isWanted = true;
      this.#notBefore = Infinity;
      await this.#undo('setLocalDescription');
      if (why.code === 'rate_limited') return this.#later((why.retryAfter ?? 1) * 1_000);
      return this.#failed(why);
    });
    return true;
  }

  /** The socket is gone; what is out stays out. */
  lost() {
    this.#isOnline = false;
    this.#stopTimer();
  }

  /** It is back, with the session: an offer without an answer goes again (docs/protocol/signaling.md, "Resuming"). */
  resumed() {
    this.#isOnline = true;
    this.#notBefore = 0;
    this.#step(() => {
      if (this.#outstanding) this.#sendOffer();
      else return this.#makeOffer();
    });
  }

  close() {
    this.#isClosed = true;
    this.#stopTimer();
    this.#env.clearTimeout(this.#restart);
    this.#pc.onnegotiationneeded = null;
    this.#pc.onicecandidate = null;
  }

  // Inside

  /** @param {() => Promise<void>|void} run */
  #step(run) {
    if (this.#isClosed) return;
    if (this.#steps >= STEPS_MAX) return this.#handlers.problem(problem('negotiation_failed'));
    this.#steps += 1;
    this.#chain = this.#chain.then(async () => {
      this.#steps -= 1;
      if (!this.#isClosed) await run();
    }).catch((error) => { if (!this.#isClosed) return this.#failed(error); });
  }

  async #makeOffer() {
    const mayNow = this.#isWanted && this.#mayOffer && this.#isOnline && !this.#outstanding && !this.#isClosed;
    if (!mayNow || this.#pc.signalingState !== 'stable' || this.#env.now() < this.#notBefore) return;
    this.#isWanted = false;
    await this.#pc.setLocalDescription();
    const local = this.#pc.localDescription;
    if (!local || local.type !== 'offer' || this.#isClosed) return;
    this.#outstanding = { id: this.#handlers.nextID(), sdp: local.sdp };
    this.#sendOffer();
  }

  #sendOffer() {
    if (!this.#outstanding || !this.#isOnline) return;
    this.#handlers.send(say.offer(this.#outstanding.sdp, this.#outstanding.id));
    this.#stopTimer();
    this.#timer = this.#env.setTimeout(() => this.#unanswered(), ANSWER_TIMEOUT);
  }

  #unanswered() {
    this.#failures += 1;
    if (this.#failures >= FAILURES_MAX) return this.#giveUp(problem('negotiation_timeout'));
    this.#sendOffer();
  }

  #clear() {
    this.#outstanding = null;
    this.#stopTimer();
  }

  #stopTimer() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A rollback makes browsers ask for a negotiation at once; a refused offer waits all the same. @param {number} milliseconds */
  #later(milliseconds) {
    this.#stopTimer();
    this.#notBefore = this.#env.now() + milliseconds;
    this.#timer = this.#env.setTimeout(() => {
      this.#notBefore = 0;
      this.#step(() => this.#makeOffer());
    }, milliseconds);
  }

  /** Back to `stable`. @param {'setLocalDescription'|'setRemoteDescription'} how whose offer it was */
  async #undo(how) {
    const state = this.#pc.signalingState;
    if (state === 'stable' || state === 'closed') return;
    try {
      await this.#pc[how]({ type: 'rollback' });
    } catch {
      this.#giveUp(problem('negotiation_failed'));
    }
  }

  #succeeded() {
    this.#failures = 0;
    this.#handlers.settled();
  }

  /** @param {unknown} error */
  #failed(error) {
    if (this.#isClosed) return;
    const why = isProblem(error) ? error : problem('negotiation_failed', { info: { reason: String(error) } });
    this.#failures += 1;
    if (this.#failures >= FAILURES_MAX || why.code === 'sdp_unacceptable') return this.#giveUp(why);
    this.#handlers.problem(why);
    if (this.#isWanted) this.#later(this.#failures * 1_000);
  }

  /** @param {CallProblem} why */
  #giveUp(why) {
    if (this.#isClosed) return;
    this.close();
    this.#handlers.gaveUp(why);
  }
}

/** @param {any} value @returns {value is CallProblem} */
function isProblem(value) { return typeof value?.code === 'string' && typeof value?.retry === 'boolean'; }
