// @ts-check
/**
 * WebAuthn between the server's JSON and the browser: what `parseRequestOptionsFromJSON` and `toJSON` do, for browsers
 * that do not have them yet. Binary members are base64url without padding.
 *
 * @module
 */

/** @param {string} value @returns {Uint8Array} */
export function fromBase64URL(value) {
  const binary = atob(value.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** @param {ArrayBuffer|Uint8Array} value @returns {string} */
export function toBase64URL(value) {
  let binary = '';
  for (const byte of value instanceof Uint8Array ? value : new Uint8Array(value)) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @param {any} list */
const descriptors = (list) => (Array.isArray(list) ? list.map((one) => ({ ...one, id: fromBase64URL(one.id) })) : []);

/** @param {Record<string, any>} json `public_key` of an answer @returns {PublicKeyCredentialCreationOptions} */
export function creationOptions(json) {
  return /** @type {any} */ ({
    ...json, challenge: fromBase64URL(json.challenge), user: { ...json.user, id: fromBase64URL(json.user.id) },
    excludeCredentials: descriptors(json.excludeCredentials),
  });
}

/** @param {Record<string, any>} json @returns {PublicKeyCredentialRequestOptions} */
export function requestOptions(json) {
  return /** @type {any} */ ({
    ...json, challenge: fromBase64URL(json.challenge), allowCredentials: descriptors(json.allowCredentials),
  });
}

/** @param {any} credential that `navigator.credentials` gave @returns {Record<string, any>} as the server reads it */
export function credentialJSON(credential) {
  /** @type {Record<string, string>} */
  const response = {};
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (credential.response[name]) response[name] = toBase64URL(credential.response[name]);
  }
  return { id: toBase64URL(credential.rawId), type: credential.type, response };
}
