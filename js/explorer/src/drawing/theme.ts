/** The palette of the static charts, nbforecast/charts/palette.json, on the host's background, for canvases and style sheet. */

import * as colours from "../../../../nbforecast/charts/palette.json";

interface Plain {
  bg: string;
  ink: string;
  soft: string;
  grid: string;
  rule: string;
  median: string;
  /** The origin's; the only warm colour. */
  accent: string;
  /** The second model's. */
  other: string;
  /** Of odd observations. */
  odd: string;
}

/** All colours, as #rrggbb. */
export interface Palette extends Plain {
  dark: boolean;
  /** Outermost first; opaque, since translucent ones add up and never equal their legend. */
  bands: string[];
  /** Tints of densities, weakest first. */
  tints: string[];
  /** The strip: from the best score to the worst. */
  heat: string[];
  /** Of the models drawn over the main one. */
  others: string[];
  /** Of the forecast that is pinned. */
  pin: string;
  /** Of covariates' categories, pale enough for ink on them. */
  categories: string[];
  wash: string;
}

/** How many colours the strip has. */
export const HEATS = 12;

type Rgb = [number, number, number];

/** #rgb, #rrggbb, rgb() and rgba() of a computed style; null for anything else, and for transparent ones. */
export function parseColour(text: string): Rgb | null {
  const t = text.trim();
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(t)?.[1];
  if (hex) {
    const wide = hex.length === 3 ? [...hex].map((c) => c + c).join("") : hex;
    return [0, 2, 4].map((i) => parseInt(wide.slice(i, i + 2), 16)) as Rgb;
  }
  const parts = /^rgba?\(([^)]*)\)$/i
    .exec(t)?.[1]
    .split(/[\s,/]+/)
    .filter(Boolean)
    .map(Number);
  if (!parts || parts.length < 3 || parts.some((p) => !Number.isFinite(p))) return null;
  return parts.length > 3 && parts[3] < 0.5 ? null : (parts.slice(0, 3) as Rgb);
}

/** `share` of a colour on a background, both #rrggbb. */
export function mix(background: string, colour: string, share: number): string {
  const b = parseColour(background) ?? [255, 255, 255];
  const c = parseColour(colour) ?? [0, 0, 0];
  return `#${b
    .map((v, i) =>
      Math.round(v + (c[i] - v) * share)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

function luminance([r, g, b]: Rgb): number {
  return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}

/** The palette for a background, null for the theme's own. */
export function palette(background: string | null, dark: boolean): Palette {
  const base = dark ? colours.dark : colours.light;
  const bg = background ?? base.bg;
  const reach = (rank: number, count: number): number =>
    base.reach[0] + ((base.reach[1] - base.reach[0]) * rank) / (count - 1);
  const tint = (rank: number): string => {
    const low = base.reach[0] / 2;
    return mix(bg, base.fan, low + ((0.85 - low) * rank) / 8);
  };
  return {
    ...base,
    dark,
    bg,
    grid: mix(bg, base.ink, dark ? 0.1 : 0.075),
    rule: mix(bg, base.ink, 0.28),
    bands: [0, 1, 2].map((rank) => mix(bg, base.fan, reach(rank, 3))),
    tints: Array.from({ length: 9 }, (_, rank) => tint(rank)),
    heat: Array.from({ length: HEATS }, (_, i) => {
      const share = i / (HEATS - 1);
      // Half way through the fan's own hue, then on to the ink: darker is worse.
      const through = mix(bg, base.fan, 0.16 + 0.84 * Math.min(1, share * 1.5));
      return mix(through, base.worst, Math.max(0, (share - 0.5) / 0.5) * 0.9);
    }),
    others: [base.other, ...[0, 3, 5, 2].map((i) => base.categories[i])],
    pin: dark ? "#e5b454" : "#8f5f00",
    categories: base.categories.map((colour) => mix(bg, colour, base.reach[1] * 0.8)),
    wash: mix(bg, base.ink, dark ? 0.05 : 0.028),
  };
}

/** The background behind an element: the host's variable, whatever notation it is in, or the first ancestor's. */
function backdrop(el: Element): string | null {
  const probe = document.createElement("i");
  probe.style.backgroundColor = "var(--vscode-editor-background, var(--jp-layout-color0, transparent))";
  el.append(probe);
  const rgb = parseColour(getComputedStyle(probe).backgroundColor);
  probe.remove();
  if (rgb) return hexOf(rgb);
  for (let parent: Element | null = el.parentElement; parent; parent = parent.parentElement) {
    const colour = parseColour(getComputedStyle(parent).backgroundColor);
    if (colour) return hexOf(colour);
  }
  return null;
}

const hexOf = (rgb: Rgb): string => `#${rgb.map((v) => Math.round(v).toString(16).padStart(2, "0")).join("")}`;

/** The palette for the host's page as it is now. */
export function readTheme(el: Element): Palette {
  const background = backdrop(el);
  const rgb = background ? parseColour(background) : null;
  const theme = document.body.dataset.jpThemeLight ?? document.body.dataset.vscodeThemeKind;
  let dark: boolean;
  if (rgb) dark = luminance(rgb) < 0.45;
  else if (theme !== undefined) dark = theme === "false" || theme.includes("dark");
  else dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  return palette(background, dark);
}

/** Passes the colours to the style sheet; the first model beside the main one has the colour of its rank there. */
export function applyTheme(root: HTMLElement, p: Palette, rank: number): void {
  const other = p.others[rank];
  root.dataset.dark = String(p.dark);
  const names = { bg: p.bg, ink: p.ink, soft: p.soft, grid: p.grid, rule: p.rule, median: p.median, accent: p.accent };
  for (const [name, value] of Object.entries(names)) root.style.setProperty(`--nbf-${name}`, value);
  root.style.setProperty("--nbf-other", other);
  root.style.setProperty("--nbf-pin", p.pin);
  p.others.forEach((colour, i) => root.style.setProperty(`--nbf-other${i}`, colour));
  root.style.setProperty("--nbf-odd", p.odd);
  root.style.setProperty("--nbf-soft-other", mix(p.bg, other, 0.5));
  root.style.setProperty("--nbf-wash", p.wash);
  p.bands.forEach((colour, i) => root.style.setProperty(`--nbf-band${i}`, colour));
  [1, 4, 7].forEach((tint, i) => root.style.setProperty(`--nbf-tint${i}`, p.tints[tint]));
  [0, 3, 6, 9, 11].forEach((step, i) => root.style.setProperty(`--nbf-heat${i}`, p.heat[step]));
}

/** Calls back when the host may have changed its theme. */
export function onTheme(callback: () => void, signal: AbortSignal): void {
  const observer = new MutationObserver(callback);
  const attributeFilter = [
    "class",
    "style",
    "data-jp-theme-light",
    "data-jp-theme-name",
    "data-vscode-theme-kind",
    "data-theme",
  ];
  for (const el of [document.documentElement, document.body])
    observer.observe(el, { attributes: true, attributeFilter });
  const query = window.matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", callback, { signal });
  signal.addEventListener("abort", () => observer.disconnect());
}
