// Debian's Chromium, headless, for the duration of a test.
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import { canRun, onTestEnd, runtime, testIf } from "../../harness.ts";

const executablePath = "/usr/bin/chromium";
const args = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** A condition for `testIf()`: `true`, or why the browser cannot be started. */
export const browserIsHere = canRun(executablePath);

/** Declares a test of what is the same for both runtimes. It runs on Deno alone. */
export const testOnDeno: typeof testIf = runtime === "deno" ? testIf : () => {};

/** Starts the browser; it ends with the test. */
export async function launch(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args });
  onTestEnd(() => browser.close());
  return browser;
}
