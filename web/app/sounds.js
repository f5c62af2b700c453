// @ts-check
// The ring and the small signs of a call, made of sine waves: no file, no format, no download.

/**
 * @typedef {{ at: number, for: number, hertz: number, gain: number }} Note Seconds from the beginning.
 * @typedef {{ notes: Note[], period: number | null }} Pattern `period`: after which it begins again.
 */

const g4 = 392;
const b4 = 493.88;
const d5 = 587.33;
const g5 = 783.99;

/** @type {Readonly<Record<'ring' | 'ringback' | 'joined' | 'left' | 'ended', Pattern>>} */
export const patterns = Object.freeze({
  // A broken chord, twice, then quiet: heard across a room, and no alarm.
  ring: {
    notes: [g4, b4, d5, g5, g4, b4, d5, g5].map((hertz, index) => ({
      at: index * 0.16 + (index > 3 ? 0.25 : 0), for: 0.32, hertz, gain: 0.18,
    })),
    period: 3,
  },
  ringback: { notes: [{ at: 0, for: 1, hertz: 425, gain: 0.05 }], period: 4 },
  joined: { notes: [{ at: 0, for: 0.12, hertz: d5, gain: 0.08 }, { at: 0.1, for: 0.2, hertz: g5, gain: 0.08 }], period: null },
  left: { notes: [{ at: 0, for: 0.12, hertz: g5, gain: 0.06 }, { at: 0.1, for: 0.2, hertz: d5, gain: 0.06 }], period: null },
  ended: { notes: [{ at: 0, for: 0.2, hertz: b4, gain: 0.08 }, { at: 0.18, for: 0.35, hertz: g4, gain: 0.08 }], period: null },
});

/** How long a pattern sounds. @param {Pattern} pattern */
export const lengthOf = (pattern) => Math.max(...pattern.notes.map((note) => note.at + note.for));

/** A note's ends are rounded, or each would begin and end with a click. */
const attack = 0.02;

/**
 * @param {() => AudioContext | null} [makeContext]
 */
export function createSounds(makeContext = defaultContext) {
  /** @type {AudioContext | null} */
  let context = null;
  let device = '';

  /** @param {AudioContext} audio @param {Note} note @param {number} start */
  function schedule(audio, note, start) {
    const oscillator = audio.createOscillator();
    const gain = audio.createGain();
    oscillator.frequency.value = note.hertz;
    const begin = start + note.at;
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(note.gain, begin + attack);
    gain.gain.setTargetAtTime(0, begin + note.for - attack * 3, attack);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(begin);
    oscillator.stop(begin + note.for + attack * 4);
    return oscillator;
  }

  /**
   * @param {keyof typeof patterns} name
   * @returns {() => void} Silences it.
   */
  function play(name) {
    context ??= makeContext();
    const audio = context;
    if (audio === null) return () => {};
    // Where a browser can play only as the system has it, it does. A loudspeaker that is gone is no reason for silence.
    if ('setSinkId' in audio) void /** @type {any} */ (audio).setSinkId(device).catch(() => {});
    // Before the first click on a page a browser keeps it silent; it sounds from then on.
    void Promise.resolve(audio.resume()).catch(() => {});
    const pattern = patterns[name];
    /** @type {Set<OscillatorNode>} */
    let sounding = new Set();
    const once = () => {
      sounding = new Set(pattern.notes.map((note) => schedule(audio, note, audio.currentTime)));
    };
    once();
    const timer = pattern.period === null ? null : setInterval(once, pattern.period * 1000);
    return () => {
      if (timer !== null) clearInterval(timer);
      for (const oscillator of sounding) oscillator.stop();
      sounding.clear();
    };
  }

  return {
    play,
    /** @param {string} id of a loudspeaker, or "" for the system's choice */
    useDevice(id) { device = id; },
  };
}

function defaultContext() {
  const Context = globalThis.AudioContext;
  return Context === undefined ? null : new Context();
}
