// @ts-check
/**
 * A world for the SDK without a browser: a clock that is pushed by hand, sockets whose other end is the test, and a
 * peer connection that keeps the rules of signaling states and of `negotiationneeded` (RFC 9429 §3.5, §4.1).
 *
 * @module
 */

import { webcrypto } from 'node:crypto';

// Node 18 has it under another name.
if (!globalThis.crypto) Object.defineProperty(globalThis, 'crypto', { value: webcrypto });

/** Lets everything run that waits for no time. */
export async function settle() {
  for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
}

export class FakeClock {
  now = 1_000;
  /** @type {{at: number, run: () => void, id: number}[]} */ #timers = [];
  #lastID = 0;

  setTimeout = (/** @type {() => void} */ run, wait = 0) => {
    this.#timers.push({ at: this.now + Math.max(0, wait), run, id: ++this.#lastID });
    return this.#lastID;
  };

  clearTimeout = (/** @type {any} */ id) => { this.#timers = this.#timers.filter((timer) => timer.id !== id); };

  get pending() { return this.#timers.length; }

  /** Lets time pass, timer by timer. @param {number} milliseconds */
  async pass(milliseconds) {
    const end = this.now + milliseconds;
    await settle();
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!next) break;
      this.now = Math.max(this.now, next.at);
      this.clearTimeout(next.id);
      next.run();
      await settle();
    }
    this.now = end;
  }
}

export class FakeSocket {
  /** @type {any} */ onopen = null;
  /** @type {any} */ onmessage = null;
  /** @type {any} */ onclose = null;
  bufferedAmount = 0;
  /** @type {any[]} */ sent = [];
  /** @type {number|null} */ closedWith = null;

  /** @param {string} url */
  constructor(url) { this.url = url; }

  /** @param {string} text */
  send(text) { this.sent.push(JSON.parse(text)); }

  /** @param {number} code */
  close(code) { this.closedWith ??= code; }

  // The other end

  open() { this.onopen?.({}); }

  /** @param {object|string} message */
  say(message) { this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) }); }

  /** @param {number} code */
  end(code, reason = '') { this.onclose?.({ code, reason }); }

  /** Takes what was sent since the last time, candidates and pings left out. */
  take() {
    const taken = this.sent.filter(({ type }) => type !== 'ice:candidate' && type !== 'ping');
    this.sent = [];
    return taken;
  }
}

export class FakeTrack extends EventTarget {
  muted = true;
  enabled = true;
  contentHint = '';
  /** @type {any} */ onmute = null;
  /** @type {any} */ onunmute = null;

  /** @param {'audio'|'video'} kind */
  constructor(kind, id = `${kind}-${Math.random().toString(36).slice(2)}`) {
    super();
    this.kind = kind;
    this.id = id;
  }
}

export class FakeStream {
  /** @param {FakeTrack[]} tracks */
  constructor(tracks) { this.tracks = tracks; }
  getVideoTracks() { return this.tracks.filter(({ kind }) => kind === 'video'); }
  getAudioTracks() { return this.tracks.filter(({ kind }) => kind === 'audio'); }
}

class FakeSender {
  /** @type {any} */ transform = null;
  replaced = 0;
  /** @param {FakeTrack|null} track @param {any[]} encodings */
  constructor(track, encodings) { [this.track, this.encodings] = [track, encodings]; }
  /** @param {FakeTrack|null} track */
  async replaceTrack(track) {
    await Promise.resolve();
    this.replaced += 1;
    this.track = track;
  }
  getParameters() { return { encodings: this.encodings.map((one) => ({ ...one })) }; }
  /** @param {any} parameters */
  async setParameters(parameters) { this.encodings = parameters.encodings; }
}

class FakeTransceiver {
  /** @type {string|null} */ mid = null;
  /** @type {string[]} */ codecs = [];
  #direction;
  /** @param {FakePeer} pc @param {FakeTrack|string} from @param {any} options */
  constructor(pc, from, { direction = 'sendrecv', sendEncodings = [{}] } = {}) {
    this.pc = pc;
    this.kind = typeof from === 'string' ? from : from.kind;
    this.#direction = direction;
    this.sender = new FakeSender(typeof from === 'string' ? null : from, sendEncodings);
    this.receiver = { track: new FakeTrack(/** @type {any} */ (this.kind)), transform: null };
  }
  get direction() { return this.#direction; }
  set direction(direction) {
    if (direction === this.#direction) return;
    this.#direction = direction;
    this.pc.needNegotiation();
  }
  /** @param {any[]} codecs */
  setCodecPreferences(codecs) { this.codecs = codecs.map(({ mimeType }) => mimeType); }
}

/**
 * Its descriptions are lines of its own: `offer 3` with `m=` lines, so that tests can read them. A remote description
 * with `refuse` in it is refused.
 */
export class FakePeer {
  signalingState = 'stable';
  connectionState = 'new';
  iceConnectionState = 'new';
  /** @type {any} */ localDescription = null;
  /** @type {any} */ onnegotiationneeded = null;
  /** @type {any} */ onicecandidate = null;
  /** @type {any} */ ontrack = null;
  /** @type {any} */ onconnectionstatechange = null;
  /** @type {FakeTransceiver[]} */ transceivers = [];
  restarts = 0;
  rollbacks = 0;
  /** @type {any[]} */ stats = [];
  #made = 0;
  #isNeeded = false;
  #isToldNeeded = false;

  /** @param {any} configuration */
  constructor(configuration) { this.configuration = configuration; }

  getConfiguration() { return this.configuration; }
  /** @param {any} configuration */
  setConfiguration(configuration) { this.configuration = configuration; }
  getTransceivers() { return this.transceivers; }

  /** @param {any} from @param {any} options */
  addTransceiver(from, options) {
    const transceiver = new FakeTransceiver(this, from, options);
    this.transceivers.push(transceiver);
    this.needNegotiation();
    return transceiver;
  }

  restartIce() {
    this.restarts += 1;
    this.needNegotiation();
  }

  needNegotiation() {
    this.#isNeeded = true;
    this.#tellNeeded();
  }

  #tellNeeded() {
    if (!this.#isNeeded || this.#isToldNeeded || this.signalingState !== 'stable') return;
    this.#isToldNeeded = true;
    queueMicrotask(() => {
      this.#isToldNeeded = false;
      if (this.#isNeeded && this.signalingState === 'stable') this.onnegotiationneeded?.({});
    });
  }

  /** @param {any} [description] */
  async setLocalDescription(description) {
    await Promise.resolve();
    if (this.signalingState === 'closed') throw new Error('InvalidStateError: closed');
    if (description?.type === 'rollback') return this.#rollback('have-local-offer');
    const isAnswer = this.signalingState === 'have-remote-offer';
    if (!isAnswer && this.signalingState !== 'stable') throw new Error(`InvalidStateError: ${this.signalingState}`);
    // An answer has the sections of its offer; what is more waits for an offer of one's own.
    if (!isAnswer) for (const [index, transceiver] of this.transceivers.entries()) transceiver.mid ??= String(index);
    const type = isAnswer ? 'answer' : 'offer';
    this.#made += 1;
    const described = this.transceivers.filter(({ mid }) => mid !== null);
    const sections = described.map(({ kind, mid, direction }) => `m=${kind} 9\r\na=mid:${mid}\r\na=${direction}`);
    this.localDescription = { type, sdp: [`${type} ${this.#made}`, ...sections].join('\r\n') };
    this.#isNeeded = described.length < this.transceivers.length;
    this.#move(isAnswer ? 'stable' : 'have-local-offer');
  }

  /** @param {any} description */
  async setRemoteDescription(description) {
    await Promise.resolve();
    if (description.type === 'rollback') return this.#rollback('have-remote-offer');
    if (description.sdp.includes('refuse')) throw new Error('OperationError: cannot parse');
    const wanted = description.type === 'offer' ? 'stable' : 'have-local-offer';
    if (this.signalingState !== wanted) throw new Error(`InvalidStateError: ${this.signalingState}`);
    if (description.type === 'answer') return this.#move('stable');
    this.#move('have-remote-offer');
    this.#takeSections(description.sdp);
  }

  /** New sections of the server's offer: `m=video 9 / a=mid:s0 / a=sendonly`. @param {string} sdp */
  #takeSections(sdp) {
    for (const section of sdp.split(/\r?\nm=/).slice(1)) {
      const [kind] = section.split(' ');
      const mid = /a=mid:(\S+)/.exec(section)?.[1] ?? '';
      if (this.transceivers.some((one) => one.mid === mid)) continue;
      const transceiver = new FakeTransceiver(this, kind, { direction: 'recvonly' });
      transceiver.mid = mid;
      this.transceivers.push(transceiver);
      if (section.includes('a=sendonly')) this.ontrack?.({ transceiver, track: transceiver.receiver.track });
    }
  }

  /** @param {string} from */
  #rollback(from) {
    if (this.signalingState !== from) throw new Error(`InvalidStateError: ${this.signalingState}`);
    this.rollbacks += 1;
    if (from === 'have-local-offer') this.#isNeeded = true;
    this.#move('stable');
  }

  /** @param {string} state */
  #move(state) {
    this.signalingState = state;
    this.#tellNeeded();
  }

  /** @param {string} state */
  become(state, ice = state) {
    [this.connectionState, this.iceConnectionState] = [state, ice];
    this.onconnectionstatechange?.({});
  }

  async getStats() { return new Map(this.stats.map((one) => [one.id, one])); }
  close() { this.signalingState = 'closed'; }
}

export class FakeWorld {
  clock = new FakeClock();
  /** @type {FakeSocket[]} */ sockets = [];
  /** @type {FakePeer[]} */ peers = [];

  constructor() {
    const world = this;
    /** @type {any} */
    this.env = {
      WebSocket: class extends FakeSocket { constructor(/** @type {string} */ url) { super(url); world.sockets.push(this); } },
      RTCPeerConnection: class extends FakePeer { constructor(/** @type {any} */ c) { super(c); world.peers.push(this); } },
      RTCRtpScriptTransform: undefined,
      now: () => this.clock.now,
      wallClock: () => this.clock.now + 1_700_000_000_000,
      random: () => 0.5,
      setTimeout: this.clock.setTimeout,
      clearTimeout: this.clock.clearTimeout,
      makeStream: (/** @type {any} */ tracks) => new FakeStream(tracks),
      codecs: (/** @type {string} */ kind) => (kind === 'audio' ? ['opus', 'red', 'PCMU'] : ['VP8', 'rtx', 'H264']).map((name) => ({ mimeType: `${kind}/${name}` })),
      pixelRatio: () => 1,
    };
  }

  get socket() { return this.sockets[this.sockets.length - 1]; }
  get peer() { return this.peers[this.peers.length - 1]; }
}

/** Collects events. @param {EventTarget} target @param {string} type @returns {any[]} */
export function listen(target, type) {
  /** @type {any[]} */
  const heard = [];
  target.addEventListener(type, (event) => heard.push(/** @type {any} */ (event).detail));
  return heard;
}
