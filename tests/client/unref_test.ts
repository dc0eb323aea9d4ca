// Whether an open client keeps its process alive.
import { assertEquals, deadline, delay, test } from "../harness.ts";
import { runSource } from "../support/child_script.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { echo, serving } from "../support/server.ts";

const opening = (url: string) => `
  import { connect } from MOD;
  const socket = await connect("${url}");
  (async () => { for await (const message of socket) console.log(message); })();
  await socket.send("one");
  await socket.ping();
`;

test("a client's connection that is not referenced lets the process end", async () => {
  const { url } = serving(echo);
  const child = await runSource(`${opening(url)} socket.unref();`);
  const { code, stdout } = await deadline(child.exited, 10_000, "the exit");
  assertEquals([code, stdout], [0, "one\n"]);
});

test("a client's connection keeps the process alive, also when it is referenced again", async () => {
  const { url } = serving(echo);
  for (const more of ["", "socket.unref(); socket.ref();"]) {
    const child = await runSource(`${opening(url)} ${more}`);
    await child.waitForLine(/^one$/);
    const isRunning = await Promise.race([child.exited, delay(300).then(() => true)]);
    assertEquals(isRunning, true);
  }
});

test("a client's connection that is not referenced works while the process is busy", async () => {
  const { url } = serving(echo);
  const child = await runSource(`${opening(url)}
    socket.unref();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await socket.send("two");
    await new Promise((resolve) => setTimeout(resolve, 200));
  `);
  const { code, stdout } = await deadline(child.exited, 10_000, "the exit");
  assertEquals([code, stdout], [0, "one\ntwo\n"]);
});

test("a ReconnectingWebSocket that is not referenced lets the process end", async () => {
  const { url } = serving(echo);
  const refusing = await rawServer(({ socket }) => void socket.resetAndDestroy());
  const cases: [url: string, event: string][] = [
    [url, "open"],
    [`ws://127.0.0.1:${refusing.port}/`, "close"],
  ];
  for (const [url, event] of cases) {
    const child = await runSource(`
      import { ReconnectingWebSocket } from MOD;
      const socket = new ReconnectingWebSocket("${url}", { initialDelay: 2 ** 31 - 1 });
      socket.unref();
      for await (const { type } of socket) {
        console.log(type);
        break;
      }
    `);
    const { code, stdout } = await deadline(child.exited, 10_000, "the exit");
    assertEquals([code, stdout], [0, `${event}\n`]);
  }
});
