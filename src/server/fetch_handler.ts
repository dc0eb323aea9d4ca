import { internalServerError } from "../http/errors.ts";
import { toRequest } from "../http/request.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import { show } from "../util/options.ts";
import type { FetchInfo } from "./serve_options.ts";
import type { HttpResponder } from "./http_responder.ts";
import { isResponse, prepareResponse, sendResponse } from "./response_sender.ts";
import type { PreparedResponse } from "./response_sender.ts";

/** A plain HTTP request, and what it is answered with. */
export interface FetchInit {
  /** The server's `fetch()`. */
  fetch: (request: Request, info: FetchInfo) => Response | Promise<Response>;
  /** The request head, which has been validated. */
  head: RequestHead;
  responder: HttpResponder;
  info: FetchInfo;
  scheme: "http" | "https";
  /** Receives the errors of `fetch()` and of the stream of its response. */
  report: (error: unknown) => void;
}

/** Answers a plain HTTP request with the result of `fetch()`, or with 500 if it fails. Never rejects. */
export async function answerWithFetch(init: FetchInit): Promise<void> {
  const { responder, report, head: { method } } = init;
  const isHead = method === "HEAD";
  try {
    let prepared: PreparedResponse;
    try {
      prepared = prepareResponse(await callFetch(init), isHead);
    } catch (error) {
      report(error);
      const text = `${internalServerError(error).message}\n`;
      prepared = prepareResponse(new Response(text, { status: 500 }), isHead);
    }
    await sendResponse(responder, prepared);
  } catch (error) {
    report(error);
  }
}

async function callFetch({ fetch, head, info, scheme }: FetchInit) {
  const response: unknown = await fetch(toRequest(head, { scheme }), info);
  if (isResponse(response)) return response;
  throw new TypeError(`Cannot answer: fetch() returned ${show(response)}, expected a Response`);
}
