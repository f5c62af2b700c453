// @ts-check
/**
 * The header of an SFrame (RFC 9605 §4.3): whose key, and the how manieth frame.
 *
 *      0 1 2 3 4 5 6 7
 *     +-+-----+-+-----+------------+------------+
 *     |X|  K  |Y|  C  |   KID...   |   CTR...   |
 *     +-+-----+-+-----+------------+------------+
 *
 * A number below 8 stands in its three bits; with X (or Y) these are its length in bytes, less one.
 *
 * @module
 */

/** One byte, and two numbers of eight at most. */
export const HEADER_MAX = 17;
const LARGEST = (1n << 64n) - 1n;

/** @param {bigint} kid @param {bigint} ctr each from 0 to 2^64 - 1 @returns {Uint8Array} in the shortest form */
export function encodeHeader(kid, ctr) {
  const [first, second] = [numberBytes(kid), numberBytes(ctr)];
  const config = (part(kid, first) << 4) | part(ctr, second);
  return Uint8Array.from([config, ...(kid < 8n ? [] : first), ...(ctr < 8n ? [] : second)]);
}

/** @param {bigint} value @param {number[]} bytes */
function part(value, bytes) { return value < 8n ? Number(value) : 8 | (bytes.length - 1); }

/** @param {bigint} value @returns {number[]} big-endian, without leading zeros */
function numberBytes(value) {
  if (value < 0n || value > LARGEST) throw new RangeError('an SFrame number has eight bytes at most');
  const bytes = [];
  for (let rest = value; rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  return bytes;
}

/** @param {Uint8Array} data that begins with a header @returns {{kid: bigint, ctr: bigint, length: number}|null} null where it is cut off */
export function decodeHeader(data) {
  if (data.length === 0) return null;
  const kid = readNumber(data, data[0] >> 4, 1);
  const ctr = kid && readNumber(data, data[0] & 15, kid.next);
  return kid && ctr && { kid: kid.value, ctr: ctr.value, length: ctr.next };
}

/** @param {Uint8Array} data @param {number} bits four of them @param {number} at @returns {{value: bigint, next: number}|null} */
function readNumber(data, bits, at) {
  if (bits < 8) return { value: BigInt(bits), next: at };
  const next = at + (bits & 7) + 1;
  if (next > data.length) return null;
  let value = 0n;
  for (let index = at; index < next; index += 1) value = (value << 8n) | BigInt(data[index]);
  return { value, next };
}

/** @param {bigint} value @param {number} length @returns {Uint8Array} big-endian */
export function fixedBytes(value, length) {
  const bytes = new Uint8Array(length);
  for (let index = length - 1, rest = value; index >= 0; index -= 1, rest >>= 8n) bytes[index] = Number(rest & 0xffn);
  return bytes;
}
