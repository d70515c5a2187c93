/** What keys do: arithmetic on rows. */

/** The row that a key leads to from another one, kept within 0 .. rows - 1; null for keys that move nothing. */
export function targetRow(key: string, shift: boolean, row: number, rows: number, season: number): number | null {
  const step = shift ? season : 1;
  const limit = (target: number): number => Math.max(0, Math.min(rows - 1, target));
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return limit(row - step);
    case "ArrowRight":
    case "ArrowUp":
      return limit(row + step);
    case "PageUp":
      return limit(row + season);
    case "PageDown":
      return limit(row - season);
    case "Home":
      return 0;
    case "End":
      return rows - 1;
    default:
      return null;
  }
}

/** How many rows shift and an arrow move: the first season, or ten where there is none. */
export function seasonOf(seasons: readonly number[]): number {
  return seasons.length && seasons[0] > 1 ? seasons[0] : 10;
}
