// fetch() of the server with the HTTP client of a real browser: streams, forms, events.
import { assertEquals, deadline, testIf } from "../../harness.ts";
import { serving } from "../../support/server.ts";
import { browserIsHere, launch } from "./browser.ts";

testIf(
  browserIsHere,
  "Chromium reads streams, uploads a form, and gets events from fetch()",
  async () => {
    const left = Promise.withResolvers<void>();
    const ports = new Set<number>();
    const { server, errors } = serving({ message: (socket, message) => socket.send(message) }, {
      async fetch(request, { remoteAddr }) {
        ports.add((remoteAddr as { port: number }).port);
        const { pathname } = new URL(request.url);
        if (pathname === "/form") {
          const form = await request.formData();
          const file = form.get("file") as File;
          return Response.json({ name: form.get("name"), file: file.name, size: file.size });
        }
        if (pathname === "/stream") {
          let count = 0;
          return new Response(
            new ReadableStream({
              pull(controller) {
                if (count++ === 100) controller.close();
                else controller.enqueue(new Uint8Array(10_000).fill(count));
              },
            }),
          );
        }
        if (pathname === "/events") {
          let id = 0;
          const events = new ReadableStream({
            pull: (controller) => {
              if (id < 3) controller.enqueue(new TextEncoder().encode(`data: event ${id++}\n\n`));
            },
            cancel: () => left.resolve(),
          });
          return new Response(events, { headers: { "Content-Type": "text/event-stream" } });
        }
        if (pathname === "/cookie") {
          return new Response(request.headers.get("cookie"), {
            headers: [["Set-Cookie", "a=1; Path=/"], ["Set-Cookie", "b=2; Path=/"]],
          });
        }
        return new Response("<!doctype html><title>page</title>", {
          headers: { "Content-Type": "text/html" },
        });
      },
    });
    const page = await (await launch()).newPage();
    await page.goto(`http://127.0.0.1:${server.port}/`);
    const report = await page.evaluate(async () => {
      const stream = await fetch("/stream");
      let size = 0;
      const reader = stream.body!.getReader();
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        size += read.value.length;
      }
      const form = new FormData();
      form.set("name", "gr\u00fc\u00dfe");
      form.set("file", new Blob([new Uint8Array(300_000)]), "file.bin");
      const uploaded = await (await fetch("/form", { method: "POST", body: form })).json();
      const events: string[] = [];
      const source = new EventSource("/events");
      await new Promise<void>((resolve) => {
        source.onmessage = ({ data }) => {
          if (events.push(data) === 3) resolve();
        };
      });
      source.close();
      await fetch("/cookie");
      const cookie = await (await fetch("/cookie")).text();
      const socket = new WebSocket(`ws://${location.host}/`);
      await new Promise((resolve) => socket.onopen = resolve);
      socket.send("Hi");
      const echo = await new Promise<MessageEvent>((resolve) => socket.onmessage = resolve);
      socket.close();
      const head = await fetch("/", { method: "HEAD" });
      return { size, uploaded, events, cookie, echo: echo.data, head: head.status };
    });
    assertEquals(report, {
      size: 1_000_000,
      uploaded: { name: "gr\u00fc\u00dfe", file: "file.bin", size: 300_000 },
      events: ["event 0", "event 1", "event 2"],
      cookie: "a=1; b=2",
      echo: "Hi",
      head: 200,
    });
    await deadline(left.promise, 4000, "the end of the events");
    assertEquals(errors, []);
    assertEquals(ports.size < 8, true, "connections are used again");
  },
);
