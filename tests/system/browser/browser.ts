// Debian's Chromium, headless, for as long as a test runs.
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import { canRun, onTestEnd } from "../../harness.ts";

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
/** `true`, or why the browser can't be started: for `testIf()`. */
export const browserIsHere = canRun(executablePath);

/** Starts the browser; it ends with the test. */
export async function launch(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args });
  onTestEnd(() => browser.close());
  return browser;
}
