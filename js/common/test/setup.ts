/** What browsers have and jsdom has not. */

window.matchMedia = (media: string): MediaQueryList =>
  ({
    media,
    matches: false,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }) as unknown as MediaQueryList;

export {};
