// @ts-check
/**
 * What one sends: a section each for microphone, camera, screen and the screen's sound, and the track that is in it.
 * Sections stay for the life of the connection; tracks come and go without negotiation, save a screen's, which the
 * others are to see go.
 *
 * @module
 */

import { problem } from './problems.js';

/** @typedef {import('./types.js').Environment} Environment */
/** @typedef {import('./types.js').TrackSource} TrackSource */
/** @typedef {import('./types.js').CallProblem} CallProblem */

/**
 * Lowest first, in which order the server counts them. A quarter fits a thumbnail and a phone's uplink, the whole a
 * tile that fills a screen.
 * @returns {RTCRtpEncodingParameters[]}
 */
export function cameraEncodings() {
  return [
    { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
    { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
    { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
  ];
}

/** One stream: a scaled-down text is of use to nobody. @param {'detail'|'motion'|'text'} hint @returns {RTCRtpEncodingParameters[]} */
export function screenEncodings(hint) {
  return [hint === 'motion' ? { maxBitrate: 3_000_000, maxFramerate: 30 } : { maxBitrate: 2_500_000, maxFramerate: 15 }];
}

/** Codecs whose frames nobody needs to read. */
const SEALABLE = /^(audio\/opus|video\/(VP8|rtx))$/i;
/** In the order in which their sections are made: others tell a camera from a screen by it. */
export const SOURCES = Object.freeze(/** @type {TrackSource[]} */ (['microphone', 'camera', 'screen', 'screen-audio']));
/** @param {TrackSource} source @returns {'audio'|'video'} */
export const kindOf = (source) => (source === 'camera' || source === 'screen' ? 'video' : 'audio');

/**
 * @typedef {object} Slot
 * @property {MediaStreamTrack|null} track that the page gave
 * @property {RTCRtpTransceiver|null} transceiver
 * @property {Promise<unknown>} work one change after the other
 */

export class Publishing {
  /** @type {Environment} */ #env;
  /** @type {RTCPeerConnection|null} */ #pc = null;
  /** @type {(sender: RTCRtpSender, kind: "audio"|"video") => void} */ #prepare = () => {};
  /** @type {Map<TrackSource, Slot>} */ #slots = new Map(SOURCES.map((source) => [source, emptySlot()]));
  /** Sources that send nothing although they have a track. @type {Set<TrackSource>} */ #silenced = new Set();
  /** @type {'detail'|'motion'|'text'} */ #hint = 'detail';
  #isEncrypted = false;
  /** The server's first offer will have sections for us. */
  #isWaiting = false;

  /** @param {Environment} env */
  constructor(env) { this.#env = env; }

  /** @param {TrackSource} source @returns {MediaStreamTrack|null} */
  track(source) { return this.#slot(source).track; }

  /** @param {string|null} mid @returns {TrackSource|null} */
  sourceOf(mid) { return SOURCES.find((source) => mid !== null && this.#slot(source).transceiver?.mid === mid) ?? null; }

  /**
   * Another connection: nothing of the one before holds.
   * @param {RTCPeerConnection} pc
   * @param {{offers: boolean, video: boolean, isEncrypted: boolean, prepare: (sender: RTCRtpSender, kind: "audio"|"video") => void}} options
   *   `offers`: the client offers first, so sections are made now; `prepare` sets the transform of encryption
   */
  begin(pc, { offers, video, isEncrypted, prepare }) {
    this.#pc = pc;
    this.#prepare = prepare;
    this.#isEncrypted = isEncrypted;
    this.#isWaiting = !offers;
    for (const slot of this.#slots.values()) [slot.transceiver, slot.work] = [null, Promise.resolve()];
    if (!offers) return;
    // Both from the start, with or without a device: what is switched on later then needs no offer.
    for (const source of SOURCES) {
      const isBasic = source === 'microphone' || (source === 'camera' && video);
      if (isBasic || this.#slot(source).track) this.#add(source);
    }
  }

  end() {
    this.#pc = null;
    for (const slot of this.#slots.values()) slot.transceiver = null;
  }

  /**
   * The server has offered first: its sections in which we may send become ours, in their order.
   * @param {string} sdp
   */
  async adopt(sdp) {
    if (!this.#pc) return;
    this.#isWaiting = false;
    const open = receivingSections(sdp);
    for (const source of SOURCES) {
      const slot = this.#slot(source);
      if (slot.transceiver) continue;
      const at = open.findIndex((section) => section.kind === kindOf(source) && !this.#isTaken(section.mid));
      if (at < 0) continue;
      const transceiver = this.#pc.getTransceivers().find(({ mid }) => mid === open[at].mid);
      if (!transceiver) continue;
      slot.transceiver = transceiver;
      transceiver.direction = 'sendonly';
      this.#equip(source, transceiver);
      await transceiver.sender.replaceTrack(this.#effective(source));
    }
    // A track for which the server had no section gets one with our next offer.
    for (const source of SOURCES) if (this.#slot(source).track && !this.#slot(source).transceiver) this.#add(source);
  }

  /** @param {string} mid */
  #isTaken(mid) { return this.sourceOf(mid) !== null; }

  /**
   * @param {TrackSource} source @param {MediaStreamTrack|null} track
   * @returns {Promise<CallProblem|null>}
   */
  set(source, track) {
    const slot = this.#slot(source);
    slot.track = track;
    return this.#work(slot, async () => {
      if (!this.#pc) return;
      if (!slot.transceiver) {
        if (!track || this.#isWaiting) return;
        // A screen never gets the first video section: a camera may come.
        if (source === 'screen' && !this.#slot('camera').transceiver) this.#add('camera');
        return this.#add(source);
      }
      await slot.transceiver.sender.replaceTrack(this.#effective(source));
      if (source === 'screen' || source === 'screen-audio') slot.transceiver.direction = track ? 'sendonly' : 'inactive';
    });
  }

  /** Sends nothing from these; their tracks stay. @param {ReadonlySet<TrackSource>} sources @returns {Promise<CallProblem|null>} */
  async silence(sources) {
    this.#silenced = new Set(sources);
    const done = await Promise.all(SOURCES.map((source) => {
      const slot = this.#slot(source);
      return this.#work(slot, async () => {
        const sender = slot.transceiver?.sender;
        if (sender && sender.track !== this.#effective(source)) await sender.replaceTrack(this.#effective(source));
      });
    }));
    return done.find((why) => why !== null) ?? null;
  }

  /** What the screen's picture is, before it is set. @param {'detail'|'motion'|'text'} hint */
  set screenHint(hint) {
    this.#hint = hint;
    const { transceiver } = this.#slot('screen');
    if (transceiver) this.#changeEncodings('screen', (encoding) => Object.assign(encoding, screenEncodings(hint)[0]));
  }

  /**
   * Nobody looks at these layers of ours: they are not encoded until somebody does.
   * @param {string} mid @param {readonly number[]} unwatched
   */
  pauseLayers(mid, unwatched) {
    const source = this.sourceOf(mid);
    if (!source || kindOf(source) !== 'video') return;
    this.#changeEncodings(source, (encoding, index) => { encoding.active = !unwatched.includes(index); });
  }

  // Inside

  /** @param {TrackSource} source @returns {Slot} */
  #slot(source) { return /** @type {Slot} */ (this.#slots.get(source)); }

  /** @param {TrackSource} source @returns {MediaStreamTrack|null} */
  #effective(source) { return this.#silenced.has(source) ? null : this.#slot(source).track; }

  /** @param {TrackSource} source */
  #add(source) {
    const slot = this.#slot(source);
    if (!this.#pc || slot.transceiver) return;
    const sendEncodings = source === 'camera' ? cameraEncodings() : source === 'screen' ? screenEncodings(this.#hint) : [];
    /** @type {RTCRtpTransceiverInit} */
    const options = { direction: 'sendonly', ...(sendEncodings.length > 0 ? { sendEncodings } : {}) };
    slot.transceiver = this.#pc.addTransceiver(this.#effective(source) ?? kindOf(source), options);
    this.#equip(source, slot.transceiver);
  }

  /** @param {TrackSource} source @param {RTCRtpTransceiver} transceiver */
  #equip(source, transceiver) {
    this.#prepare(transceiver.sender, kindOf(source));
    if (!this.#isEncrypted) return;
    // Others look into the frames, browsers and servers alike (docs/web.md).
    const readable = this.#env.codecs(kindOf(source)).filter(({ mimeType }) => SEALABLE.test(mimeType));
    if (readable.length > 0) transceiver.setCodecPreferences?.(readable);
  }

  /** @param {TrackSource} source @param {(encoding: RTCRtpEncodingParameters, index: number) => void} change */
  #changeEncodings(source, change) {
    const slot = this.#slot(source);
    this.#work(slot, async () => {
      const sender = slot.transceiver?.sender;
      const parameters = sender?.getParameters();
      if (!sender || !parameters?.encodings?.length) return;
      parameters.encodings.forEach(change);
      await sender.setParameters(parameters);
    });
  }

  /** @param {Slot} slot @param {() => Promise<void>|void} run @returns {Promise<CallProblem|null>} */
  #work(slot, run) {
    const pc = this.#pc;
    const done = slot.work.then(() => (pc === this.#pc ? run() : undefined)).then(() => null, (error) => {
      // A connection that was closed meanwhile is no failure of the track's.
      if (pc !== this.#pc || pc?.signalingState === 'closed') return null;
      return problem('negotiation_failed', { text: 'The browser cannot send this track', info: { reason: String(error) } });
    });
    slot.work = done;
    return done;
  }
}

/** @returns {Slot} */
function emptySlot() { return { track: null, transceiver: null, work: Promise.resolve() }; }

/**
 * Sections in which the author of a description receives and does not send: where the other side may.
 * @param {string} sdp @returns {{mid: string, kind: string}[]}
 */
export function receivingSections(sdp) {
  return sdp.split(/\r?\nm=/).slice(1).flatMap((section) => {
    const lines = section.split(/\r?\n/);
    const mid = lines.find((line) => line.startsWith('a=mid:'))?.slice('a=mid:'.length);
    const [kind, port] = lines[0].split(' ');
    return mid && port !== '0' && lines.includes('a=recvonly') ? [{ mid, kind }] : [];
  });
}
