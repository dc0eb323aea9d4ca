// The chat's page in a real browser. The page is the same for both runtimes, so it is tested on Deno
// alone; tests/system/examples_test.ts tests the chat's server on both.
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Browser, Page } from "playwright-core";
import { startExample } from "../example_process.ts";
import { browserIsHere, launch, testOnDeno } from "./browser.ts";
import { assert, assertEquals, deadline, delay, onTestEnd } from "../../harness.ts";
import type { TestFunction } from "../../harness.ts";

/** Declares a test on Deno, if there is a browser. */
function testPage(name: string, fn: TestFunction): void {
  testOnDeno(browserIsHere, name, fn);
}

/** How long the page may take to show something, in milliseconds; its delays are random. */
const PATIENCE = 20_000;

/** A visitor's page. Each has a browser profile of its own, and so a name of its own. */
class Visitor {
  /** The errors of the page, including scripts that the policy has blocked. */
  readonly problems: string[] = [];

  private constructor(readonly page: Page) {
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("console", (message) => {
      // The browser's own message about a failed connection is expected here.
      const isNetwork = /^WebSocket connection to/.test(message.text());
      if (message.type() === "error" && !isNetwork) this.problems.push(message.text());
    });
    page.on("request", (request) => {
      const { hostname, protocol } = new URL(request.url());
      if (hostname !== "127.0.0.1") this.problems.push(`${protocol} request to ${hostname}`);
    });
  }

  static async enter(browser: Browser, url: string, name: string): Promise<Visitor> {
    const context = await browser.newContext();
    const visitor = new Visitor(await context.newPage());
    await visitor.page.goto(url);
    await visitor.page.getByLabel("Your name").fill(name);
    await visitor.page.getByRole("button", { name: "Join" }).click();
    await visitor.state("open");
    return visitor;
  }

  async say(text: string): Promise<void> {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Waits for the connection's state. */
  async state(name: "open" | "waiting"): Promise<void> {
    await this.page.locator(`#state[data-state="${name}"]`).waitFor();
  }

  /** Waits until this text is shown as a message; confirmed, where it is the visitor's own. */
  async sees(text: string): Promise<void> {
    await this.page.locator(".entry:not(.pending) .text").getByText(text, { exact: true }).first()
      .waitFor();
  }

  /** The messages that are shown. */
  messages(): Promise<string[]> {
    return this.page.locator(".entry .text").allTextContents();
  }

  /** Waits until the page shows these visitors. */
  async people(...names: string[]): Promise<void> {
    const wanted = names.toSorted();
    const end = Date.now() + PATIENCE;
    let shown: string[] = [];
    while (Date.now() < end) {
      shown = (await this.page.locator("#people bdi").allTextContents()).toSorted();
      if (shown.join() === wanted.join()) return;
      await delay(20);
    }
    assertEquals(shown, wanted);
  }
}

testPage("the chat's page talks within its room, and only there", async () => {
  const [{ port }, browser] = await Promise.all([startExample("chat/main.ts"), launch()]);
  const at = `http://127.0.0.1:${port}`;
  const ann = await Visitor.enter(browser, `${at}/r/garden%20shed`, "Ann");
  const bob = await Visitor.enter(browser, `${at}/r/garden%20shed`, "Bob");
  const eve = await Visitor.enter(browser, `${at}/`, "Eve");
  assertEquals(new URL(eve.page.url()).pathname, "/r/lobby");
  assertEquals(await ann.page.getByRole("heading", { level: 1 }).innerText(), "Room garden shed");
  await Promise.all([ann.people("Ann", "Bob"), bob.people("Ann", "Bob"), eve.people("Eve")]);

  const markup = "<b onclick=alert(1)>bold</b> & <script>alert(1)</script>";
  await ann.say("Hello, Bob");
  await bob.sees("Hello, Bob");
  await bob.say(markup);
  await ann.sees(markup);
  await ann.say("two\nlines");
  await Promise.all([ann.sees("two lines"), bob.sees("two lines")]);
  const said = ["Hello, Bob", markup, "two\nlines"];
  assertEquals(await ann.messages(), said);
  assertEquals(await bob.messages(), said);
  assertEquals(await ann.page.locator(".entry.own").count(), 2);
  assertEquals(await bob.page.locator(".entry.own").count(), 1);

  // Addresses are links; nothing else is, and the other page can't reach this one.
  await bob.say("(see https://example.com/a?b=c&d#e). javascript:alert(1) http://x/<b> https://");
  const links = ann.page.locator(".entry .text a");
  await links.first().waitFor();
  assertEquals(
    await links.evaluateAll((all) => all.map((a) => [a.getAttribute("href"), a.textContent])),
    [["https://example.com/a?b=c&d#e", "https://example.com/a?b=c&d#e"], [
      "http://x/",
      "http://x/",
    ]],
  );
  assertEquals(await links.first().getAttribute("rel"), "noopener noreferrer nofollow");
  said.push("(see https://example.com/a?b=c&d#e). javascript:alert(1) http://x/<b> https://");

  // A message of another room would have reached Eve before her own.
  await eve.say("Is anybody here?");
  await eve.sees("Is anybody here?");
  assertEquals(await eve.messages(), ["Is anybody here?"]);

  // A visitor that returns sees the history, and their own messages in it.
  const room = ann.page.url();
  await ann.page.goto("about:blank");
  await bob.people("Bob");
  await ann.page.goto(room);
  await ann.sees("two lines");
  assertEquals(await ann.messages(), said);
  assertEquals(await ann.page.locator(".entry.own").count(), 2);

  await bob.page.close();
  await ann.people("Ann");
  await ann.page.locator(".notice").getByText("Bob left").waitFor();
  assertEquals([ann, bob, eve].flatMap(({ problems }) => problems), []);
});

testPage("the chat's page comes back when its server does", async () => {
  const [{ child, port }, browser] = await Promise.all([startExample("chat/main.ts"), launch()]);
  const url = `http://127.0.0.1:${port}/r/lobby`;
  const ann = await Visitor.enter(browser, url, "Ann");
  const bob = await Visitor.enter(browser, url, "Bob");
  await ann.say("Before");
  await bob.sees("Before");

  await child.kill("SIGKILL");
  await Promise.all([ann.state("waiting"), bob.state("waiting")]);
  await ann.page.locator("#state-wait").getByText(/^retrying in \d+ s$/).waitFor();
  await ann.say("A draft");
  const composer = ann.page.getByLabel("Message", { exact: true });
  assertEquals(await composer.inputValue(), "A draft");

  await startExample("chat/main.ts", port);
  await Promise.all([ann.state("open"), bob.state("open")]);
  await Promise.all([ann.people("Ann", "Bob"), bob.people("Ann", "Bob")]);
  await composer.press("Enter");
  await Promise.all([ann.sees("A draft"), bob.sees("A draft")]);
  assertEquals(await composer.inputValue(), "");
  assertEquals(await ann.messages(), ["Before", "A draft"]);
  assertEquals(await bob.messages(), ["Before", "A draft"]);
  assertEquals([ann, bob].flatMap(({ problems }) => problems), []);
});

/** A network between a page and its server that can fail. */
class Relay {
  /** Whether what the page sends is lost on its way. */
  isDeaf = false;
  port = 0;
  readonly #server = createServer((client) => this.#connect(client));
  readonly #sockets = new Set<Socket>();
  readonly #target: number;
  #isCut = false;

  constructor(target: number) {
    this.#target = target;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** Breaks all connections; each new one breaks at once, until {@linkcode Relay.mend}. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async close(): Promise<void> {
    const sockets = Array.from(this.#sockets, (socket) => once(socket, "close"));
    const closed = once(this.#server, "close");
    this.cut();
    this.#server.close();
    await deadline(Promise.all([...sockets, closed]), 5_000, "the end of the relay");
  }

  #connect(client: Socket): void {
    if (this.#isCut) {
      client.destroy();
      return;
    }
    const server = connect(this.#target, "127.0.0.1");
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        if (from === server || !this.isDeaf) to.write(chunk);
      });
      from.on("end", () => to.end());
      from.on("error", () => {}); // "close" follows.
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

testPage("the chat's page catches up after its network failed", async () => {
  const [{ port }, browser] = await Promise.all([startExample("chat/main.ts"), launch()]);
  const relay = new Relay(port);
  await relay.listen();
  onTestEnd(() => relay.close());
  const ann = await Visitor.enter(browser, `http://127.0.0.1:${relay.port}/r/lobby`, "Ann");
  const bob = await Visitor.enter(browser, `http://127.0.0.1:${port}/r/lobby`, "Bob");
  await ann.say("One");
  await bob.sees("One");
  const one = await ann.page.locator(".entry:not(.pending)").elementHandle();

  relay.isDeaf = true;
  await ann.say("Three");
  await ann.page.locator(".entry.pending").waitFor();
  relay.cut();
  await ann.state("waiting");
  await bob.people("Bob");
  await bob.say("Two");
  await bob.sees("Two");
  assertEquals(await ann.messages(), ["One", "Three"]);

  relay.isDeaf = false;
  relay.mend();
  await ann.state("open");
  await Promise.all([ann.sees("Two"), ann.sees("Three"), bob.sees("Three")]);
  assertEquals(await ann.messages(), ["One", "Two", "Three"]);
  assertEquals(await bob.messages(), ["One", "Two", "Three"]);
  assert(await one?.isVisible(), "What was known is shown anew");
  assertEquals(await ann.page.locator(".entry.own").count(), 2);
  await Promise.all([ann.people("Ann", "Bob"), bob.people("Ann", "Bob")]);
  assert(await ann.page.locator(".entry.pending").count() === 0);
  assertEquals([ann, bob].flatMap(({ problems }) => problems), []);
});
