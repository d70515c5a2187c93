/** What browsers have and jsdom has not; uPlot asks for it as soon as it is loaded. */

window.matchMedia = (media: string): MediaQueryList =>
  ({
    media,
    matches: false,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }) as unknown as MediaQueryList;

export {};
