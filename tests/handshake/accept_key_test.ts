import { computeAcceptKey, isValidKey } from "../../src/handshake/accept_key.ts";
import { assert, assertEquals, test } from "../harness.ts";

test("computeAcceptKey gives the answer of RFC 6455 §1.3", () => {
  assertEquals(computeAcceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

test("computeAcceptKey gives another known answer", () => {
  assertEquals(computeAcceptKey("sN9cRrP/n9NdMgdcy2VJFQ=="), "fFBooB7FAkLlXgRSz0BT3v4hq5s=");
});

test("isValidKey takes the base64 of 16 bytes", () => {
  for (
    const key of [
      "dGhlIHNhbXBsZSBub25jZQ==",
      "AAAAAAAAAAAAAAAAAAAAAA==",
      "+/+/+/+/+/+/+/+/+/+/+w==",
    ]
  ) {
    assert(isValidKey(key), key);
  }
  // RFC 4648 §3.5: the unused bits may have any value.
  assert(isValidKey("abcdefghijklmnopqrstuv=="));
});

test("isValidKey refuses anything else", () => {
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  for (
    const bad of [
      "",
      "==",
      "dGhlIHNhbXBsZSBub25jZQ",
      "dGhlIHNhbXBsZSBub25jZQ=",
      "dGhlIHNhbXBsZSBub25jZQ===",
      "dGhlIHNhbXBsZSBub25jZGU=",
      "dGhlIHNhbXBsZSBub25j",
      ` ${key}`,
      `${key} `,
      `${key}\n`,
      `${key}, ${key}`,
      key.replace("G", "-"),
      key.replace("G", "\xe9"),
      key.replace("G", " "),
    ]
  ) {
    assert(!isValidKey(bad), JSON.stringify(bad));
  }
});
