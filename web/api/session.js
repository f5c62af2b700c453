// @ts-check
/**
 * Who is signed in: tokens, where they are kept, and their renewal, once for all windows that share the store.
 *
 * @module
 */

/** @typedef {import('./answers.js').Tokens} Tokens */

/**
 * @typedef {object} Session
 * @property {string} userId
 * @property {string} accessToken
 * @property {string} refreshToken
 * @property {number} expiresAt of the access token, in milliseconds since 1970
 */

/**
 * Where a session is kept. `load` is asked often, because another window may have changed it.
 * @typedef {object} SessionStore
 * @property {() => Session|null} load
 * @property {(session: Session|null) => void} save
 */

/** For pages that forget at a reload, and for tests. @returns {SessionStore} */
export function memoryStore() {
  /** @type {Session|null} */
  let kept = null;
  return { load: () => kept, save: (session) => { kept = session; } };
}

/**
 * In the browser: `sessionStorage` for this window, `localStorage` for "remember me".
 * @param {Storage} storage @param {string} [key] @returns {SessionStore}
 */
export function webStore(storage, key = 'plexichat.session') {
  return {
    load() {
      try {
        return checked(JSON.parse(storage.getItem(key) ?? 'null'));
      } catch {
        return null;
      }
    },
    save(session) {
      try {
        if (session) storage.setItem(key, JSON.stringify(session));
        else storage.removeItem(key);
      } catch {
        // A full or forbidden storage: the session lives as long as the page, in the API's own memory.
      }
    },
  };
}

/** What somebody else wrote there is no session. @param {any} value @returns {Session|null} */
function checked(value) {
  const isOne = value && typeof value.userId === 'string' && typeof value.accessToken === 'string'
    && typeof value.refreshToken === 'string' && Number.isFinite(value.expiresAt);
  return isOne ? value : null;
}

/** @param {Tokens} tokens @param {string} userId @param {number} now @returns {Session} */
export function makeSession(tokens, userId, now) {
  return {
    userId, accessToken: tokens.accessToken, refreshToken: tokens.refreshToken,
    expiresAt: now + tokens.lifetime * 1_000,
  };
}

/**
 * The user that an access token is for (`sub`), which a login's answer does not name. Not a check: the server's word.
 * @param {string} token @returns {string|null}
 */
export function userOfToken(token) {
  try {
    const part = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const claims = JSON.parse(atob(part));
    return typeof claims.sub === 'string' ? claims.sub : null;
  } catch {
    return null;
  }
}
