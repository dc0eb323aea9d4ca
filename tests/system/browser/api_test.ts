// The page of the API example in a real browser: the login, the events of the feed, the logout.
import { sign } from "../../../examples/api/app.ts";
import { startExample } from "../example_process.ts";
import { assertEquals, testIf } from "../../harness.ts";
import { browserIsHere, launch } from "./browser.ts";

testIf(browserIsHere, "Chromium logs in to the API, shows its events, and logs out", async () => {
  const { port } = await startExample("api/main.ts");
  const page = await (await launch()).newPage({ viewport: { width: 640, height: 480 } });
  page.setDefaultTimeout(20_000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    // The browser asks for an icon, which there is none of.
    if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico")) {
      problems.push(message.text());
    }
  });
  const send = async (title: string) => {
    const body = JSON.stringify({ title });
    const headers = { "X-Signature": sign(body, "secret") };
    const response = await fetch(`http://127.0.0.1:${port}/webhook`, {
      method: "POST",
      headers,
      body,
    });
    await response.body?.cancel();
  };

  await send("Order 1 has been paid");
  await page.goto(`http://localhost:${port}/`);
  await page.fill("[name=user]", "demo");
  await page.fill("[name=password]", "demo");
  await page.click("button");
  await page.getByText("Connected as demo").waitFor();
  await send("Order 1 has been <b>shipped</b>");
  await page.getByText("shipped").waitFor();
  const items = await page.locator("#events li").allTextContents();
  assertEquals(items.map((text) => text.slice(text.indexOf(" Order") + 1)), [
    "Order 1 has been <b>shipped</b>",
    "Order 1 has been paid",
  ]);
  assertEquals(await page.locator("#empty").isVisible(), false);
  await page.getByText("Log out").click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  assertEquals(problems, []);
});
