// @ts-check
// From measurements to a grade: one of five, with bars, and the same bounds as the server's own (docs/protocol/calls.md,
// "History and measurements"), so that a history and a tile tell the same of the same call.

/**
 * @typedef {'good' | 'fair' | 'poor' | 'lost' | 'unknown'} Grade
 * @typedef {object} Measured
 * @property {number | null} [loss] 0 to 1.
 * @property {number | null} [rtt] Milliseconds.
 * @property {number | null} [jitter] Milliseconds.
 * @property {boolean} [connected] False when the other's connection is gone for now.
 */

/** Upper bounds of loss and round trip for each grade. Jitter beyond 50 ms is heard as gaps: it costs one grade. */
const bounds = /** @type {const} */ ([
  { grade: 'good', bars: 4, loss: 0.01, rtt: 150 },
  { grade: 'fair', bars: 3, loss: 0.03, rtt: 300 },
  { grade: 'fair', bars: 2, loss: 0.08, rtt: 500 },
]);
const jitterBound = 50;

/**
 * @param {Measured | null | undefined} measured
 * @returns {{ grade: Grade, bars: 0 | 1 | 2 | 3 | 4 }}
 */
export function gradeOf(measured) {
  if (measured?.connected === false) return { grade: 'lost', bars: 0 };
  const loss = number(measured?.loss);
  const rtt = number(measured?.rtt);
  const jitter = number(measured?.jitter);
  if (loss === null && rtt === null && jitter === null) return { grade: 'unknown', bars: 0 };
  let step = bounds.findIndex((bound) => (loss ?? 0) < bound.loss && (rtt ?? 0) < bound.rtt);
  if (step < 0) step = bounds.length;
  if ((jitter ?? 0) > jitterBound) step += 1;
  const bound = bounds[step];
  return bound === undefined ? { grade: 'poor', bars: 1 } : { grade: bound.grade, bars: bound.bars };
}

/** @param {unknown} value @returns {number | null} */
const number = (value) => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null);

/**
 * A grade that does not flicker: it becomes worse at once, and better only when it was better three times in a row.
 * @param {number} [patience]
 */
export function steadyGrade(patience = 3) {
  /** @type {ReturnType<typeof gradeOf>} */
  let shown = { grade: 'unknown', bars: 0 };
  let better = 0;
  return (/** @type {Measured | null | undefined} */ measured) => {
    const next = gradeOf(measured);
    const isBetter = shown.grade !== 'unknown' && shown.grade !== 'lost' && next.bars > shown.bars;
    better = isBetter ? better + 1 : 0;
    if (!isBetter || better >= patience) {
      shown = next;
      better = 0;
    }
    return shown;
  };
}
