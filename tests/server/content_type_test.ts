// The Content-Type of a response, as Fetch derives it from the body: the same on each runtime.
import { assertEquals, assertMatch, runtime, test } from "../harness.ts";
import { fieldOf } from "../support/http.ts";
import { serving } from "../support/server.ts";
import { tcpConnect } from "../support/raw_tcp.ts";

/** Returns the Content-Type of the response, and the whole output of the server. */
async function typeOf(
  respond: () => Response,
  method = "GET",
): Promise<{ type: string; text: string }> {
  const { server } = serving({}, { fetch: respond });
  const client = await tcpConnect(server.addr);
  client.write(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const text = await client.untilEnd();
  client.end();
  await client.untilClosed();
  return { type: fieldOf(text.slice(0, text.indexOf("\r\n\r\n") + 2), "Content-Type"), text };
}

function formData(): FormData {
  const form = new FormData();
  form.append("name", "value");
  return form;
}

/** Returns a stream that is complete at once, as one made of a string is. */
function readyStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("text"));
      controller.close();
    },
  });
}

const TEXT = /^text\/plain;charset=utf-8$/i;
const NONE = /^$/;
const FORM = /^multipart\/form-data; ?boundary=\S+$/;
const PARAMETERS = /^application\/x-www-form-urlencoded;charset=utf-8$/i;
const OWN = { headers: { "content-type": "a/b" } };

const bodies: Record<string, [() => Response, RegExp]> = {
  "a string": [() => new Response("hi"), TEXT],
  "a string with characters of several bytes": [() => new Response("grüße 🌍".repeat(500)), TEXT],
  "a large string": [() => new Response("x".repeat(3_000_000)), TEXT],
  "a string with a status text": [
    () => new Response("no", { status: 404, statusText: "Not here" }),
    TEXT,
  ],
  "a string with other fields": [() => new Response("hi", { headers: { "X-A": "b" } }), TEXT],
  "a string of a clone": [() => new Response("hi").clone(), TEXT],
  "a Blob with a type": [
    () => new Response(new Blob(["hi"], { type: "image/png" })),
    /^image\/png$/,
  ],
  "a Blob without a type": [() => new Response(new Blob(["hi"])), NONE],
  "FormData": [() => new Response(formData()), FORM],
  "URLSearchParams": [() => new Response(new URLSearchParams("a=b")), PARAMETERS],
  "JSON": [() => Response.json({ a: "b" }), /^application\/json(;charset=utf-8)?$/i],
  "bytes that are no text": [() => new Response(new Uint8Array([1, 2, 0xff])), NONE],
  "bytes that are text": [() => new Response(new TextEncoder().encode("hi")), NONE],
  "bytes of UTF-8": [() => new Response(new TextEncoder().encode("grüße 🌍")), NONE],
  "a large array of text": [
    () => new Response(new TextEncoder().encode("x".repeat(3_000_000))),
    NONE,
  ],
  "bytes of a part of a buffer": [
    () => new Response(new TextEncoder().encode("xhi").subarray(1)),
    NONE,
  ],
  "an ArrayBuffer of text": [() => new Response(new TextEncoder().encode("hi").buffer), NONE],
  "a clone of bytes of text": [() => new Response(new TextEncoder().encode("hi")).clone(), NONE],
  "bytes that are cloned": [
    () => {
      const response = new Response(new TextEncoder().encode("hi"));
      response.clone();
      return response;
    },
    NONE,
  ],
  "bytes with a status text": [
    () => new Response(new TextEncoder().encode("hi"), { status: 404, statusText: "Not here" }),
    NONE,
  ],
  "a string that is no text": [() => new Response("\0\x01\x02"), TEXT],
  "a string of Latin-1": [() => new Response("é"), TEXT],
  "a string of characters of 3 bytes": [() => new Response("日本語"), TEXT],
  "a string of characters of 2 bytes and a space": [() => new Response("привет мир"), TEXT],
  // Bun has no difference between it and bytes of UTF-8, and a guess could be wrong.
  "a string of characters of 2 bytes alone": [
    () => new Response("привет"),
    runtime === "deno" ? TEXT : NONE,
  ],
  "control characters": [() => new Response(new Uint8Array([0, 1, 2])), NONE],
  "an empty array": [() => new Response(new Uint8Array()), NONE],
  "a stream": [() => new Response(readyStream()), NONE],
  "a stream with a status text": [
    () => new Response(readyStream(), { statusText: "Fine", headers: { "X-A": "b" } }),
    NONE,
  ],
  "a stream, and members of its own": [
    () => Object.assign(new Response(readyStream()), { a: 1, b: 2, c: 3, d: 4, e: 5 }),
    NONE,
  ],
  "no body": [() => new Response(), NONE],
  "null": [() => new Response(null, { status: 404, statusText: "Not here" }), NONE],
  "a redirection": [() => Response.redirect("http://example.com/"), NONE],
  // Bun has no difference between it and an empty stream.
  "an empty string": [() => new Response(""), runtime === "deno" ? TEXT : NONE],
};

for (const [name, [respond, type]] of Object.entries(bodies)) {
  test(`the Content-Type of ${name}`, async () => {
    assertMatch((await typeOf(respond)).type, type);
  });
}

for (const [name, [respond, type]] of Object.entries(bodies)) {
  test(`the Content-Type of ${name}, of HEAD`, async () => {
    const answer = await typeOf(respond, "HEAD");
    assertMatch(answer.type, type);
    assertMatch(answer.text, /\r\n\r\n$/);
  });
}

const withOwn: Record<string, () => Response> = {
  "a string": () => new Response("hi", OWN),
  "a Blob": () => new Response(new Blob(["hi"], { type: "image/png" }), OWN),
  "FormData": () => new Response(formData(), OWN),
  "URLSearchParams": () => new Response(new URLSearchParams("a=b"), OWN),
  "bytes": () => new Response(new Uint8Array(3), OWN),
  "a stream": () => new Response(readyStream(), OWN),
  "JSON": () => Response.json({}, OWN),
  "an empty string": () => new Response("", OWN),
  "no body": () => new Response(null, OWN),
};

for (const [name, respond] of Object.entries(withOwn)) {
  test(`the application's own Content-Type is kept with ${name}`, async () => {
    for (const method of ["GET", "HEAD"]) {
      const { type, text } = await typeOf(respond, method);
      assertEquals(type, "a/b");
      assertEquals(text.match(/content-type/gi)?.length, 1);
    }
  });
}

test("the body of a string is whole behind its Content-Type", async () => {
  const { text } = await typeOf(() => new Response("hi"));
  assertMatch(text, /\r\nContent-Length: 2\r\n[^]*\r\n\r\nhi$/);
});

test("the 500 of a failed fetch() has a Content-Type", async () => {
  const { type, text } = await typeOf(() => {
    throw new Error("secret");
  });
  assertMatch(text, /^HTTP\/1\.1 500 /);
  assertMatch(type, /^text\/plain; ?charset=utf-8$/i);
});
