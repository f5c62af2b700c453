// @ts-check
// Where tiles go: numbers in, rectangles out. No element is known here.

/**
 * @typedef {{ width: number, height: number }} Size
 * @typedef {{ x: number, y: number, width: number, height: number }} Box
 * @typedef {{ columns: number, rows: number, width: number, height: number }} Grid
 */

/** Between tiles, in pixels. */
export const gap = 8;
/** What cameras send; tiles have this form where there is room. */
export const aspect = 16 / 9;
/**
 * How narrow a tile may become. On a phone held upright faces are better taller than wide; on a wide screen that would
 * cut most of a camera's picture away for a little more height.
 * @param {Size} room
 */
export const narrowestAspect = (room) => (room.width < room.height ? 3 / 4 : 1);
/** More moving pictures than these a laptop does not decode, and nobody looks at. */
export const shownMax = 49;
/** A tile narrower than this shows nobody; those that do not fit are counted instead ('+3'). */
export const smallestWidth = 112;

/**
 * The columns that give `count` equal tiles the largest area in `room`.
 *
 * Tiles have the form 16:9, or become narrower where that makes them larger.
 * @param {number} count
 * @param {Size} room
 * @returns {Grid}
 */
export function fitGrid(count, room) {
  /** @type {Grid} */
  let best = { columns: 1, rows: Math.max(1, count), width: 0, height: 0 };
  let bestArea = -1;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    // A grid with a column that is empty in every row is one of fewer columns.
    if (Math.ceil(count / rows) < columns) continue;
    const cell = {
      width: (room.width - gap * (columns - 1)) / columns,
      height: (room.height - gap * (rows - 1)) / rows,
    };
    const tile = fitTile(cell, narrowestAspect(room));
    const area = tile.width * tile.height;
    if (area > bestArea + 0.5) {
      bestArea = area;
      best = { columns, rows, ...tile };
    }
  }
  return best;
}

/** The largest tile of an allowed form in a cell. @param {Size} cell @param {number} narrowest @returns {Size} */
function fitTile(cell, narrowest) {
  const width = Math.max(0, cell.width);
  const height = Math.max(0, cell.height);
  const form = height === 0 ? aspect : width / height;
  const allowed = Math.min(aspect, Math.max(narrowest, form));
  return form > allowed
    ? { width: Math.floor(height * allowed), height: Math.floor(height) }
    : { width: Math.floor(width), height: Math.floor(width / allowed) };
}

/**
 * The boxes of a grid, row by row; a last row that is not full stands in the middle.
 * @param {number} count
 * @param {Size} room
 * @returns {Box[]}
 */
export function gridBoxes(count, room) {
  if (count === 0) return [];
  const grid = fitGrid(count, room);
  const top = (room.height - grid.rows * grid.height - gap * (grid.rows - 1)) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / grid.columns);
    const inRow = row === grid.rows - 1 ? count - row * grid.columns : grid.columns;
    const left = (room.width - inRow * grid.width - gap * (inRow - 1)) / 2;
    return {
      x: Math.round(left + (index % grid.columns) * (grid.width + gap)),
      y: Math.round(top + row * (grid.height + gap)),
      width: grid.width,
      height: grid.height,
    };
  });
}

/**
 * One large tile first, the others in a strip: beside it where the room is wide, below it where it is tall.
 * @param {number} count
 * @param {Size} room
 * @returns {Box[]} At most as many as there is room for; the first is the large one.
 */
export function speakerBoxes(count, room) {
  if (count === 0) return [];
  if (count === 1) return gridBoxes(1, room);
  const isWide = room.width >= room.height * 1.2;
  const others = count - 1;
  return isWide ? besideBoxes(others, room) : belowBoxes(others, room);
}

/** @param {number} others @param {Size} room @returns {Box[]} */
function besideBoxes(others, room) {
  const width = Math.floor(Math.min(240, Math.max(smallestWidth, room.width * 0.2)));
  const height = Math.floor(width / aspect);
  const shown = Math.min(others, Math.max(1, Math.floor((room.height + gap) / (height + gap))));
  const main = { x: 0, y: 0, width: Math.max(0, Math.floor(room.width - width - gap)), height: Math.floor(room.height) };
  const top = (room.height - shown * height - gap * (shown - 1)) / 2;
  return [main, ...Array.from({ length: shown }, (_, index) => ({
    x: main.width + gap, y: Math.round(top + index * (height + gap)), width, height,
  }))];
}

/** @param {number} others @param {Size} room @returns {Box[]} */
function belowBoxes(others, room) {
  const width = Math.floor(Math.min(200, Math.max(smallestWidth, room.width * 0.3)));
  const height = Math.floor(width / aspect);
  const shown = Math.min(others, Math.max(1, Math.floor((room.width + gap) / (width + gap))));
  const main = { x: 0, y: 0, width: Math.floor(room.width), height: Math.max(0, Math.floor(room.height - height - gap)) };
  const left = (room.width - shown * width - gap * (shown - 1)) / 2;
  return [main, ...Array.from({ length: shown }, (_, index) => ({
    x: Math.round(left + index * (width + gap)), y: main.height + gap, width, height,
  }))];
}

/**
 * How many tiles a grid can show before they become too small to see anybody.
 * @param {Size} room
 */
export function gridCapacity(room) {
  const columns = Math.max(1, Math.floor((room.width + gap) / (smallestWidth + gap)));
  const rows = Math.max(1, Math.floor((room.height + gap) / (Math.floor(smallestWidth / aspect) + gap)));
  return columns * rows;
}

/**
 * Who comes first. The order is steady: who speaks moves nobody in a grid, only into the large tile of the speaker's
 * layout; pinned tiles and shared screens stand before all others.
 * @template {{ key: string, isPinned: boolean, isScreen: boolean, isSelf: boolean, isSpeaking: boolean }} Tile
 * @param {Tile[]} tiles In the order in which they came.
 * @param {'grid' | 'speaker'} layout
 * @param {string | null} speaker The key of who spoke last, who keeps the large tile through silence.
 * @returns {Tile[]}
 */
export function orderTiles(tiles, layout, speaker) {
  const rank = (/** @type {Tile} */ tile) => {
    if (tile.isPinned) return 0;
    if (tile.isScreen && !tile.isSelf) return 1;
    if (layout === 'speaker' && tile.key === speaker && !tile.isSelf) return 2;
    // Oneself last in the speaker's layout, so that somebody else is large; last in a grid too.
    return tile.isSelf ? 4 : 3;
  };
  return tiles
    .map((tile, index) => ({ tile, index, rank: rank(tile) }))
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .map((entry) => entry.tile);
}

/**
 * The boxes for tiles in order, and how many did not fit.
 * @param {number} count
 * @param {Size} room
 * @param {'grid' | 'speaker'} layout
 * @returns {{ boxes: Box[], hidden: number }}
 */
export function placeTiles(count, room, layout) {
  const shown = Math.min(count, gridCapacity(room), shownMax);
  const boxes = layout === 'speaker' ? speakerBoxes(shown, room) : gridBoxes(shown, room);
  return { boxes, hidden: count - boxes.length };
}

/**
 * Those that are shown where not all fit: the first, and who speaks in any case, in the place of the last.
 * @template {{ key: string }} Tile
 * @param {Tile[]} ordered
 * @param {number} count that fit
 * @param {string | null} speaker
 * @returns {Tile[]}
 */
export function tilesInSight(ordered, count, speaker) {
  const shown = ordered.slice(0, count);
  const hidden = ordered.slice(count).find((tile) => tile.key === speaker);
  return hidden === undefined || count < 1 ? shown : [...shown.slice(0, -1), hidden];
}
