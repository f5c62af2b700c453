// @ts-check
// Numbers and times as people read them. The words come from strings.js; `now` is always an argument.

import { text } from './text.js';

const locale = 'en';

/** Seconds as 0:07, 12:34, 1:02:03. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** The same for who listens: '2 minutes 5 seconds'. @param {number} seconds */
export function spokenDuration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [
    { count: Math.floor(whole / 3600), key: /** @type {const} */ ('time.hours') },
    { count: Math.floor(whole / 60) % 60, key: /** @type {const} */ ('time.minutes') },
    { count: whole % 60, key: /** @type {const} */ ('time.seconds') },
  ].filter((part) => part.count > 0);
  if (parts.length === 0) return text('time.seconds', { count: 0 });
  return parts.map((part) => text(part.key, { count: part.count })).join(' ');
}

/**
 * A day as one speaks of it, with the time: "Today, 14:05", "Yesterday, 09:30", "Mon 3 March, 18:00".
 * @param {string} time ISO 8601.
 * @param {Date} now
 * @param {string} [zone]
 */
export function dayAndTime(time, now, zone) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  const hours = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: zone });
  const at = hours.format(date);
  const day = (/** @type {Date} */ value) =>
    new Intl.DateTimeFormat('en-CA', { year: 'numeric', month: '2-digit', day: '2-digit', timeZone: zone }).format(value);
  if (day(date) === day(now)) return text('time.today', { at });
  if (day(date) === day(new Date(now.getTime() - 86_400_000))) return text('time.yesterday', { at });
  const isThisYear = day(date).slice(0, 4) === day(now).slice(0, 4);
  const long = new Intl.DateTimeFormat(locale, {
    weekday: 'short', day: 'numeric', month: 'long', year: isThisYear ? undefined : 'numeric', timeZone: zone,
  });
  return text('time.on', { day: long.format(date), at });
}

/** Bits a second: '640 kbit/s', '2.4 Mbit/s'. @param {number | null | undefined} bits */
export function bitrate(bits) {
  if (!isMeasured(bits)) return text('figure.none');
  if (bits < 1_000_000) return text('figure.kilobits', { value: Math.round(bits / 1000) });
  return text('figure.megabits', { value: (bits / 1_000_000).toFixed(1) });
}

/** A share of 0 to 1 as percent. @param {number | null | undefined} share */
export function percent(share) {
  if (!isMeasured(share)) return text('figure.none');
  const value = share * 100;
  return text('figure.percent', { value: value > 0 && value < 10 ? value.toFixed(1) : Math.round(value) });
}

/** @param {number | null | undefined} value */
export const milliseconds = (value) =>
  isMeasured(value) ? text('figure.milliseconds', { value: Math.round(value) }) : text('figure.none');

/**
 * @param {number | null | undefined} width
 * @param {number | null | undefined} height
 * @param {number | null | undefined} rate
 */
export function picture(width, height, rate) {
  if (!isMeasured(width) || !isMeasured(height) || width === 0) return text('figure.none');
  return isMeasured(rate)
    ? text('figure.pictureAtRate', { width, height, rate: Math.round(rate) })
    : text('figure.picture', { width, height });
}

/** @param {number | null | undefined} value @returns {value is number} */
const isMeasured = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** Up to two letters that stand for a name. @param {string} name */
export function initials(name) {
  const words = name.trim().split(/\s+/u).filter((word) => word !== '');
  const first = (/** @type {string | undefined} */ word) => [...(word ?? '')][0] ?? '';
  const letters = words.length > 1 ? first(words[0]) + first(words[words.length - 1]) : first(words[0]);
  return letters === '' ? '?' : letters.toLocaleUpperCase(locale);
}

/** Names in a sentence: 'Ada', 'Ada and Ben', 'Ada, Ben and 3 others'. @param {string[]} names @param {number} [shown] */
export function nameList(names, shown = 2) {
  if (names.length === 0) return text('names.nobody');
  if (names.length > shown + 1) {
    return text('names.andOthers', { names: names.slice(0, shown).join(', '), count: names.length - shown });
  }
  if (names.length === 1) return names[0] ?? '';
  return text('names.and', { names: names.slice(0, -1).join(', '), last: names[names.length - 1] ?? '' });
}

/** What a browser calls itself, in two words for a list of devices. @param {string} agent @returns {string} */
export function browserName(agent) {
  const browser = [['Edg/', 'Edge'], ['OPR/', 'Opera'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']].find(([sign]) => agent.includes(sign));
  const system = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS', 'macOS'], ['CrOS', 'ChromeOS'], ['Linux', 'Linux']].find(([sign]) => agent.includes(sign));
  return `${browser?.[1] ?? 'Browser'}${system ? `, ${system[1]}` : ''}`;
}

/** @param {number} bytes @returns {string} "512 B", "1.4 MB" */
export function fileSize(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const step = bytes < 1_000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** step;
  return `${step === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[step]}`;
}
