// @ts-check
// What a person chose on this device, kept in the browser. What is read back is checked: another version of this page
// may have written it, and nothing else than a known value gets in.

/**
 * @typedef {object} Preferences
 * @property {'system' | 'light' | 'dark'} theme
 * @property {'grid' | 'speaker'} layout
 * @property {string} microphone A device's id, or '' for the system's choice.
 * @property {string} camera
 * @property {string} speaker
 * @property {boolean} startsMuted
 * @property {boolean} startsWithoutVideo
 * @property {boolean} ring Whether an incoming call is heard.
 * @property {boolean} notify Whether the system shows an incoming call while nobody looks at the page.
 * @property {boolean} shortcuts
 * @property {boolean} mirror
 */

/** @type {Readonly<Preferences>} */
export const defaults = Object.freeze({
  theme: 'system',
  layout: 'grid',
  microphone: '',
  camera: '',
  speaker: '',
  startsMuted: false,
  startsWithoutVideo: false,
  ring: true,
  notify: false,
  shortcuts: true,
  mirror: true,
});

const choices = { theme: ['system', 'light', 'dark'], layout: ['grid', 'speaker'] };
/** Ids of devices are hashes of 64 characters; this is room enough, and no room for a book. */
const textMax = 256;

/**
 * @param {unknown} stored What `JSON.parse` gave, or anything.
 * @returns {Preferences}
 */
export function readPreferences(stored) {
  const result = /** @type {Record<string, unknown>} */ ({ ...defaults });
  if (typeof stored !== 'object' || stored === null) return /** @type {any} */ (result);
  for (const [key, initial] of Object.entries(defaults)) {
    if (!Object.hasOwn(stored, key)) continue;
    const value = /** @type {Record<string, unknown>} */ (stored)[key];
    if (typeof value !== typeof initial) continue;
    const allowed = /** @type {Record<string, string[]>} */ (choices)[key];
    if (allowed !== undefined && !allowed.includes(/** @type {string} */ (value))) continue;
    if (typeof value === 'string' && value.length > textMax) continue;
    result[key] = value;
  }
  return /** @type {any} */ (result);
}

const name = 'plexichat.preferences';

/**
 * @param {Pick<Storage, 'getItem' | 'setItem'> | null} storage `null` where the browser keeps none for this page.
 */
export function preferencesIn(storage) {
  return {
    load() {
      try {
        return readPreferences(JSON.parse(storage?.getItem(name) ?? 'null'));
      } catch {
        return readPreferences(null);
      }
    },
    /** @param {Preferences} preferences */
    save(preferences) {
      // A full or forbidden storage costs the choice at the next visit, and nothing now.
      try {
        storage?.setItem(name, JSON.stringify(preferences));
      } catch {}
    },
  };
}

/** The browser's storage, which a setting of the browser may forbid even to look at. @param {'localStorage' | 'sessionStorage'} kind */
export function storageOf(kind) {
  try {
    return globalThis[kind] ?? null;
  } catch {
    return null;
  }
}
