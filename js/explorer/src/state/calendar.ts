/** Times as text in the series' zone, and the places of ticks. Times are ms since the epoch throughout. */

import type { MetaMessage } from "../wire/messages";

type Clock = MetaMessage["clock"];

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const PITCHES = [
  1, 5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600,
].map((s) => s * SECOND);
const MONTH_PITCHES = [1, 2, 3, 6, 12, 24, 60, 120, 240];

const pad = (n: number): string => String(n).padStart(2, "0");

/** The clock of a series. */
export class Calendar {
  readonly #format: Intl.DateTimeFormat | null;
  readonly #offsets = new Map<number, [number, string]>();

  /** In seconds, null for months: times are written no finer than it. */
  readonly #step: number | null;

  constructor(
    readonly clock: Clock,
    zone: string | null,
    step: number | null,
  ) {
    this.#step = step;
    this.#format = clock === "utc" && zone ? zoned(zone) : null;
  }

  /** Offset of local time in ms, and the zone's abbreviation. */
  #offset(t: number): [number, string] {
    if (!this.#format) return [0, this.clock === "utc" ? "UTC" : ""];
    // Zones change on the quarter of an hour.
    const key = Math.floor(t / (15 * MINUTE));
    let offset = this.#offsets.get(key);
    if (!offset) {
      const parts = Object.fromEntries(this.#format.formatToParts(key * 15 * MINUTE).map((p) => [p.type, p.value]));
      const local = Date.UTC(+parts.year, +parts.month - 1, +parts.day, +parts.hour % 24, +parts.minute, +parts.second);
      offset = [local - key * 15 * MINUTE, parts.timeZoneName ?? ""];
      if (this.#offsets.size > 5000) this.#offsets.clear();
      this.#offsets.set(key, offset);
    }
    return offset;
  }

  #local(t: number): Date {
    return new Date(t + this.#offset(t)[0]);
  }

  #dayText(d: Date): string {
    return `${WEEKDAYS[d.getUTCDay()]} ${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]} ${d.getUTCFullYear()}`;
  }

  #clockText(d: Date): string {
    const fine = this.#step !== null && this.#step % 60 !== 0;
    return `${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}${fine ? `:${pad(d.getUTCSeconds())}` : ""}`;
  }

  /** Sat 10 Jun 2017, 06:30 CEST; no finer than the step. `short` leaves year and zone out. */
  text(t: number, short = false): string {
    if (!Number.isFinite(t)) return "–";
    if (this.clock === "number") return `t = ${t.toLocaleString("en-US").replace(/-/g, "−")}`;
    const d = this.#local(t);
    if (this.#step === null && d.getUTCDate() === 1) return `${MONTHS[d.getUTCMonth()]} ${d.getUTCFullYear()}`;
    const coarse = this.#step === null || this.#step % 86400 === 0;
    if (coarse && (d.getTime() % DAY === 0 || this.#step === null)) return this.#dayText(d);
    if (short) return `${WEEKDAYS[d.getUTCDay()]} ${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}, ${this.#clockText(d)}`;
    return `${this.#dayText(d)}, ${this.#clockText(d)} ${this.#offset(t)[1]}`.trim();
  }

  /** 2017-06-10 06:30, which Python reads; with the offset where the clock shows it twice. */
  iso(t: number): string {
    if (!Number.isFinite(t) || this.clock === "number") return String(t);
    const d = this.#local(t);
    const text = d.toISOString();
    const [day, time] = [text.slice(0, 10), d.getTime() % 1000 ? text.slice(11, 23) : this.#clockText(d)];
    const isDay = d.getTime() % DAY === 0 && (this.#step === null || this.#step % 86400 === 0);
    return isDay ? day : `${day} ${time}${this.#isTwice(t) ? this.#offsetText(t) : ""}`;
  }

  /** Whether the clock shows a time twice, or is not that of the data. */
  #isTwice(t: number): boolean {
    if (this.clock === "utc" && !this.#format) return true;
    const local = this.#local(t).getTime();
    return [t - 6 * HOUR, t + 6 * HOUR].some((near) => {
      const other = local - this.#offset(near)[0];
      return other !== t && this.#local(other).getTime() === local;
    });
  }

  #offsetText(t: number): string {
    const minutes = Math.round(this.#offset(t)[0] / MINUTE);
    const size = Math.abs(minutes);
    return `${minutes < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
  }

  /** The last of some times that is not after one as `iso` writes it; −1 before all of them, null for text that is no time. */
  find(times: Float64Array, text: string): number | null {
    const isNumber = this.clock === "number";
    const [, day, clock = "", offset = ""] =
      /^(\d{4}-\d\d-\d\d)(?:[T ]([\d:.]+))?([+-]\d\d:\d\d|Z)?$/.exec(text.trim()) ?? [];
    const moment = isNumber ? Number(text) : Date.parse(`${day}T${clock || "00:00"}${offset || "Z"}`);
    if (!Number.isFinite(moment)) return null;
    const place = (t: number): number => (isNumber || offset ? t : this.#local(t).getTime());
    let [from, to] = [-1, times.length - 1];
    while (from < to) {
      const middle = Math.ceil((from + to) / 2);
      if (place(times[middle]) <= moment) from = middle;
      else to = middle - 1;
    }
    return from;
  }

  /** Ticks between two times, at least `room` px apart over `width` px. */
  ticks(low: number, high: number, width: number, room: number): number[] {
    const least = ((high - low) * room) / Math.max(width, 1);
    if (!(least > 0)) return [];
    const pitch = PITCHES.find((p) => p >= least);
    return pitch === undefined ? this.#monthTicks(low, high, least) : this.#evenTicks(low, high, pitch);
  }

  #evenTicks(low: number, high: number, pitch: number): number[] {
    const out: number[] = [];
    // From local midnight (Mondays for weeks), so that ticks fall on round local times.
    const shift = pitch >= 7 * DAY ? 4 * DAY : 0;
    const first = Math.ceil((low + this.#offset(low)[0] - shift) / pitch) * pitch + shift;
    for (let local = first; out.length < 500; local += pitch) {
      let t = local - this.#offset(low)[0];
      // Again with the offset at that time, which differs twice a year.
      t = local - this.#offset(t)[0];
      if (t > high) break;
      if (t >= low && (!out.length || t > out[out.length - 1])) out.push(t);
    }
    return out;
  }

  #monthTicks(low: number, high: number, least: number): number[] {
    const months = MONTH_PITCHES.find((m) => m * 30.4 * DAY >= least) ?? 240;
    const d = this.#local(low);
    const out: number[] = [];
    let m = Math.ceil((d.getUTCFullYear() * 12 + d.getUTCMonth()) / months) * months;
    for (; out.length < 500; m += months) {
      const local = Date.UTC(Math.floor(m / 12), m % 12, 1);
      const t = local - this.#offset(local)[0];
      if (t > high) break;
      if (t >= low) out.push(t);
    }
    return out;
  }

  /** Ticks between two rows of a calendar's slots: at the first slot of each hour, day, week, month ... */
  slotTicks(times: Float64Array, low: number, high: number, width: number, room: number): number[] {
    const first = Math.max(0, Math.ceil(low));
    const last = Math.min(times.length - 1, Math.floor(high));
    const least = ((high - low) * room) / Math.max(width, 1);
    if (!(last >= first && least > 0)) return [];
    const days = this.#step !== null && this.#step < 86400 ? PITCHES : PITCHES.filter((p) => p >= DAY);
    const groupings = [
      ...days.map((p) => (t: number) => Math.floor((t - (p >= 7 * DAY ? 4 * DAY : 0)) / p)),
      ...MONTH_PITCHES.map((months) => (t: number) => {
        const d = new Date(t);
        return Math.floor((d.getUTCFullYear() * 12 + d.getUTCMonth()) / months);
      }),
    ];
    for (const group of groupings) {
      const out: number[] = [];
      for (let row = first; row <= last && !(out.length > 500); row++) {
        const isNew = row > 0 ? group(times[row]) !== group(times[row - 1]) : group(times[0]) !== group(times[0] - 1);
        if (isNew) out.push(row);
      }
      if (out.length <= 500 && (out.length === 1 || Math.min(...out.slice(1).map((r, i) => r - out[i])) >= least))
        return out;
    }
    return [];
  }

  /** Labels of ticks: the time of day, and under it the day where a new one begins. */
  labels(ticks: readonly number[]): string[] {
    const pitch = ticks.length > 1 ? Math.min(...ticks.slice(1).map((t, i) => t - ticks[i])) : DAY;
    const parts = ticks.map((t): [string, string] => {
      const d = this.#local(t);
      const [year, month, date] = [d.getUTCFullYear(), MONTHS[d.getUTCMonth()], d.getUTCDate()];
      let top: string;
      let under: string;
      if (pitch >= 360 * DAY) [top, under] = [String(year), ""];
      else if (pitch >= 27 * DAY) [top, under] = [month, String(year)];
      else if (pitch >= 20 * HOUR) [top, under] = [`${date} ${month}`, String(year)];
      else {
        const fine = pitch < MINUTE ? `:${pad(d.getUTCSeconds())}` : "";
        [top, under] = [`${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}${fine}`, this.#dayText(d)];
      }
      return [top, under];
    });
    // The first day's name gives way where the next day's follows at once: both would not fit.
    const crowded = pitch < 20 * HOUR && parts.length > 1 && parts[0][1] !== parts[1][1];
    return parts.map(([top, under], i) => {
      const fresh = under && under !== parts[i - 1]?.[1] && !(i === 0 && crowded);
      return fresh ? `${top}\n${under}` : top;
    });
  }
}

function zoned(zone: string): Intl.DateTimeFormat | null {
  const parts = {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  } as const;
  try {
    return new Intl.DateTimeFormat("en-GB", { ...parts, hourCycle: "h23", timeZone: zone, timeZoneName: "short" });
  } catch {
    // The browser does not know the zone: times are in UTC, and labelled so.
    return null;
  }
}
