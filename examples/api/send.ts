// Calls the webhook: `deno run -A examples/api/send.ts "A title"`, or with `bun`.
import process from "node:process";
import { sign } from "./app.ts";

const { PORT = "8080", WEBHOOK_SECRET = "secret" } = process.env;
const body = JSON.stringify({ title: process.argv[2] ?? "Hello" });
const response = await fetch(`http://127.0.0.1:${PORT}/webhook`, {
  method: "POST",
  headers: { "Content-Type": "application/json", "X-Signature": sign(body, WEBHOOK_SECRET) },
  body,
});
console.log(response.status, await response.text());
if (!response.ok) process.exitCode = 1;
