import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { environment: "jsdom", include: ["explorer/test/**/*.test.ts"], setupFiles: ["explorer/test/setup.ts"], restoreMocks: true },
});
