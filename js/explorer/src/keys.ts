/** What keys mean: arithmetic on rows, apart from any element. */

/** Where a key leads from a row, kept within 0 .. rows - 1; null for keys that move nothing. */
export function move(key: string, shift: boolean, row: number, rows: number, season: number): number | null {
  const step = shift ? season : 1;
  const to = (at: number): number => Math.max(0, Math.min(rows - 1, at));
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return to(row - step);
    case "ArrowRight":
    case "ArrowUp":
      return to(row + step);
    case "PageUp":
      return to(row + season);
    case "PageDown":
      return to(row - season);
    case "Home":
      return 0;
    case "End":
      return rows - 1;
    default:
      return null;
  }
}

/** How far shift and an arrow lead: the first season, or ten steps where there is none. */
export function season(seasons: readonly number[]): number {
  return seasons.length && seasons[0] > 1 ? seasons[0] : 10;
}

/** The row of an index (<= 0, the newest is 0), and back. */
export const rowOf = (index: number, rows: number): number => Math.max(0, Math.min(rows - 1, rows - 1 + Math.round(index)));
export const indexOf = (row: number, rows: number): number => row - rows + 1;
