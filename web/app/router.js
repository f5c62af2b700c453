// @ts-check
// Screens by the part of the address behind `#`, which no server is ever sent: the key of an encrypted call stands
// there too (`#/call/<id>?key=…`), and so a link carries it from person to person and past the server.

/**
 * @typedef {{ name: 'login', then?: string }
 *   | { name: 'register' }
 *   | { name: 'forgot' }
 *   | { name: 'reset', token: string }
 *   | { name: 'people' }
 *   | { name: 'history' }
 *   | { name: 'chats' }
 *   | { name: 'chat', id: string }
 *   | { name: 'join', code: string }
 *   | { name: 'settings' }
 *   | { name: 'ready', people: string[], kind: CallKind }
 *   | { name: 'call', id: string, key?: string }
 *   | { name: 'missing' }} Route
 * @typedef {'audio' | 'video'} CallKind
 */

/** More people than a call takes by default are a mistake in a link, not a wish. */
export const peopleMax = 100;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const keyText = /^[A-Za-z0-9_-]{16,128}$/;
/** `plp_` and 43 characters (docs/protocol/tokens.md), with room for what comes after. */
const resetToken = /^[A-Za-z0-9_-]{20,128}$/;
/** 24 characters of base64url, with room for what comes after. */
const invitationCode = /^[A-Za-z0-9_-]{16,128}$/;
const plain = new Set(['login', 'register', 'forgot', 'people', 'chats', 'history', 'settings']);

/** @param {unknown} text */
export const isIdentifier = (text) => typeof text === 'string' && uuid.test(text);

/**
 * @param {string} hash With or without its `#`.
 * @returns {Route}
 */
export function parseRoute(hash) {
  const text = hash.replace(/^#/, '');
  const mark = text.indexOf('?');
  const path = (mark < 0 ? text : text.slice(0, mark)).split('/').filter((part) => part !== '');
  const query = new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1));
  const [first, second] = path;
  // The server's own form of an invitation (docs/protocol/chat.md): `#join=CODE`.
  if (text.startsWith('join=')) {
    const code = text.slice('join='.length);
    return invitationCode.test(code) ? { name: 'join', code } : { name: 'missing' };
  }
  if (first === undefined) return { name: 'people' };
  if (path.length === 1 && first === 'login') {
    const then = query.get('then');
    // Only to places of this page: `then` comes from the address, which anybody may have written.
    return then !== null && then.startsWith('/') ? { name: 'login', then } : { name: 'login' };
  }
  if (path.length === 1 && first === 'reset') {
    const token = query.get('token') ?? '';
    return resetToken.test(token) ? { name: 'reset', token } : { name: 'missing' };
  }
  if (path.length === 1 && first === 'ready') return parseReady(query);
  if (path.length === 2 && first === 'call' && second !== undefined) return parseCall(second, query);
  if (path.length === 2 && first === 'chat' && isIdentifier(second)) return { name: 'chat', id: /** @type {string} */ (second) };
  if (path.length === 1 && plain.has(first)) return /** @type {Route} */ ({ name: first });
  return { name: 'missing' };
}

/** @param {URLSearchParams} query @returns {Route} */
function parseReady(query) {
  const people = [...new Set((query.get('with') ?? '').split(',').filter((text) => text !== ''))];
  if (people.length === 0 || people.length > peopleMax || !people.every(isIdentifier)) return { name: 'missing' };
  return { name: 'ready', people, kind: query.get('kind') === 'audio' ? 'audio' : 'video' };
}

/** @param {string} id @param {URLSearchParams} query @returns {Route} */
function parseCall(id, query) {
  if (!isIdentifier(id)) return { name: 'missing' };
  const key = query.get('key');
  // A key that was cut off by a mail program must not be taken for none: the call would be sent in the clear.
  if (key !== null && !keyText.test(key)) return { name: 'missing' };
  return key === null ? { name: 'call', id } : { name: 'call', id, key };
}

/**
 * @param {Route} route
 * @returns {string} With its `#`.
 */
export function formatRoute(route) {
  switch (route.name) {
    case 'ready': return `#/ready?with=${route.people.join(',')}&kind=${route.kind}`;
    case 'call': return `#/call/${route.id}${route.key === undefined ? '' : `?key=${route.key}`}`;
    case 'login': return route.then === undefined ? '#/login' : `#/login?then=${encodeURIComponent(route.then)}`;
    case 'chat': return `#/chat/${route.id}`;
    case 'join': return `#join=${route.code}`;
    case 'reset': return `#/reset?token=${route.token}`;
    case 'missing': return '#/people';
    default: return `#/${route.name}`;
  }
}

/** Which screens are for somebody who has not logged in. @param {Route} route */
export const isPublic = (route) => route.name === 'reset' || isForStrangers(route);

/** And for nobody else: the link of a reset mail is good for who is logged in, too. @param {Route} route */
export const isForStrangers = (route) => ['login', 'register', 'forgot'].includes(route.name);
