// @ts-check
// Where tokens are kept: with "keep me logged in" for all windows of this browser, else for this window and its reloads.

import { memoryStore, webStore } from '../plexichat-api.js';

/** @typedef {import('../api/session.js').SessionStore} SessionStore */

/**
 * @param {Storage | null} tab
 * @param {Storage | null} local
 * @returns {SessionStore & { remember: (on: boolean) => void }}
 */
export function sessionStore(tab, local) {
  const memory = memoryStore();
  const here = tab === null ? memory : webStore(tab);
  const everywhere = local === null ? memory : webStore(local);
  /** What the next login wants; a renewal goes where the session is. */
  let isRemembered = false;
  return {
    remember(on) { isRemembered = on; },
    load: () => here.load() ?? everywhere.load(),
    save(session) {
      if (session === null) {
        here.save(null);
        everywhere.save(null);
        return;
      }
      const before = here.load() === null ? everywhere.load() : here.load();
      const isRenewal = before?.userId === session.userId;
      const goesEverywhere = isRenewal ? here.load() === null : isRemembered;
      if (goesEverywhere) {
        here.save(null);
        everywhere.save(session);
      } else {
        here.save(session);
      }
    },
  };
}
