// The page of the game in a real browser: two players, one on a phone in the dark.
import { startExample } from "../example_process.ts";
import { assert, assertEquals, testIf } from "../../harness.ts";
import { browserIsHere, launch } from "./browser.ts";

testIf(
  browserIsHere,
  "Chromium plays the game on a desktop and a phone, and shows why it ends",
  async () => {
    const { port } = await startExample("game/main.ts");
    const browser = await launch();
    const problems: string[] = [];
    const join = async (name: string, options: object) => {
      const page = await (await browser.newContext(options)).newPage();
      page.setDefaultTimeout(20_000);
      page.on("pageerror", (error) => problems.push(String(error)));
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.fill("#name", name);
      await page.click("#join button");
      await page.locator("#state", { hasText: "Connected" }).waitFor();
      return page;
    };
    const ann = await join("Ann", { viewport: { width: 1280, height: 800 } });
    const bob = await join("Bob <b>", {
      viewport: { width: 390, height: 844 },
      colorScheme: "dark",
      hasTouch: true,
      isMobile: true,
    });
    await ann.locator("#ping", { hasText: /\d+ ms/ }).waitFor();
    assertEquals(await ann.locator("#players .name").allTextContents(), ["Ann (host)", "Bob <b>"]);
    assert(await bob.evaluate("document.body.scrollWidth <= innerWidth"), "it fits the phone");

    /** Holds a key down until the pixels of the field have changed, for at most 3 s. */
    const moves = async (key: string): Promise<boolean> => {
      const picture = () => ann.locator("#field").screenshot();
      const before = await picture();
      let hasMoved = false;
      await ann.keyboard.down(key);
      for (let i = 0; i < 30 && !hasMoved; i++) {
        await ann.waitForTimeout(100);
        hasMoved = !before.equals(await picture());
      }
      await ann.keyboard.up(key);
      return hasMoved;
    };
    // If the player starts at the left edge, only the second key moves it.
    await moves("ArrowLeft");
    assert(await moves("KeyD"), "the player has moved");

    await ann.getByRole("button", { name: "Remove Bob" }).click();
    await bob.getByText("Ann has removed you").waitFor();
    await ann.locator("#players .name").nth(1).waitFor({ state: "detached" });
    assertEquals(await ann.locator("#players .name").allTextContents(), ["Ann (host)"]);
    assertEquals(problems, []);
  },
);
