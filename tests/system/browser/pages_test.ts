// The pages of the examples on a desktop and on a phone, in the light and in the dark: each fits, can be read,
// works, and reports no error. The pages are the same for both runtimes, so they are tested on Deno alone.
import type { Browser, Page } from "playwright-core";
import { sign } from "../../../examples/api/app.ts";
import { signal, startExample } from "../example_process.ts";
import type { Example } from "../example_process.ts";
import { assert, assertEquals, canRun, delay, onTestEnd } from "../../harness.ts";
import { flaws, measure } from "./appearance.ts";
import { browserIsHere, launch, testOnDeno } from "./browser.ts";

/** A page in a window of one size. */
class View {
  readonly #problems: string[] = [];
  /** The problems that the test causes. */
  expected: RegExp | undefined;

  private constructor(readonly page: Page, readonly where: string, readonly isPhone: boolean) {
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => this.#problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.#problems.push(message.text());
    });
  }

  /** Opens an example's page on a desktop, then on a phone, and uses it. */
  static async all(
    browser: Browser,
    path: string,
    use: (view: View, example: Example) => Promise<void>,
  ): Promise<void> {
    const example = await startExample(path);
    // The cluster then ends its processes.
    onTestEnd(async () => {
      signal(example, "SIGTERM");
      await example.child.exited;
    });
    for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
      const isPhone = viewport.width < 500;
      const context = await browser.newContext({ viewport, isMobile: isPhone, hasTouch: isPhone });
      const view = new View(await context.newPage(), `${path}, ${viewport.width} px`, isPhone);
      try {
        await view.page.goto(`http://localhost:${example.port}/`);
        await use(view, example);
      } catch (error) {
        throw new Error(`${view.where}: ${view.#problems.join("; ")}`, { cause: error });
      }
      const unexpected = view.#problems.filter((problem) => !view.expected?.test(problem));
      assertEquals(unexpected, [], view.where);
      await context.close();
    }
  }

  /** Asserts that the page, as it is now, fits its window and can be read, in light and in dark. */
  async look(): Promise<void> {
    for (const colorScheme of ["light", "dark"] as const) {
      await this.page.emulateMedia({ colorScheme });
      assertEquals(flaws(await measure(this.page)), [], `${this.where}, ${colorScheme}`);
    }
  }
}

async function useChat(view: View): Promise<void> {
  const { page } = view;
  await page.getByRole("button", { name: "Join" }).waitFor();
  await view.look();
  await page.getByLabel("Your name").fill("Ann");
  await page.getByRole("button", { name: "Join" }).click();
  await page.locator('#state[data-state="open"]').waitFor();
  const text = `A long message with a link to https://example.com/ ${"and more ".repeat(20)}`;
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator(".entry.own:not(.pending) .text").waitFor();
  await view.look();
  if (!view.isPhone) return;
  await page.getByRole("button", { name: "1 here" }).click();
  await page.locator("#people").getByText("Ann").waitFor();
  await view.look();
}

async function useDashboard(view: View): Promise<void> {
  const { page } = view;
  await page.getByText("connected", { exact: true }).waitFor();
  await page.locator("#prices li").nth(19).waitFor();
  const prices = page.locator("#prices li span");
  const before = await prices.allTextContents();
  for (let now = before; now.join() === before.join();) {
    await delay(20);
    now = await prices.allTextContents();
  }
  await page.locator("#rate", { hasText: /^[1-9]\d* prices a second$/ }).waitFor();
  await page.locator("#slow", { hasText: /^\d+ prices received/ }).waitFor();
  await view.look();
}

async function useGame(view: View): Promise<void> {
  const { page } = view;
  await page.getByRole("button", { name: "Play" }).waitFor();
  await view.look();
  await page.getByLabel("Your name").fill("Ann");
  await page.getByRole("button", { name: "Play" }).click();
  await page.locator("#state", { hasText: "Connected" }).waitFor();
  await page.locator("#players .name", { hasText: "Ann" }).waitFor();
  await page.locator("#ping", { hasText: /\d+ ms/ }).waitFor();
  await view.look();

  // Nothing moves until the pointer is down. The player is in one of the corners at most.
  const field = page.locator("#field");
  const { x, y, width, height } = (await field.boundingBox())!;
  const picture = () => field.screenshot();
  let before = await picture();
  for (let next = await picture(); !next.equals(before); next = await picture()) before = next;
  let hasMoved = false;
  for (const place of [0.05, 0.95]) {
    await page.mouse.move(x + width * place, y + height * place);
    await page.mouse.down();
    for (let i = 0; i < 10 && !hasMoved; i++) hasMoved = !before.equals(await picture());
    await page.mouse.up();
  }
  assert(hasMoved, `${view.where}: the player moves to the pointer`);
}

async function useApi(view: View, { port }: Example): Promise<void> {
  const { page } = view;
  const logIn = page.getByRole("button", { name: "Log in" });
  await logIn.waitFor();
  await view.look();
  await page.getByLabel("Name").fill("demo");
  await page.getByLabel("Password").fill("demo");
  await logIn.click();
  await page.getByText("Connected as demo").waitFor();
  await view.look();
  const body = JSON.stringify({ title: `A long title: ${"again ".repeat(30)}` });
  const headers = { "X-Signature": sign(body, "secret") };
  const hook = await fetch(`http://127.0.0.1:${port}/webhook`, { method: "POST", headers, body });
  await hook.body?.cancel();
  await page.locator("#events").getByText("A long title").first().waitFor();
  await view.look();
  await page.getByRole("button", { name: "Log out" }).click();
  await logIn.waitFor();
}

testOnDeno(
  browserIsHere,
  "the examples' pages fit, can be read and work on a desktop and a phone, light and dark",
  async () => {
    const browser = await launch();
    await Promise.all([
      View.all(browser, "chat/main.ts", useChat),
      View.all(browser, "dashboard/main.ts", useDashboard),
      View.all(browser, "game/main.ts", useGame),
      View.all(browser, "api/main.ts", useApi),
    ]);
  },
);

const brokers = [canRun("nats-server"), canRun("redis-server")];
testOnDeno(
  browserIsHere !== true ? browserIsHere : brokers.includes(true) || brokers[0]!,
  "the cluster's page fits, can be read, and kills a server, on a desktop and a phone, light and dark",
  async () => {
    await View.all(await launch(), "cluster/main.ts", async (view) => {
      const { page } = view;
      for (const client of [0, 1]) {
        const section = page.locator("section").nth(client);
        await section.getByText("connected", { exact: true }).waitFor();
        await section.getByText(/\d+ ticks of node [12], \d+ ticks of node [12], \d+ lost$/)
          .waitFor();
        await section.getByText(/^node [12], news \d+$/).first().waitFor();
      }
      assertEquals(await page.getByText(/^node [12]: \d+$/).count(), 0, "ticks are only counted");
      await view.look();
      // A killed server needs seconds until it is back, so only one is killed. The page tries to reach it.
      if (view.isPhone) view.expected = /ERR_CONNECTION_(REFUSED|RESET)/;
      const kill = page.getByRole("button", { name: "Kill node 1" });
      await kill.click({ trial: !view.isPhone });
      if (!view.isPhone) return;
      await page.locator("section").first().getByText("connecting again").waitFor();
      await page.getByText("connected", { exact: true }).waitFor();
    });
  },
);

testOnDeno(
  browserIsHere,
  "the measure of a page's looks finds what does not fit or is faint",
  async () => {
    const page = await (await launch()).newPage({ viewport: { width: 390, height: 844 } });
    const flawsOf = async (html: string): Promise<string[]> => {
      await page.setContent(`<!doctype html><body style="margin: 0">${html}`);
      return flaws(await measure(page));
    };
    assertEquals(await flawsOf(`<p style="color: #767676">x</p>`), []);
    assertEquals(await flawsOf(`<p style="color: #777">x</p>`), [`"x" has a contrast of 4.48`]);
    // Opacity, transparent colors, and backgrounds of ancestors count.
    assertEquals(await flawsOf(`<p style="opacity: 0.5">x</p>`), [`"x" has a contrast of 3.98`]);
    assertEquals(await flawsOf(`<p style="color: rgb(0 0 0 / 50%)">x</p>`), [
      `"x" has a contrast of 4.00`,
    ]);
    const nested = `<div style="background: #222"><p style="color: #888"><b>x</b></p></div>`;
    assertEquals(await flawsOf(nested), [`"x" has a contrast of 4.49`]);
    assertEquals(await flawsOf(`<input placeholder=x style="background: #fff">`), []);
    assertEquals(await flawsOf(`<input value=x style="background: #fff; color: #aaa">`), [
      `"x" has a contrast of 2.32`,
    ]);
    // Not so what can't be seen, or used.
    assertEquals(
      await flawsOf(`y<p hidden style="color: #aaa">x</p><button disabled>x</button>`),
      [],
    );
    assertEquals(await flawsOf(""), ["there is no text"]);
    assertEquals(await flawsOf(`<div style="width: 391px">x</div>`), ["391 px do not fit 390"]);
    await page.emulateMedia({ colorScheme: "dark" });
    assertEquals(
      await flawsOf(`<meta name="color-scheme" content="dark"><p style="color: #222">x</p>`),
      [
        `"x" has a contrast of 1.18`,
      ],
    );
  },
);
