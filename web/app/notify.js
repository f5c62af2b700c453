// @ts-check
// A call that comes while nobody looks at the page: the system shows it, where the person allowed that.

/** @typedef {{ permission: string, request: () => Promise<string>, show: (title: string, body: string, tag: string, onClick: () => void) => () => void }} Notifier */

/** @param {typeof Notification | undefined} [kind] of the browser @returns {Notifier | null} null where there are none */
export function createNotifier(kind = globalThis.Notification) {
  if (kind === undefined) return null;
  return {
    get permission() { return kind.permission; },
    request: () => kind.requestPermission(),
    show(title, body, tag, onClick) {
      try {
        const shown = new kind(title, { body, tag, icon: '/icons/favicon.svg', requireInteraction: true });
        shown.onclick = () => {
          onClick();
          shown.close();
        };
        return () => shown.close();
      } catch {
        // Phones want a service worker for this; there the ring must do.
        return () => {};
      }
    },
  };
}
