// The echo example, with the WebSocket of a real browser.
import { startExample } from "../example_process.ts";
import { assertEquals, testIf } from "../../harness.ts";
import { browserIsHere, launch } from "./browser.ts";

testIf(browserIsHere, "Chromium gets each message back from the echo, with its type", async () => {
  const { port } = await startExample("echo.ts");
  const page = await (await launch()).newPage();
  // A page of the same host: the one that explains that this is a WebSocket server.
  await page.goto(`http://localhost:${port}/`);
  const report = await page.evaluate(async (url) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    const next = () => new Promise<MessageEvent>((resolve) => socket.onmessage = resolve);
    await new Promise((resolve) => socket.onopen = resolve);
    const received: unknown[] = [];
    for (const text of ["Hi", "", "gr\u00fc\u00dfe \ud83c\udf0d", "x".repeat(70_000)]) {
      socket.send(text);
      received.push((await next()).data === text);
    }
    for (const size of [0, 125, 126, 65_536, 1_048_576]) {
      socket.send(new Uint8Array(size).fill(7));
      const { data } = await next();
      received.push(data.byteLength === size && new Uint8Array(data).every((byte) => byte === 7));
    }
    const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
    socket.close(4001, "enough");
    const { code, wasClean } = await closed;
    return { received, code, wasClean };
  }, `ws://localhost:${port}/`);
  assertEquals(report, { received: Array(9).fill(true), code: 4001, wasClean: true });
});
